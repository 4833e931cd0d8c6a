// The ids that a queue took in the last days: a key in it is a duplicate. Kept as a hash of 16 bytes, oldest first, so that
// memory is bounded. Not locked: the owner's lock guards it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::broker {

using KeyHash = std::array<char, 16>;

KeyHash key_hash(std::string_view key);  // SHA-256, cut off
// A message-id that is a UUID as 16 bytes, all zero for any other; and back ("" for zeros).
KeyHash pack_id(std::string_view id);
std::string unpack_id(const KeyHash& packed);

class DuplicateWindow {
public:
    struct Entry {
        KeyHash hash{};
        KeyHash id{};  // message-id of the first one, when it is a UUID
        std::uint64_t sequence = 0;
        std::int64_t time = 0;  // milliseconds since 1970
    };

    DuplicateWindow(std::size_t most, std::int64_t age_ms) : most_(most), age_ms_(age_ms) {}

    // The entry of that key, or null. Forgets what is too old.
    const Entry* find(const KeyHash& hash, std::int64_t now);
    void add(const Entry& entry);  // ignored when its hash is there
    std::size_t size() const { return entries_.size(); }
    // Oldest first: those with after < sequence <= last.
    std::vector<Entry> copy(std::uint64_t after, std::uint64_t last, std::size_t most) const;

private:
    std::size_t slot_of(const KeyHash& hash) const;  // of the entry, or the empty one where it would stand
    void forget_first();
    void grow();

    const std::size_t most_;
    const std::int64_t age_ms_;
    std::deque<Entry> entries_;         // by time of arrival
    std::uint32_t first_ = 1;           // number of entries_.front(); numbers wrap, 0 marks an empty slot
    std::vector<std::uint32_t> slots_;  // open addressing, linear probing
};

}  // namespace clrbus::broker
