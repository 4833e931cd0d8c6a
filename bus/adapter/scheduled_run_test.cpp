#include "adapter/scheduled_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "support/fake_inbox.hpp"

namespace clrbus {
namespace {

using support::wait_until;
using testing::ElementsAre;
using testing::IsEmpty;

class RunClock : public Clock {
public:
    Time now() const override { return Time(std::chrono::milliseconds(at_.load())); }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
    void set(const char* text) { at_ = from_rfc3339(text).time_since_epoch().count(); }

private:
    std::atomic<std::int64_t> at_{0};
};

class Scheduled : public testing::Test {
public:
    void start(CatchUp catch_up, std::chrono::milliseconds jitter = {}) {
        run = std::make_unique<ScheduledRun>(
            ScheduledRun::Options{Schedule::parse("@hourly"), "note", catch_up, jitter}, inbox, clock,
            [this](const ScheduledRun::Run& one, std::function<void(ScheduledRun::Outcome)> done) {
                const std::lock_guard lock(mutex);
                runs.push_back(to_rfc3339(one.planned).substr(5, 8));
                if (hold) {
                    held = std::move(done);
                } else {
                    done(ScheduledRun::Outcome::kRan);
                }
            });
    }
    std::vector<std::string> seen() {
        const std::lock_guard lock(mutex);
        return runs;
    }
    // True when the last run that is kept is this one.
    bool kept(const char* text) {
        return wait_until([&] { return inbox.checkpoint("note").value_or("none kept yet").substr(5, 8) == text; });
    }
    void at(const char* text) {
        clock.set(text);
        if (run) run->nudge();
    }
    std::function<void(ScheduledRun::Outcome)> take_held() {
        EXPECT_TRUE(wait_until([&] {
            const std::lock_guard lock(mutex);
            return held != nullptr;
        }));
        const std::lock_guard lock(mutex);
        return std::exchange(held, nullptr);
    }

    support::TemporaryFolder folder{"scheduled"};
    support::FakeInbox inbox{"people", folder / "spool"};
    RunClock clock;
    std::mutex mutex;
    std::vector<std::string> runs;
    std::function<void(ScheduledRun::Outcome)> held;
    std::atomic<bool> hold{false};
    std::unique_ptr<ScheduledRun> run;  // last: calls back
};

TEST_F(Scheduled, RunsNothingAtTheFirstStartThenEachPlannedTimeOnce) {
    at("2026-01-05T10:30:00Z");
    start(CatchUp::kAll);
    ASSERT_TRUE(kept("01-05T10"));
    at("2026-01-05T11:00:00Z");
    ASSERT_TRUE(kept("01-05T11"));
    at("2026-01-05T10:59:00Z");  // the clock is set back
    at("2026-01-05T11:01:00Z");
    at("2026-01-05T12:00:01Z");
    ASSERT_TRUE(kept("01-05T12"));
    EXPECT_THAT(seen(), ElementsAre("01-05T11", "01-05T12"));
}

TEST_F(Scheduled, CatchesUpAsAsked) {
    const std::vector<std::pair<CatchUp, std::size_t>> rows{{CatchUp::kOne, 1}, {CatchUp::kAll, 3}, {CatchUp::kNone, 0}};
    for (const auto& [catch_up, count] : rows) {
        runs.clear();
        inbox.mark({"note", "2026-01-05T10:00:00.000Z"}, [](bool) {});
        at("2026-01-05T13:30:00Z");
        start(catch_up);
        ASSERT_TRUE(kept("01-05T13"));
        run.reset();
        ASSERT_EQ(seen().size(), count);
        EXPECT_EQ(count == 0 || seen().back() == "01-05T13", true);
    }
}

TEST_F(Scheduled, CatchesUpAtMostAThousand) {
    inbox.mark({"note", "2020-01-01T00:00:00.000Z"}, [](bool) {});
    at("2026-01-05T13:30:00Z");
    start(CatchUp::kAll);
    ASSERT_TRUE(kept("01-05T13"));
    run.reset();
    EXPECT_EQ(seen().size(), 1000U);
}

TEST_F(Scheduled, LeavesOutWhatPassesDuringALongRun) {
    hold = true;
    at("2026-01-05T10:30:00Z");
    start(CatchUp::kAll);
    ASSERT_TRUE(kept("01-05T10"));
    at("2026-01-05T11:00:00Z");
    const auto done = take_held();
    at("2026-01-05T14:10:00Z");
    hold = false;
    done(ScheduledRun::Outcome::kRan);
    ASSERT_TRUE(kept("01-05T14"));
    at("2026-01-05T15:00:00Z");
    ASSERT_TRUE(kept("01-05T15"));
    EXPECT_THAT(seen(), ElementsAre("01-05T11", "01-05T15"));
}

TEST_F(Scheduled, TriesARunAgainUntilItIsDoneAndWaitsForAnOpenInbox) {
    inbox.set_open(false);
    hold = true;
    at("2026-01-05T10:30:00Z");
    start(CatchUp::kOne);
    ASSERT_TRUE(kept("01-05T10"));
    at("2026-01-05T11:00:00Z");
    ASSERT_TRUE(wait_until([&] { return !run->health().ok; }));
    EXPECT_THAT(seen(), IsEmpty());
    inbox.set_open(true);
    run->nudge();
    take_held()(ScheduledRun::Outcome::kAgain);
    ASSERT_TRUE(wait_until([&] {
        run->nudge();
        return seen().size() == 2;
    }));
    take_held()(ScheduledRun::Outcome::kRan);
    ASSERT_TRUE(kept("01-05T11"));
    EXPECT_THAT(seen(), ElementsAre("01-05T11", "01-05T11"));
    EXPECT_TRUE(wait_until([&] { return run->health().ok; }));
}

TEST_F(Scheduled, AnAnswerAfterItsEndHarmsNothing) {
    hold = true;
    at("2026-01-05T10:30:00Z");
    start(CatchUp::kOne);
    ASSERT_TRUE(kept("01-05T10"));
    at("2026-01-05T11:00:00Z");
    const auto done = take_held();
    run.reset();
    done(ScheduledRun::Outcome::kRan);
    EXPECT_TRUE(kept("01-05T10"));
}

TEST_F(Scheduled, JitterIsTheSameForTheSameRunAndEndsInTime) {
    at("2026-01-05T10:30:00Z");
    start(CatchUp::kOne, std::chrono::minutes(10));
    ASSERT_TRUE(kept("01-05T10"));
    at("2026-01-05T11:10:00Z");
    ASSERT_TRUE(kept("01-05T11"));
    EXPECT_THAT(seen(), ElementsAre("01-05T11"));
}

}  // namespace
}  // namespace clrbus
