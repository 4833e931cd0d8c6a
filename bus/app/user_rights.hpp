// What a user may at which address: publish:ROUTE for in/ROUTE and for the replies that it waits for (reply/ROUTE/STEP),
// operate for reading dead letters, inboxes and requests (ask/ROUTE/NAME). Any thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "app/settings.hpp"
#include "broker/amqp_nodes.hpp"
#include "routing/route.hpp"

namespace clrbus::app {

class UserRights : public AmqpAccess {
public:
    explicit UserRights(const std::vector<User>& users);
    void follow(const std::vector<std::shared_ptr<const CompiledRoute>>& routes);
    bool may_publish(std::string_view user, std::string_view address) const override;
    bool may_read(std::string_view user, std::string_view address) const override;

private:
    bool has(std::string_view user, std::string_view right) const;

    std::map<std::string, std::vector<std::string>, std::less<>> rights_;
    mutable std::shared_mutex mutex_;
    std::set<std::string, std::less<>> open_;  // inboxes of routes that take from AMQP clients
};

}  // namespace clrbus::app
