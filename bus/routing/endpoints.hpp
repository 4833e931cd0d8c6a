// All ways out of the bus that are an adapter's: an Outbox for each endpoint that a <to> of a route names, and the responders
// that steps ask. What uses them is put in the place of what stood there before, while the bus runs. use, start and stop: one
// thread at a time; the rest any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "routing/asked_endpoint.hpp"
#include "routing/outbox.hpp"

namespace clrbus {

class Endpoints {
public:
    struct Parts {
        Queues& queues;
        Executor& executor;  // for callbacks
        Clock& clock;
        // Made by the element's adapter. Throw Error(kConfig) with the place.
        std::function<std::unique_ptr<Sink>(const Config& element)> sink;
        std::function<std::unique_ptr<Responder>(const Config& element)> responder;
    };
    explicit Endpoints(Parts parts);
    ~Endpoints();  // stop()

    // These routes are all there are: starts what is new or changed, stops what is gone (its queue stays
    // with what is in it). The errors of endpoints that cannot be used: what waits for them waits, and states() says so.
    std::vector<Error> use(const std::vector<std::shared_ptr<const CompiledRoute>>& routes);
    void start();
    void stop();

    // With what waits in queues that no route names any more.
    std::vector<EndpointState> states() const;
    bool resume(const std::string& route);  // all endpoints of the route; false: it has none

    // The endpoint that a step asks; the same one for the same settings. Throws Error(kConfig).
    std::shared_ptr<AskedEndpoint> asked(const std::string& route, const std::string& name, const Config& element);

private:
    struct Entry {
        RouteEndpoint endpoint;
        std::shared_ptr<Outbox> outbox;  // null: broken
        EndpointState broken;
    };
    void run(const std::stop_token& stop);
    void changed();
    std::vector<std::shared_ptr<Outbox>> outboxes() const;

    const Parts parts_;
    mutable std::mutex mutex_;              // guards entries_, asked_, started_
    std::map<std::string, Entry> entries_;  // by queue
    // By route, name and settings; shared with steps that ask.
    std::map<std::string, std::shared_ptr<AskedEndpoint>> asked_;
    bool started_ = false;
    std::mutex timer_mutex_;
    std::condition_variable_any timer_;
    bool timer_changed_ = false;
    std::jthread timing_;  // last: runs what is due
};

}  // namespace clrbus
