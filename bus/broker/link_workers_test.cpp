// The process that keeps the books and its workers, over a real RabbitMQ. Skipped where it is not installed.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "broker/link_envelope.hpp"
#include "broker/link_queues.hpp"
#include "broker/link_worker_queues.hpp"
#include "broker/queues_fixture.hpp"
#include "support/rabbitmq_process.hpp"
#include "support/test_directory.hpp"

namespace clrbus::contract {
namespace {

using namespace std::chrono_literals;

class LinkWorkers : public testing::Test {
protected:
    static void SetUpTestSuite() { broker_ = new RabbitMqProcess(); }
    static void TearDownTestSuite() {
        delete broker_;
        broker_ = nullptr;
    }
    void SetUp() override {
        if (!broker_->installed()) GTEST_SKIP() << "RabbitMQ is not installed (apt-get install rabbitmq-server)";
        static int number = 0;
        prefix_ = "workers" + std::to_string(++number) + ".";
        open_books();
    }
    void TearDown() override {
        pool_.stop();
        books_.reset();
        local_.reset();
    }

    static std::unique_ptr<EmbeddedQueues> embedded(const std::string& directory) {
        EmbeddedOptions options;
        options.directory = directory;
        options.segment_bytes = 8U << 20;
        options.free_bytes = [] { return ~std::uint64_t{0}; };
        return std::make_unique<EmbeddedQueues>(options);
    }
    LinkOptions options() const {
        LinkOptions out;
        out.client.host = "127.0.0.1";
        out.client.port = broker_->port();
        out.client.user = "guest";
        out.client.password = "guest";
        out.client.first_retry = 20ms;
        out.client.most_retry = 200ms;
        out.prefix = prefix_;
        out.window = 20;
        out.own_notes = {"suspect/"};
        out.notes_of = [](const TakenMessage& taken) {
            return std::vector<std::string>{"split/r/" + taken.message.message_id()};
        };
        return out;
    }
    void open_books() {
        books_.reset();
        local_.reset();
        local_ = embedded(directory_.path() + "/books");
        books_ = std::make_unique<LinkQueues>(*local_, options());
        declare(*books_);
        books_->start();
    }
    static void declare(Queues& queues) {
        for (const char* name : {"in/r", "dead/r", "records"}) queues.declare(name, {});
    }

    // One worker process: settles what it takes with one output and one count.
    class Worker {
    public:
        Worker(LinkWorkers& test, std::uint32_t credit, bool commits = true, LinkOptions with = {})
            : commits_(commits), own_(embedded(test.directory_.path() + "/worker" + std::to_string(++test.workers_))) {
            if (with.client.host.empty()) with = test.options();
            queues = std::make_unique<WorkerQueues>(*own_, std::move(with));
            declare(*queues);
            queues->start();
            std::shared_ptr<Taker> taker = queues->take("in/r", pool_, [this](const TakenMessage& message) {
                basket.add(message);
                if (commits_) commit(unit_of(message));
            });
            {
                const std::lock_guard lock(mutex_);
                taker_ = taker;
            }
            taker->grant(credit);
        }
        ~Worker() {
            drop_taker();
            if (queues) queues->stop(10s);
            pool_.stop();
            queues.reset();
        }
        static Unit unit_of(const TakenMessage& message) {
            Unit unit;
            unit.settled.push_back({message.queue, message.sequence});
            unit.outputs.push_back(put_of("records", message.message.body(), "", "out-" + message.message.message_id()));
            unit.ledger.push_back({"r", Outcome::kDelivered, 1});
            return unit;
        }
        void commit(Unit unit) {
            queues->commit(std::move(unit), pool_, [this](CommitState state) {
                EXPECT_EQ(state, CommitState::kDone);
                if (!commits_) return;
                const std::lock_guard lock(mutex_);
                if (taker_) taker_->grant(1);
            });
        }
        // As kill -9: nothing is settled, nothing is said.
        void die() {
            queues->stop(0ms);
            drop_taker();
        }
        CommitState wait(Unit unit) {
            std::promise<CommitState> done;
            queues->commit(std::move(unit), pool_, [&](CommitState state) { done.set_value(state); });
            return done.get_future().get();
        }

        Basket basket;
        std::unique_ptr<WorkerQueues> queues;

    private:
        void drop_taker() {
            std::shared_ptr<Taker> last;
            {
                const std::lock_guard lock(mutex_);
                last.swap(taker_);
            }
            last.reset();
        }

        const bool commits_;
        std::unique_ptr<EmbeddedQueues> own_;
        ThreadPool pool_{1, "worker"};
        std::mutex mutex_;
        std::shared_ptr<Taker> taker_;
    };

    void put(int from, int count) {
        std::vector<Put> batch;
        for (int i = from; i < from + count; ++i)
            batch.push_back(put_of("in/r", "body " + std::to_string(i), "", "id-" + std::to_string(i)));
        std::promise<void> done;
        books_->put(std::move(batch), pool_, [&](const std::vector<PutResult>&) { done.set_value(); });
        done.get_future().wait();
    }
    template <class Condition>
    static bool eventually(Condition condition) {
        const auto until = std::chrono::steady_clock::now() + 60s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > until) return false;
            std::this_thread::sleep_for(2ms);
        }
        return true;
    }
    QueueState state(const std::string& queue) const {
        for (const auto& found : books_->states()) {
            if (found.name == queue) return found;
        }
        return {};
    }
    std::uint64_t left() const {
        const auto in = state("in/r");
        return in.ready + in.in_hand + in.delayed;
    }
    std::int64_t sum(Outcome outcome) const {
        for (const auto& entry : books_->ledger()) {
            if (entry.account == "r" && entry.outcome == outcome) return entry.count;
        }
        return 0;
    }
    // Each input has made one output and one count.
    void expect_exactly(int count) {
        EXPECT_TRUE(eventually([&] { return left() == 0; })) << left() << " are left";
        EXPECT_EQ(sum(Outcome::kDelivered), count);
        std::map<std::string, int> bodies;
        for (const auto& each : books_->browse("records", 0, 100'000)) ++bodies[std::string(each.message.body())];
        EXPECT_EQ(bodies.size(), static_cast<std::size_t>(count));
        for (const auto& [body, times] : bodies) EXPECT_EQ(times, 1) << body;
    }

    static RabbitMqProcess* broker_;
    std::string prefix_;
    TestDirectory directory_;
    int workers_ = 0;
    ThreadPool pool_{2, "test"};
    std::unique_ptr<EmbeddedQueues> local_;
    std::unique_ptr<LinkQueues> books_;
};
RabbitMqProcess* LinkWorkers::broker_ = nullptr;

TEST_F(LinkWorkers, ShareAnInboxAndEachMessageIsDoneOnce) {
    Worker one(*this, 10), two(*this, 10);
    put(0, 500);
    expect_exactly(500);
    EXPECT_GT(one.basket.size(), 0U);
    EXPECT_GT(two.basket.size(), 0U);
}

TEST_F(LinkWorkers, NoMoreThanTheWindowIsOut) {
    put(0, 100);
    EXPECT_TRUE(eventually([&] { return state("in/r").in_hand == 20; }));
    EXPECT_EQ(state("in/r").ready, 80U);
    Worker one(*this, 10);
    expect_exactly(100);
}

TEST_F(LinkWorkers, WhatADeadWorkerHadInHandIsDoneByAnother) {
    put(0, 50);
    {
        Worker dead(*this, 15, false);
        EXPECT_EQ(dead.basket.wait(15).size(), 15U);
        dead.die();
    }
    Worker other(*this, 10);
    expect_exactly(50);
}

TEST_F(LinkWorkers, WhatWasInHandWhenTheBooksRestartedIsDoneOnce) {
    put(0, 30);
    Worker one(*this, 10, false);
    const auto held = one.basket.wait(10);
    ASSERT_EQ(held.size(), 10U);
    open_books();  // every message is sent again under another number
    Worker two(*this, 10);
    for (const auto& message : held) EXPECT_EQ(one.wait(Worker::unit_of(message)), CommitState::kDone);
    expect_exactly(30);
}

TEST_F(LinkWorkers, AUnitThatComesTwiceIsAppliedOnce) {
    put(0, 1);
    Worker one(*this, 1, false);
    const auto message = one.basket.wait(1).at(0);
    EXPECT_EQ(one.wait(Worker::unit_of(message)), CommitState::kDone);
    EXPECT_EQ(one.wait(Worker::unit_of(message)), CommitState::kDone);
    expect_exactly(1);
}

TEST_F(LinkWorkers, ChunksThatGoByAnOldNoteAreDroppedAndTheMessageIsTriedFromTheNewOne) {
    put(0, 1);
    Worker one(*this, 5, false);
    const auto message = one.basket.wait(1).at(0);
    const auto chunk = [](const std::string& position) {
        Unit unit;
        unit.outputs.push_back(put_of("records", "child before " + position));
        unit.ledger.push_back({"r", Outcome::kMade, 1});
        unit.notes.push_back({"split/r/id-0", position});
        return unit;
    };
    EXPECT_EQ(one.queues->note("split/r/id-0"), std::nullopt);
    EXPECT_EQ(one.wait(chunk("10")), CommitState::kDone);
    EXPECT_EQ(one.queues->note("split/r/id-0"), "10");
    EXPECT_TRUE(eventually([&] { return books_->note("split/r/id-0") == "10"; }));
    // Another one was quicker in between.
    Unit other;
    other.notes.push_back({"split/r/id-0", "20"});
    std::promise<void> changed;
    books_->commit(std::move(other), pool_, [&](CommitState) { changed.set_value(); });
    changed.get_future().wait();
    EXPECT_EQ(one.wait(chunk("15")), CommitState::kDone) << "confirmed to the worker, and dropped by the books";
    Unit last;
    last.settled.push_back({"in/r", message.sequence});
    last.notes.push_back({"split/r/id-0", std::nullopt});
    last.ledger.push_back({"r", Outcome::kSplit, 1});
    EXPECT_EQ(one.wait(std::move(last)), CommitState::kDone);
    const auto again = one.basket.wait(2);
    ASSERT_EQ(again.size(), 2U) << "given out again";
    EXPECT_EQ(again[1].sequence, message.sequence);
    EXPECT_EQ(one.queues->note("split/r/id-0"), "20");
    EXPECT_EQ(sum(Outcome::kMade), 1);
    EXPECT_EQ(sum(Outcome::kSplit), 0);
    EXPECT_EQ(state("records").ready, 1U);
}

TEST_F(LinkWorkers, AChunkOfAMessageThatIsSettledIsDroppedThoughItsNoteLooksAsAtFirst) {
    put(0, 1);
    Worker one(*this, 1, false);
    const auto message = one.basket.wait(1).at(0);
    open_books();  // sent again: two are at it
    Worker two(*this, 5, false);
    ASSERT_EQ(two.basket.wait(1).size() + one.basket.size(), 2U);
    const auto chunk = [] {
        Unit unit;
        unit.outputs.push_back(put_of("records", "child"));
        unit.ledger.push_back({"r", Outcome::kMade, 1});
        unit.notes.push_back({"split/r/id-0", "10"});
        return unit;
    };
    Unit last;
    last.settled.push_back({"in/r", message.sequence});
    last.notes.push_back({"split/r/id-0", std::nullopt});
    EXPECT_EQ(one.wait(chunk()), CommitState::kDone);
    EXPECT_EQ(one.wait(std::move(last)), CommitState::kDone);
    EXPECT_TRUE(eventually([&] { return left() == 0; }));
    EXPECT_EQ(two.wait(chunk()), CommitState::kDone);
    Unit late;
    late.settled.push_back({"in/r", message.sequence});
    late.notes.push_back({"split/r/id-0", std::nullopt});
    EXPECT_EQ(two.wait(std::move(late)), CommitState::kDone);
    put(1, 1);  // behind all that
    EXPECT_EQ(two.basket.wait(2).size() + one.basket.size(), 3U);
    EXPECT_EQ(sum(Outcome::kMade), 1);
    EXPECT_EQ(books_->note("split/r/id-0"), std::nullopt);
}

TEST_F(LinkWorkers, GiveBackWithAnAttemptAndADelay) {
    put(0, 1);
    Worker one(*this, 3, false);
    const auto message = one.basket.wait(1).at(0);
    const auto later = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now()) + 200ms;
    one.queues->release("in/r", message.sequence, later, true, pool_,
                        [](CommitState state) { EXPECT_EQ(state, CommitState::kDone); });
    auto again = one.basket.wait(2);
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again[1].attempts, 1U);
    EXPECT_GE(std::chrono::system_clock::now(), later);
    one.queues->release("in/r", message.sequence, Time{}, false, pool_,
                        [](CommitState state) { EXPECT_EQ(state, CommitState::kDone); });
    again = one.basket.wait(3);
    ASSERT_EQ(again.size(), 3U);
    EXPECT_EQ(again[2].attempts, 1U);
}

TEST_F(LinkWorkers, AMessageThatOneMayNotWorkOnGoesToAnother) {
    auto picky = options();
    picky.admits = [](const TakenMessage&, const std::vector<Note>&) { return false; };
    Worker cannot(*this, 5, true, picky);
    put(0, 20);
    Worker can(*this, 5);
    expect_exactly(20);
    EXPECT_EQ(cannot.basket.size(), 0U);
}

// As when a route is reloaded: the copies that are out say the generation of before, and no worker has that one any more.
TEST_F(LinkWorkers, CopiesOfAnOldGenerationComeBackAndGoOutAsTheNewOne) {
    std::promise<void> noted;
    Unit unit;
    unit.notes.push_back({"split/r/id-0", "old"});
    books_->commit(std::move(unit), pool_, [&](CommitState) { noted.set_value(); });
    noted.get_future().wait();
    put(0, 1);
    EXPECT_TRUE(eventually([&] { return state("in/r").in_hand == 1; }));
    std::promise<void> changed;
    Unit later;
    later.notes.push_back({"split/r/id-0", "new"});
    books_->commit(std::move(later), pool_, [&](CommitState) { changed.set_value(); });
    changed.get_future().wait();
    auto newer = options();
    newer.admits = [](const TakenMessage&, const std::vector<Note>& notes) { return notes.at(0).value == "new"; };
    Worker one(*this, 5, true, newer);
    expect_exactly(1);
}

// As when a step that keeps state is added to a route.
TEST_F(LinkWorkers, AnInboxThatStaysFromNowOnIsWorkedOnHereAndWhatAWorkerStillMakesIsDropped) {
    put(0, 40);
    Worker elsewhere(*this, 5, false);
    const auto held = elsewhere.basket.wait(5);
    ASSERT_EQ(held.size(), 5U);
    books_->stay({"in/r"});
    Basket here;
    auto taker = books_->take("in/r", pool_, [&](TakenMessage message) { here.add(std::move(message)); });
    taker->grant(100);
    EXPECT_EQ(here.wait(40).size(), 40U);
    for (const auto& message : here.wait(40)) {
        std::promise<void> done;
        books_->commit(Worker::unit_of(message), pool_, [&](CommitState) { done.set_value(); });
        done.get_future().wait();
    }
    for (const auto& message : held) EXPECT_EQ(elsewhere.wait(Worker::unit_of(message)), CommitState::kDone);
    expect_exactly(40);
    taker.reset();
    books_->stay({});
    put(40, 20);
    Worker again(*this, 5);
    expect_exactly(60);
}

TEST_F(LinkWorkers, ForeignMessagesAreRefusedAndTheOthersGoOn) {
    amqp::Client stranger(options().client);
    auto in = stranger.sender(options().address_of(options().name_of("in/r")));
    auto results = stranger.sender(options().address_of(options().results_name()));
    stranger.start();
    for (int i = 0; i < 5; ++i) {
        in->send(text_message("not of this bus"), [](const amqp::Settlement&) {});
        results->send(text_message("nor is this"), [](const amqp::Settlement&) {});
        broker::LinkUnit unknown;
        unknown.unit.settled.push_back({"in/nowhere", 1});
        results->send(broker::encode_result(unknown), [](const amqp::Settlement&) {});
    }
    EXPECT_TRUE(stranger.stop(20s));
    Worker one(*this, 5);
    put(0, 20);
    expect_exactly(20);
}

TEST_F(LinkWorkers, LoseNothingAndDoubleNothingWhenTheBrokerIsKilled) {
    Worker one(*this, 10), two(*this, 10);
    put(0, 1000);
    EXPECT_TRUE(eventually([&] { return left() < 900; }));
    broker_->tell("restart");
    put(1000, 200);
    expect_exactly(1200);
}

TEST_F(LinkWorkers, AcceptWhileTheBrokerIsAwayOrTakesNoResults) {
    broker_->tell("kill");
    EXPECT_TRUE(eventually([&] { return !books_->health().open; }));
    put(0, 50);
    EXPECT_EQ(left(), 50U);
    broker_->tell("start");
    Worker one(*this, 10);
    expect_exactly(50);
    // The queue of results: what the workers have done is not confirmed.
    const auto tell_queue = [&](const std::string& what) {
        broker_->tell("ctl eval {ok,Q}=rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>,queue,<<\"" + prefix_ +
                      "results\">>)),sys:" + what + "(amqqueue:get_pid(Q)).");
    };
    tell_queue("suspend");
    put(50, 300);
    EXPECT_LE(state("in/r").in_hand, 20U) << "what is out is bounded";
    tell_queue("resume");
    expect_exactly(350);
}

}  // namespace
}  // namespace clrbus::contract
