// Runs one route's steps on the messages of its inbox: takes, applies, commits one Unit a message (or a chunk of a split). Any
// number of worker threads call run at the same time.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/queues.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "routing/crash_guard.hpp"
#include "routing/key_order.hpp"
#include "routing/receipts.hpp"
#include "routing/route.hpp"

namespace clrbus {

namespace storage {
class Originals;
}

// In hand when earlier processes ended, by sequence: where, and how often it counts.
struct SuspectMessage {
    std::string route;
    int times = 0;
};
using Suspects = std::map<std::uint64_t, SuspectMessage>;
// So often a message may end the process.
inline constexpr int kCrashesMost = 2;

// What workers of all routes share. Outlives them.
struct WorkerParts {
    Queues& queues;
    storage::Originals& originals;
    Receipts& receipts;
    CrashGuard& guard;
    Clock& clock;
    Executor& workers;  // runs messages and callbacks
    Executor& splits;   // a split may wait for space: it has threads of its own
    StepKeeper& keeper;
    Endpoints* endpoints;             // whom steps ask; null: nobody
    const trace::KeyHasher* hasher;   // of business keys; null: none are read
    const Suspects& suspects;         // read-only
    std::shared_ptr<KeyOrder> order;  // of a route with one, shared by its generations; else null
};

struct RouteState {
    std::string id;
    std::uint64_t generation = 0;
    bool paused = false;
    std::string reason;  // code and text, when paused
    Time since{};
    std::uint32_t dead_in_a_row = 0;
    std::int64_t done = 0;  // messages settled since the start
    Time last_done{};
};

// The queues of steps among the outputs: whom to wake when it is on disk.
std::vector<std::string> step_queues(const Unit& unit);

class RouteWorker {
public:
    // before: the state of the generation that this one follows; what was paused stays paused.
    RouteWorker(std::shared_ptr<const CompiledRoute> route, WorkerParts parts, const RouteState& before = {});
    ~RouteWorker();
    RouteWorker(const RouteWorker&) = delete;
    RouteWorker& operator=(const RouteWorker&) = delete;

    // Before start, on the caller's thread: takes from the head of the inbox until the suspects there are in hand, with what
    // lies before them, and works on none. Gives the suspects found. start goes on with what is in hand then.
    std::vector<std::uint64_t> gather_suspects();
    // Works on one that was gathered. Returns when it is settled or a split has come a chunk further, but after 10 seconds in
    // any case; false: it is in hand still.
    bool run_alone(std::uint64_t sequence);
    std::uint64_t order_hash(const TakenMessage& message) const;  // for KeyOrder
    void start();
    void stop();  // takes nothing more, waits for what is in hand; a split stops where it is
    void resume();
    // Another generation follows: takes nothing more, and what is in hand ends here. Gives the state to hand on.
    RouteState retire();
    void stop_hands();      // retired: none of them gives out any more when it returns
    bool finished() const;  // retired, and nothing is in hand any more
    // Waits until nothing but splits is in hand. False: the time is over.
    bool wait_for_whole(std::chrono::milliseconds most);
    RouteState state() const;
    const CompiledRoute& route() const { return *route_; }

private:
    void run(TakenMessage message);
    void run_whole(const TakenMessage& message, Work& work);
    void run_split(const TakenMessage& message, Work& work);
    void settle_fault(const TakenMessage& message, const Work& work, const Error& error);
    void put_back(const TakenMessage& message, Time not_before, bool failed = false);
    Time away_until(std::uint64_t sequence);
    void pause(std::string reason);
    void commit(Unit unit, std::size_t inputs);
    void commit_behind(const TakenMessage& message, Work& work, Unit unit);
    void settled(std::size_t messages);  // in hand no longer: room for as many
    bool sinks_open() const;
    bool paused() const;
    void ready(std::size_t taker, TakenMessage message);
    void begin(std::size_t taker, TakenMessage message);  // counted in running_ by the caller
    bool begin_in_order(const TakenMessage& message);
    void open_hands();
    bool takes_more() const { return !state_.paused && !stopping_ && !retired_; }  // under mutex_
    std::string head_of_spooled(const TakenMessage& message) const;
    void parse_whole(Work& work) const;
    void forget_suspect(Unit& unit, const TakenMessage& message) const;
    std::string load_spooled(const TakenMessage& message) const;
    void tell(Unit& unit, const TakenMessage& message, const Work& work, trace::VisitState state,
              const Error* error = nullptr) const;
    std::uint64_t took_since(std::chrono::steady_clock::time_point began) const;
    void finish(Unit& unit, const TakenMessage& message, const Work& work, Outcome outcome);

    std::shared_ptr<const CompiledRoute> route_;  // shared with the engine; read-only
    WorkerParts parts_;
    const StepServices services_;

    mutable std::mutex mutex_;  // guards what follows, but for stopping_
    std::condition_variable idle_;
    RouteState state_;
    Time away_since_{};          // the first fault of a far side since the last message that went through
    std::size_t in_flight_ = 0;  // messages taken and not yet settled or given back
    std::size_t splitting_ = 0;  // splits that run or wait for a thread
    std::size_t running_ = 0;    // callbacks that run
    bool retired_ = false;
    bool gathering_ = false;
    bool progressed_ = false;        // a chunk of a split is on its way
    std::deque<TakenMessage> held_;  // gathered, not begun; in flight
    std::atomic<bool> stopping_{false};
    // One a worker thread that the route may use; last member: they call back into this. Shared with callbacks that grant,
    // replaced by resume. credit: what was granted and not delivered yet.
    struct Hand {
        std::shared_ptr<Taker> taker;
        std::uint32_t credit = 0;
    };
    std::vector<Hand> hands_;
};

}  // namespace clrbus
