#include "routing/engine.hpp"

#include <algorithm>
#include <future>
#include <utility>

#include "core/log.hpp"
#include "routing/faults.hpp"
#include "routing/route_graph.hpp"

namespace clrbus {
namespace {

// At start there is nothing else to do than to wait for the disk.
void commit_and_wait(Queues& queues, Executor& executor, Unit unit) {
    std::promise<CommitState> done;
    queues.commit(std::move(unit), executor, [&done](CommitState state) { done.set_value(state); });
    if (done.get_future().get() != CommitState::kDone) {
        throw Error(Fault::kConfig, "ROUTE-031", "writing to the journal", "it takes nothing: disk full or failed");
    }
}

}  // namespace

RouteEngine::RouteEngine(Parts parts, std::vector<std::shared_ptr<const CompiledRoute>> routes)
    : parts_(std::move(parts)), receipts_(parts_.queues), guard_(parts_.state_dir / "in-hand"), routes_(std::move(routes)) {
    for (const auto& route : routes_) {
        parts_.queues.declare(route->inbox(), parts_.limits);
        parts_.queues.declare(route->dead(), QueueLimits{~0ULL, ~0ULL});
        // A target that does not compile is no route of ours: what is sent to it waits in its inbox until it is mended.
        for (const RouteTarget& target : route_targets(route->element()))
            parts_.queues.declare("in/" + target.route, parts_.limits);
    }
    parts_.queues.declare("records", parts_.limits);
    give_generations();
    count_suspects();
}

RouteEngine::~RouteEngine() {
    stop();
}

// A generation is a number that rises when what the route is made of changes; it is kept with the messages.
void RouteEngine::give_generations() {
    Unit unit;
    for (const auto& route : routes_) {
        const std::string name = "generation/" + route->id();
        std::uint64_t number = 0;
        std::string hash;
        if (const auto note = parts_.queues.note(name)) {
            const auto space = note->find(' ');
            number = std::stoull(note->substr(0, space));
            hash = note->substr(space + 1);
        }
        if (hash != route->hash()) {
            ++number;
            unit.notes.push_back({name, std::to_string(number) + " " + route->hash()});
            log::info("route", "route '" + route->id() + "': generation " + std::to_string(number));
        }
        // The one write to a compiled route, before any worker sees it.
        const_cast<CompiledRoute&>(*route).generation = number;  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    }
    if (!unit.notes.empty()) commit_and_wait(parts_.queues, parts_.workers, std::move(unit));
}

void RouteEngine::count_suspects() {
    Unit unit;
    for (const std::uint64_t sequence : guard_.take_leftovers()) {
        const std::string name = "suspect/" + std::to_string(sequence);
        int times = 1;
        if (const auto note = parts_.queues.note(name)) times = std::stoi(*note) + 1;
        unit.notes.push_back({name, std::to_string(times)});
        suspects_[sequence] = times;
    }
    for (const Note& note : parts_.queues.notes("suspect/")) {
        const std::uint64_t sequence = std::stoull(note.name.substr(std::string_view("suspect/").size()));
        if (note.value) suspects_.emplace(sequence, std::stoi(*note.value));
    }
    if (!unit.notes.empty()) commit_and_wait(parts_.queues, parts_.workers, std::move(unit));
}

void RouteEngine::start() {
    for (const auto& route : routes_)
        workers_.push_back(
            std::make_unique<RouteWorker>(route, WorkerParts{parts_.queues, parts_.originals, receipts_, guard_, parts_.clock,
                                                             parts_.workers, parts_.splits, suspects_}));
    for (const auto& worker : workers_) worker->start();
}

void RouteEngine::stop() {
    for (const auto& worker : workers_) worker->stop();
    workers_.clear();
}

std::vector<RouteState> RouteEngine::states() const {
    std::vector<RouteState> out;
    out.reserve(workers_.size());
    for (const auto& worker : workers_) out.push_back(worker->state());
    return out;
}

bool RouteEngine::resume(const std::string& route) {
    for (const auto& worker : workers_) {
        if (worker->route().id() == route) {
            worker->resume();
            return true;
        }
    }
    return false;
}

const CompiledRoute* RouteEngine::route(const std::string& id) const {
    for (const auto& route : routes_) {
        if (route->id() == id) return route.get();
    }
    return nullptr;
}

std::vector<std::shared_ptr<const CompiledRoute>> RouteEngine::routes() const {
    return routes_;
}

Inbox& RouteEngine::inbox(const std::shared_ptr<const CompiledRoute>& route, const Config& door) {
    const auto folder = parts_.state_dir / "spool";
    std::filesystem::create_directories(folder);
    inboxes_.push_back(std::make_unique<RouteInbox>(
        route, door, RouteInbox::Parts{parts_.queues, parts_.originals, receipts_, parts_.workers, parts_.clock, folder}));
    return *inboxes_.back();
}

void RouteEngine::replay(const std::string& route, std::uint64_t sequence, CommitDone done) {
    const auto found = parts_.queues.browse("dead/" + route, sequence, 1);
    if (found.empty() || found.front().sequence != sequence)
        throw Error(Fault::kPoison, "DEAD-001", "replaying", "there is no such dead letter");
    Unit unit;
    Put put;
    put.queue = "in/" + route;
    put.message = found.front().message;
    put.headers = without_dead_facts(found.front().headers);
    unit.outputs.push_back(std::move(put));
    unit.settled.push_back({"dead/" + route, sequence});
    unit.ledger.push_back({route, Outcome::kMade, 1});
    parts_.queues.commit(std::move(unit), parts_.workers, std::move(done));
}

void RouteEngine::discard(const std::string& route, std::uint64_t sequence, CommitDone done) {
    Unit unit;
    unit.settled.push_back({"dead/" + route, sequence});
    parts_.queues.commit(std::move(unit), parts_.workers, std::move(done));
}

}  // namespace clrbus
