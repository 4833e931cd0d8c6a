#include "app/doors.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "all_adapters.hpp"
#include "core/log.hpp"

namespace clrbus::app {

Doors::Doors(Parts parts) : parts_(std::move(parts)) {}

Doors::~Doors() {
    stop();
}

// What a door depends on beside its own element: how much the route takes, and how its records are read when rows are dropped.
std::vector<std::pair<std::string, Config>> Doors::wanted(const CompiledRoute& route) {
    std::vector<std::pair<std::string, Config>> out;
    std::string split;
    for (const Config& step : route.element().children()) {
        if (step.name() == "split") split = element_text(step);
    }
    for (const Config& from : route.doors()) {
        std::string key = route.id() + "\n" + std::to_string(route.max_bytes()) + "\n" + element_text(from);
        if (from.child("keep") || from.child("drop")) key += "\n" + split;
        // Two doors that are the same are two doors.
        while (std::any_of(out.begin(), out.end(), [&key](const auto& one) { return one.first == key; })) key += "\n+";
        out.emplace_back(std::move(key), from);
    }
    return out;
}

std::shared_ptr<Doors::Door> Doors::make(const CompiledRoute& route, const Config& from) {
    const auto known = adapters::all_adapters();
    const Config endpoint = from.children().front();
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const AdapterInfo* a) { return a->namespace_uri == endpoint.namespace_uri(); });
    if (found == known.end() || (*found)->source == nullptr)
        endpoint.fail("CHECK-001", "no adapter has the namespace '" + std::string(endpoint.namespace_uri()) + "'");
    auto door = std::make_shared<Door>();
    door->route = route.id();
    door->name = route.id() + " " + std::string((*found)->name);
    door->inbox = parts_.engine.inbox(route, from);
    AdapterContext context = parts_.context(endpoint);
    context.inbox = door->inbox.get();
    door->source = (*found)->source(context);
    return door;
}

void Doors::prepare(const CompiledRoute& route) {
    for (auto& [key, from] : wanted(route)) {
        {
            const std::lock_guard lock(mutex_);
            if (open_.count(key) != 0) continue;
        }
        if (prepared_.count(key) == 0) prepared_[key] = make(route, from);
    }
}

void Doors::open(Door& door) {
    try {
        door.source->start();
        door.problem.clear();
    } catch (const std::exception& e) {
        log::error("door", "door " + door.name + " does not open: " + e.what());
        const std::lock_guard lock(mutex_);
        door.problem = std::string("does not open: ") + e.what();
        if (door.since == Time{}) door.since = system_clock().now();
    }
}

void Doors::follow(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) {
    std::map<std::string, std::pair<std::shared_ptr<const CompiledRoute>, Config>> all;
    for (const auto& route : routes) {
        for (auto& [key, from] : wanted(*route)) all.emplace(key, std::pair{route, from});
    }
    std::vector<std::shared_ptr<Door>> closing, opening;
    std::set<std::string> going;
    {
        const std::lock_guard lock(mutex_);
        for (auto at = open_.begin(); at != open_.end();) {
            if (all.count(at->first) != 0) {
                if (!at->second->problem.empty()) opening.push_back(at->second);  // perhaps now
                ++at;
                continue;
            }
            closing.push_back(at->second);
            at = open_.erase(at);
        }
        for (const auto& route : routes) going.insert(route->id());
        for (const auto& door : closing) {
            if (going.count(door->route) != 0) restarting_.push_back(door->route);
        }
    }
    for (const auto& door : closing) {
        log::info("door", "door " + door->name + " closes");
        door->source->stop();
    }
    closing.clear();
    parts_.rights(routes);
    for (const auto& [key, one] : all) {
        {
            const std::lock_guard lock(mutex_);
            if (open_.count(key) != 0) continue;
        }
        std::shared_ptr<Door> door;
        if (const auto made = prepared_.find(key); made != prepared_.end()) {
            door = made->second;
        } else {
            try {
                door = make(*one.first, one.second);
            } catch (const Error& e) {  // it could be made a moment ago
                log::error("door", std::string(e.what()));
                continue;
            }
        }
        {
            const std::lock_guard lock(mutex_);
            open_[key] = door;
        }
        opening.push_back(door);
    }
    prepared_.clear();
    for (const auto& door : opening) open(*door);
    const std::lock_guard lock(mutex_);
    restarting_.clear();
}

void Doors::stop() {
    prepared_.clear();
    Set last;
    {
        const std::lock_guard lock(mutex_);
        last = open_;
    }
    for (const auto& [key, door] : last) door->source->stop();
}

std::vector<DoorHealth> Doors::health() const {
    std::vector<DoorHealth> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [key, door] : open_) {
        if (!door->problem.empty()) {
            out.push_back({door->name, false, door->problem, door->since});
            continue;
        }
        const Source::Health health = door->source->health();
        out.push_back({door->name, health.ok, health.text, health.since});
    }
    return out;
}

bool Doors::restarting(std::string_view route) const {
    const std::lock_guard lock(mutex_);
    return std::find(restarting_.begin(), restarting_.end(), route) != restarting_.end();
}

}  // namespace clrbus::app
