#include "records/applier.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "broker/embedded_queues.hpp"
#include "records/database.hpp"
#include "records/test_support.hpp"

namespace clrbus::records {
namespace {

using testing::Campus;
using testing::Said;
using testing::TempDir;

// Queues that can be told to fail. Delivers on the caller's thread of grant().
class FakeQueues : public Queues {
public:
    void declare(const std::string& queue, const QueueLimits&) override { declared.push_back(queue); }
    bool exists(const std::string&) const override { return true; }
    void put(std::vector<Put>, Executor&, PutDone) override {}
    std::unique_ptr<Taker> take(const std::string&, Executor& executor, std::function<void(TakenMessage)> ready) override {
        class FakeTaker : public Taker {
        public:
            FakeTaker(FakeQueues& queues, Executor& executor, std::function<void(TakenMessage)> take)
                : queues_(queues), executor_(executor), ready_(std::move(take)) {}
            void grant(std::uint32_t more) override {
                executor_.post([this, more] {
                    for (std::uint32_t i = 0; i < more; ++i) {
                        TakenMessage message;
                        {
                            const std::lock_guard lock(queues_.mutex);
                            ++queues_.credit;
                            if (queues_.waiting.empty()) continue;
                            --queues_.credit;
                            message = std::move(queues_.waiting.front());
                            queues_.waiting.pop_front();
                        }
                        ready_(std::move(message));
                    }
                });
                const std::lock_guard lock(queues_.mutex);
                queues_.most_credit = std::max<std::uint64_t>(queues_.most_credit, more);
            }
            void stop() override {}

        private:
            FakeQueues& queues_;
            Executor& executor_;
            std::function<void(TakenMessage)> ready_;
        };
        return std::make_unique<FakeTaker>(*this, executor, std::move(ready));
    }
    void commit(Unit unit, Executor& executor, CommitDone done) override {
        CommitState answer = CommitState::kDone;
        {
            const std::lock_guard lock(mutex);
            if (!answers.empty()) {
                answer = answers.front();
                answers.pop_front();
            }
            if (answer == CommitState::kDone) {
                settled += unit.settled.size();
                for (const LedgerEntry& entry : unit.ledger) {
                    (entry.account == kRecordsAccount ? counted : of_routes)[entry.outcome] += entry.count;
                }
                largest = std::max(largest, unit.settled.size());
                units.push_back(std::move(unit));
            }
            changed.notify_all();
        }
        executor.post([done = std::move(done), answer] { done(answer); });
    }
    void release(const std::string&, std::uint64_t, Time, bool, Executor&, CommitDone) override {}
    std::vector<BrowsedMessage> browse(const std::string&, std::uint64_t, std::size_t) const override { return {}; }
    std::vector<QueueState> states() const override { return {}; }
    std::optional<std::string> note(std::string_view) const override { return std::nullopt; }
    std::vector<Note> notes(std::string_view) const override { return {}; }
    std::vector<LedgerEntry> ledger() const override { return {}; }
    bool accepts(const std::string&) const override { return true; }

    bool wait_for_settled(std::size_t n) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(20), [&] { return settled >= n; });
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::deque<TakenMessage> waiting;
    std::deque<CommitState> answers;
    std::vector<Unit> units;
    std::vector<std::string> declared;
    std::map<Outcome, std::int64_t> counted, of_routes;
    std::size_t settled = 0, largest = 0;
    std::uint64_t credit = 0, most_credit = 0;
};

class Applying : public ::testing::Test {
protected:
    Applier::Options quick() {
        Applier::Options options;
        options.retry_first = std::chrono::milliseconds(1);
        options.retry_most = std::chrono::milliseconds(5);
        return options;
    }
    template <class Condition>
    bool becomes(Condition condition) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::yield();
        }
        return true;
    }
    TempDir dir_;
    Campus campus_{dir_.path()};
    ThreadPool pool_{2, "test"};
    FakeQueues queues_;
};

TEST_F(Applying, WhatCannotBeAppliedIsDeadWithItsReasonAndWithoutItsValues) {
    TakenMessage bad = Said::person("p").id("sis-id", "77001").name("Xanthippe", "Lopez").taken();
    bad.headers.set(header::kGeneration, "Xanthippe");
    queues_.waiting = {Said::person("p1").id("sis-id", "1001").taken(), bad};
    Applier applier(*campus_.store, queues_, pool_);
    applier.start();
    ASSERT_TRUE(queues_.wait_for_settled(2));
    applier.stop();
    const Put* dead = nullptr;
    for (const Unit& unit : queues_.units) {
        for (const Put& put : unit.outputs) dead = &put;
    }
    ASSERT_NE(dead, nullptr);
    EXPECT_EQ(dead->queue, "dead/records");
    EXPECT_EQ(dead->message.bytes(), bad.message.bytes());
    EXPECT_EQ(dead->headers.get(header::kDeadCode), "REC-002");
    EXPECT_EQ(dead->headers.get(header::kDeadStep), "records");
    EXPECT_EQ(dead->headers.get(header::kDeadReason).find("Xanthippe"), std::string_view::npos);
    EXPECT_EQ(queues_.counted[Outcome::kDead], 1);
    EXPECT_EQ(queues_.counted[Outcome::kApplied], 1);
    EXPECT_EQ(queues_.of_routes, queues_.counted) << "by route it is the same in all";
}

TEST_F(Applying, AFullJournalIsTriedAgainAndEachMessageIsSettledOnce) {
    queues_.answers = {CommitState::kFull, CommitState::kFull, CommitState::kDone};
    queues_.waiting = {Said::person("p1").id("sis-id", "1001").taken()};
    Applier applier(*campus_.store, queues_, pool_, quick());
    applier.start();
    ASSERT_TRUE(queues_.wait_for_settled(1));
    ASSERT_TRUE(becomes([&] { return applier.state().units == 0; }));
    applier.stop();
    EXPECT_EQ(queues_.settled, 1U);
}

TEST_F(Applying, AFailedJournalPausesAndLosesNothing) {
    queues_.answers = {CommitState::kFailed};
    queues_.waiting = {Said::person("p1").id("sis-id", "1001").taken()};
    Applier applier(*campus_.store, queues_, pool_, quick());
    applier.start();
    ASSERT_TRUE(becomes([&] { return applier.state().paused; }));
    EXPECT_EQ(applier.state().code, "REC-017");
    applier.stop();
    EXPECT_EQ(queues_.settled, 0U);
}

TEST_F(Applying, AStoreThatIsLockedIsTriedAgainWithTheGroupInHand) {
    campus_.close();
    campus_.options.lock_wait = std::chrono::milliseconds(1);
    campus_.open();
    auto blocker = std::make_unique<Database>(dir_.path() / "records.db", Database::Mode::kWrite);
    blocker->run("BEGIN IMMEDIATE");
    queues_.waiting = {Said::person("p1").id("sis-id", "1001").taken()};
    Applier applier(*campus_.store, queues_, pool_, quick());
    applier.start();
    ASSERT_TRUE(becomes([&] { return applier.state().away; }));
    EXPECT_EQ(applier.state().code, "REC-010");
    EXPECT_EQ(applier.state().waiting, 1U);
    blocker->run("ROLLBACK");
    ASSERT_TRUE(queues_.wait_for_settled(1));
    ASSERT_TRUE(becomes([&] { return !applier.state().away; }));
    applier.stop();
}

TEST_F(Applying, SomethingUnexpectedPausesAndNothingBecomesADeadLetter) {
    {
        Database database(dir_.path() / "records.db", Database::Mode::kWrite);
        database.run("ALTER TABLE person RENAME TO person_away");
    }
    queues_.waiting = {Said::person("p1").id("sis-id", "1001").taken()};
    Applier applier(*campus_.store, queues_, pool_, quick());
    applier.start();
    ASSERT_TRUE(becomes([&] { return applier.state().paused; }));
    EXPECT_EQ(applier.state().code, "REC-012");
    EXPECT_EQ(applier.state().waiting, 1U);
    {
        Database database(dir_.path() / "records.db", Database::Mode::kWrite);
        database.run("ALTER TABLE person_away RENAME TO person");
    }
    applier.resume();
    ASSERT_TRUE(queues_.wait_for_settled(1));
    applier.stop();
    EXPECT_EQ(queues_.counted[Outcome::kDead], 0);
    EXPECT_EQ(queues_.counted[Outcome::kApplied], 1);
}

TEST_F(Applying, GroupsAndCreditAreBounded) {
    for (int i = 0; i < 1500; ++i)
        queues_.waiting.push_back(Said::person("p" + std::to_string(i)).id("sis-id", "S" + std::to_string(i)).taken());
    Applier applier(*campus_.store, queues_, pool_);
    applier.start();
    ASSERT_TRUE(queues_.wait_for_settled(1500));
    applier.stop();
    EXPECT_LE(queues_.largest, 500U);
    EXPECT_LE(queues_.most_credit, 128U);
    EXPECT_EQ(queues_.counted[Outcome::kApplied], 1500);
}

// ── with the embedded queues: promise 2 ──

std::map<Outcome, std::int64_t> records_account(const Queues& queues) {
    std::map<Outcome, std::int64_t> sums;
    for (const LedgerEntry& entry : queues.ledger()) {
        if (entry.account == kRecordsAccount) sums[entry.outcome] += entry.count;
    }
    return sums;
}

std::uint64_t in_queue(const Queues& queues) {
    for (const QueueState& state : queues.states()) {
        if (state.name == kRecordsQueue) return state.ready + state.in_hand + state.delayed;
    }
    return 0;
}

void expect_balanced(const Queues& queues) {
    auto sums = records_account(queues);
    EXPECT_EQ(sums[Outcome::kTaken], sums[Outcome::kApplied] + sums[Outcome::kUnchanged] + sums[Outcome::kSuperseded] +
                                         sums[Outcome::kHeld] + sums[Outcome::kDead] +
                                         static_cast<std::int64_t>(in_queue(queues)));
}

// As the engine does: outputs and what they count in one Unit.
Unit unit_of(const std::vector<TakenMessage>& messages) {
    Unit unit;
    for (const TakenMessage& message : messages) unit.outputs.push_back({kRecordsQueue, message.message, message.headers, {}});
    unit.ledger.push_back({kRecordsAccount, Outcome::kTaken, static_cast<std::int64_t>(messages.size())});
    return unit;
}

TEST_F(Applying, TheLedgerBalancesAfterEachKindOfEnd) {
    EmbeddedOptions options;
    options.directory = (dir_.path() / "queues").string();
    options.disk_reserve = 0;
    EmbeddedQueues queues(options);
    Applier applier(*campus_.store, queues, pool_);
    TakenMessage bad = Said::person("p").id("sis-id", "77001").taken();
    bad.headers.remove(header::kApply);
    std::atomic<bool> put{false};
    queues.commit(unit_of({Said::person("p1").id("sis-id", "1001").taken(), Said::person("p1").id("sis-id", "1001").taken(),
                           Said::statement("hr", "j").id("sis-id", "1001").number(5).says({"a"}).taken(),
                           Said::statement("hr", "j").id("sis-id", "1001").number(4).says({"b"}).taken(),
                           Said::statement("hr", "k").id("sis-id", "2002").says({"c"}).taken(), bad}),
                  pool_, [&](CommitState state) { put = state == CommitState::kDone; });
    ASSERT_TRUE(becomes([&] { return put.load(); }));
    expect_balanced(queues);
    applier.start();
    ASSERT_TRUE(becomes([&] { return in_queue(queues) == 0; }));
    applier.stop();
    expect_balanced(queues);
    auto sums = records_account(queues);
    EXPECT_EQ(sums[Outcome::kApplied], 2);
    EXPECT_EQ(sums[Outcome::kUnchanged], 1);
    EXPECT_EQ(sums[Outcome::kSuperseded], 1);
    EXPECT_EQ(sums[Outcome::kHeld], 1);
    EXPECT_EQ(sums[Outcome::kDead], 1);
    EXPECT_EQ(queues.browse(kRecordsDeadQueue, 0, 10).size(), 1U);
}

}  // namespace
}  // namespace clrbus::records
