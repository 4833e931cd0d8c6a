#include "trace/statistics.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "broker/embedded_queues.hpp"
#include "broker/queues_fixture.hpp"
#include "storage/file.hpp"
#include "support/test_directory.hpp"

namespace clrbus::trace {
namespace {

class StandingClock : public Clock {
public:
    Time now() const override { return now_; }
    std::chrono::steady_clock::time_point steady() const override { return {}; }
    void pass(std::chrono::hours hours) { now_ += hours; }

private:
    Time now_ = from_rfc3339("2026-11-24T12:30:00Z");
};

class StatisticsTest : public testing::Test {
protected:
    StatisticsTest() { open(); }
    ~StatisticsTest() override { pool_.stop(); }
    void open() {
        queues_.reset();
        EmbeddedOptions options;
        options.directory = directory_.path() + "/queues";
        options.segment_bytes = 1U << 20;
        queues_ = std::make_unique<EmbeddedQueues>(options);
        for (const char* name : {"in/r", "dead/r", "records"}) queues_->declare(name, {});
    }
    std::string file() const { return directory_.path() + "/statistics"; }
    void receive(int count) {
        for (int i = 0; i < count; ++i) {
            std::promise<void> done;
            queues_->put({contract::put_of("in/r", "x")}, pool_, [&done](auto) { done.set_value(); });
            done.get_future().wait();
        }
    }
    void count(const std::string& account, Outcome outcome, std::int64_t n) {
        Unit unit;
        unit.ledger.push_back({account, outcome, n});
        std::promise<void> done;
        queues_->commit(std::move(unit), pool_, [&done](CommitState) { done.set_value(); });
        done.get_future().wait();
    }
    static RouteStatistics of_r(Statistics& statistics) {
        for (const auto& one : statistics.routes()) {
            if (one.route == "r") return one;
        }
        return {};
    }

    TestDirectory directory_;
    ThreadPool pool_{1, "test"};
    StandingClock clock_;
    std::unique_ptr<EmbeddedQueues> queues_;
};

TEST_F(StatisticsTest, KnowsNothingOfAStateThatIsNew) {
    Statistics statistics(*queues_, clock_, file());
    const auto one = of_r(statistics);
    EXPECT_EQ(one.received, 0);
    EXPECT_EQ(one.last_success, Time{});
    EXPECT_FALSE(one.weekday);
    EXPECT_FALSE(one.rate);
}

TEST_F(StatisticsTest, AFileOfNonsenseIsBegunAnewAndSumsAreWhole) {
    std::ofstream(file()) << "clrbus-stat2 and then something else";
    receive(3);
    Statistics statistics(*queues_, clock_, file());
    EXPECT_EQ(of_r(statistics).received, 3);
    EXPECT_EQ(of_r(statistics).day, 3);
}

TEST_F(StatisticsTest, AFileWithOneBitChangedIsBegunAnew) {
    receive(1);
    { Statistics statistics(*queues_, clock_, file()); }
    std::string bytes = storage::read_whole_file(storage::real_files(), file());
    bytes[bytes.size() / 2] ^= 1;
    std::ofstream(file(), std::ios::binary) << bytes;
    clock_.pass(std::chrono::hours(7 * 24));
    Statistics statistics(*queues_, clock_, file());
    EXPECT_FALSE(of_r(statistics).weekday);
    EXPECT_EQ(of_r(statistics).received, 1);
}

TEST_F(StatisticsTest, CountsWhatEachRouteDidAndWhenItLastWentThrough) {
    Statistics statistics(*queues_, clock_, file());
    receive(5);
    count("r", Outcome::kDelivered, 2);
    count("r", Outcome::kFiltered, 1);
    count("r", Outcome::kDead, 1);
    count("records/r", Outcome::kApplied, 2);
    count("records/r", Outcome::kUnchanged, 1);
    const auto one = of_r(statistics);
    EXPECT_EQ(one.received, 5);
    EXPECT_EQ(one.delivered, 2);
    EXPECT_EQ(one.filtered, 1);
    EXPECT_EQ(one.dead, 1);
    EXPECT_EQ(one.dead_day, 1);
    EXPECT_EQ(one.applied, 2);
    EXPECT_EQ(one.unchanged, 1);
    EXPECT_EQ(one.waiting, 5U);
    EXPECT_EQ(one.last_success, clock_.now());
    clock_.pass(std::chrono::hours(1));
    count("r", Outcome::kDead, 1);
    EXPECT_EQ(of_r(statistics).last_success, clock_.now() - std::chrono::hours(1)) << "a dead letter is no success";
}

TEST_F(StatisticsTest, SurvivesARestartAndFindsWhatHappenedBehindTheLastWrite) {
    Time success;
    {
        Statistics statistics(*queues_, clock_, file());
        receive(2);
        count("r", Outcome::kDelivered, 1);
        success = clock_.now();
        EXPECT_EQ(of_r(statistics).day, 2);
    }
    receive(3);  // nobody looked: as behind a kill -9
    open();
    clock_.pass(std::chrono::hours(2));
    Statistics statistics(*queues_, clock_, file());
    const auto one = of_r(statistics);
    EXPECT_EQ(one.received, 5);
    EXPECT_EQ(one.day, 5);
    EXPECT_EQ(one.last_success, success);
}

TEST_F(StatisticsTest, ComparesWithTheSameWeekday) {
    Statistics statistics(*queues_, clock_, file());
    receive(4);
    of_r(statistics);
    clock_.pass(std::chrono::hours(3 * 24));
    EXPECT_FALSE(of_r(statistics).weekday) << "there was no such weekday yet";
    receive(9);
    of_r(statistics);
    clock_.pass(std::chrono::hours(4 * 24));
    receive(1);
    const auto one = of_r(statistics);
    EXPECT_EQ(one.day, 1);
    ASSERT_TRUE(one.weekday);
    EXPECT_DOUBLE_EQ(*one.weekday, 4);
    ASSERT_TRUE(one.rate);
    EXPECT_DOUBLE_EQ(*one.rate, 0.25);
    clock_.pass(std::chrono::hours(7 * 24));
    EXPECT_DOUBLE_EQ(of_r(statistics).weekday.value_or(0), 2.5) << "the mean of the weeks that there are";
}

TEST_F(StatisticsTest, ForgetsWhatIsOlderThanFiveWeeks) {
    Statistics statistics(*queues_, clock_, file());
    receive(8);
    of_r(statistics);
    clock_.pass(std::chrono::hours(42 * 24));
    receive(1);
    of_r(statistics);
    EXPECT_FALSE(of_r(statistics).weekday);
}

}  // namespace
}  // namespace clrbus::trace
