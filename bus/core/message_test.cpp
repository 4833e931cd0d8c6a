#include "core/message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"

namespace clrbus {
namespace {

using namespace std::string_literals;

Message sample_message() {
    return MessageBuilder()
        .message_id("id-1")
        .to("in/pesc")
        .content_type("application/xml")
        .property("route", "x")
        .property("n", "2")
        .build("<a/>");
}

std::string code_of(const std::string& bytes) {
    try {
        Message::from_encoded(bytes);
    } catch (const Error& e) {
        EXPECT_EQ(e.fault(), Fault::kPoison);
        return e.code();
    }
    return "accepted";
}

TEST(Message, BuildsAndReads) {
    const Message m = sample_message();
    EXPECT_EQ(m.message_id(), "id-1");
    EXPECT_EQ(m.to(), "in/pesc");
    EXPECT_EQ(m.content_type(), "application/xml");
    EXPECT_EQ(m.subject(), "");
    EXPECT_EQ(m.application_property("n"), "2");
    EXPECT_EQ(m.application_property("none"), std::nullopt);
    EXPECT_EQ(m.body(), "<a/>");
    EXPECT_EQ(Message().body(), "");
    EXPECT_EQ(Message().message_id(), "");
}

TEST(Message, CutsHeaderAndAnnotationsAndKeepsTheBareBytes) {
    const std::string bare(sample_message().bytes());
    const std::string header = "\x00\x53\x70\xc0\x02\x01\x41"s;
    const std::string annotations = "\x00\x53\x72\xc1\x01\x00"s;
    const Message m = Message::from_encoded(header + annotations + bare);
    EXPECT_EQ(m.bytes(), bare);
    EXPECT_EQ(m.body(), "<a/>");
    EXPECT_EQ(m.message_id(), "id-1");
}

TEST(Message, LargeBodiesUseLongLengths) {
    const std::string body(100'000, 'x');
    EXPECT_EQ(MessageBuilder().message_id(std::string(300, 'i')).build(body).body(), body);
}

TEST(Message, JoinsSeveralDataSections) {
    const Message m = Message::from_encoded("\x00\x53\x75\xa0\x02"s + "ab" + "\x00\x53\x75\xa0\x02"s + "cd");
    EXPECT_EQ(m.body_kind(), Message::BodyKind::kSeveralData);
    EXPECT_EQ(m.body_copy(), "abcd");
}

TEST(Message, KnowsTheKindsOfBodies) {
    EXPECT_EQ(Message::from_encoded("\x00\x53\x77\xa1\x01\x61"s).body(), "a");
    EXPECT_EQ(Message::from_encoded("\x00\x53\x77\x45"s).body_kind(), Message::BodyKind::kStructured);
    EXPECT_EQ(Message::from_encoded("\x00\x53\x76\x45"s).body_kind(), Message::BodyKind::kStructured);
}

TEST(Message, TellsIdsOfEveryType) {
    const auto with_id = [](const std::string& id) {
        const std::string list = "\xc0"s + static_cast<char>(id.size() + 1) + "\x01" + id;
        return Message::from_encoded("\x00\x53\x73"s + list + "\x00\x53\x75\xa0\x00"s).message_id();
    };
    EXPECT_EQ(with_id("\x53\x07"s), "7");
    EXPECT_EQ(with_id("\xa0\x02\x01\xff"s), "01ff");
    EXPECT_EQ(with_id("\x98"s + std::string(16, '\x11')), "11111111-1111-1111-1111-111111111111");
    EXPECT_EQ(with_id("\x40"s), "");
}

TEST(Message, RefusesWhatIsNoMessage) {
    EXPECT_EQ(code_of(""), "AMQP-104");
    EXPECT_EQ(code_of("hello world"), "AMQP-101");
    EXPECT_EQ(code_of("\x00\x53\x70\x45"s), "AMQP-104");                                      // a header alone
    EXPECT_EQ(code_of("\x00\x53\x75\xa0\x05"s + "abc"), "AMQP-105");                          // cut body
    EXPECT_EQ(code_of("\x00\x53\x75\xa0\x00\x00\x53\x73\x45"s), "AMQP-102");                  // properties behind the body
    EXPECT_EQ(code_of("\x00\x53\x75\xa0\x00\x00\x53\x77\x45"s), "AMQP-102");                  // two kinds of body
    EXPECT_EQ(code_of("\x00\x53\x73\xa1\x00\x00\x53\x75\xa0\x00"s), "AMQP-103");              // properties as a string
    EXPECT_EQ(code_of("\x00\x53\x77\xd1\x00\x00\x00\x05\x00\x00\x00\x01\x40"s), "AMQP-108");  // odd map
    EXPECT_EQ(code_of("\x00\x53\x77\xd0\xff\xff\xff\xff\xff\xff\xff\xff"s), "AMQP-105");      // lengths over the end
    EXPECT_EQ(code_of("\x00\x53\x77\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40"s),
              "accepted");  // 4 G elements of no width: no cost
}

TEST(Message, RefusesDeepNesting) {
    std::string deep = "\x45"s;
    for (int i = 0; i < 2000; ++i) {
        std::string outer = "\xd0"s;
        const auto size = static_cast<std::uint32_t>(deep.size() + 4);
        for (int shift = 24; shift >= 0; shift -= 8) outer += static_cast<char>(size >> shift);
        outer += "\x00\x00\x00\x01"s;
        deep.insert(0, outer);
    }
    EXPECT_EQ(code_of("\x00\x53\x77"s + deep), "AMQP-106");
    EXPECT_EQ(code_of("\x00\x53\x77"s + std::string(100'000, '\0')), "AMQP-106");  // descriptors of descriptors
}

TEST(Message, SurvivesEveryTruncationAndByteChange) {
    const std::string good(sample_message().bytes());
    for (std::size_t cut = 0; cut < good.size(); ++cut) EXPECT_NE(code_of(good.substr(0, cut)), "accepted");
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (int bit = 0; bit < 256; ++bit) {
            std::string bad = good;
            bad[at] = static_cast<char>(bit);
            try {
                const Message m = Message::from_encoded(bad);
                m.message_id();
                m.application_properties();
                m.body_copy();
            } catch (const Error&) {  // refused is as good as read: what counts is that nothing else happens
            }
        }
    }
}

}  // namespace
}  // namespace clrbus
