// The endpoints of adapters that a route names in <to>: found in the route's element, so that whoever needs them needs no
// compiled step. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace clrbus {

struct RouteEndpoint {
    std::string route;  // id
    std::string name;   // unique in the route: <to name>, else the endpoint element's own name
    std::string queue;  // out/ROUTE/NAME: what waits to go out; also its account in the ledger
    Config element;     // of the adapter: <http:post …/>
    std::uint64_t max_waiting = 0;
    std::string text;  // the element and how long to wait, as text: what a change of the settings changes
};

// An element of an adapter with all below it: the same text is the same settings.
std::string settings_text(const Config& element);
// The element of an adapter in a <to>; empty when it is one of our own sinks.
Config adapter_element(const Config& to);
RouteEndpoint route_endpoint(const std::string& route, const Config& to);
// The elements of adapters that the route's steps ask.
std::vector<Config> asked_elements(const Config& route);
// In the order of the file; one entry for those that are the same in every way. Throws Error(kConfig, "ROUTE-130") where two
// different ones have one name.
std::vector<RouteEndpoint> route_endpoints(const Config& route);

}  // namespace clrbus
