// A visit: one message in one queue, from its acceptance there to its end. What workers say about it travels in Unit::visits,
// is on disk with the Unit, and becomes a row of the index. No payload, but the business keys that a route declares.
//
// Encoded: u16 length, then the fields; at most kVisitMost bytes, so that a record of the journal holds it. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"

namespace clrbus::trace {

enum class VisitState : std::uint8_t {
    kWaiting,  // accepted, and nothing more is known
    kDelivered,
    kFiltered,
    kSplit,
    kAggregated,
    kDuplicate,
    kDead,
    kDiscarded,
    kExpired,
    kParked,  // waits in a step of its route
    kWentOn,  // came out of that step
    kApplied,
    kUnchanged,
    kSuperseded,
    kHeld,
    // Of dead letters, in dead/…:
    kReplayed,
    kCorrected,  // by hand
};
inline constexpr std::size_t kVisitStates = 17;
std::string_view to_string(VisitState state);
std::optional<VisitState> visit_state(std::string_view text);

// A business key. hash: keyed (KeyHasher), of the value alone. The value itself only where the route says that it is not
// personal, and at most kKeyValueMost bytes.
struct VisitKey {
    std::string name;
    std::uint64_t hash = 0;
    std::string value;  // "": not kept
};

struct VisitOutput {
    std::string queue, id;
};

inline constexpr std::size_t kVisitMost = 7000, kVisitOutputs = 32, kVisitKeys = 8, kKeyValueMost = 120, kVisitIdMost = 256;

struct Visit {
    VisitState state = VisitState::kDelivered;
    std::string queue;            // in/ROUTE, records, out/…, step/…, dead/ROUTE
    std::string id;               // of the message
    std::string parent;           // what it was made from; "" when nothing
    bool child_of_split = false;  // of parent, by position; it had no place in a queue of its own
    std::uint64_t sequence = 0;   // in this state directory; 0 for a child of a split
    std::uint64_t position = 0;   // record number in the message that it came in
    std::uint64_t generation = 0;
    Time accepted{}, ended{};
    std::uint64_t took = 0;  // microseconds of work in the last attempt, steps alone
    std::uint64_t bytes = 0;
    std::uint64_t attempts = 0;  // that failed
    std::uint64_t dead = 0;      // number of the dead letter; given by the queues
    std::string code, step, reason;
    std::vector<VisitOutput> outputs;
    std::uint64_t more_outputs = 0;  // not named
    std::vector<VisitKey> keys;
};

// Appends it; what is too long is cut as the limits above say.
void append_visit(std::string& visits, const Visit& visit);
// The next one of them, and what it is; false at the end or where they are malformed (then visits is empty).
bool next_visit(std::string_view& visits, std::string_view& encoded);
// The fields of an encoded one (without its length). Nothing when it is malformed.
std::optional<Visit> decode_visit(std::string_view encoded);

// What the index needs of an encoded one, without making anything.
struct VisitView {
    VisitState state = VisitState::kDelivered;
    bool child_of_split = false;
    std::string_view queue, id, parent;  // ids as they are packed
    std::int64_t ended = 0;
    std::uint64_t sequence = 0;
    std::string_view outputs, keys;  // encoded lists
};
bool view_visit(std::string_view encoded, VisitView& view);
// Calls each(packed id) for the outputs, each(hash) for the keys of a view.
template <typename Each>
void each_output(const VisitView& view, const Each& each);
template <typename Each>
void each_key(const VisitView& view, const Each& each);

// A message id as it is stored: the 16 bytes of a UUID, or 1 byte and its text.
std::string pack_id(std::string_view id);
std::string unpack_id(std::string_view packed);
// Spreads evenly; the same on every machine.
std::uint64_t id_hash(std::string_view packed);

namespace detail {
std::uint64_t read_varint(std::string_view& in);  // in becomes empty when it is cut off
std::string_view read_text(std::string_view& in);
std::uint64_t read_fixed(std::string_view& in);
}  // namespace detail

template <typename Each>
void each_output(const VisitView& view, const Each& each) {
    for (std::string_view in = view.outputs; !in.empty();) {
        detail::read_text(in);
        each(detail::read_text(in));
    }
}

template <typename Each>
void each_key(const VisitView& view, const Each& each) {
    for (std::string_view in = view.keys; !in.empty();) {
        detail::read_text(in);
        each(detail::read_fixed(in));
        detail::read_text(in);
    }
}

}  // namespace clrbus::trace
