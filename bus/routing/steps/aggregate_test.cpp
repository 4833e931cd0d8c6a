// aggregate: what a group is, when it is complete, and that it is so exactly once.
#include "routing/steps/stateful_fixture.hpp"

namespace clrbus {
namespace {

using testing::ElementsAre;

constexpr const char* kBehindAggregate = R"(<transform stylesheet="members.xsl"/><to><records/></to>)";
constexpr const char* kAggregateQueue = "step/r/aggregate-1";

class AggregateTest : public StatefulTest {
protected:
    void aggregate(const std::string& attributes) {
        route("r", "<aggregate correlation=\"/note/who\" " + attributes + "/>" + kBehindAggregate);
    }
};

TEST_F(AggregateTest, RefusesAGroupThatIsNeverComplete) {
    aggregate("");
    const auto loaded = load();
    ASSERT_EQ(loaded.errors.size(), 1U);
    EXPECT_EQ(loaded.errors[0].code(), "ROUTE-054");
}

TEST_F(AggregateTest, RefusesToStandAtTheEnd) {
    route(
        "r",
        R"(<choose><when test="/note"><aggregate correlation="/note/who" count="2"/></when><otherwise><to><records/></to></otherwise></choose>)");
    const auto loaded = load();
    ASSERT_EQ(loaded.errors.size(), 1U);
    EXPECT_EQ(loaded.errors[0].code(), "ROUTE-051");
}

TEST_F(AggregateTest, RefusesAMessageWithoutCorrelationOrWithoutACount) {
    aggregate("count=\"/note/of\"");
    start();
    put("r", "<note><n>1</n></note>");
    settle("r");
    EXPECT_EQ(dead_code(), "STEP-003");
    for (const char* of : {"<of>x</of>", "<of>0</of>", "<of>1.5</of>", ""}) put("r", note("a", 1, of));
    settle("r");
    ASSERT_EQ(in("dead/r").size(), 5U);
    for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(dead_code(i), "STEP-005");
    EXPECT_EQ(waiting(kAggregateQueue), 0U);
    expect_balanced();
}

TEST_F(AggregateTest, CompletesByCountAndCountsEveryMember) {
    aggregate("count=\"3\"");
    start();
    for (int n = 1; n <= 5; ++n) put("r", note(n == 3 ? "b" : "a", n));
    until_records(1);
    EXPECT_THAT(records(), ElementsAre("a: a1 a2 a4 (count)"));
    until_waits(kAggregateQueue, 2);
    expect_balanced();
    EXPECT_EQ(line("r").sum(Outcome::kAccepted), 5);
    EXPECT_EQ(line("r").sum(Outcome::kAggregated), 3);
    EXPECT_EQ(line("r").sum(Outcome::kMade), 1);
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 1);
    EXPECT_EQ(line("r").waiting, 2);
}

TEST_F(AggregateTest, CompletesByTheCountThatAMemberNamesAndOrdersByKey) {
    aggregate("count=\"/note/of\" order=\"/note/n\"");
    start();
    for (const int n : {10, 2, 33}) put("r", note("a", n, "<of>3</of>"));
    until_records(1);
    EXPECT_THAT(records(), ElementsAre("a: a2 a10 a33 (count)"));
}

TEST_F(AggregateTest, CompletesByPredicateAtTheMemberThatMakesItTrue) {
    aggregate("until=\"sum(/aggregate/member/note/n) &gt;= 10\"");
    start();
    for (const int n : {4, 5, 1, 7, 9}) put("r", note("a", n));
    until_records(2);
    EXPECT_THAT(records(), ElementsAre("a: a4 a5 a1 (predicate)", "a: a7 a9 (predicate)"));
    expect_balanced();
}

TEST_F(AggregateTest, CompletesSoLongAfterTheFirstAcrossARestart) {
    aggregate("after-first=\"PT1H\"");
    start();
    put("r", note("a", 1));
    until_known(kAggregateQueue, 1);
    pass(std::chrono::minutes(50));
    put("r", note("a", 2));
    until_known(kAggregateQueue, 2);
    killed();
    expect_balanced();
    EXPECT_EQ(line("r").waiting, 2);
    pass(std::chrono::minutes(9));
    put("r", note("b", 3));
    until_known(kAggregateQueue, 3);
    EXPECT_TRUE(in("records").empty());
    pass(std::chrono::minutes(1));
    until_records(1);
    EXPECT_THAT(records(), ElementsAre("a: a1 a2 (time)"));
    until_waits(kAggregateQueue, 1);
}

TEST_F(AggregateTest, CompletesWhenNothingCameForSoLong) {
    aggregate("after-last=\"PT10M\"");
    start();
    for (int n = 1; n <= 3; ++n) {
        put("r", note("a", n));
        until_known(kAggregateQueue, static_cast<std::uint64_t>(n));
        pass(std::chrono::minutes(9));
    }
    EXPECT_TRUE(in("records").empty());
    pass(std::chrono::minutes(1));
    until_records(1);
    EXPECT_THAT(records(), ElementsAre("a: a1 a2 a3 (time)"));
}

TEST_F(AggregateTest, AFullGroupCompletesOrDies) {
    aggregate("count=\"9\" most=\"2\"");
    start();
    for (int n = 1; n <= 3; ++n) put("r", note("a", n));
    until_records(1);
    EXPECT_THAT(records(), ElementsAre("a: a1 a2 (full)"));
    until_waits(kAggregateQueue, 1);
    close();
    aggregate("count=\"9\" most=\"2\" when-full=\"dead\"");
    start();
    put("r", note("a", 4));
    until("two are dead", [&] { return in("dead/r").size() == 2; });
    EXPECT_EQ(dead_code(), "STEP-008");
    expect_balanced();
}

TEST_F(AggregateTest, AGroupIsBoundedInBytes) {
    aggregate("count=\"9\" most-bytes=\"1000\"");
    start();
    put("r", note("a", 1, std::string(2000, ' ') + "<x>" + std::string(2000, 'x') + "</x>"));
    settle("r");
    EXPECT_EQ(dead_code(), "STEP-007");
    for (int n = 2; n <= 4; ++n) put("r", note("a", n, "<x>" + std::string(300, 'x') + "</x>"));
    until_records(1);
    EXPECT_THAT(records(), ElementsAre("a: a2 a3 (full)"));
    expect_balanced();
}

TEST_F(AggregateTest, ALateMemberOpensANewGroupDiesOrIsDropped) {
    aggregate("count=\"2\" late=\"dead\"");
    start();
    for (int n = 1; n <= 2; ++n) put("r", note("a", n));
    until_records(1);
    killed();
    put("r", note("a", 3));
    until("it is dead", [&] { return in("dead/r").size() == 1; });
    EXPECT_EQ(dead_code(), "STEP-009");
    close();
    aggregate("count=\"2\" late=\"drop\"");
    start();
    put("r", note("a", 4));
    until("it is gone", [&] { return line("r").sum(Outcome::kDiscarded) == 1; });
    EXPECT_EQ(waiting(kAggregateQueue), 0U);
    close();
    aggregate("count=\"2\"");
    start();
    put("r", note("a", 5));
    until_known(kAggregateQueue, 1);
    expect_balanced();
}

TEST_F(AggregateTest, TheSameMessageTwiceCountsOnce) {
    aggregate("count=\"3\"");
    start();
    for (int i = 0; i < 3; ++i) {
        Incoming incoming;
        incoming.body = note("a", 1);
        incoming.message_id = "the-same";
        put("r", incoming);
    }
    until("two are counted as duplicates", [&] { return line("r").sum(Outcome::kDuplicate) == 2; });
    for (int n = 2; n <= 3; ++n) put("r", note("a", n));
    until_records(1);
    EXPECT_THAT(records(), ElementsAre("a: a1 a2 a3 (count)"));
    expect_balanced();
}

TEST_F(AggregateTest, ChildrenOfASplitAreMembers) {
    route("r", std::string(R"(<split format="xml" path="notes/note"/><aggregate correlation="/note/who" count="2"/>)") +
                   kBehindAggregate);
    start();
    std::string all = "<notes>";
    for (int n = 1; n <= 600; ++n) all += note("p" + std::to_string(n % 300), n);
    put("r", all + "</notes>");
    until_records(300);
    settle("r");
    expect_balanced();
    EXPECT_EQ(line("r").sum(Outcome::kAggregated), 600);
    EXPECT_EQ(line("r").sum(Outcome::kMade), 900);
    EXPECT_EQ(line("r").sum(Outcome::kSplit), 1);
    EXPECT_EQ(waiting(kAggregateQueue), 0U);
}

TEST_F(AggregateTest, WhatComesOfAGroupHasTheSameIdWhenItIsMadeAgain) {
    // The index was lost after the Unit: it is made again from the queue, and the result is the same message.
    aggregate("count=\"3\"");
    start();
    for (int n = 1; n <= 2; ++n) put("r", note("a", n));
    until_known(kAggregateQueue, 2);
    close();
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(root_ / (std::string("state.db") + end));
    start();
    put("r", note("a", 3));
    until_records(1);
    EXPECT_THAT(records(), ElementsAre("a: a1 a2 a3 (count)"));
    expect_balanced();
}

TEST_F(AggregateTest, WhatIsSaidOfMessagesThatAreGoneIsMadeAgain) {
    aggregate("count=\"3\"");
    start();
    for (int n = 1; n <= 2; ++n) put("r", note("a", n));
    until_known(kAggregateQueue, 2);
    const std::uint64_t first = in(kAggregateQueue).at(0).sequence;
    Unit unit;  // by another hand
    unit.settled.push_back({kAggregateQueue, first});
    unit.ledger.push_back({"r", Outcome::kDiscarded, 1});
    queues_->commit(std::move(unit), *workers_, [](CommitState) {});
    until_waits(kAggregateQueue, 1);
    killed();
    for (int n = 3; n <= 4; ++n) put("r", note("a", n));
    until_records(1);
    EXPECT_THAT(records(), ElementsAre("a: a2 a3 a4 (count)"));
    expect_balanced();
}

TEST_F(AggregateTest, WhatWaitsInAStepThatIsGoneIsDeadLettered) {
    aggregate("count=\"3\"");
    start();
    put("r", note("a", 1));
    until_known(kAggregateQueue, 1);
    close();
    route("r", R"(<transform stylesheet="note.xsl"/><to><records/></to>)");
    start();
    until("it is dead", [&] { return in("dead/r").size() == 1; });
    EXPECT_EQ(dead_code(), "STEP-004");
    expect_balanced();
}

TEST_F(AggregateTest, AReceiptSaysWhatBecameOfAMember) {
    aggregate("count=\"2\"");
    start();
    std::string id;
    for (int n = 1; n <= 2; ++n) {
        Incoming incoming;
        incoming.body = note("a", n);
        incoming.headers.set(kReceiptHeader, "1");
        id = put("r", incoming).id;
    }
    until_records(1);
    const auto state = engine_->inbox(*engine_->routes().front(), Config())->state_of(id);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->state, "aggregated");
}

TEST_F(AggregateTest, NoCorrelationIsInClearInStateDb) {
    aggregate("count=\"3\"");
    start();
    put("r", note("Theodora-Unmistakable", 1));
    until_known(kAggregateQueue, 1);
    close();
    for (const char* end : {"", "-wal"}) {
        std::ifstream file(root_ / (std::string("state.db") + end), std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        EXPECT_EQ(bytes.find("Theodora"), std::string::npos);
    }
}

}  // namespace
}  // namespace clrbus
