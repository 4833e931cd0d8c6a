// The power goes at every kind of moment; what is found afterwards must hold what was promised.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "broker/embedded_queues.hpp"
#include "broker/queues_fixture.hpp"
#include "support/power_cut_files.hpp"

namespace clrbus {
namespace {

using contract::put_of;

EmbeddedOptions crash_options(PowerCutFiles& files) {
    EmbeddedOptions options;
    options.directory = "/queues";
    options.segment_bytes = 64U << 10;
    options.files = &files;
    return options;
}

// What the outside was told, and what it asked for.
struct Told {
    std::mutex mutex;
    std::condition_variable changed;
    std::set<std::string> asked, accepted, committed, released;
};

// One life of a bus: puts, a consumer that commits Units, releases, checkpoints and compactions, until the power goes; one that
// nothing disturbs waits for so many commits.
void crash_live(PowerCutFiles& files, Told& told, std::uint32_t seed, int first_id, int count, std::size_t commits = 0) {
    std::mt19937 dice(seed);
    ThreadPool pool(1, "crash");
    std::mutex dice_mutex;
    const auto roll = [&](unsigned below) {
        const std::lock_guard lock(dice_mutex);
        return static_cast<unsigned>(dice() % below);
    };
    std::unique_ptr<EmbeddedQueues> queues;
    try {
        queues = std::make_unique<EmbeddedQueues>(crash_options(files));
    } catch (const Error& e) {
        ASSERT_TRUE(files.has_failed()) << e.what();
        return;
    }
    queues->declare("in/r", {});
    queues->declare("records", {});
    Taker* taker_pointer = nullptr;
    auto taker = queues->take("in/r", pool, [&](const TakenMessage& message) {
        const std::string id(message.message.message_id());
        if (roll(8) == 0) {
            queues->release(message.queue, message.sequence, Time{}, true, pool, [](CommitState) {});
            taker_pointer->grant(1);
            return;
        }
        Unit unit;
        unit.settled.push_back({message.queue, message.sequence});
        unit.outputs.push_back(put_of("records", std::string(roll(3000), 'o'), "", id));
        unit.notes.push_back({"done/" + id, "x"});
        unit.ledger.push_back({"r", Outcome::kDelivered, 1});
        queues->commit(std::move(unit), pool, [&told, id, &taker_pointer](CommitState state) {
            if (state == CommitState::kDone) {
                const std::lock_guard lock(told.mutex);
                told.committed.insert(id);
                told.changed.notify_one();
            }
            taker_pointer->grant(1);
        });
    });
    taker_pointer = taker.get();
    taker->grant(4);
    for (int i = 0; i < count && !files.is_cut(); ++i) {
        std::vector<Put> batch;
        std::vector<std::string> ids;
        for (unsigned j = 0; j <= roll(4); ++j) {
            ids.push_back("id-" + std::to_string(first_id + i) + "-" + std::to_string(j));
            batch.push_back(put_of("in/r", std::string(roll(6000), 'i'), ids.back(), ids.back()));
        }
        {
            const std::lock_guard lock(told.mutex);
            told.asked.insert(ids.begin(), ids.end());
        }
        queues->put(std::move(batch), pool, [&told, ids](std::vector<PutResult> results) {
            const std::lock_guard lock(told.mutex);
            for (std::size_t k = 0; k < ids.size(); ++k) {
                if (results[k].state == PutState::kStored) told.accepted.insert(ids[k]);
            }
        });
        if (roll(3) == 0) {
            std::promise<bool> turn;
            pool.post([&] { turn.set_value(true); });
            turn.get_future().wait();
        }
        try {
            if (roll(12) == 0) queues->checkpoint();
            if (roll(12) == 0) queues->compact();
        } catch (const Error& e) {
            ASSERT_TRUE(files.has_failed()) << e.what();
        }
    }
    if (commits > 0) {
        std::unique_lock lock(told.mutex);
        EXPECT_TRUE(told.changed.wait_for(lock, std::chrono::seconds(60), [&] { return told.committed.size() >= commits; }));
    }
    taker->stop();
    queues->put({}, pool, [](auto) {});
    // Everything that was asked is answered before the callbacks' targets go.
    std::promise<bool> answered;
    queues->commit({}, pool, [&](CommitState) { answered.set_value(true); });
    answered.get_future().wait();
    taker.reset();
    queues.reset();
    pool.stop();
}

std::map<std::string, BrowsedMessage> crash_browse(const Queues& queues, const std::string& queue) {
    std::map<std::string, BrowsedMessage> found;
    std::uint64_t last = 0;
    for (auto& message : queues.browse(queue, 0, 1'000'000)) {
        EXPECT_GT(message.sequence, last);
        last = message.sequence;
        const auto id = message.message.message_id();
        EXPECT_TRUE(found.emplace(id, std::move(message)).second) << id << " is there twice";
    }
    return found;
}

void crash_check(PowerCutFiles& files, const Told& told) {
    ThreadPool pool(1, "check");
    std::unique_ptr<EmbeddedQueues> queues;
    try {
        queues = std::make_unique<EmbeddedQueues>(crash_options(files));
    } catch (const Error& e) {
        FAIL() << "does not start again: " << e.what();
    }
    queues->declare("in/r", {});
    queues->declare("records", {});
    const auto inbox = crash_browse(*queues, "in/r");
    const auto records = crash_browse(*queues, "records");
    for (const auto& id : told.accepted) {
        EXPECT_TRUE(inbox.contains(id) || records.contains(id)) << id << " was accepted and is lost";
    }
    for (const auto& id : told.committed) EXPECT_TRUE(records.contains(id)) << id << " was committed, its output is lost";
    for (const auto& [id, message] : inbox) {
        EXPECT_TRUE(told.asked.contains(id));
        EXPECT_FALSE(records.contains(id)) << id << " is settled and still there";
        EXPECT_EQ(queues->note("done/" + id), std::nullopt) << "half a unit";
    }
    for (const auto& [id, message] : records) EXPECT_EQ(queues->note("done/" + id), "x") << "half a unit";
    std::int64_t accepted = 0, delivered = 0;
    for (const auto& entry : queues->ledger()) {
        if (entry.outcome == Outcome::kAccepted) accepted = entry.count;
        if (entry.outcome == Outcome::kDelivered) delivered = entry.count;
    }
    EXPECT_EQ(accepted, static_cast<std::int64_t>(inbox.size() + records.size()));
    EXPECT_EQ(delivered, static_cast<std::int64_t>(records.size()));
    // What is there is known as a duplicate; what is not there is not.
    std::vector<Put> again;
    std::vector<bool> known;
    for (const auto& id : told.asked) {
        again.push_back(put_of("in/r", "again", id, id));
        known.push_back(inbox.contains(id) || records.contains(id));
    }
    std::promise<std::vector<PutResult>> done;
    queues->put(std::move(again), pool, [&](std::vector<PutResult> results) { done.set_value(std::move(results)); });
    const auto results = done.get_future().get();
    for (std::size_t i = 0; i < results.size(); ++i) {
        EXPECT_EQ(results[i].state, known[i] ? PutState::kDuplicate : PutState::kStored);
    }
}

std::unique_ptr<PowerCutFiles> crash_copy(const PowerCutFiles& files) {
    return files.after_cut(0);
}

TEST(EmbeddedQueuesPowerCut, KeepsWhatItPromisedWheneverThePowerGoes) {
    // How many operations one life has.
    std::uint64_t operations = 0;
    {
        PowerCutFiles files;
        Told told;
        crash_live(files, told, 1, 0, 60, 21);
        operations = files.operations();
        crash_check(files, told);
    }
    std::mt19937 dice(20261124);
    for (std::uint32_t round = 0; round < 120 && !testing::Test::HasFailure(); ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        PowerCutFiles files;
        Told told;
        files.cut_before(1 + dice() % operations);
        crash_live(files, told, round, 0, 60);
        for (std::uint32_t image = 0; image < 3; ++image) {
            SCOPED_TRACE("image " + std::to_string(image));
            auto found = files.after_cut(round * 31 + image);
            crash_check(*found, told);
        }
    }
}

// Each kind of operation fails once, as an EIO or a full disk. Nothing is promised that does not hold, then and after a start.
TEST(EmbeddedQueuesPowerCut, KeepsWhatItPromisedWhenOneOperationFails) {
    std::mt19937 dice(3);
    for (std::uint32_t round = 0; round < 80 && !testing::Test::HasFailure(); ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        PowerCutFiles files;
        Told told;
        // The first ones are those of a start: each of them; then samples.
        files.fail_once(round < 25 ? round + 1 : 1 + dice() % 400, round % 2 == 0 ? EIO : ENOSPC);
        crash_live(files, told, round, 0, 40);
        files.fail_once(0, 0);  // not later, when it was not reached
        auto found = files.after_cut(round);
        crash_check(*found, told);
        crash_check(files, told);  // without a power cut
    }
}

TEST(EmbeddedQueuesPowerCut, RecoversARecoveryAndGoesOn) {
    std::mt19937 dice(7);
    for (std::uint32_t round = 0; round < 25 && !testing::Test::HasFailure(); ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        auto files = std::make_unique<PowerCutFiles>();
        Told told;
        for (int life = 0; life < 6; ++life) {
            // Short lives: many of these cuts fall into the recovery itself.
            files->cut_before(1 + dice() % (life % 2 == 0 ? 200 : 8));
            crash_live(*files, told, round * 16 + static_cast<std::uint32_t>(life), life * 1000, 60);
            files = files->after_cut(dice());
        }
        crash_check(*files, told);
    }
}

// A checkpoint once held the key of a message that was not yet on disk: after a power cut the sender's second try was a
// "duplicate".
TEST(EmbeddedQueuesPowerCut, ACheckpointDoesNotKnowAKeyBeforeItsMessageIsOnDisk) {
    PowerCutFiles files;
    std::mutex mutex;
    std::condition_variable changed;
    bool armed = false, held = false, open_again = false;
    EmbeddedQueues* target = nullptr;
    ThreadPool pool(1, "hold");
    files.on_change([&](const std::string& doing, const std::string& path) {
        std::unique_lock lock(mutex);
        if (!armed) return;
        if (path.ends_with("checkpoint.new") && doing == "opening") {
            std::vector<Put> batch;
            batch.push_back(put_of("in/r", "b", "key-b"));
            target->put(std::move(batch), pool, [](auto) {});
            changed.wait_for(lock, contract::kDeadline, [&] { return held; });
        } else if (path.ends_with(".log") && doing == "writing" && !open_again) {
            held = true;
            changed.notify_all();
            changed.wait_for(lock, contract::kDeadline, [&] { return open_again; });
        }
    });
    std::unique_ptr<PowerCutFiles> found;
    {
        EmbeddedQueues queues(crash_options(files));
        queues.declare("in/r", {});
        std::promise<bool> stored;
        std::vector<Put> batch;
        batch.push_back(put_of("in/r", "a", "key-a"));
        queues.put(std::move(batch), pool, [&](auto) { stored.set_value(true); });
        stored.get_future().wait();
        target = &queues;
        {
            const std::lock_guard lock(mutex);
            armed = true;
        }
        queues.checkpoint();
        found = files.after_cut(0);
        const std::lock_guard lock(mutex);
        armed = false;
        open_again = true;
        changed.notify_all();
    }
    EmbeddedQueues queues(crash_options(*found));
    std::promise<std::vector<PutResult>> done;
    std::vector<Put> again;
    again.push_back(put_of("in/r", "a", "key-a"));
    again.push_back(put_of("in/r", "b", "key-b"));
    queues.put(std::move(again), pool, [&](std::vector<PutResult> results) { done.set_value(std::move(results)); });
    const auto results = done.get_future().get();
    EXPECT_EQ(results.at(0).state, PutState::kDuplicate);
    EXPECT_EQ(results.at(1).state, PutState::kStored);
}

TEST(EmbeddedQueuesPowerCut, StopsAfterASyncFailed) {
    PowerCutFiles files;
    ThreadPool pool(1, "fault");
    std::promise<std::string> told;
    auto options = crash_options(files);
    options.on_failure = [&](const std::string& why) { told.set_value(why); };
    EmbeddedQueues queues(options);
    queues.declare("in/r", {});
    const auto put = [&](const std::string& id) {
        std::promise<PutState> done;
        std::vector<Put> batch;
        batch.push_back(put_of("in/r", id, id, id));
        queues.put(std::move(batch), pool, [&](std::vector<PutResult> results) { done.set_value(results.at(0).state); });
        return done.get_future().get();
    };
    EXPECT_EQ(put("a"), PutState::kStored);
    files.set_fault(PowerCutFiles::Fault::kSyncFails);
    EXPECT_EQ(put("b"), PutState::kFailed);
    files.set_fault(PowerCutFiles::Fault::kNone);
    EXPECT_EQ(put("c"), PutState::kFailed) << "no second try after a failed sync";
    EXPECT_FALSE(queues.failure().empty());
    EXPECT_EQ(told.get_future().get(), queues.failure());
    EXPECT_FALSE(queues.accepts("in/r"));
    std::promise<CommitState> done;
    queues.commit({}, pool, [&](CommitState state) { done.set_value(state); });
    EXPECT_EQ(done.get_future().get(), CommitState::kFailed);
    EXPECT_EQ(queues.states().at(0).ready, 1U);
}

TEST(EmbeddedQueuesPowerCut, StopsAfterAWriteFailedAndRecoversAtAStart) {
    PowerCutFiles files;
    {
        ThreadPool pool(1, "fault");
        EmbeddedQueues queues(crash_options(files));
        queues.declare("in/r", {});
        std::vector<PutState> states;
        for (int i = 0; i < 3; ++i) {
            if (i == 1) files.set_fault(PowerCutFiles::Fault::kWriteFails);
            std::promise<PutState> done;
            std::vector<Put> batch;
            batch.push_back(put_of("in/r", "x"));
            queues.put(std::move(batch), pool, [&](std::vector<PutResult> results) { done.set_value(results.at(0).state); });
            states.push_back(done.get_future().get());
        }
        EXPECT_EQ(states, (std::vector{PutState::kStored, PutState::kFailed, PutState::kFailed}));
    }
    files.set_fault(PowerCutFiles::Fault::kNone);
    const auto found = crash_copy(files);
    EmbeddedQueues queues(crash_options(*found));
    EXPECT_EQ(queues.states().at(0).ready, 1U);
}

// One bit of any file: it is refused with a place, or read around; what is read is what was written.
TEST(EmbeddedQueuesDamage, NeverReadsWhatWasNotWritten) {
    PowerCutFiles files;
    const auto body = [](int i) { return std::string(static_cast<std::size_t>(i * 7 % 900), 'b') + std::to_string(i); };
    constexpr int kMessages = 150;
    {
        ThreadPool pool(1, "damage");
        EmbeddedQueues queues(crash_options(files));
        queues.declare("in/r", {});
        for (int i = 0; i < kMessages; ++i) {
            std::promise<bool> done;
            std::vector<Put> batch;
            batch.push_back(put_of("in/r", body(i), "", std::to_string(i)));
            queues.put(std::move(batch), pool, [&](auto) { done.set_value(true); });
            done.get_future().wait();
            if (i == kMessages / 2) queues.checkpoint();
        }
        // As after a kill: no checkpoint at the end.
        files.cut_before(1);
    }
    const auto base = files.after_cut(0);
    std::mt19937 dice(99);
    int refused = 0, read_around = 0, whole = 0;
    for (int round = 0; round < 400; ++round) {
        auto damaged = base->after_cut(0);
        const auto names = damaged->list("/queues");
        const auto path = "/queues/" + names[dice() % names.size()];
        const auto size = damaged->content(path).size();
        if (size == 0) continue;
        // Half of them where records are.
        const auto offset = dice() % (round % 2 == 0 ? size : std::min<std::size_t>(size, 4096 + 60'000));
        damaged->flip(path, offset);
        SCOPED_TRACE(path + " at " + std::to_string(offset));
        try {
            EmbeddedQueues queues(crash_options(*damaged));
            const auto found = queues.browse("in/r", 0, 1000);
            // The very last group may be taken for a torn one.
            ASSERT_GE(found.size(), static_cast<std::size_t>(kMessages - 1));
            int unreadable = 0;
            for (std::size_t i = 0; i < found.size(); ++i) {
                if (found[i].message.size() == 0) {
                    ++unreadable;
                } else {
                    ASSERT_EQ(found[i].message.body(), body(static_cast<int>(i)));
                }
            }
            ASSERT_LE(unreadable, 1) << "a neighbour is lost";
            ++(unreadable > 0 ? read_around : whole);
        } catch (const Error& e) {
            ++refused;
            EXPECT_EQ(e.fault(), Fault::kConfig) << e.what();
            EXPECT_FALSE(e.where().file.empty()) << e.what();
        }
    }
    EXPECT_GT(refused, 50);
    EXPECT_GT(read_around, 20);
    EXPECT_GT(whole, 20);
}

}  // namespace
}  // namespace clrbus
