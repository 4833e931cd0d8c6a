// Which messages of a route with order="key" may run: those of one key one after the other, in the order of acceptance, also
// while an earlier one waits for its next attempt or for a far side. Shared by the generations of the route; any thread.
//
// What was taken once is known here until it is settled, by its sequence and 64 bits of a hash of its key; nothing of it is
// written down. One that may not run yet goes back into the inbox until its turn. At a start, what waits there is read again.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "broker/queues.hpp"
#include "core/clock.hpp"

namespace clrbus {

class KeyOrder {
public:
    static constexpr std::size_t kMost = 100'000;  // messages known at the same time, about 200 bytes each
    KeyOrder(Queues& queues, std::string inbox, std::size_t most = kMost);

    using Hash = std::function<std::uint64_t(const TakenMessage&)>;
    // Before the first take: reads what waits in the inbox until a time, in order. Blocks for disk reads.
    void learn(const Hash& hash);

    // A message was taken: called for one after the other, in the order in which the queue gave them. False: there is no room,
    // it goes back and comes again.
    bool admit(const TakenMessage& message, const Hash& hash);
    // True: it is the first one of its key, and runs now. False: after `hold`, which puts it back for long. It is woken when
    // its turn comes.
    bool begin(std::uint64_t sequence, const std::function<void()>& hold);
    void returned(std::uint64_t sequence);  // it is in the inbox again, and keeps its place
    void settled(std::uint64_t sequence);   // on disk: the next one of its key has its turn
    void wake_all();                        // the route has no order any more

    std::size_t size() const;

private:
    struct Known {
        std::uint64_t hash = 0;
        bool running = false;
        bool waits = false;  // put back until it is woken
    };
    void add(std::uint64_t sequence, std::uint64_t hash, bool waits);
    void wake(std::uint64_t sequence);
    void next_floor();

    Queues& queues_;
    const std::string inbox_;
    const std::size_t most_;

    mutable std::mutex mutex_;  // guards what follows
    std::unordered_map<std::uint64_t, Known> known_;
    std::unordered_map<std::uint64_t, std::set<std::uint64_t>> keys_;  // hash -> sequences
    // Refused without room: the first one and the last one. Nobody unknown behind the first one comes before it.
    std::optional<std::uint64_t> floor_;
    std::uint64_t last_refused_ = 0;
};

}  // namespace clrbus
