// Copies of queues that go on: each is whole, and of one moment.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "broker/embedded_queues.hpp"
#include "broker/queues_fixture.hpp"
#include "broker/test_directory.hpp"

namespace clrbus {
namespace {

EmbeddedOptions snapshot_options(const std::string& directory) {
    EmbeddedOptions options;
    options.directory = directory;
    options.segment_bytes = 64U << 10;
    options.disk_reserve = 0;
    return options;
}

std::set<std::string> ids_in(const Queues& queues, const std::string& queue) {
    std::set<std::string> out;
    std::uint64_t from = 0;
    while (true) {
        const auto part = queues.browse(queue, from, 500);
        if (part.empty()) return out;
        for (const auto& message : part) out.insert(std::string(message.message.message_id()));
        from = part.back().sequence + 1;
    }
}

std::size_t count_in(const Queues& queues, const std::string& queue) {
    for (const QueueState& state : queues.states()) {
        if (state.name == queue) return state.ready + state.in_hand + state.delayed;
    }
    return 0;
}

// Each message becomes one in "records", with a note, in one Unit.
void move_all(EmbeddedQueues& queues, ThreadPool& pool, std::unique_ptr<Taker>& taker, std::atomic<std::size_t>& moved) {
    taker = queues.take("in/r", pool, [&](const TakenMessage& message) {
        const std::string id(message.message.message_id());
        Unit unit;
        unit.settled.push_back({message.queue, message.sequence});
        unit.outputs.push_back(contract::put_of("records", std::string(700, 'o'), "", id));
        unit.notes.push_back({"done/" + id, "x"});
        unit.ledger.push_back({"r", Outcome::kDelivered, 1});
        queues.commit(std::move(unit), pool, [&](CommitState) {
            ++moved;
            taker->grant(1);
        });
    });
    taker->grant(8);
}

TEST(EmbeddedSnapshot, IsWholeAndOfOneMomentWhileMessagesMove) {
    TestDirectory directory;
    const std::string origin = directory.path() + "/queues";
    std::vector<std::set<std::string>> accepted_before;
    {
        ThreadPool pool(2, "snapshot");
        EmbeddedQueues queues(snapshot_options(origin));
        queues.declare("in/r", {});
        queues.declare("records", {});
        std::atomic<std::size_t> moved{0};
        std::unique_ptr<Taker> taker;
        move_all(queues, pool, taker, moved);
        std::mutex mutex;
        std::set<std::string> accepted;
        std::atomic<bool> stop{false};
        std::jthread sender([&] {
            for (int i = 0; !stop; ++i) {
                const std::string id = "m" + std::to_string(i);
                std::promise<void> done;
                std::vector<Put> batch;
                batch.push_back(contract::put_of("in/r", std::string(500, 'i'), id, id));
                queues.put(std::move(batch), pool, [&, id](const std::vector<PutResult>& results) {
                    if (results.front().state == PutState::kStored) {
                        const std::lock_guard lock(mutex);
                        accepted.insert(id);
                    }
                    done.set_value();
                });
                done.get_future().wait();
            }
        });
        for (int copy = 0; copy < 5; ++copy) {
            while (moved < 100 * (static_cast<std::size_t>(copy) + 1)) std::this_thread::yield();
            {
                const std::lock_guard lock(mutex);
                accepted_before.push_back(accepted);
            }
            queues.snapshot(directory.path() + "/copy" + std::to_string(copy));
        }
        stop = true;
        sender.join();
        taker->stop();
        taker.reset();
        pool.stop();
    }
    for (int copy = 0; copy < 5; ++copy) {
        const EmbeddedQueues queues(snapshot_options(directory.path() + "/copy" + std::to_string(copy)));
        const auto waiting = ids_in(queues, "in/r");
        const auto moved = ids_in(queues, "records");
        std::set<std::string> noted;
        for (const Note& note : queues.notes("done/")) noted.insert(note.name.substr(5));
        EXPECT_EQ(moved, noted) << copy;
        for (const std::string& id : accepted_before[static_cast<std::size_t>(copy)])
            EXPECT_EQ(waiting.count(id) + moved.count(id), 1u) << "copy " << copy << ", " << id;
        for (const std::string& id : waiting) EXPECT_EQ(moved.count(id), 0u) << copy;
        EXPECT_EQ(count_in(queues, "records"), moved.size());
    }
}

TEST(EmbeddedSnapshot, OfEmptyQueuesOpens) {
    TestDirectory directory;
    {
        EmbeddedQueues queues(snapshot_options(directory.path() + "/queues"));
        queues.declare("in/r", {});
        queues.snapshot(directory.path() + "/copy");
        queues.snapshot(directory.path() + "/copy");  // over an older one
    }
    const EmbeddedQueues copy(snapshot_options(directory.path() + "/copy"));
    EXPECT_TRUE(copy.exists("in/r"));
}

}  // namespace
}  // namespace clrbus
