// delay, throttle, deduplicate, circuit-breaker: what waits how long, and what a restart leaves of it.
#include "routing/dry_run.hpp"
#include "routing/steps/stateful_fixture.hpp"

namespace clrbus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kBehindWaiting = R"(<transform stylesheet="note.xsl"/><to><records/></to>)";

class WaitingTest : public StatefulTest {};

TEST_F(WaitingTest, ADelayHasOneTimeToWaitFor) {
    route("r", std::string("<delay for=\"PT1H\" until=\"/x\"/>") + kBehindWaiting);
    EXPECT_EQ(load().errors.at(0).code(), "ROUTE-052");
}

TEST_F(WaitingTest, ADelayWaitsItsTimeAcrossARestart) {
    route("r", std::string("<delay for=\"PT1H\"/>") + kBehindWaiting);
    start();
    put("r", note("a", 1));
    until_known("step/r/delay-1", 1);
    pass(std::chrono::minutes(59));
    put("r", note("b", 2));
    until_known("step/r/delay-1", 2);
    killed();
    expect_balanced();
    EXPECT_TRUE(in("records").empty());
    EXPECT_EQ(line("r").waiting, 2);
    pass(std::chrono::minutes(1));
    until_records(1);
    pass(std::chrono::minutes(59));
    until_records(2);
    EXPECT_THAT(records(), ElementsAre("a: a1 (n1)", "b: a2 (n2)"));
    expect_balanced();
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 2);
    EXPECT_EQ(line("r").sum(Outcome::kMade), 0);
}

TEST_F(WaitingTest, ADelayWaitsUntilTheTimeThatTheMessageNames) {
    route("r", std::string("<delay until=\"/note/at\" longest=\"P10D\"/>") + kBehindWaiting);
    start();
    put("r", note("past", 1, "<at>2020-01-01T00:00:00Z</at>"));
    put("r", note("soon", 2, "<at>2026-11-24T14:00:00+01:00</at>"));
    put("r", note("never", 3, "<at>9999-01-01T00:00:00Z</at>"));
    put("r", note("none", 4, "<at>tomorrow</at>"));
    settle("r");
    until_records(1);
    ASSERT_EQ(in("dead/r").size(), 2U);
    EXPECT_EQ(dead_code(0), "STEP-002");
    EXPECT_EQ(dead_code(1), "STEP-001");
    pass(std::chrono::hours(1));
    until_records(2);
    EXPECT_EQ(records().back(), "soon: a2 (n2)");
    expect_balanced();
}

TEST_F(WaitingTest, ADelayBehindASplitHoldsChildren) {
    route("r", std::string(R"(<split format="csv"/><delay for="PT1M"/>)") + kBehindWaiting);
    start();
    std::string csv = "who,n\n";
    for (int n = 1; n <= 700; ++n) csv += "p" + std::to_string(n) + "," + std::to_string(n) + "\n";
    put("r", csv);
    until_known("step/r/delay-1", 700);
    settle("r");
    EXPECT_EQ(line("r").sum(Outcome::kSplit), 1);
    EXPECT_EQ(line("r").waiting, 700);
    killed();
    pass(std::chrono::minutes(1));
    until_records(700);
    EXPECT_EQ(records().front(), "p1: a1 (n1)");
    expect_balanced();
}

TEST_F(WaitingTest, ASplitWaitsForAStepThatIsFull) {
    route("r", std::string(R"(<split format="csv"/><delay for="PT1M" most-waiting="500"/>)") + kBehindWaiting);
    start();
    std::string csv = "who,n\n";
    for (int n = 1; n <= 1200; ++n) csv += "p" + std::to_string(n) + "," + std::to_string(n) + "\n";
    put("r", csv);
    until_known("step/r/delay-1", 500);
    EXPECT_EQ(waiting("in/r"), 1U);
    until("the rest follows", [&] {
        pass(std::chrono::minutes(1));
        return in("records").size() == 1200;
    });
    settle("r");
    expect_balanced();
}

TEST_F(WaitingTest, AThrottleSpacesEvenlyAndARestartDoesNotDoubleTheRate) {
    route("r", std::string("<throttle rate=\"6\" per=\"PT1M\"/>") + kBehindWaiting);
    start();
    for (int n = 1; n <= 8; ++n) put("r", note("a", n));
    until_known("step/r/throttle-1", 7);
    until_records(1);
    pass(std::chrono::seconds(9));
    put("r", note("b", 9));
    until_known("step/r/throttle-1", 8);
    EXPECT_EQ(in("records").size(), 1U);
    pass(std::chrono::seconds(1));
    until_records(2);
    killed();
    put("r", note("c", 10));
    until_known("step/r/throttle-1", 8);
    for (std::size_t n = 3; n <= 10; ++n) {
        EXPECT_EQ(in("records").size(), n - 1);
        pass(std::chrono::seconds(10));
        until_records(n);
    }
    EXPECT_EQ(records().back(), "c: a10 (n10)");
    expect_balanced();
}

TEST_F(WaitingTest, AThrottleKnowsTheSlotThatWasTakenBeforeARestart) {
    route("r", std::string("<throttle rate=\"1\" per=\"PT1M\" key=\"/note/who\"/>") + kBehindWaiting);
    start();
    put("r", note("a", 1));
    until_records(1);
    pass(std::chrono::seconds(30));
    killed();
    put("r", note("a", 2));
    until_known("step/r/throttle-1", 1);
    put("r", note("b", 3));
    until_records(2);
    EXPECT_EQ(records().back(), "b: a3 (n3)");
    pass(std::chrono::seconds(29));
    EXPECT_EQ(in("records").size(), 2U);
    pass(std::chrono::seconds(1));
    until_records(3);
    pass(std::chrono::seconds(30));
    killed();  // the one that waited took its slot, too
    put("r", note("a", 4));
    until_known("step/r/throttle-1", 1);
    expect_balanced();
}

TEST_F(WaitingTest, AThrottleKeepsItsDistanceForWhatBecameDueWhileNothingRan) {
    route("r", std::string("<throttle rate=\"6\" per=\"PT1M\" key=\"/note/who\"/>") + kBehindWaiting);
    start();
    for (int n = 1; n <= 5; ++n) put("r", note("a", n));
    until_known("step/r/throttle-1", 4);
    close();
    time_.pass(std::chrono::hours(1));
    start();
    until_records(2);
    put("r", note("a", 6));
    until_known("step/r/throttle-1", 4);
    close();
    time_.pass(std::chrono::seconds(5));
    start();
    for (std::size_t n = 3; n <= 6; ++n) {
        EXPECT_EQ(in("records").size(), n - 1);
        pass(std::chrono::seconds(n == 3 ? 5 : 10));
        until_records(n);
    }
    EXPECT_EQ(records().back(), "a: a6 (n6)");
    put("r", note("a", 7));
    until_known("step/r/throttle-1", 1);
    expect_balanced();
}

TEST_F(WaitingTest, AThrottleCountsEachKeyAlone) {
    route("r", std::string("<throttle rate=\"1\" per=\"PT1M\" burst=\"2\" key=\"/note/who\"/>") + kBehindWaiting);
    start();
    for (int n = 1; n <= 3; ++n) {
        put("r", note("a", n));
        put("r", note("b", n));
    }
    until_known("step/r/throttle-1", 2);
    until_records(4);
    pass(std::chrono::minutes(1));
    until_records(6);
    expect_balanced();
}

constexpr const char* kUnique = R"(<deduplicate key="/note/who" window="P1D"/>)";

TEST_F(WaitingTest, DeduplicateLetsTheFirstPassAndCountsTheOthers) {
    route("r", std::string(kUnique) + kBehindWaiting);
    start();
    for (int n = 1; n <= 3; ++n) put("r", note("a", n));
    put("r", "<note><n>1</n></note>");
    settle("r");
    EXPECT_THAT(records(), ElementsAre("a: a1 (n1)"));
    EXPECT_EQ(line("r").sum(Outcome::kDuplicate), 2);
    EXPECT_EQ(dead_code(), "STEP-003");
    killed();
    put("r", note("a", 4));
    settle("r");
    EXPECT_EQ(line("r").sum(Outcome::kDuplicate), 3);
    pass(std::chrono::hours(25));
    put("r", note("a", 5));
    settle("r");
    EXPECT_EQ(in("records").size(), 2U);
    expect_balanced();
}

TEST_F(WaitingTest, DeduplicateForgetsTheOldestBeyondItsCount) {
    route("r", std::string(R"(<deduplicate key="/note/who" most="2"/>)") + kBehindWaiting);
    start();
    for (int n = 1; n <= 3; ++n) {
        put("r", note("p" + std::to_string(n), n));
        settle("r");
        pass(std::chrono::seconds(1));
    }
    killed();  // those on their way are known beside the count
    put("r", note("p1", 4));
    settle("r");
    put("r", note("p3", 5));
    settle("r");
    EXPECT_EQ(in("records").size(), 4U);
    EXPECT_EQ(line("r").sum(Outcome::kDuplicate), 1);
}

TEST_F(WaitingTest, AKeyComesBackFromAMessageThatDiesBehind) {
    route("r", std::string(kUnique) + R"(<validate schema="note.xsd"/>)" + kBehindWaiting);
    start();
    put("r", "<note><who>a</who><n>broken</n></note>");
    settle("r");
    ASSERT_EQ(in("dead/r").size(), 1U);
    put("r", note("a", 2));
    settle("r");
    EXPECT_THAT(records(), ElementsAre("a: a2 (n2)"));
    expect_balanced();
}

TEST_F(WaitingTest, DeduplicateJudgesChildrenOfASplit) {
    route("r", std::string(R"(<split format="csv"/><deduplicate key="/row/who"/>)") + kBehindWaiting);
    start();
    std::string csv = "who,n\n";
    for (int n = 1; n <= 1200; ++n) csv += "p" + std::to_string(n % 400) + "," + std::to_string(n) + "\n";
    put("r", csv);
    settle("r");
    EXPECT_EQ(in("records").size(), 400U);
    EXPECT_EQ(line("r").sum(Outcome::kDuplicate), 800);
    expect_balanced();
}

TEST_F(WaitingTest, ADryRunWaitsForNothing) {
    route("r",
          std::string(R"(<deduplicate key="/note/who"/><throttle rate="1"/><delay for="PT1H"/><resequence number="/note/n"/>
        <circuit-breaker><transform stylesheet="note.xsl"/></circuit-breaker><to><records/></to>)"));
    write("one.xml", note("a", 7));
    const auto loaded = load();
    ASSERT_TRUE(loaded.errors.empty()) << loaded.errors[0].what();
    const auto results = dry_run(*loaded.routes.at(0), root_ / "one.xml");
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].queue, "records");
}

TEST_F(WaitingTest, NeedsLocalStateIsSaid) {
    route("r", std::string(
                   R"(<choose><when test="/note"><delay for="PT1H"/></when><otherwise><log text="x"/></otherwise></choose>)") +
                   kBehindWaiting);
    const auto loaded = load();
    ASSERT_EQ(loaded.routes.size(), 1U);
    ASSERT_EQ(loaded.routes[0]->stateful().size(), 1U);
    EXPECT_TRUE(loaded.routes[0]->stateful()[0]->needs_local_state());
}

TEST_F(WaitingTest, TwoStepsOfOneIdAreRefused) {
    route("r", std::string(R"(<delay for="PT1H" id="x"/><delay for="PT1H" id="x"/>)") + kBehindWaiting);
    EXPECT_EQ(load().errors.at(0).code(), "ROUTE-050");
}

}  // namespace
}  // namespace clrbus
