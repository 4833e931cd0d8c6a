// Dead letters back into their routes: as the message that they were, from the start or from the step that failed, with all of
// what they cause or only the outputs that are asked for; and what that would be, without doing it. Pure, but for the originals
// that a plan reads. Any thread.
//
// A continuation's body is the document in the middle of its route, so it goes on where it was. Another one starts from the
// start; from its step only where nothing before the step changes the document, or where the dead letter has the document as it
// was then (up to 64 KB, header kDeadDocument).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queues.hpp"
#include "core/error.hpp"
#include "routing/route.hpp"

namespace clrbus {

namespace storage {
class Originals;
}

namespace header {
inline constexpr std::string_view kOnly = "clrbus-only";        // names of outputs that a replay may make, blanks between
inline constexpr std::string_view kHistory = "clrbus-history";  // a line for each replay and correction, the last 20
inline constexpr std::string_view kDeadDocument = "clrbus-dead-document";  // the document as it came to the step that failed
}  // namespace header

struct ReplayOptions {
    enum class From : std::uint8_t { kWhereItWas, kStart, kStep };
    From from = From::kWhereItWas;
    std::vector<std::string> only{};  // "records", "route:ID", …: output_name; empty: all
    std::string who{};
    Time at{};
};

// The message that a replay puts. Throws Error(kPoison, "DEAD-002" … "DEAD-004") when it cannot start there.
Put replay_put(const CompiledRoute& route, const BrowsedMessage& dead, const ReplayOptions& options);

// "records", "route:ID" for in/ID, "out:NAME" for out/NAME.
std::string output_name(std::string_view queue);

// What would come of it.
struct ReplayPlan {
    struct Output {
        std::string to, id;
        bool suppressed = false;
    };
    struct Outside {
        std::string step, kind, target;
        std::uint64_t times = 0;
    };
    std::vector<Output> outputs;  // the first 1000
    std::uint64_t records = 0, others = 0, suppressed = 0;
    std::vector<Outside> outside;
    std::uint64_t children = 0, fails = 0;  // of a split; fails: 1 for a whole message
    std::string filtered;
    std::optional<Error> error;  // the first one
};
// split_note: where a split goes on (its note "position" …), empty from the start.
ReplayPlan plan_replay(const CompiledRoute& route, const Put& put, const storage::Originals& originals,
                       const std::optional<std::string>& split_note);

// Takes the outputs away that the message's kOnly does not name, with their ledger entries, and counts them in the Work.
void suppress_outputs(Work& work);

// What a message has become whose outputs are these.
Outcome outcome_of(const Work& work, const std::vector<Put>& outputs);

// For a dead letter: the document as it was, where the start cannot bring it back.
void keep_document(Put& dead, const CompiledRoute& route, const Work& work);

// A line of kHistory.
void add_history(Headers& headers, std::string_view what, const std::string& who, Time at);

}  // namespace clrbus
