#include "broker/link_envelope.hpp"

#include <gtest/gtest.h>

#include <random>

#include "core/error.hpp"

namespace clrbus::broker {
namespace {

LinkUnit full_unit() {
    LinkUnit out;
    out.unit.settled = {{"in/r", 7}};
    Put put;
    put.queue = "records";
    put.message = MessageBuilder().message_id("id").build(std::string("a\0b", 3));
    put.headers.set("clrbus-source", "r/door");
    put.duplicate_key = "key";
    out.unit.outputs = {put, put};
    out.unit.notes = {{"split/r/1", "x"}, {"split/r/2", std::nullopt}};
    out.unit.ledger = {{"r", Outcome::kDelivered, 2}, {"r", Outcome::kHeld, -1}};
    out.believed = {{"split/r/1", std::nullopt}, {"split/r/2", ""}};
    out.during = {{"in/r", 9}};
    return out;
}

std::string wrapped(std::string_view body) {
    return std::string(MessageBuilder().build(body).bytes());
}

TEST(LinkEnvelope, KeepsAUnitAsItIs) {
    const auto result = decode_result(std::string(encode_result(full_unit()).bytes()));
    const auto& unit = std::get<LinkUnit>(result);
    EXPECT_EQ(unit.unit.settled.at(0).sequence, 7U);
    EXPECT_EQ(unit.unit.outputs.at(1).message.bytes(), full_unit().unit.outputs[1].message.bytes());
    EXPECT_EQ(unit.unit.outputs.at(1).headers.get("clrbus-source"), "r/door");
    EXPECT_EQ(unit.unit.outputs.at(0).duplicate_key, "key");
    EXPECT_EQ(unit.unit.notes.at(0).value, "x");
    EXPECT_EQ(unit.unit.notes.at(1).value, std::nullopt);
    EXPECT_EQ(unit.unit.ledger.at(1).outcome, Outcome::kHeld);
    EXPECT_EQ(unit.unit.ledger.at(1).count, -1);
    EXPECT_EQ(unit.believed.at(0).value, std::nullopt);
    EXPECT_EQ(unit.believed.at(1).value, "");
    EXPECT_EQ(unit.during.at(0).sequence, 9U);
}

TEST(LinkEnvelope, KeepsWorkAsItIs) {
    LinkWork work;
    work.delivery = 99;
    work.taken.queue = "in/r";
    work.taken.sequence = 5;
    work.taken.attempts = 3;
    work.taken.message = MessageBuilder().message_id("id").build("body");
    work.taken.headers.set("a", "b");
    work.notes = {{"generation/r", "3 hash"}};
    const auto read = decode_work(std::string(encode_work(work).bytes()));
    EXPECT_EQ(read.delivery, 99U);
    EXPECT_EQ(read.taken.attempts, 3U);
    EXPECT_EQ(read.taken.message.bytes(), work.taken.message.bytes());
    EXPECT_EQ(read.taken.headers, work.taken.headers);
    EXPECT_EQ(read.notes.at(0).value, "3 hash");
    work.taken.message = Message();
    EXPECT_EQ(decode_work(std::string(encode_work(work).bytes())).taken.message.size(), 0U);
}

TEST(LinkEnvelope, RefusesEveryPartOfAUnit) {
    const std::string whole = encode_result(full_unit()).body_copy();
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_THROW(decode_result(wrapped(whole.substr(0, size))), Error) << size;
    EXPECT_THROW(decode_result(wrapped(whole + "x")), Error);
    EXPECT_THROW(decode_work(wrapped(whole)), Error) << "a result is no work";
    EXPECT_THROW(decode_result("no message at all"), Error);
}

TEST(LinkEnvelope, MakesNothingLargeOfASmallLie) {
    std::string lie = "U\x01";
    lie += std::string(2, '\0') + std::string(6, '\xff');
    EXPECT_THROW(decode_result(wrapped(lie)), Error);
    std::string many = "U\x01" + std::string(5, '\0') + std::string("\x0f\x00\x00", 3) + std::string(1U << 20, '\0');
    EXPECT_THROW(decode_result(wrapped(many)), Error);
}

TEST(LinkEnvelope, SurvivesFlippedBits) {
    const std::string whole = encode_result(full_unit()).body_copy();
    std::mt19937 dice(7);
    for (int round = 0; round < 20'000; ++round) {
        std::string changed = whole;
        for (int i = 0; i < 3; ++i) changed[dice() % changed.size()] = static_cast<char>(dice());
        try {
            decode_result(wrapped(changed));
        } catch (const Error&) {
            continue;
        }
    }
}

}  // namespace
}  // namespace clrbus::broker
