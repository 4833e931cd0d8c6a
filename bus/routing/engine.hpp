// All routes of a bus: declares their queues, gives generations, runs a worker each, hands their inboxes to the doors. Routes
// may be put in the place of others while it runs: what is in hand ends on the generation that took it, what is taken
// afterwards runs on the new one. start, stop and activate: one thread at a time; the rest any thread.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "routing/dead_edit.hpp"
#include "routing/inbox.hpp"
#include "routing/receipts.hpp"
#include "routing/replay.hpp"
#include "routing/route.hpp"
#include "routing/step_keeper.hpp"
#include "routing/worker.hpp"

namespace clrbus {

class RouteEngine {
public:
    struct Parts {
        Queues& queues;
        storage::Originals& originals;
        Executor& workers;
        Executor& splits;
        Clock& clock;
        std::filesystem::path state_dir;
        QueueLimits limits;
        Endpoints* endpoints = nullptr;  // where outputs go and whom steps ask; null: outputs wait
        // Does the route run in this process? All do when empty.
        std::function<bool(const CompiledRoute&)> runs{};
        // Its messages come from the process that keeps the books: they cannot be looked for here.
        bool remote = false;
        const trace::KeyHasher* hasher = nullptr;  // of business keys; null: none are read
    };
    // Called with each route that is activated when its generation is known and before the number is written; fresh: it is a
    // new one. What it throws stops the activation.
    using Keep = std::function<void(const CompiledRoute& route, bool fresh)>;
    RouteEngine(Parts parts, const std::vector<std::shared_ptr<const CompiledRoute>>& routes, const Keep& keep = {});
    ~RouteEngine();

    void start();
    void stop();
    void abandon() { guard_.clear(); }  // the process ends now, and nothing in hand is to blame

    std::vector<RouteState> states() const;
    bool resume(const std::string& route);                                    // false: there is no such route
    std::shared_ptr<const CompiledRoute> route(const std::string& id) const;  // null: there is no such route
    std::vector<std::shared_ptr<const CompiledRoute>> routes() const;         // in the order of ids
    // The inbox for a door of that route; the caller's. It must go before the engine does.
    std::unique_ptr<Inbox> inbox(const CompiledRoute& route, const Config& door);

    // put: takes the place of the route of that id, or is a new one. gone: takes nothing more; its queues stay with what is in
    // them. Gives each of put its generation, durably, before the first message runs on it. Throws Error when that cannot be
    // written; nothing changed then.
    void activate(const std::vector<std::shared_ptr<const CompiledRoute>>& put, const std::vector<std::string>& gone,
                  const Keep& keep = {});
    StepKeeper& keeper() { return keeper_; }  // what waits in steps
    std::size_t retired() const;              // generations that still have work in hand

    // A dead letter back into its inbox, as the same message with a new attempt; one Unit. "records": those of the learner
    // records, back into their queue. done: on the workers. Throws Error(kPoison, "DEAD-…") before anything is done.
    void replay(const std::string& route, std::uint64_t sequence, CommitDone done, const ReplayOptions& options = {});
    // What that would do.
    ReplayPlan plan(const std::string& route, std::uint64_t sequence, const ReplayOptions& options = {}) const;
    void check_replay(const std::string& route, std::uint64_t sequence, const ReplayOptions& options) const;
    // The bytes of a dead letter, from originals/ where they are large; at most so many.
    std::string dead_body(const BrowsedMessage& dead, std::size_t most) const;
    void discard(const std::string& route, std::uint64_t sequence, CommitDone done);
    // Puts a child message with the new body into the route in the place of the dead letter; one Unit, and both bodies stay in
    // originals/. The same body again, when it is done already, does nothing and gives the same. Blocks for the disk. Throws
    // Error(kPoison, "DEAD-001", "DEAD-005", "DEAD-007" … "DEAD-011").
    struct EditWish {
        std::string body, who, why;
        Time at{};
    };
    DeadEdit edit(const std::string& route, std::uint64_t sequence, const EditWish& wish);
    // What was done to a dead letter of that number, if it was corrected.
    std::optional<DeadEdit> edited(const std::string& route, std::uint64_t sequence) const;
    // The difference of the two bodies of a correction; bodies above 1 MB: only that they differ.
    std::string difference(const DeadEdit& edit) const;

private:
    struct Slot {
        std::shared_ptr<const CompiledRoute> route;
        std::shared_ptr<RouteWorker> worker;  // shared with who asks for states; null before start
    };
    void declare(const CompiledRoute& route);
    void give_generations(const std::vector<std::shared_ptr<const CompiledRoute>>& routes, const Keep& keep);
    void count_suspects();
    // Threads of a route whose steps wait for answers: no other route waits for them.
    struct Threads {
        ThreadPool steps, splits;
    };
    std::shared_ptr<KeyOrder> order_of(const CompiledRoute& route);  // null: it has none
    Threads* threads_of(const CompiledRoute& route);                 // null: it asks nobody
    std::shared_ptr<RouteWorker> make_worker(const std::shared_ptr<const CompiledRoute>& route, const RouteState& before);
    bool runs(const CompiledRoute& route) const;
    std::vector<std::shared_ptr<RouteWorker>> workers() const;
    BrowsedMessage dead_one(const std::string& route, std::uint64_t sequence) const;
    std::shared_ptr<const CompiledRoute> route_or_refuse(const std::string& id) const;
    std::string keep_body(const BrowsedMessage& dead);
    void free_retired(const std::stop_token& stop);
    void run_suspects(const std::stop_token& stop);
    std::string route_of(std::uint64_t sequence) const;  // in whose inbox it waits; "" when it is gone

    Parts parts_;
    Receipts receipts_;
    CrashGuard guard_;
    StepKeeper keeper_;
    Suspects suspects_;
    bool started_ = false;
    std::map<std::string, std::shared_ptr<KeyOrder>> orders_;  // by route; shared with its workers, until stop
    std::map<std::string, std::unique_ptr<Threads>> threads_;  // by route; they stay until stop
    mutable std::mutex mutex_;                                 // guards slots_ and retired_
    std::map<std::string, Slot> slots_;
    std::vector<std::shared_ptr<RouteWorker>> retired_;
    std::condition_variable_any retired_some_;
    // Last, they call back into what is above:
    std::jthread freeing_;         // waits for the last work of old generations
    std::jthread suspects_first_;  // starts the workers when the suspects have run alone
};

}  // namespace clrbus
