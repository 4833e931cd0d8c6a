// <broker url="…"> of the configuration as options of the queues that are shared over it.
#pragma once

#include <optional>
#include <set>

#include "app/settings.hpp"
#include "broker/link_queues.hpp"
#include "routing/reloader.hpp"
#include "routing/route.hpp"

namespace clrbus::app {

// Nothing when there is no url. Throws Error(kConfig): LINK-020 the url, LINK-021 no credentials, LINK-022 the password is
// missing.
std::optional<LinkOptions> broker_link(const Settings& settings);

// Inboxes of routes that keep state: they stay where the books are.
std::set<std::string, std::less<>> inboxes_that_stay(const std::vector<std::shared_ptr<const CompiledRoute>>& routes);

// Tells the shared queues which inboxes stay, in front of whatever else follows the routes. The reloader's thread.
class InboxFollower : public RouteFollowers {
public:
    InboxFollower(LinkQueues* link, RouteFollowers& others)
        : link_(link), others_(others) {}  // both outlive it; null: not shared
    void prepare(const CompiledRoute& route) override;
    void follow(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) override;

private:
    LinkQueues* const link_;
    RouteFollowers& others_;
    std::set<std::string, std::less<>> staying_;
};

// The folder of originals: of <broker originals-folder>, else the process's own.
std::filesystem::path originals_folder(const Settings& settings, const std::filesystem::path& state);

// For health: what of the broker does not work; "" when all does.
std::string broker_trouble(const amqp::ClientHealth& health);

}  // namespace clrbus::app
