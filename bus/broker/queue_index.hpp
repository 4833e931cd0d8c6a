// What is known in memory of one queue's messages: 32 bytes each, in queue order; the bodies stay in the journal. Not locked:
// the owner's lock guards it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "storage/record.hpp"

namespace clrbus::broker {

enum class EntryState : std::uint8_t {
    kReady,
    kInHand,
    kDelayed,
    kSettling,  // its settlement is on the way to the disk: no longer given out, not yet gone
    kGone,
};

struct IndexEntry {
    std::uint64_t sequence = 0;
    std::int64_t accepted = 0;  // milliseconds since 1970
    storage::Position position{};
    std::uint32_t length = 0;  // bytes of the record's body
    std::uint16_t attempts = 0;
    EntryState state = EntryState::kReady;
};
static_assert(sizeof(IndexEntry) <= 32, "one of these stays in memory for each queued message");

class QueueIndex {
public:
    // Sequences rise. A sequence that is there already is ignored (false).
    bool add(const IndexEntry& entry);
    const IndexEntry* find(std::uint64_t sequence) const;

    const IndexEntry* claim();                  // the first ready one, now in hand; null when none
    void give_back(std::uint64_t sequence);     // in hand -> ready, in its old place
    bool begin_settle(std::uint64_t sequence);  // false: not there, or settling already
    void settle(std::uint64_t sequence);
    // In hand, ready or delayed -> delayed until then.
    void delay(std::uint64_t sequence, std::int64_t not_before, std::uint16_t attempts);
    void release(std::uint64_t sequence, std::uint16_t attempts);  // the same, ready at once
    void move(std::uint64_t sequence, storage::Position to, std::uint32_t length);
    bool wake(std::int64_t now);  // delayed -> ready; true when some were
    std::optional<std::int64_t> next_wake() const;
    std::int64_t not_before(std::uint64_t sequence) const;  // 0 when not delayed

    std::uint64_t ready() const { return ready_; }
    std::uint64_t in_hand() const { return in_hand_; }
    std::uint64_t delayed() const { return delayed_.size(); }
    std::uint64_t size() const { return live_; }
    std::uint64_t bytes() const { return bytes_; }
    std::int64_t oldest() const;  // acceptance of the first one; 0 when empty

    // Up to `most` live entries from that sequence on.
    std::vector<IndexEntry> copy(std::uint64_t from, std::size_t most) const;

private:
    using Entries = std::deque<IndexEntry>;
    Entries::iterator at(std::uint64_t sequence);
    IndexEntry* live(std::uint64_t sequence);
    void leave(IndexEntry& entry);  // takes it out of the counts and sets of its state
    void ready_again(IndexEntry& entry);
    void clean();

    Entries entries_;         // by sequence; gone ones in between until clean()
    std::size_t cursor_ = 0;  // everything ready before it is in returned_
    std::set<std::uint64_t> returned_;
    std::map<std::uint64_t, std::int64_t> delayed_;         // sequence -> not before
    std::set<std::pair<std::int64_t, std::uint64_t>> due_;  // the same by time
    std::uint64_t ready_ = 0, in_hand_ = 0, live_ = 0, bytes_ = 0, gone_ = 0;
};

}  // namespace clrbus::broker
