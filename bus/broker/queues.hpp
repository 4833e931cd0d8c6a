// The one interface that all above the broker see. Two implementations: embedded (broker/embedded_queues.hpp) and, later, links
// to another broker. No call blocks; every callback runs on the Executor that the caller named, after the sync.
//
// A Unit is all that one message caused (DESIGN.md section 4): input settled, outputs, dead letters, notes, ledger outcome. It
// is committed whole or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/executor.hpp"
#include "core/headers.hpp"
#include "core/message.hpp"

namespace clrbus {

// One message on its way into a queue.
struct Put {
    std::string queue;  // in/ROUTE, dead/ROUTE, records
    Message message;
    Headers headers;
    // Key in the queue's duplicate window ("" = not asked): AMQP user + message-id, Idempotency-Key, file SHA-256 + name, ….
    std::string duplicate_key;
};

enum class PutState : std::uint8_t {
    kStored,     // on disk, synced
    kDuplicate,  // its key is in the window: accepted, counted, not queued
    kFull,       // the queue's limit or the disk watermark: refuse towards the sender, nothing was stored
    kFailed,     // the journal failed: nothing was stored; the process is about to stop taking
};
struct PutResult {
    PutState state = PutState::kFailed;
    std::uint64_t sequence = 0;  // of the stored message, or of the first one when duplicate and still known
    std::string id;              // message-id of the stored message, or of the first one when duplicate
};
using PutDone = std::function<void(std::vector<PutResult>)>;

// A message in a consumer's hand. Give it back by commit or release; one that is dropped is redelivered when the consumer goes.
struct TakenMessage {
    std::string queue;
    std::uint64_t sequence = 0;  // unique in this state directory, rises with acceptance
    Message message;
    Headers headers;
    std::uint32_t attempts = 0;  // earlier deliveries that were released as failed
};

// Where a message of a route ended, for the ledger (DESIGN.md promise 2). kAccepted is counted by put into in/…, kDuplicate
// too.
enum class Outcome : std::uint8_t {
    kAccepted,
    kMade,
    kDelivered,
    kFiltered,
    kSplit,
    kAggregated,
    kDuplicate,
    kDead,
    kDiscarded,
    kExpired,
    // records:
    kTaken,
    kApplied,
    kUnchanged,
    kSuperseded,
    kHeld,
};
inline constexpr std::size_t kOutcomes = 15;
std::string_view to_string(Outcome outcome);

struct LedgerEntry {
    std::string account;  // route id, or "records"
    Outcome outcome = Outcome::kDelivered;
    std::int64_t count = 1;
};

// A named value of at most 4 KB that survives: split position, source checkpoint. Empty optional: removed.
struct Note {
    std::string name;  // scope/name: split/ROUTE/SEQUENCE, checkpoint/ROUTE/DOOR, …
    std::optional<std::string> value;
};

struct Unit {
    struct Input {
        std::string queue;
        std::uint64_t sequence = 0;
    };
    std::vector<Input> settled;  // inputs that this unit consumes: usually one; none for a chunk of a split
    std::vector<Put> outputs;    // dead letters among them; refused only by the disk watermark
    std::vector<Note> notes;
    std::vector<LedgerEntry> ledger;
    // What this means for those who look for messages later (trace/visit.hpp): written with the Unit, opaque here.
    std::string visits;
};
enum class CommitState : std::uint8_t { kDone, kFull, kFailed };  // kFull: disk watermark; try again later, nothing happened
using CommitDone = std::function<void(CommitState)>;

struct QueueLimits {
    std::uint64_t max_messages = 10'000'000;
    std::uint64_t max_bytes = 64ULL << 30;
};

struct QueueState {
    std::string name;
    std::uint64_t ready = 0, in_hand = 0, delayed = 0, bytes = 0;
    Time oldest{};  // acceptance of the oldest one; Time{} when empty
};

struct BrowsedMessage {
    std::uint64_t sequence = 0;
    Message message;
    Headers headers;
    std::uint32_t attempts = 0;
    bool in_hand = false;
    Time not_before{};
};

// A consumer of one queue. Destroying it puts unsettled messages back at the head, in order, and waits for a callback that
// runs.
class Taker {
public:
    virtual ~Taker() = default;
    virtual void grant(std::uint32_t credit) = 0;  // any thread; adds to what is left
    virtual void stop() = 0;                       // no further delivery after it returns; those in hand stay in hand
};

class Queues {
public:
    virtual ~Queues() = default;

    // Makes the queue when it is not there. Limits apply from now on.
    virtual void declare(const std::string& queue, const QueueLimits& limits) = 0;
    virtual bool exists(const std::string& queue) const = 0;

    virtual void put(std::vector<Put> batch, Executor& executor, PutDone done) = 0;

    // ready gets each message, in queue order, at most as many as were granted, on the executor.
    virtual std::unique_ptr<Taker> take(const std::string& queue, Executor& executor,
                                        std::function<void(TakenMessage)> ready) = 0;

    virtual void commit(Unit unit, Executor& executor, CommitDone done) = 0;

    // Back into its queue, not delivered before that time; durable. failed: counts an attempt.
    virtual void release(const std::string& queue, std::uint64_t sequence, Time not_before, bool failed, Executor& executor,
                         CommitDone done) = 0;

    // One that waits for its time is given out now; one that is in somebody's hand, or on its way into it, stays there. Costs
    // no write. Behind a release that was asked for before. Where the queues are another broker's nothing happens.
    virtual void wake(const std::string& /*queue*/, std::uint64_t /*sequence*/) {}

    // At most `most` messages from `from` on (a sequence), with bodies; taken ones too. Blocks for disk reads: not on an I/O
    // thread.
    virtual std::vector<BrowsedMessage> browse(const std::string& queue, std::uint64_t from, std::size_t most) const = 0;

    virtual std::vector<QueueState> states() const = 0;
    virtual std::optional<std::string> note(std::string_view name) const = 0;
    virtual std::vector<Note> notes(std::string_view prefix) const = 0;
    // Sums since the state directory was made: account -> outcome -> count.
    virtual std::vector<LedgerEntry> ledger() const = 0;
    // False while the door should stay closed: the queue or the disk is full.
    virtual bool accepts(const std::string& queue) const = 0;
};

}  // namespace clrbus
