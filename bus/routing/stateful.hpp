// A step that lets messages wait: aggregate, resequence, delay, throttle, circuit-breaker; and deduplicate, which only
// remembers.
//
// A message that waits lies in the queue step/ROUTE/STATE-ID: the Unit that settles it in the inbox puts it there, so that it
// is in exactly one place at any moment, and the ledger counts it as waiting. What the step knows about it is in state.db
// (storage/step_state.hpp). The keeper (step_keeper.hpp) reads those queues and lets messages go on, again one Unit each time.
// apply runs on workers; everything else on the keeper's thread.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "routing/step.hpp"
#include "storage/step_state.hpp"

namespace clrbus {

class Receipts;

// What goes with a message into the step's queue and is taken off again when it goes on.
namespace wait_header {
inline constexpr std::string_view kId = "clrbus-wait-id";                    // of the message, as it came
inline constexpr std::string_view kKey = "clrbus-wait-key";                  // keyed hash of correlation or key, hexadecimal
inline constexpr std::string_view kCorrelation = "clrbus-wait-correlation";  // aggregate: in clear, for the result
inline constexpr std::string_view kOrder = "clrbus-wait-order";              // aggregate
inline constexpr std::string_view kSize = "clrbus-wait-size";                // how many belong together
inline constexpr std::string_view kNumber = "clrbus-wait-number";            // resequence
inline constexpr std::string_view kDue = "clrbus-wait-due";                  // milliseconds since 1970
inline constexpr std::string_view kReply = "clrbus-wait-reply";              // request-reply: it is no message of the route
}  // namespace wait_header

class StatefulStep : public Step {
public:
    explicit StatefulStep(const Config& element);

    bool needs_local_state() const override { return true; }
    // Names its queue and its state: the attribute id, or kind and number within the route ("delay-1"). It stays when other
    // steps come and go.
    const std::string& state_id() const { return state_id_; }
    void state_id(std::string id) { state_id_ = std::move(id); }
    std::string queue(const std::string& route) const { return "step/" + route + "/" + state_id_; }
    virtual bool parks() const { return true; }
    virtual bool goes_on_at_itself() const { return false; }  // otherwise behind it
    std::uint64_t most_waiting() const { return most_waiting_; }
    // request-reply over queues: what comes into reply/ROUTE/STATE-ID is moved into its queue (routing/replies.hpp). 0: none
    // does. What is larger than this is moved without its body.
    virtual std::uint64_t most_reply_bytes() const { return 0; }
    std::string reply_queue(const std::string& route) const { return "reply/" + route + "/" + state_id_; }
    // A queue that others read from, which must have room; "": none.
    virtual std::string asks_in(const std::string& /*route*/) const { return {}; }

    // Inside a transaction of state.db.
    struct Look {
        Queues& queues;
        const CompiledRoute& route;
        const std::string& queue;
        std::int64_t step;  // its number in state.db
        Time now;
        storage::StepTables& tables;
        std::string hash(std::string_view text) const { return state.hash(queue, text); }
        const storage::StepState& state;
        std::int64_t now_ms() const { return now.time_since_epoch().count(); }
    };
    // What was there when the route was loaded.
    virtual void restore(Look&) const {}
    // A message that came into the queue. By itself: it waits alone until its due time.
    virtual void take(Look& look, const BrowsedMessage& message) const;
    // What time decides.
    virtual void on_time(Look&) const {}
    // How many that wait alone and are due may go on now.
    virtual std::size_t gate(Time) const { return std::numeric_limits<std::size_t>::max(); }

    // A group that is closing or releasing. whole: its messages come in one piece (the step bounds them), else some at a time,
    // in order, until none is left.
    virtual bool whole(const storage::StepGroup&) const { return false; }
    struct Settle {
        const CompiledRoute& route;
        const std::string& queue;
        Receipts& receipts;
        Time now;
    };
    // All that these messages of the group cause. By itself: they go on.
    virtual Unit settle(const Settle& parts, const storage::StepGroup& group, std::vector<BrowsedMessage> messages) const;
    // Nothing of it is left. By itself: the group is removed.
    virtual void finished(Look& look, const storage::StepGroup& group) const;

    // For people: "open until …"; "" when there is nothing to say.
    virtual std::string condition(Time) const { return {}; }

    // Pieces of Units.
    void go_on(Unit& unit, const Settle& parts, const BrowsedMessage& message) const;
    void dead(Unit& unit, const Settle& parts, const BrowsedMessage& message, const Error& error) const;
    // into: what it became a part of.
    void end(Unit& unit, const Settle& parts, const BrowsedMessage& message, Outcome outcome, const std::string& reason,
             const Put* into = nullptr) const;
    static Headers without_wait_facts(Headers headers);

protected:
    // Puts the message into the step's queue; facts: of wait_header. On a worker.
    Flow park(Work& work, const Headers& facts) const;
    std::string key_hash(const Work& work, std::string_view value) const;  // hexadecimal; "" in a dry run
    static storage::StepMember member_of(const Look& look, const BrowsedMessage& message);

private:
    std::string state_id_;
    std::uint64_t most_waiting_;
};

// All of them in a route, in the order of the file, those inside others too.
std::vector<StatefulStep*> stateful_steps(const Steps& steps);
// Gives each its state id, and refuses two of the same and one behind which nothing stands. Throws Error(kConfig, "ROUTE-050",
// "-051").
void name_stateful_steps(const Steps& steps, const Config& route);

}  // namespace clrbus
