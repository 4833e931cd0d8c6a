#include "routing/route_graph.hpp"

#include <algorithm>
#include <map>
#include <sstream>

namespace clrbus {
namespace {

void collect_targets(const Config& element, std::vector<RouteTarget>& out) {
    if (element.name() == "to") {
        for (const Config& sink : element.children("route")) out.push_back({sink.require("id"), sink});
        return;
    }
    const bool slip = element.name() == "routing-slip";
    if (slip || element.name() == "recipient-list") {
        std::istringstream in(element.require("allowed"));
        for (std::string one; in >> one;) out.push_back({one, element, slip});
        return;
    }
    if (element.name() == "request-reply") {
        for (const Config& asked : element.children("route")) out.push_back({asked.require("id"), asked});
    }
    if (element.name() == "from") return;
    for (const Config& child : element.children()) collect_targets(child, out);
}

using Graph = std::map<std::string, std::vector<RouteTarget>>;

// Depth first; a circle is the way from where it was entered back to it.
class CircleSearch {
public:
    explicit CircleSearch(const Graph& graph) : graph_(graph) {}

    // The element that closes a circle through this route, and the circle as text; null element: there is none.
    std::pair<Config, std::string> from(const std::string& route) {
        way_.push_back(route);
        on_way_.insert(route);
        const auto node = graph_.find(route);
        for (const RouteTarget& target : node != graph_.end() ? node->second : std::vector<RouteTarget>()) {
            if (target.used_up || done_.count(target.route) != 0) continue;
            if (on_way_.count(target.route) != 0) {
                std::string circle;
                for (auto at = std::find(way_.begin(), way_.end(), target.route); at != way_.end(); ++at)
                    circle += "'" + *at + "' to ";
                return {target.element, circle + "'" + target.route + "'"};
            }
            if (auto found = from(target.route); found.first) return found;
        }
        way_.pop_back();
        on_way_.erase(route);
        done_.insert(route);
        return {};
    }
    const std::string& closing_route() const { return way_.back(); }

private:
    const Graph& graph_;
    std::vector<std::string> way_;
    std::set<std::string> on_way_, done_;
};

}  // namespace

std::vector<RouteTarget> route_targets(const Config& route) {
    std::vector<RouteTarget> out;
    collect_targets(route, out);
    return out;
}

std::vector<std::pair<std::string, Error>> refuse_wrong_targets(std::vector<std::shared_ptr<const CompiledRoute>>& routes,
                                                                const std::set<std::string>& known) {
    std::vector<std::pair<std::string, Error>> errors;
    const auto take_out = [&routes](const std::string& id) {
        routes.erase(std::remove_if(routes.begin(), routes.end(), [&id](const auto& route) { return route->id() == id; }),
                     routes.end());
    };
    const auto refuse = [&errors](const std::string& route, const Config& element, std::string_view code, std::string why) {
        errors.emplace_back(
            route, Error(Fault::kConfig, code, "<" + std::string(element.name()) + ">", element.where(), std::move(why)));
    };
    Graph graph;
    for (const auto& route : routes) graph[route->id()] = route_targets(route->element());
    for (const auto& [id, targets] : graph) {
        for (const RouteTarget& target : targets) {
            if (known.count(target.route) != 0) continue;
            refuse(id, target.element, "ROUTE-026", "there is no route '" + target.route + "'");
            take_out(id);
            break;
        }
    }
    // The route that closes the circle goes; what else stands on it may be right.
    for (bool again = true; again;) {
        again = false;
        graph.clear();
        for (const auto& route : routes) graph[route->id()] = route_targets(route->element());
        CircleSearch search(graph);
        for (const auto& [id, targets] : graph) {
            const auto [element, circle] = search.from(id);
            if (!element) continue;
            refuse(search.closing_route(), element, "ROUTE-027", "routes send to each other in a circle: " + circle);
            take_out(search.closing_route());
            again = true;
            break;
        }
    }
    return errors;
}

}  // namespace clrbus
