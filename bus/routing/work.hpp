// What one message is while it goes through the steps of a route: bytes, then a document, and all that it causes so far. Lives
// on one worker thread, for one message.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queues.hpp"
#include "core/headers.hpp"
#include "trace/visit.hpp"
#include "xml/document.hpp"

namespace clrbus {

class Clock;
class CompiledRoute;
class Endpoints;
class StepKeeper;
class XPath;
namespace trace {
class KeyHasher;
}
namespace storage {
class Originals;
class StepTables;
}  // namespace storage

// What steps may use beside the message. Outlives every Work. In a dry run the members are null: a step has no effect there.
struct StepServices {
    Queues* queues = nullptr;  // to read notes; what a step causes goes into outputs and notes of the Work
    storage::Originals* originals = nullptr;
    Clock* clock = nullptr;
    Endpoints* endpoints = nullptr;               // whom steps ask
    StepKeeper* keeper = nullptr;                 // of steps with state
    const std::atomic<bool>* stopping = nullptr;  // what takes long gives up when it is set, as away
    const trace::KeyHasher* hasher = nullptr;     // null: nobody asks for business keys
};

class Step;
struct Work;
// Sees a message come to a step and leave it. For those who try a route; none in a running bus.
class StepWatch {
public:
    virtual ~StepWatch() = default;
    virtual void comes(const Step& step, const Work& work) = 0;
    virtual void left(const Step& step, const Work& work) = 0;  // not after an Error
};

struct Work {
    const CompiledRoute& route;
    std::string id;                                         // message-id; of the child, when it was split off
    std::string_view body;                                  // the bytes; valid as long as the message in hand
    std::shared_ptr<const std::string> own_body = nullptr;  // where body points, when a step made it; shared with forks
    Headers headers;                                        // of the message, and what the steps set
    Document document;                                      // empty until parsed
    bool parsed = false;
    bool validated = false;    // by the parse itself
    std::uint64_t number = 0;  // record number of a child, 0 otherwise
    std::uint64_t source_number = 0;
    const StepServices* services = nullptr;  // null in a dry run
    const Message* message = nullptr;        // in hand; null for a child of a split and in a dry run
    StepWatch* watch = nullptr;              // null in a running bus
    std::vector<trace::VisitKey> keys = {};  // of the document as it came
    bool keyed = false;                      // they were read
    std::chrono::steady_clock::time_point began = {};

    std::string media_type = {};  // of the body, when a marshal made it
    // What it causes:
    std::vector<Put> outputs;
    std::vector<LedgerEntry> ledger;
    std::vector<Note> notes;
    std::string filtered;    // the reason, when a filter ended it
    bool duplicate = false;  // deduplicate ended it
    // Changes of state.db that the Unit relies on: they are on disk before it is committed.
    std::vector<std::function<void(storage::StepTables&)>> changes;
    std::vector<std::function<void()>> on_dead;  // what to take back when it is dead-lettered
    std::uint32_t suppressed = 0;                // outputs that a replay did not ask for (replay.hpp)
    bool goes_on = false;  // an output is this message itself, to go on later (continuation.hpp): it has no outcome yet

    // The headers and door facts as XPath variables.
    std::map<std::string, std::string> variables() const;
    // From here on it is these bytes, and no document.
    void marshal(std::string bytes, std::string_view type);
    // Those that this expression may look up: making them costs more than most expressions do.
    std::map<std::string, std::string> variables(const XPath& expression) const;
    // The same message with a copy of the document and nothing caused yet: for a branch.
    Work fork() const;
    // What the branch caused is caused by this message.
    void join(Work&& branch);
};

// The id of the next output of this step: the same input gives the same ids, so that a repetition is recognised.
std::string output_id(const Work& work, std::string_view step);

}  // namespace clrbus
