#include "app/user_rights.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace clrbus::app {

UserRights::UserRights(const std::vector<User>& users) {
    for (const User& user : users) rights_[user.name] = user.may;
}

void UserRights::follow(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) {
    std::set<std::string, std::less<>> open;
    for (const auto& route : routes) {
        // What an AMQP client sends is stored as it came: a route that drops takes nothing from it.
        if (!route->drops()) open.insert(route->inbox());
    }
    const std::unique_lock lock(mutex_);
    open_ = std::move(open);
}

bool UserRights::may_publish(std::string_view user, std::string_view address) const {
    constexpr std::string_view reply = "reply/";
    if (address.starts_with(reply)) {
        const auto route = address.substr(reply.size(), address.find('/', reply.size()) - reply.size());
        return has(user, "publish:*") || has(user, "publish:" + std::string(route));
    }
    {
        const std::shared_lock lock(mutex_);
        if (open_.count(address) == 0) return false;
    }
    return has(user, "publish:*") || has(user, "publish:" + std::string(address.substr(3)));
}

bool UserRights::may_read(std::string_view user, std::string_view address) const {
    return (address.starts_with("dead/") || address.starts_with("in/") || address.starts_with("ask/")) && has(user, "operate");
}

bool UserRights::has(std::string_view user, std::string_view right) const {
    const auto found = rights_.find(user);
    return found != rights_.end() && std::find(found->second.begin(), found->second.end(), right) != found->second.end();
}

}  // namespace clrbus::app
