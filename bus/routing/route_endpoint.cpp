#include "routing/route_endpoint.hpp"

#include <algorithm>

namespace clrbus {
namespace {

void endpoint_text(std::string& out, const Config& element) {
    out += '<' + std::string(element.namespace_uri()) + ' ' + std::string(element.name());
    for (const auto& [name, value] : element.attributes()) out += ' ' + name + "='" + value + '\'';
    out += '>' + element.text();
    for (const Config& child : element.children()) endpoint_text(out, child);
    out += "</>";
}

void collect_endpoints(const std::string& route, const Config& element, std::vector<RouteEndpoint>& out) {
    if (element.name() == "from") return;
    if (element.name() == "to") {
        if (!adapter_element(element)) return;
        RouteEndpoint found = route_endpoint(route, element);
        const auto same =
            std::find_if(out.begin(), out.end(), [&](const RouteEndpoint& one) { return one.name == found.name; });
        if (same == out.end()) {
            out.push_back(std::move(found));
        } else if (same->text != found.text) {
            element.fail("ROUTE-130", "two different endpoints of this route are called '" + found.name +
                                          "': give each <to> a name of its own");
        }
        return;
    }
    for (const Config& child : element.children()) collect_endpoints(route, child, out);
}

}  // namespace

std::string settings_text(const Config& element) {
    std::string out;
    endpoint_text(out, element);
    return out;
}

Config adapter_element(const Config& to) {
    for (const Config& child : to.children()) {
        if (child.namespace_uri() != to.namespace_uri()) return child;
    }
    return {};
}

RouteEndpoint route_endpoint(const std::string& route, const Config& to) {
    RouteEndpoint out;
    out.route = route;
    out.element = adapter_element(to);
    out.name = to.get("name", out.element.name());
    out.queue = "out/" + route + "/" + out.name;
    out.max_waiting = static_cast<std::uint64_t>(to.get_int("max-waiting", 1'000'000));
    out.text = settings_text(out.element) + std::to_string(out.max_waiting);
    return out;
}

std::vector<Config> asked_elements(const Config& route) {
    std::vector<Config> out;
    for (const Config& child : route.children()) {
        if (child.name() == "from") continue;
        const bool asks = child.name() == "enrich" || child.name() == "request-reply";
        if (const Config endpoint = asks ? adapter_element(child) : Config()) {
            out.push_back(endpoint);
        } else {
            const auto inside = asked_elements(child);
            out.insert(out.end(), inside.begin(), inside.end());
        }
    }
    return out;
}

std::vector<RouteEndpoint> route_endpoints(const Config& route) {
    std::vector<RouteEndpoint> out;
    collect_endpoints(route.get("id"), route, out);
    if (const Config fault = route.child("on-fault")) {
        for (RouteEndpoint& one : out) one.text += settings_text(fault);
    }
    return out;
}

}  // namespace clrbus
