// resequence: the order in which messages go on, and what a gap does.
#include "routing/steps/stateful_fixture.hpp"

namespace clrbus {
namespace {

using testing::ElementsAre;

constexpr const char* kResequenceQueue = "step/r/resequence-1";
constexpr const char* kBehindResequence = R"(<transform stylesheet="note.xsl"/><to><records/></to>)";

class ResequenceTest : public StatefulTest {
protected:
    void resequence(const std::string& attributes) {
        route("r", "<resequence number=\"/note/n\" " + attributes + "/>" + kBehindResequence);
    }
};

TEST_F(ResequenceTest, RefusesABatchWithoutSize) {
    resequence("mode=\"batch\"");
    ASSERT_EQ(load().errors.size(), 1U);
    EXPECT_EQ(load().errors[0].code(), "ROUTE-055");
}

TEST_F(ResequenceTest, RefusesWhatIsNoNumber) {
    resequence("");
    start();
    for (const char* n : {"x", "-1", "1.5", "99999999999999999999"})
        put("r", "<note><who>a</who><n>" + std::string(n) + "</n></note>");
    settle("r");
    ASSERT_EQ(in("dead/r").size(), 4U);
    EXPECT_EQ(dead_code(), "STEP-005");
    expect_balanced();
}

TEST_F(ResequenceTest, AStreamGoesOnInOrderPerCorrelationAcrossARestart) {
    resequence("correlation=\"/note/who\"");
    start();
    for (const int n : {3, 2}) put("r", note("a", n));
    put("r", note("b", 1));
    until_known(kResequenceQueue, 2);
    until_records(1);
    killed();
    for (const int n : {5, 1, 4}) put("r", note("a", n));
    until_records(6);
    EXPECT_THAT(records(), ElementsAre("b: a1 (n1)", "a: a1 (n1)", "a: a2 (n2)", "a: a3 (n3)", "a: a4 (n4)", "a: a5 (n5)"));
    expect_balanced();
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 6);
}

TEST_F(ResequenceTest, TheOrderInWhichTheyGoOnIsTheirSourceOrder) {
    resequence("");
    start();
    for (const int n : {2, 1}) put("r", note("a", n));
    until_records(2);
    const auto out = in("records");
    EXPECT_LT(std::stoull(std::string(out[0].headers.get(header::kSourceNumber))),
              std::stoull(std::string(out[1].headers.get(header::kSourceNumber))));
}

TEST_F(ResequenceTest, AGapIsGivenUpAndTheNumberThatComesLateDies) {
    resequence("gap=\"PT10M\"");
    start();
    for (const int n : {1, 4, 3}) put("r", note("a", n));
    until_records(1);
    until_known(kResequenceQueue, 2);
    pass(std::chrono::minutes(10));
    until_records(3);
    put("r", note("a", 2));
    until("it is dead", [&] { return in("dead/r").size() == 1; });
    EXPECT_EQ(dead_code(), "STEP-016");
    put("r", note("a", 5));
    until_records(4);
    EXPECT_THAT(records(), ElementsAre("a: a1 (n1)", "a: a3 (n3)", "a: a4 (n4)", "a: a5 (n5)"));
    expect_balanced();
}

TEST_F(ResequenceTest, AGapKillsWhatWaitsWhereTheRouteSaysSo) {
    resequence("gap=\"PT10M\" on-gap=\"dead\" late=\"pass\"");
    start();
    for (const int n : {2, 3}) put("r", note("a", n));
    until_known(kResequenceQueue, 2);
    pass(std::chrono::minutes(10));
    until("both are dead", [&] { return in("dead/r").size() == 2; });
    EXPECT_EQ(dead_code(), "STEP-015");
    put("r", note("a", 4));
    until_records(1);
    put("r", note("a", 1));
    until_records(2);
    EXPECT_THAT(records(), ElementsAre("a: a4 (n4)", "a: a1 (n1)"));
    expect_balanced();
}

TEST_F(ResequenceTest, TooManyWaitersGiveTheGapUp) {
    resequence("most=\"3\" late=\"drop\"");
    start();
    for (const int n : {5, 4, 3}) put("r", note("a", n));
    until_records(3);
    EXPECT_THAT(records(), ElementsAre("a: a3 (n3)", "a: a4 (n4)", "a: a5 (n5)"));
    put("r", note("a", 4));
    until("it is dropped", [&] { return line("r").sum(Outcome::kDiscarded) == 1; });
    expect_balanced();
}

TEST_F(ResequenceTest, ABatchGoesOnWhenItIsThere) {
    resequence("correlation=\"/note/who\" mode=\"batch\" size=\"3\" gap=\"PT1H\"");
    start();
    for (const int n : {7, 9}) put("r", note("a", n));
    put("r", note("b", 2));
    until_known(kResequenceQueue, 3);
    EXPECT_TRUE(in("records").empty());
    put("r", note("a", 8));
    until_records(3);
    pass(std::chrono::hours(1));
    until_records(4);
    EXPECT_THAT(records(), ElementsAre("a: a7 (n7)", "a: a8 (n8)", "a: a9 (n9)", "b: a2 (n2)"));
    for (const int n : {3, 2, 1}) put("r", note("a", n));  // a batch of its own
    until_records(7);
    EXPECT_EQ(records().back(), "a: a3 (n3)");
    expect_balanced();
}

}  // namespace
}  // namespace clrbus
