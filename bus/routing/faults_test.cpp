// Faults that may pass: attempts that are counted, kept and used up, and far sides that cost none; whole messages and children.
#include "routing/faults.hpp"

#include <gmock/gmock.h>

#include <mutex>

#include "routing/engine_fixture.hpp"

namespace clrbus {
namespace {

constexpr const char* kQuick = R"(<on-fault><attempts most="3" first="PT0S" factor="1"/></on-fault>)";
const std::string kNotes = std::string(R"(<transform stylesheet="note.xsl"/><to><records/></to>)") + kQuick;
const std::string kRows = R"(<split format="csv"/>)" + kNotes;

Error passing() {
    Error e(Fault::kPoison, "TEST-001", "asking", "not now");
    e.may_pass();
    return e;
}
Error fault_away() {
    return Error(Fault::kAway, "TEST-002", "asking", "nobody answers");
}

// How often each message came to the step, by its id.
class Visits {
public:
    int add(const Work& work) {
        const std::lock_guard lock(mutex_);
        ++all_;
        return ++visits_[work.id];
    }
    int all() const {
        const std::lock_guard lock(mutex_);
        return all_;
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, int> visits_;
    int all_ = 0;
};

class Faults : public EngineTest {
protected:
    std::string rows(int n) const {
        std::string csv = "who,n\n";
        for (int i = 1; i <= n; ++i) csv += "p" + std::to_string(i) + "," + std::to_string(i) + "\n";
        return csv;
    }
    Visits visits_;
};

TEST_F(Faults, AFaultThatPassesIsTriedAgainUntilItHasPassed) {
    route("r", kNotes);
    put_in_front("r", [this](const Work& work) {
        if (visits_.add(work) < 3) throw passing();
    });
    start();
    put("r", "<note><who>ada</who><n>1</n></note>");
    settle("r");
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_EQ(visits_.all(), 3);
    EXPECT_TRUE(in("dead/r").empty());
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Faults, AttemptsThatAreUsedUpAreADeadLetterThatSaysHowMany) {
    route("r", kNotes);
    put_in_front("r", [this](const Work& work) {
        visits_.add(work);
        throw passing();
    });
    start();
    put("r", "<note><who>ada</who><n>1</n></note>");
    settle("r");
    EXPECT_EQ(visits_.all(), 3);
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].headers.get(header::kDeadAttempts), "3");
    EXPECT_EQ(dead[0].headers.get(header::kDeadStep), "0 fake");
    EXPECT_EQ(without_dead_facts(dead[0].headers).get(header::kDeadAttempts), "");
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Faults, WhatCanNeverWorkIsNotTriedAgain) {
    route("r", kNotes);
    put_in_front("r", [this](const Work& work) {
        visits_.add(work);
        throw Error(Fault::kPoison, "TEST-003", "asking", "no");
    });
    start();
    put("r", "<note><who>ada</who><n>1</n></note>");
    settle("r");
    EXPECT_EQ(visits_.all(), 1);
    EXPECT_FALSE(in("dead/r").at(0).headers.has(header::kDeadAttempts));
}

TEST_F(Faults, AttemptsAreCountedAcrossARestart) {
    route("r", std::string(R"(<transform stylesheet="note.xsl"/><to><records/></to>)") +
                   R"(<on-fault><attempts most="2" first="PT1S" factor="1"/></on-fault>)");
    put_in_front("r", [this](const Work& work) {
        visits_.add(work);
        throw passing();
    });
    start();
    put("r", "<note><who>ada</who><n>1</n></note>");
    until("one attempt failed", [this] { return visits_.all() == 1 && in("in/r").at(0).attempts == 1; });
    EXPECT_GT(in("in/r").at(0).not_before, Time{});
    close();
    start();
    settle("r");
    EXPECT_EQ(visits_.all(), 2);
    EXPECT_EQ(in("dead/r").at(0).headers.get(header::kDeadAttempts), "2");
}

TEST_F(Faults, AFarSideThatIsAwayCostsNoAttemptHoweverOften) {
    route("r", kNotes);
    put_in_front("r", [this](const Work& work) {
        if (visits_.add(work) < 50) throw fault_away();
    });
    start();
    put("r", "<note><who>ada</who><n>1</n></note>");
    settle("r");
    EXPECT_EQ(visits_.all(), 50);
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_TRUE(in("dead/r").empty());
}

TEST_F(Faults, AChildWhoseFaultPassesGoesOnAloneAndTheOthersDoNotWait) {
    route("r", kRows);
    put_in_front("r", [this](const Work& work) {
        visits_.add(work);
        if (work.number == 4) throw passing();
    });
    start();
    put("r", rows(6));
    settle("r");
    EXPECT_EQ(in("records").size(), 5U);
    EXPECT_EQ(visits_.all(), 8) << "six, and the fourth twice more";
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].headers.get(header::kDeadAttempts), "3");
    EXPECT_EQ(dead[0].headers.get(header::kPosition), "4");
    EXPECT_FALSE(dead[0].headers.has(header::kAttemptFailed));
    EXPECT_EQ(line("r").sum(Outcome::kMade), 6);
    EXPECT_EQ(line("r").sum(Outcome::kSplit), 1);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Faults, AChildWhoseFarSideIsAwayHoldsItsParentAtItsPlaceAndNothingElse) {
    route("r", kRows);
    route("other", kRows);
    std::atomic<bool> is_away{true};
    put_in_front("r", [this, &is_away](const Work& work) {
        visits_.add(work);
        if (work.number == 4 && is_away) throw fault_away();
    });
    start();
    put("r", rows(6));
    until("three are out", [this] { return line("r").sum(Outcome::kMade) == 3; });
    // The split's thread is free meanwhile, and the three do not come twice.
    put("other", rows(5));
    settle("other");
    until("tried again", [this] { return visits_.all() > 10; });
    EXPECT_EQ(line("r").sum(Outcome::kMade), 3);
    EXPECT_EQ(line("r").waiting, 1);
    close();
    start();
    until("tried again", [this] { return visits_.all() > 20; });
    is_away = false;
    settle("r");
    EXPECT_EQ(line("r").sum(Outcome::kMade), 6);
    EXPECT_EQ(in("records").size(), 11U);
    EXPECT_TRUE(in("dead/r").empty());
    EXPECT_TRUE(line("r").balanced());
}

TEST(BackOff, GrowsHasAnEndAndKeepsApart) {
    CompiledRoute::Attempts attempts;
    using std::chrono::milliseconds;
    EXPECT_GE(back_off(attempts, 0, 1), milliseconds(2000));
    EXPECT_LE(back_off(attempts, 0, 1), milliseconds(2200));
    EXPECT_GE(back_off(attempts, 3, 1), milliseconds(16000));
    EXPECT_LE(back_off(attempts, 60, 1), milliseconds(330'000));
    EXPECT_NE(back_off(attempts, 3, 1), back_off(attempts, 3, 2));
    EXPECT_LE(away_wait(attempts, milliseconds(0), 1), milliseconds(2200));
    EXPECT_GE(away_wait(attempts, milliseconds(60'000), 1), milliseconds(62'000));
    EXPECT_LE(away_wait(attempts, std::chrono::hours(5), 1), milliseconds(330'000));
    EXPECT_GE(away_wait(attempts, milliseconds(-5), 1), milliseconds(2000)) << "a clock that went back";
}

}  // namespace
}  // namespace clrbus
