#include "routing/apply_header.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace clrbus {
namespace {

const std::string kApplyTestHash(64, 'a');

ApplyHeader full_apply_header() {
    ApplyHeader header;
    header.kind = ApplyHeader::Kind::kPerson;
    header.source = "people";
    header.key = "900123456";
    header.version = "2026-05-01T00:00:00Z";
    header.covers_all = false;
    header.blocked = true;
    header.deleted = true;
    header.document_key = "doc|Original";
    header.content_sha256 = kApplyTestHash;
    header.organization = "Universität";
    header.organization_codes = {"FICE:003658", ""};
    header.identifiers = {{"institution-id", "FICE:003658", "900123456"}, {"orcid", "orcid.org", "0000-0002-1825-0097"}};
    header.given = "Ana";
    header.family = "Núñez";
    header.full = "Ana Núñez";
    header.achievements = {"course|1", "course|2"};
    header.authority = "Registrar";
    header.identity_authority = true;
    header.match = {"institution-id"};
    header.correction = {"ada", "2026-05-03T10:00:00Z", "the unit was misspelt", "pesc/1234", "sha256:" + kApplyTestHash};
    return header;
}

ApplyHeader small_apply_header() {
    ApplyHeader header;
    header.source = "hr";
    header.key = "k";
    header.content_sha256 = kApplyTestHash;
    return header;
}

std::string apply_refusal(std::string_view bytes) {
    try {
        ApplyHeader::decode(bytes);
    } catch (const Error& e) {
        EXPECT_EQ(e.fault(), Fault::kPoison);
        EXPECT_EQ(e.code(), "REC-001");
        return e.why();
    }
    return "accepted";
}

TEST(ApplyHeader, RefusesEveryCutAndEveryTail) {
    const std::string bytes = full_apply_header().encode();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_NE(apply_refusal(std::string_view(bytes).substr(0, size)), "accepted") << size;
    }
    EXPECT_EQ(apply_refusal(bytes + "x"), "bytes follow its end");
}

TEST(ApplyHeader, LivesThroughEveryChangedByte) {
    const std::string bytes = full_apply_header().encode();
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (const int value : {0, 1, 0x7F, 0x80, 0xFF}) {
            std::string hostile = bytes;
            hostile[at] = static_cast<char>(value);
            try {
                const ApplyHeader header = ApplyHeader::decode(hostile);
                EXPECT_EQ(header.encode(), hostile);  // what is accepted has one encoding
            } catch (const Error& e) {
                EXPECT_EQ(e.code(), "REC-001");
            }
        }
    }
}

TEST(ApplyHeader, RefusesAnotherVersionKindOrFlag) {
    std::string bytes = small_apply_header().encode();
    bytes[1] = 3;
    EXPECT_EQ(apply_refusal(bytes), "written by another version of the bus (this one reads versions 1 and 2)");
    bytes[1] = 2;
    EXPECT_EQ(apply_refusal(bytes), "it ends too early") << "version 2 has a correction";
    EXPECT_EQ(apply_refusal(bytes + std::string(5, '\0')), "half a correction");
    bytes[1] = 1;
    bytes[2] = 4;
    EXPECT_EQ(apply_refusal(bytes), "an unknown kind of message");
    bytes[2] = 0;
    bytes[3] = 16;
    EXPECT_EQ(apply_refusal(bytes), "an unknown flag");
    EXPECT_EQ(apply_refusal("<statement/>"), "not an apply header");
}

TEST(ApplyHeader, AHostileCountReservesNoMemory) {
    std::string bytes = small_apply_header().encode();
    bytes.resize(bytes.size() - 1);  // the count of achievements
    EXPECT_EQ(apply_refusal(bytes + "\xFF\xFF\xFF\xFF\x0F"), "a list of more than 20000 items");
    EXPECT_EQ(apply_refusal(bytes + "\xA0\x9C\x01"), "it ends too early");
    EXPECT_EQ(apply_refusal(bytes + "\xFF\xFF\xFF\xFF\xFF\x01"), "a number is longer than 5 bytes");
    EXPECT_EQ(apply_refusal(bytes + std::string("\x81\x00", 2)), "a number is not in its shortest form");
}

TEST(ApplyHeader, WritesNothingThatItWouldNotRead) {
    const auto refused = [](auto change) {
        ApplyHeader header = full_apply_header();
        change(header);
        EXPECT_THROW(header.encode(), Error);
    };
    refused([](ApplyHeader& h) { h.source.clear(); });
    refused([](ApplyHeader& h) { h.key.clear(); });
    refused([](ApplyHeader& h) { h.correction.by.clear(); });
    refused([](ApplyHeader& h) { h.correction.letter.clear(); });
    refused([](ApplyHeader& h) { h.content_sha256 = "ABC"; });
    refused([](ApplyHeader& h) { h.key = std::string("a\0b", 3); });
    refused([](ApplyHeader& h) { h.given = std::string(4097, 'x'); });
    refused([](ApplyHeader& h) { h.identifiers[0].value.clear(); });
    refused([](ApplyHeader& h) { h.identifiers.resize(101, h.identifiers[0]); });
    refused([](ApplyHeader& h) { h.achievements.resize(20'001, "k"); });
    refused([](ApplyHeader& h) { h.achievements.assign(800, std::string(300, 'k')); });  // beyond what headers may hold
}

TEST(ApplyHeader, ComesBackAsItWas) {
    for (const ApplyHeader& header : {full_apply_header(), small_apply_header()}) {
        EXPECT_EQ(ApplyHeader::decode(header.encode()), header);
    }
    EXPECT_EQ(small_apply_header().encode()[1], 1) << "what nobody corrected is written as before";
    ApplyHeader large = small_apply_header();
    large.achievements.assign(3000, std::string(70, 'k'));
    EXPECT_EQ(ApplyHeader::decode(large.encode()), large);
}

}  // namespace
}  // namespace clrbus
