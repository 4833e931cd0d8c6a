// All routes of a bus: declares their queues, gives generations, runs a worker each, hands their inboxes to the doors. Made and
// stopped on one thread; the rest any thread.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "routing/inbox.hpp"
#include "routing/receipts.hpp"
#include "routing/route.hpp"
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
    };
    RouteEngine(Parts parts, std::vector<std::shared_ptr<const CompiledRoute>> routes);
    ~RouteEngine();

    void start();
    void stop();

    std::vector<RouteState> states() const;
    bool resume(const std::string& route);  // false: there is no such route
    const CompiledRoute* route(const std::string& id) const;
    std::vector<std::shared_ptr<const CompiledRoute>> routes() const;
    // The inbox for a door of that route. The engine keeps it.
    Inbox& inbox(const std::shared_ptr<const CompiledRoute>& route, const Config& door);

    // A dead letter back into its inbox, as the same message with a new attempt; one Unit. done: on the workers.
    void replay(const std::string& route, std::uint64_t sequence, CommitDone done);
    void discard(const std::string& route, std::uint64_t sequence, CommitDone done);

private:
    void give_generations();
    void count_suspects();

    Parts parts_;
    Receipts receipts_;
    CrashGuard guard_;
    std::map<std::uint64_t, int> suspects_;
    std::vector<std::shared_ptr<const CompiledRoute>> routes_;
    std::vector<std::unique_ptr<RouteInbox>> inboxes_;
    std::vector<std::unique_ptr<RouteWorker>> workers_;  // last: call back into what is above
};

}  // namespace clrbus
