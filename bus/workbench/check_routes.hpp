// Every route file below the routes folder, looked at whole: each expression, schema and stylesheet compiled by itself, so that
// one that is wrong hides no other, then the routes as they would run. Pure but for reading files; one thread.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "routing/assets.hpp"
#include "routing/route.hpp"
#include "workbench/findings.hpp"

namespace clrbus::workbench {

struct CheckedRoutes {
    std::vector<std::shared_ptr<const CompiledRoute>> routes;  // those that compile
    std::vector<Config> elements;                              // <route> of all files that can be read
    std::vector<std::string> ids;                              // of them
};

struct RouteCheck {
    std::filesystem::path folder;
    // Whether somebody may publish to the inbox of this route over AMQP or HTTP without a door of its own.
    std::function<bool(const std::string& route)> published;
};

CheckedRoutes check_routes(const RouteCheck& check, RouteAssets& assets, Findings& found);

}  // namespace clrbus::workbench
