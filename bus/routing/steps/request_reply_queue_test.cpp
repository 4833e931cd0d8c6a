// request-reply over queues, and reply: what answers a request once, what does not, and what a restart leaves of it.
#include <set>

#include "core/counters.hpp"
#include "routing/continuation.hpp"
#include "routing/steps/stateful_fixture.hpp"

namespace clrbus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kAsking = "step/r/request-reply-1";
constexpr const char* kReplies = "reply/r/request-reply-1";
constexpr const char* kBehindReply = R"(<transform stylesheet="note.xsl"/><to><records/></to>)";

class RequestReplyQueueTest : public StatefulTest {
protected:
    void asks(const std::string& inside = "<queue/>", const std::string& attributes = "timeout=\"PT1M\"") {
        route("r", "<request-reply name=\"judge\" " + attributes + ">" + inside + "</request-reply>" + kBehindReply);
    }
    // As the AMQP door puts what a program outside sends.
    void reply(const std::string& correlation, const std::string& body) {
        Put one;
        one.queue = kReplies;
        one.message = MessageBuilder().correlation_id(correlation).content_type("application/xml").build(body);
        std::promise<PutState> stored;
        queues_->put({one}, *workers_, [&](const std::vector<PutResult>& done) { stored.set_value(done.at(0).state); });
        ASSERT_EQ(stored.get_future().get(), PutState::kStored);
    }
    std::string asked(std::size_t at = 0, const std::string& queue = "ask/r/judge") {
        const auto found = in(queue);
        return at < found.size() ? found[at].message.correlation_id() : "none";
    }
    void until_settled() {
        until("no reply waits", [&] { return waiting(kReplies) == 0; });
        until("nothing waits", [&] { return waiting(kAsking) == 0; });
        settle("r");
        expect_balanced();
    }
    std::int64_t ended(const std::string& how) {
        return counter("clrbus_request_reply_total{route=\"r\",name=\"judge\",end=\"" + how + "\"}").value();
    }
};

TEST_F(RequestReplyQueueTest, RefusesAttributesOfQueuesForAnEndpointAndATargetThatIsNone) {
    route("r", R"(<request-reply name="x" remember="PT1H"><f:post xmlns:f="urn:fake"/></request-reply><to><records/></to>)");
    EXPECT_EQ(load().errors.at(0).code(), "ROUTE-141");
    asks("<route id=\"nobody\"/>");
    EXPECT_EQ(load().errors.at(0).code(), "ROUTE-026");
    asks("<route id=\"r\"/>");
    EXPECT_EQ(load().errors.at(0).code(), "ROUTE-027");
    route("r", R"(<request-reply name="x"><queue/></request-reply>)");
    EXPECT_FALSE(load().errors.empty());
}

TEST_F(RequestReplyQueueTest, TheRequestSaysWhereToAndTheReplyTakesItsPlaceOnceAcrossARestart) {
    asks();
    start();
    put("r", note("a", 1));
    put("r", note("b", 2));
    until_known(kAsking, 2);
    const auto requests = in("ask/r/judge");
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_EQ(requests[0].message.reply_to(), kReplies);
    EXPECT_EQ(requests[0].message.correlation_id().size(), 32U);
    EXPECT_NE(asked(0), asked(1));
    EXPECT_EQ(requests[0].message.body(), note("a", 1));
    EXPECT_EQ(line("r").waiting, 2);
    expect_balanced();
    killed();
    reply(asked(1), note("B", 20));
    until_records(1);
    reply(asked(0), note("A", 10));
    until_records(2);
    EXPECT_THAT(records(), ElementsAre("B: a20 (n20)", "A: a10 (n10)"));
    until_settled();
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 2);
    EXPECT_EQ(line("r").sum(Outcome::kAggregated), 2);
}

TEST_F(RequestReplyQueueTest, AReplyThatCameWhileTheBusWasDownIsInTime) {
    asks();
    start();
    put("r", note("a", 1));
    until_known(kAsking, 1);
    engine_->stop();
    reply(asked(), note("A", 10));
    close();
    time_.pass(std::chrono::hours(1));
    start();
    until_records(1);
    EXPECT_THAT(records(), ElementsAre("A: a10 (n10)"));
    EXPECT_TRUE(in("dead/r").empty());
    until_settled();
}

TEST_F(RequestReplyQueueTest, ASecondReplyIsDroppedInOneGoAndLater) {
    asks();
    start();
    put("r", note("a", 1));
    until_known(kAsking, 1);
    const std::string id = asked();
    const auto before = ended("again");
    reply(id, note("A", 10));
    reply(id, note("A", 11));
    until_records(1);
    killed();
    reply(id, note("A", 12));
    until("both are refused", [&] { return ended("again") == before + 2; });
    until_settled();
    EXPECT_THAT(records(), ElementsAre("A: a10 (n10)"));
    EXPECT_EQ(line("r").sum(Outcome::kDiscarded), 2);
    EXPECT_TRUE(in("dead/r").empty());
}

TEST_F(RequestReplyQueueTest, WhatNobodyAskedForIsDropped) {
    asks();
    start();
    put("r", note("a", 1));
    until_known(kAsking, 1);
    const auto before = ended("unknown");
    reply("", note("X", 1));
    reply("00000000000000000000000000000000", note("X", 2));
    reply(std::string(40'000, 'f'), note("X", 3));
    reply("zz" + asked().substr(2), note("X", 4));
    until("all are refused", [&] { return ended("unknown") == before + 4; });
    EXPECT_TRUE(in("records").empty());
    until_waits(kAsking, 1);  // the request
    reply(asked(), note("A", 10));
    until_records(1);
    until_settled();
    EXPECT_TRUE(in("dead/r").empty());
}

TEST_F(RequestReplyQueueTest, NoReplyInTimeIsADeadLetterThatAsksAgainWhenReplayed) {
    asks();
    start();
    put("r", note("a", 1));
    until_known(kAsking, 1);
    pass(std::chrono::seconds(59));
    killed();
    until_known(kAsking, 1);
    EXPECT_TRUE(in("dead/r").empty());
    pass(std::chrono::seconds(1));
    until("dead", [&] { return in("dead/r").size() == 1; });
    EXPECT_EQ(dead_code(), "STEP-017");
    EXPECT_EQ(in("dead/r")[0].headers.get(header::kDeadStep), "1 request-reply");
    const auto before = ended("late");
    reply(asked(), note("A", 10));
    until("late", [&] { return ended("late") == before + 1; });
    until_settled();
    EXPECT_TRUE(in("records").empty());
}

TEST_F(RequestReplyQueueTest, WithoutAReplyItTakesTheBranchAsItWas) {
    asks("<queue/><no-reply><log text=\"no reply\"/></no-reply>");
    start();
    put("r", note("a", 1));
    until_known(kAsking, 1);
    pass(std::chrono::minutes(1));
    until_records(1);
    EXPECT_THAT(records(), ElementsAre("a: a1 (n1)"));
    until_settled();
}

TEST_F(RequestReplyQueueTest, AReplyThatCannotBeUsedIsTheEndOfTheRequest) {
    asks("<queue/>", "timeout=\"PT1M\" most-bytes=\"4000\"");
    start();
    for (int n = 1; n <= 3; ++n) put("r", note("a", n));
    until_known(kAsking, 3);
    reply(asked(0), "<broken");
    until("dead", [&] { return in("dead/r").size() == 1; });
    reply(asked(1), "<a>" + std::string(5000, 'x') + "</a>");
    until("dead", [&] { return in("dead/r").size() == 2; });
    reply(asked(2), "");
    until("dead", [&] { return in("dead/r").size() == 3; });
    EXPECT_EQ(dead_code(0), "ROUTE-136");
    EXPECT_EQ(dead_code(1), "STEP-018");
    EXPECT_EQ(dead_code(2), "ROUTE-136");
    EXPECT_EQ(in("dead/r")[0].message.body(), note("a", 1)) << "the request, not the reply";
    for (const BrowsedMessage& one : in("dead/r"))
        EXPECT_THAT(std::string(one.headers.get(header::kDeadReason)), testing::Not(HasSubstr("xxx")));
    until_settled();
    EXPECT_TRUE(in("records").empty());
}

TEST_F(RequestReplyQueueTest, ARouteReplies) {
    asks("<route id=\"s\"/>");
    write("transforms/judge.xsl",
          R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
          <xsl:template match="/note"><note><who><xsl:value-of select="who"/>-judged</who><n><xsl:value-of select="n * 2"/></n></note></xsl:template></xsl:stylesheet>)");
    route("s", R"(<transform stylesheet="judge.xsl"/><delay for="PT1S"/><reply/>)");
    start();
    for (int n = 1; n <= 20; ++n) put("r", note("a", n));
    until_known("step/s/delay-1", 20);
    killed();
    pass(std::chrono::seconds(1));
    until_records(20);
    EXPECT_EQ(records().back(), "a-judged: a40 (n40)");
    until_settled();
    until("the responder's account balances", [&] { return line("s").balanced() && line("s").waiting == 0; });
    EXPECT_EQ(line("s").sum(Outcome::kDelivered), 20);
    for (const BrowsedMessage& one : in("records")) EXPECT_FALSE(one.headers.has(kReplyTo));
}

TEST_F(RequestReplyQueueTest, AMessageThatIsNoRequestHasNobodyToReplyTo) {
    route("s", "<reply/>");
    start();
    Incoming forged;
    forged.body = "<x/>";
    forged.headers.set(kReplyTo, "in/s");
    forged.headers.set(kCorrelationId, "1");
    put("s", std::move(forged));
    put("s", "<x/>");
    settle("s");
    ASSERT_EQ(in("dead/s").size(), 2U);
    EXPECT_EQ(dead_code(0, "s"), "ROUTE-139");
    EXPECT_EQ(dead_code(1, "s"), "ROUTE-139");
}

TEST_F(RequestReplyQueueTest, AFullQueueOfRequestsHoldsTheRouteAndRepliesStillGetThrough) {
    asks("<queue/>", "timeout=\"P1D\" most-waiting=\"2\"");
    start();
    for (int n = 1; n <= 5; ++n) put("r", note("a", n));
    until("two wait", [&] { return waiting(kAsking) >= 2; });
    std::set<std::string> answered;
    until("all are answered", [&] {
        pass(std::chrono::milliseconds(200));  // what the route put back is tried again
        const auto requests = in("ask/r/judge");
        for (const BrowsedMessage& one : requests) {
            // The responder takes it, and answers.
            Unit unit;
            unit.settled.push_back({"ask/r/judge", one.sequence});
            std::promise<void> done;
            queues_->commit(std::move(unit), *workers_, [&](CommitState) { done.set_value(); });
            done.get_future().get();
            if (answered.insert(one.message.correlation_id()).second)
                reply(one.message.correlation_id(), std::string(one.message.body()));
        }
        return in("records").size() == 5;
    });
    until_settled();
}

}  // namespace
}  // namespace clrbus
