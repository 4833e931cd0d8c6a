// What became of messages whose sender asks (HTTP Location, receipts of dropped files): one note a message, written in the Unit
// that settles it; the newest 100,000 are kept. Any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "adapter/adapter.hpp"
#include "broker/queues.hpp"

namespace clrbus {

class Receipts {
public:
    explicit Receipts(Queues& queues);

    // The notes to add to the Unit that settles the message: its outcome, and the removal of the oldest beyond the limit.
    void settle(Unit& unit, const std::string& route, const std::string& id, const Inbox::State& state);
    void waiting(const std::string& route, const std::string& id);  // accepted just now
    std::optional<Inbox::State> find(const std::string& route, const std::string& id) const;

private:
    Queues& queues_;
    mutable std::mutex mutex_;
    std::deque<std::string> names_;  // of notes, oldest first
    std::unordered_set<std::string> waiting_;
};

}  // namespace clrbus
