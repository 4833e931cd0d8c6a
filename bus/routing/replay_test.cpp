// Replay: from where, of what, with which outputs; what a plan says and that it does nothing.
#include "routing/replay.hpp"

#include <gmock/gmock.h>

#include <future>

#include "routing/engine_fixture.hpp"
#include "routing/faults.hpp"

namespace clrbus {
namespace {

using testing::HasSubstr;

std::string sheet(const std::string& body) {
    return R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1">)" +
           body + "</xsl:stylesheet>";
}
const std::string kFails =
    sheet(R"(<xsl:template match="/*"><xsl:message terminate="yes">SITE-001|error|/x|not yet</xsl:message></xsl:template>)");
const std::string kCopies = sheet(R"x(<xsl:template match="/"><xsl:copy-of select="node()"/></xsl:template>)x");
constexpr const char* kNote = "<note><who>ada</who><n>1</n></note>";

class Replay : public EngineTest {
protected:
    ReplayOptions options(ReplayOptions::From from = ReplayOptions::From::kWhereItWas, std::vector<std::string> only = {}) {
        return {from, std::move(only), "tester", system_clock().now()};
    }
    void replay(const std::string& id, std::uint64_t sequence, const ReplayOptions& how) {
        std::promise<CommitState> done;
        engine_->replay(
            id, sequence, [&done](CommitState state) { done.set_value(state); }, how);
        ASSERT_EQ(done.get_future().get(), CommitState::kDone);
        settle(id);
    }
    std::string refused(const std::string& id, std::uint64_t sequence, const ReplayOptions& how) {
        try {
            engine_->check_replay(id, sequence, how);
        } catch (const Error& e) {
            return e.code();
        }
        return "";
    }
    // A route of two transforms, the second of which fails; one dead letter.
    std::uint64_t one_dead() {
        write("transforms/second.xsl", kFails);
        route("r", R"(<transform stylesheet="note.xsl"/><transform stylesheet="second.xsl"/><to><records/></to>)");
        start();
        Incoming incoming;
        incoming.body = kNote;
        incoming.message_id = "m1";
        incoming.headers.set(header::kTrace, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        put("r", std::move(incoming));
        settle("r");
        const auto dead = in("dead/r");
        EXPECT_EQ(dead.size(), 1U);
        return dead.at(0).sequence;
    }
};

TEST_F(Replay, FromTheStepTheDocumentIsWhatItWasThen) {
    const std::uint64_t number = one_dead();
    EXPECT_THAT(std::string(in("dead/r")[0].headers.get(header::kDeadDocument)), HasSubstr("<statement"));
    EXPECT_EQ(in("dead/r")[0].message.body(), kNote) << "the original is kept";
    close();
    write("transforms/second.xsl", kCopies);
    write("transforms/note.xsl", kFails);  // what lies before the step does not run again
    start();
    replay("r", number, options(ReplayOptions::From::kStep));
    ASSERT_EQ(in("records").size(), 1U);
    const auto out = in("records")[0];
    EXPECT_THAT(std::string(out.headers.get(header::kHistory)),
                HasSubstr("tester: replayed; died in generation 1 at 2 transform, SITE-001"));
    EXPECT_EQ(out.headers.get(header::kGeneration), "2");
    EXPECT_EQ(out.headers.get(header::kTrace), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    EXPECT_FALSE(out.headers.has(header::kDeadDocument));
    EXPECT_TRUE(in("dead/r").empty());
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Replay, FromTheStepThatIsGoneOrWhoseDocumentIsNotKeptIsRefused) {
    const std::uint64_t number = one_dead();
    write("transforms/second.xsl", kFails);
    put("r", "<note><who>" + std::string(70'000, 'x') + "</who><n>1</n></note>");
    settle("r");
    const std::uint64_t large = in("dead/r").at(1).sequence;
    EXPECT_FALSE(in("dead/r")[1].headers.has(header::kDeadDocument));
    EXPECT_EQ(refused("r", large, options(ReplayOptions::From::kStep)), "DEAD-004");
    EXPECT_EQ(refused("r", large, options(ReplayOptions::From::kStart)), "");
    EXPECT_EQ(refused("r", 999'999, options()), "DEAD-001");
    close();
    route("r", R"(<transform stylesheet="note.xsl"/><to><records/></to>)");
    start();
    EXPECT_EQ(refused("r", number, options(ReplayOptions::From::kStep)), "DEAD-003");
    EXPECT_EQ(in("dead/r").size(), 2U);
}

TEST_F(Replay, FromTheStepBehindStepsThatOnlyReadIsFromTheStart) {
    route("r", R"(<filter test="1 = 1" reason="x"/><transform stylesheet="second.xsl"/><to><records/></to>)");
    write("transforms/second.xsl", kFails);
    start();
    put("r", kNote);
    settle("r");
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_FALSE(dead[0].headers.has(header::kDeadDocument)) << "its bytes bring it back";
    EXPECT_EQ(refused("r", dead[0].sequence, options(ReplayOptions::From::kStep)), "");
}

TEST_F(Replay, APlanSaysWhatWouldComeOfItAndDoesNothing) {
    const std::uint64_t number = one_dead();
    ReplayPlan plan = engine_->plan("r", number, options());
    EXPECT_EQ(plan.fails, 1U);
    ASSERT_TRUE(plan.error);
    EXPECT_EQ(plan.error->code(), "SITE-001");
    close();
    write("transforms/second.xsl", kCopies);
    start();
    const auto ledger = line("r");
    for (const auto from : {ReplayOptions::From::kWhereItWas, ReplayOptions::From::kStep}) {
        plan = engine_->plan("r", number, options(from));
        EXPECT_EQ(plan.fails, 0U);
        EXPECT_EQ(plan.records, 1U);
        ASSERT_EQ(plan.outputs.size(), 1U);
        EXPECT_EQ(plan.outputs[0].to, "records");
    }
    plan = engine_->plan("r", number, options(ReplayOptions::From::kWhereItWas, {"route:x"}));
    EXPECT_EQ(plan.records, 0U);
    EXPECT_EQ(plan.suppressed, 1U);
    EXPECT_EQ(in("dead/r").size(), 1U);
    EXPECT_TRUE(in("records").empty());
    EXPECT_EQ(line("r").sums, ledger.sums);
    // It says the ids that the replay then has.
    const std::string id = engine_->plan("r", number, options()).outputs[0].id;
    replay("r", number, options());
    EXPECT_EQ(in("records").at(0).message.message_id(), id);
}

TEST_F(Replay, OnlyTheOutputsThatAreAskedForAreMade) {
    write("transforms/second.xsl", kFails);
    const std::string steps = R"(<transform stylesheet="note.xsl"/><multicast><branch><to><route id="ack"/></to></branch>
        <branch><transform stylesheet="second.xsl"/><to><records/></to></branch></multicast>)";
    route("r", steps);
    route("ack", R"(<filter test="1 = 2" reason="sent"/><to><records/></to>)");
    start();
    put("r", kNote);
    put("r", kNote);
    put("r", kNote);
    settle("r");
    settle("ack");
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 3U);
    EXPECT_EQ(line("ack").sum(Outcome::kAccepted), 0) << "nothing of one that dies gets out";
    close();
    write("transforms/second.xsl", kCopies);
    start();
    replay("r", dead[0].sequence, options(ReplayOptions::From::kStart, {"records"}));
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_FALSE(in("records")[0].headers.has(header::kOnly)) << "of this route alone";
    EXPECT_EQ(line("ack").sum(Outcome::kAccepted), 0);
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 1);
    replay("r", dead[1].sequence, options(ReplayOptions::From::kStart, {"route:other"}));
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_EQ(line("r").sum(Outcome::kDiscarded), 1) << "all that it made was suppressed";
    replay("r", dead[2].sequence, options(ReplayOptions::From::kStart));
    settle("ack");
    EXPECT_EQ(in("records").size(), 2U);
    EXPECT_EQ(line("ack").sum(Outcome::kAccepted), 1);
    for (const char* account : {"r", "ack", "records"}) EXPECT_TRUE(line(account).balanced()) << account;
}

TEST_F(Replay, ASplitGoesOnFromItsNoteOrStartsAgain) {
    route("r", R"(<split format="csv"/><transform stylesheet="note.xsl"/><to><records/></to>)");
    start();
    Incoming file;
    file.body = "who,n\nada,1\nbob,2\n\"cy,3\n";
    file.message_id = "file";
    put("r", std::move(file));
    settle("r");
    std::uint64_t number = in("dead/r").at(0).sequence;
    EXPECT_EQ(in("records").size(), 2U);
    EXPECT_EQ(engine_->plan("r", number, options()).children, 0U);
    EXPECT_EQ(engine_->plan("r", number, options(ReplayOptions::From::kStart)).children, 2U);
    replay("r", number, options());
    EXPECT_EQ(in("records").size(), 2U) << "it went on behind the two";
    number = in("dead/r").at(0).sequence;
    replay("r", number, options(ReplayOptions::From::kStart));
    EXPECT_EQ(in("records").size(), 4U);
    EXPECT_EQ(in("records")[0].message.message_id(), in("records")[2].message.message_id())
        << "the same, recognised downstream";
    EXPECT_TRUE(line("r").balanced());
    EXPECT_FALSE(queues_->notes("split/r/").empty());
    std::promise<CommitState> done;
    engine_->discard("r", in("dead/r").at(0).sequence, [&done](CommitState state) { done.set_value(state); });
    EXPECT_EQ(done.get_future().get(), CommitState::kDone);
    EXPECT_TRUE(queues_->notes("split/r/").empty()) << "nothing is left of it";
}

TEST_F(Replay, OneThatWentOnInTheMiddleGoesOnThere) {
    const std::uint64_t number = one_dead();
    replay("r", number, options(ReplayOptions::From::kStep));  // dies again, as one that went on
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].headers.get(header::kAtStep), "2 transform");
    EXPECT_EQ(refused("r", dead[0].sequence, options(ReplayOptions::From::kStart)), "DEAD-002");
    close();
    write("transforms/second.xsl", kCopies);
    start();
    EXPECT_EQ(engine_->plan("r", dead[0].sequence, options()).records, 1U);
    replay("r", dead[0].sequence, options());
    EXPECT_EQ(in("records").size(), 1U);
}

TEST_F(Replay, HistoryHasAnEnd) {
    Headers headers;
    for (int i = 0; i < 50; ++i) add_history(headers, "replayed " + std::to_string(i), "who", Time{});
    const std::string text(headers.get(header::kHistory));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 20);
    EXPECT_THAT(text, HasSubstr("replayed 49"));
}

}  // namespace
}  // namespace clrbus
