// Which route sends to which: found in the route files, so that a target that does not exist and routes that send to each other
// in a circle are found before they run. While routes load, one thread.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "routing/route.hpp"

namespace clrbus {

struct RouteTarget {
    std::string route;
    Config element;        // that names it
    bool used_up = false;  // a hop of a routing slip, which each hop shortens: a circle of those ends
};
// In the order of the file.
std::vector<RouteTarget> route_targets(const Config& route);

// Takes out the routes that name a target which is not in known (ROUTE-026) and those that close a circle (ROUTE-027): their
// ids, each with its Error.
std::vector<std::pair<std::string, Error>> refuse_wrong_targets(std::vector<std::shared_ptr<const CompiledRoute>>& routes,
                                                                const std::set<std::string>& known);

}  // namespace clrbus
