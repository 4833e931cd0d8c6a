// queues_victim DIR ROUND FD: puts messages and commits Units on the embedded queues of DIR as fast as they go, until it is
// killed. Each answer is a line on FD: "aID" accepted, "cID" committed.
#include <unistd.h>

#include <cstdlib>
#include <future>
#include <string>

#include "broker/embedded_queues.hpp"
#include "core/executor.hpp"

namespace clrbus {
namespace {

Put victim_put(const char* queue, const std::string& id, std::size_t size) {
    Put put;
    put.queue = queue;
    put.message = MessageBuilder().message_id(id).build(std::string(size, 'x'));
    return put;
}

int victim_run(char** arguments) {
    const int report = std::atoi(arguments[3]);
    ThreadPool pool(2, "victim");
    EmbeddedOptions options;
    options.directory = arguments[1];
    options.segment_bytes = 1U << 20;
    EmbeddedQueues queues(options);
    queues.declare("in/r", {});
    queues.declare("records", {});
    const auto say = [report](char what, const std::string& id) {
        const auto line = what + id + "\n";
        if (::write(report, line.data(), line.size()) < 0) ::_exit(1);
    };
    Taker* consumer = nullptr;
    const auto taker = queues.take("in/r", pool, [&](const TakenMessage& message) {
        const auto id = message.message.message_id();
        Unit unit;
        unit.settled.push_back({message.queue, message.sequence});
        unit.outputs.push_back(victim_put("records", id, 10));
        unit.notes.push_back({"done/" + id, "x"});
        unit.ledger.push_back({"r", Outcome::kDelivered, 1});
        queues.commit(std::move(unit), pool, [&, id](CommitState state) {
            if (state == CommitState::kDone) say('c', id);
            consumer->grant(1);
        });
    });
    consumer = taker.get();
    taker->grant(16);
    for (int i = 0; true; ++i) {
        if (!queues.accepts("in/r")) continue;
        const auto id = std::string(arguments[2]) + "-" + std::to_string(i);
        std::vector<Put> batch;
        batch.push_back(victim_put("in/r", id, static_cast<std::size_t>(i % 3000)));
        batch.back().duplicate_key = id;
        std::promise<void> turn;
        const bool wait = i % 16 == 0;
        queues.put(std::move(batch), pool, [&, id, wait](std::vector<PutResult> results) {
            if (results.at(0).state == PutState::kStored) say('a', id);
            if (wait) turn.set_value();
        });
        if (wait) turn.get_future().wait();
    }
}

}  // namespace
}  // namespace clrbus

int main(int count, char** arguments) {
    return count == 4 ? clrbus::victim_run(arguments) : 2;
}
