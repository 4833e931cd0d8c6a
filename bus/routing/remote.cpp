#include "routing/remote.hpp"

#include <algorithm>
#include <array>

#include "core/ids.hpp"
#include "routing/route_endpoint.hpp"

namespace clrbus {
namespace {

constexpr std::array kStateful{std::string_view("aggregate"),       std::string_view("resequence"),
                               std::string_view("deduplicate"),     std::string_view("throttle"),
                               std::string_view("circuit-breaker"), std::string_view("delay"),
                               std::string_view("request-reply")};

Config stateful_step(const Config& element) {
    for (const Config& child : element.children()) {
        if (std::find(kStateful.begin(), kStateful.end(), child.name()) != kStateful.end()) return child;
        if (const Config found = stateful_step(child)) return found;
    }
    return {};
}

}  // namespace

std::vector<std::string> notes_of_message(const TakenMessage& message) {
    const std::string route = message.queue.substr(message.queue.find('/') + 1);
    std::string id = message.message.message_id();
    if (id.empty()) id = name_uuid(kOutputNamespace, message.queue + "\n" + std::to_string(message.sequence));
    return {"generation/" + route, "split/" + route + "/" + id};
}

Config keeps_state(const CompiledRoute& route) {
    if (route.element().get("order") == "key") return route.element();
    if (const Config found = stateful_step(route.element())) return found;
    // A step that asks waits for an endpoint, and those are where the books are.
    const auto asked = asked_elements(route.element());
    return asked.empty() ? Config() : asked.front();
}

}  // namespace clrbus
