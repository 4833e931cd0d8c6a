// What is particular to the embedded queues: their files, the disk, the clock.
#include "broker/embedded_queues.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "broker/checkpoint_file.hpp"
#include "broker/queues_fixture.hpp"
#include "support/power_cut_files.hpp"
#include "support/test_directory.hpp"

namespace clrbus {
namespace {

using contract::Basket;
using contract::put_of;
using contract::text_message;

class SetClock : public Clock {
public:
    Time now() const override { return Time(std::chrono::milliseconds(now_.load())); }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
    void advance(std::chrono::milliseconds by) { now_ += by.count(); }

private:
    std::atomic<std::int64_t> now_{1'800'000'000'000};
};

EmbeddedOptions memory_options(PowerCutFiles& files) {
    EmbeddedOptions options;
    options.directory = "/queues";
    options.segment_bytes = 64U << 10;
    options.files = &files;
    return options;
}

class EmbeddedQueuesTest : public testing::Test {
protected:
    void open(EmbeddedOptions options) {
        queues_.reset();
        queues_ = std::make_unique<EmbeddedQueues>(std::move(options));
        queues_->declare("in/r", {});
        queues_->declare("records", {});
    }
    PutState put(const std::string& body, std::string key = "") {
        std::vector<Put> batch;
        batch.push_back(put_of("in/r", body, std::move(key)));
        std::promise<PutState> done;
        queues_->put(std::move(batch), pool_, [&](std::vector<PutResult> results) { done.set_value(results.at(0).state); });
        return done.get_future().get();
    }
    CommitState commit(Unit unit) {
        std::promise<CommitState> done;
        queues_->commit(std::move(unit), pool_, [&](CommitState state) { done.set_value(state); });
        return done.get_future().get();
    }
    CommitState settle(std::uint64_t sequence) {
        Unit unit;
        unit.settled.push_back({"in/r", sequence});
        return commit(std::move(unit));
    }
    std::string refusal(EmbeddedOptions options) {
        return contract::code_of([&] { EmbeddedQueues refused(std::move(options)); });
    }

    ThreadPool pool_{1, "embedded"};
    PowerCutFiles files_;
    SetClock clock_;
    std::unique_ptr<EmbeddedQueues> queues_;
};

TEST_F(EmbeddedQueuesTest, RefusesAMessageThatTheJournalCannotHold) {
    open(memory_options(files_));
    EXPECT_EQ(contract::code_of([&] { put(std::string(40'000, 'x')); }), "QUEUE-002");
    EXPECT_EQ(put(std::string(20'000, 'x')), PutState::kStored);
}

TEST_F(EmbeddedQueuesTest, RefusesASecondProcess) {
    const TestDirectory directory;
    EmbeddedOptions options;
    options.directory = directory.path();
    options.segment_bytes = 1U << 20;
    open(options);
    EXPECT_EQ(refusal(options), "DISK-003");
}

TEST_F(EmbeddedQueuesTest, RefusesADamagedAMissingAndANewerCheckpoint) {
    open(memory_options(files_));
    put("x");
    queues_.reset();
    auto damaged = files_.after_cut(1);
    damaged->flip("/queues/checkpoint", files_.content("/queues/checkpoint").size() / 2);
    EXPECT_EQ(refusal(memory_options(*damaged)), "QUEUE-011");
    auto missing = files_.after_cut(1);
    missing->remove("/queues/checkpoint");
    EXPECT_EQ(refusal(memory_options(*missing)), "QUEUE-013");
    auto cut = files_.after_cut(1);
    const auto bytes = files_.content("/queues/checkpoint");
    cut->open("/queues/checkpoint", storage::Open::kCreate)->write(0, std::string_view(bytes).substr(0, bytes.size() - 16));
    EXPECT_EQ(refusal(memory_options(*cut)), "QUEUE-011");
}

TEST_F(EmbeddedQueuesTest, RefusesAnUnknownVersion) {
    broker::CheckpointHead head;
    head.version = 9;
    broker::CheckpointWriter writer(files_, "/queues/checkpoint");
    writer.block(broker::CheckpointBlock::kHead, broker::encode_checkpoint_head(head));
    writer.finish();
    try {
        EmbeddedQueues refused(memory_options(files_));
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), "QUEUE-012");
        EXPECT_NE(std::string(e.what()).find("version 9, this program reads version 1"), std::string::npos) << e.what();
    }
}

// Files of an earlier version of this program are read: testdata/state-1 was written by the first one.
TEST_F(EmbeddedQueuesTest, ReadsTheFilesOfVersion1) {
    const TestDirectory directory;
    EmbeddedOptions options;
    options.directory = directory.path() + "/queues";
    options.segment_bytes = 16U << 10;
    options.clock = &clock_;
    const std::filesystem::path golden = CLRBUS_SOURCE_DIR "/bus/broker/testdata/state-1";
    if (std::getenv("CLRBUS_WRITE_GOLDEN") != nullptr) {
        open(options);
        for (int i = 0; i < 8; ++i) put("body " + std::to_string(i) + std::string(1500, 'x'), "key " + std::to_string(i));
        queues_->checkpoint();
        Unit unit;
        unit.settled.push_back({"in/r", 1});
        unit.outputs.push_back(put_of("records", "output", "", "0192f0c1-2d3e-7abc-8def-0123456789ab"));
        unit.outputs.back().headers.set("clrbus-source", "r/door");
        unit.notes.push_back({"split/r/1", "row 7"});
        unit.ledger.push_back({"r", Outcome::kDelivered, 1});
        commit(std::move(unit));
        std::promise<CommitState> done;
        queues_->release("in/r", 2, clock_.now() + std::chrono::hours(1), true, pool_,
                         [&](CommitState s) { done.set_value(s); });
        done.get_future().wait();
        std::filesystem::create_directories(golden);
        for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
            if (entry.path().extension() == ".log" || entry.path().filename() == "checkpoint") {
                std::filesystem::copy(entry.path(), golden, std::filesystem::copy_options::overwrite_existing);
            }
        }
        queues_.reset();
        std::filesystem::remove_all(options.directory);
    }
    std::filesystem::copy(golden, options.directory, std::filesystem::copy_options::recursive);
    open(options);
    const auto inbox = queues_->browse("in/r", 0, 100);
    ASSERT_EQ(inbox.size(), 7U);
    EXPECT_EQ(inbox[0].attempts, 1U);
    EXPECT_EQ(inbox[0].not_before, clock_.now() + std::chrono::hours(1));
    EXPECT_EQ(inbox[6].message.body(), "body 7" + std::string(1500, 'x'));
    const auto records = queues_->browse("records", 0, 100);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].message.message_id(), "0192f0c1-2d3e-7abc-8def-0123456789ab");
    EXPECT_EQ(records[0].headers.get("clrbus-source"), "r/door");
    EXPECT_EQ(queues_->note("split/r/1"), "row 7");
    EXPECT_EQ(queues_->ledger().size(), 2U);
    EXPECT_EQ(put("again", "key 3"), PutState::kDuplicate);
}

TEST_F(EmbeddedQueuesTest, RefusesWhenASegmentWithMessagesIsGone) {
    open(memory_options(files_));
    for (int i = 0; i < 30; ++i) put(std::string(9000, 'x'));
    queues_.reset();  // with a checkpoint
    files_.remove("/queues/0000000002.log");
    EXPECT_EQ(refusal(memory_options(files_)), "JOURNAL-005");
}

TEST_F(EmbeddedQueuesTest, DamageOfOneBodyHoldsUpNoOther) {
    open(memory_options(files_));
    for (int i = 0; i < 3; ++i) put("needle" + std::to_string(i));
    queues_->checkpoint();
    queues_.reset();
    const auto at = files_.content("/queues/0000000001.log").find("needle1");
    ASSERT_NE(at, std::string::npos);
    files_.flip("/queues/0000000001.log", at);
    open(memory_options(files_));
    Basket basket;
    auto taker = queues_->take("in/r", pool_, [&](TakenMessage message) { basket.add(std::move(message)); });
    taker->grant(3);
    const auto taken = basket.wait(2);
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(taken[1].message.body(), "needle2");
    EXPECT_EQ(queues_->states().at(0).in_hand, 3U) << "the damaged one is still there";
    const auto browsed = queues_->browse("in/r", 0, 10);
    ASSERT_EQ(browsed.size(), 3U);
    EXPECT_EQ(browsed[1].message.size(), 0U);
}

TEST_F(EmbeddedQueuesTest, ClosesAndOpensWithTheDisk) {
    std::atomic<std::uint64_t> free{1000};
    auto options = memory_options(files_);
    options.disk_reserve = 100;
    options.free_bytes = [&] { return free.load(); };
    open(options);
    EXPECT_EQ(put("a", "key"), PutState::kStored);
    Unit with_output, without;
    const auto output = [] {
        Unit unit;
        unit.outputs.push_back(put_of("records", "o"));
        return unit;
    };
    free = 99;
    queues_->check_disk();
    EXPECT_FALSE(queues_->accepts("in/r"));
    EXPECT_EQ(put("b"), PutState::kFull);
    EXPECT_EQ(put("a", "key"), PutState::kDuplicate) << "stores nothing";
    EXPECT_EQ(commit(output()), CommitState::kDone) << "what is under way may end";
    free = 49;
    queues_->check_disk();
    EXPECT_EQ(commit(output()), CommitState::kFull);
    EXPECT_EQ(settle(1), CommitState::kDone) << "frees space";
    free = 100;
    queues_->check_disk();
    EXPECT_TRUE(queues_->accepts("in/r"));
    EXPECT_EQ(put("b"), PutState::kStored);
    EXPECT_EQ(commit(output()), CommitState::kDone);
}

TEST_F(EmbeddedQueuesTest, TakesAgainAfterTheDiskWasFull) {
    open(memory_options(files_));
    put("a");
    files_.set_fault(PowerCutFiles::Fault::kNoSpace);
    auto state = PutState::kStored;
    for (int i = 0; i < 100 && state == PutState::kStored; ++i) state = put(std::string(9000, 'x'));
    EXPECT_EQ(state, PutState::kFull);
    files_.set_fault(PowerCutFiles::Fault::kNone);
    const auto deadline = std::chrono::steady_clock::now() + contract::kDeadline;
    while (state == PutState::kFull && std::chrono::steady_clock::now() < deadline) state = put("b");
    EXPECT_EQ(state, PutState::kStored);
}

TEST_F(EmbeddedQueuesTest, ForgetsADuplicateAfterItsTime) {
    auto options = memory_options(files_);
    options.clock = &clock_;
    open(options);
    EXPECT_EQ(put("a", "key"), PutState::kStored);
    clock_.advance(std::chrono::hours(7 * 24));
    EXPECT_EQ(put("a", "key"), PutState::kDuplicate);
    clock_.advance(std::chrono::milliseconds(1));
    EXPECT_EQ(put("a", "key"), PutState::kStored);
    open(options);
    EXPECT_EQ(put("a", "key"), PutState::kDuplicate) << "of the second one, after a start";
}

TEST_F(EmbeddedQueuesTest, WakesByTheClockGiven) {
    auto options = memory_options(files_);
    options.clock = &clock_;
    open(options);
    put("a");
    Basket basket;
    auto taker = queues_->take("in/r", pool_, [&](TakenMessage message) { basket.add(std::move(message)); });
    taker->grant(2);
    const auto taken = basket.wait(1);
    std::promise<CommitState> done;
    queues_->release("in/r", taken.at(0).sequence, clock_.now() + std::chrono::hours(1), true, pool_,
                     [&](CommitState state) { done.set_value(state); });
    EXPECT_EQ(done.get_future().get(), CommitState::kDone);
    queues_->wake_delayed();
    EXPECT_EQ(queues_->states().at(0).delayed, 1U);
    clock_.advance(std::chrono::hours(1));
    queues_->wake_delayed();
    EXPECT_EQ(basket.wait(2).size(), 2U);
}

TEST_F(EmbeddedQueuesTest, WakesOneThatWaitsAndLeavesOneInSomebodysHand) {
    open(memory_options(files_));
    put("a");
    put("b");
    Basket basket;
    auto taker = queues_->take("in/r", pool_, [&](TakenMessage message) { basket.add(std::move(message)); });
    taker->grant(3);
    const auto taken = basket.wait(2);
    queues_->wake("in/r", taken.at(1).sequence);  // in hand: it must not come twice
    queues_->wake("in/r", 4711);
    // Asked for right behind the release, it has its turn behind it.
    queues_->release("in/r", taken.at(0).sequence, clock_.now() + std::chrono::hours(1), true, pool_, [](CommitState) {});
    queues_->wake("in/r", taken.at(0).sequence);
    const auto again = basket.wait(3);
    EXPECT_EQ(again.at(2).sequence, taken.at(0).sequence);
    EXPECT_EQ(again.at(2).attempts, 1U);
    taker->grant(1);
    EXPECT_EQ(settle(taken.at(1).sequence), CommitState::kDone);
    EXPECT_EQ(settle(taken.at(0).sequence), CommitState::kDone);
    EXPECT_EQ(basket.wait(3).size(), 3U);
    EXPECT_EQ(queues_->states().at(0).ready, 0U);
}

TEST_F(EmbeddedQueuesTest, UsesItsFilesAgainAndMovesTheFewThatStay) {
    open(memory_options(files_));
    std::vector<std::uint64_t> kept;
    for (int i = 0; i < 600; ++i) {
        std::vector<Put> batch;
        batch.push_back(put_of("in/r", std::string(3000, 'x') + std::to_string(i), "key" + std::to_string(i)));
        std::promise<std::uint64_t> done;
        queues_->put(std::move(batch), pool_, [&](std::vector<PutResult> r) { done.set_value(r.at(0).sequence); });
        const auto sequence = done.get_future().get();
        if (i % 60 == 7) {
            kept.push_back(sequence);
        } else {
            EXPECT_EQ(settle(sequence), CommitState::kDone);
        }
        if (i % 20 == 0) {
            queues_->checkpoint();
            queues_->compact();
        }
    }
    EXPECT_LT(queues_->disk_bytes(), 14 * (64U << 10)) << "1.8 MB went through";
    for (int round = 0; round < 3; ++round) {
        const auto browsed = queues_->browse("in/r", 0, 100);
        ASSERT_EQ(browsed.size(), kept.size());
        for (std::size_t i = 0; i < kept.size(); ++i) {
            EXPECT_EQ(browsed[i].sequence, kept[i]);
            EXPECT_EQ(browsed[i].message.body(), std::string(3000, 'x') + std::to_string(i * 60 + 7));
        }
        EXPECT_EQ(put("x", "key" + std::to_string(7)), PutState::kDuplicate);
        // Without a checkpoint at the end, and with one.
        auto found = files_.after_cut(static_cast<std::uint32_t>(round));
        EmbeddedQueues other(memory_options(*found));
        EXPECT_EQ(other.states().at(0).ready, kept.size());
        open(memory_options(files_));
    }
}

TEST_F(EmbeddedQueuesTest, AnswersFullAboveTheBytesThatWait) {
    auto options = memory_options(files_);
    options.pending_bytes = 0;
    open(options);
    commit({});  // the declarations are written
    // One may wait; what comes while it does is refused at once.
    std::atomic<int> stored{0}, full{0};
    for (int i = 0; i < 200; ++i) {
        std::vector<Put> batch;
        batch.push_back(put_of("in/r", std::string(5000, 'x')));
        queues_->put(std::move(batch), pool_,
                     [&](std::vector<PutResult> r) { (r.at(0).state == PutState::kStored ? stored : full) += 1; });
    }
    commit({});
    EXPECT_EQ(stored + full, 200);
    EXPECT_GE(stored, 1);
}

}  // namespace
}  // namespace clrbus
