// Who is told what is on disk: an index beside the queues. It never holds a message up: calls come on the journal's thread
// after the sync, or on the starting thread for what the journal holds behind its checkpoint, and must return at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus {

class QueueFollower {
public:
    virtual ~QueueFollower() = default;

    // A message is in an inbox now (in/…).
    struct Arrival {
        std::string_view queue;
        std::uint64_t sequence = 0;
        std::int64_t accepted = 0;  // ms
        std::string_view id;
        std::uint64_t bytes = 0;
        std::uint64_t position = 0;  // in the journal; rises
    };
    virtual void arrived(const Arrival& arrival) = 0;
    // A Unit with visits (Unit::visits). dead: sequences of the dead letters among its outputs, in their order.
    virtual void visited(std::string&& visits, const std::vector<std::uint64_t>& dead, std::uint64_t position) = 0;
    // The journal of this id will not be read again before the present end: what was told so far is to be on disk now. Blocks,
    // for some seconds at most; on the thread of housekeeping or of the end.
    virtual void settle() = 0;
    // Before the first of the other calls.
    virtual void follows(std::uint64_t journal_id) = 0;
};

}  // namespace clrbus
