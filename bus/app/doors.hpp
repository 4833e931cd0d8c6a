// The doors of all routes: opened when their route runs, restarted when what they are made of changed, left alone otherwise.
// prepare and follow: one thread at a time (routing/reloader.hpp); the rest any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapter/adapter.hpp"
#include "management/management.hpp"
#include "routing/reloader.hpp"

namespace clrbus::app {

class Doors : public RouteFollowers {
public:
    struct Parts {
        RouteEngine& engine;
        // What an adapter is given for this endpoint element, but its inbox.
        std::function<AdapterContext(const Config& endpoint)> context;
        // Before doors open and after they closed: who may publish.
        std::function<void(const std::vector<std::shared_ptr<const CompiledRoute>>& routes)> rights;
    };
    explicit Doors(Parts parts);
    ~Doors() override;  // stop()

    void prepare(const CompiledRoute& route) override;
    void follow(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) override;
    void stop();

    std::vector<DoorHealth> health() const;
    // A door of this route is being restarted: who comes now is to come again.
    bool restarting(std::string_view route) const;

private:
    struct Door {
        std::string route, name;  // name: for people, "people directory"
        std::unique_ptr<Inbox> inbox;
        std::unique_ptr<Source> source;
        std::string problem;  // why it could not be opened
        Time since{};
        ~Door() { source.reset(); }  // before the inbox
    };
    using Set = std::map<std::string, std::shared_ptr<Door>>;  // by all that the door depends on
    static std::vector<std::pair<std::string, Config>> wanted(const CompiledRoute& route);
    std::shared_ptr<Door> make(const CompiledRoute& route, const Config& from);
    void open(Door& door);

    Parts parts_;
    Set prepared_;  // made, not opened
    mutable std::mutex mutex_;
    Set open_;
    std::vector<std::string> restarting_;
};

}  // namespace clrbus::app
