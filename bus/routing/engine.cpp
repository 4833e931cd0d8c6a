#include "routing/engine.hpp"

#include <algorithm>
#include <future>
#include <utility>

#include "core/log.hpp"
#include "routing/faults.hpp"
#include "routing/route_graph.hpp"

namespace clrbus {
namespace {

constexpr std::chrono::seconds kRetireWait{5};         // for what is in hand, before the next generation starts
constexpr std::chrono::milliseconds kRetireLook{100};  // between two looks at old generations

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
    : parts_(std::move(parts)), receipts_(parts_.queues), guard_(parts_.state_dir / "in-hand") {
    std::filesystem::create_directories(parts_.state_dir / "spool");
    parts_.queues.declare("records", parts_.limits);
    activate(routes, {});
    count_suspects();
    freeing_ = std::jthread([this](const std::stop_token& stop) { free_retired(stop); });
}

RouteEngine::~RouteEngine() {
    stop();
}

void RouteEngine::declare(const CompiledRoute& route) {
    parts_.queues.declare(route.inbox(), parts_.limits);
    parts_.queues.declare(route.dead(), QueueLimits{~0ULL, ~0ULL});
    // A target that does not compile is no route of ours: what is sent to it waits in its inbox until it is mended.
    for (const RouteTarget& target : route_targets(route.element())) parts_.queues.declare("in/" + target.route, parts_.limits);
}

// A generation is a number that rises when what the route is made of changes; it is kept with the messages.
void RouteEngine::give_generations(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) {
    Unit unit;
    for (const auto& route : routes) {
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

void RouteEngine::activate(const std::vector<std::shared_ptr<const CompiledRoute>>& put, const std::vector<std::string>& gone) {
    for (const auto& route : put) declare(*route);
    give_generations(put);
    const auto retire = [this](const std::string& id) {
        std::shared_ptr<RouteWorker> old;
        {
            const std::lock_guard lock(mutex_);
            const auto found = slots_.find(id);
            if (found != slots_.end()) old = found->second.worker;
        }
        return std::pair{old, old ? old->retire() : RouteState{}};
    };
    const auto forget = [this](const std::shared_ptr<RouteWorker>& old) {  // under mutex_
        if (!old) return;
        retired_.push_back(old);
        retired_some_.notify_all();
    };
    for (const auto& route : put) {
        const auto [old, state] = retire(route->id());
        // What is in hand ends first, so that nothing overtakes it; a split or a step that takes long is not waited for.
        if (old) old->wait_for_whole(kRetireWait);
        auto worker = started_ ? make_worker(route, state) : nullptr;
        {
            const std::lock_guard lock(mutex_);
            slots_[route->id()] = {route, worker};
            forget(old);
        }
        if (worker) worker->start();
    }
    for (const std::string& id : gone) {
        const auto [old, state] = retire(id);
        const std::lock_guard lock(mutex_);
        slots_.erase(id);
        forget(old);
    }
}

// Frees old generations when their last work has ended.
void RouteEngine::free_retired(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        if (retired_.empty()) {
            retired_some_.wait(lock, stop, [this] { return !retired_.empty(); });
            continue;
        }
        std::vector<std::shared_ptr<RouteWorker>> finished;
        std::erase_if(retired_, [&finished](const auto& worker) {
            if (!worker->finished()) return false;
            finished.push_back(worker);
            return true;
        });
        lock.unlock();
        finished.clear();
        lock.lock();
        retired_some_.wait_for(lock, stop, kRetireLook, [] { return false; });
    }
}

std::size_t RouteEngine::retired() const {
    const std::lock_guard lock(mutex_);
    return retired_.size();
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

std::shared_ptr<RouteWorker> RouteEngine::make_worker(const std::shared_ptr<const CompiledRoute>& route,
                                                      const RouteState& before) {
    return std::make_shared<RouteWorker>(
        route,
        WorkerParts{parts_.queues, parts_.originals, receipts_, guard_, parts_.clock, parts_.workers, parts_.splits, suspects_},
        before);
}

std::vector<std::shared_ptr<RouteWorker>> RouteEngine::workers() const {
    std::vector<std::shared_ptr<RouteWorker>> out;
    const std::lock_guard lock(mutex_);
    out.reserve(slots_.size());
    for (const auto& [id, slot] : slots_) {
        if (slot.worker) out.push_back(slot.worker);
    }
    return out;
}

void RouteEngine::start() {
    {
        const std::lock_guard lock(mutex_);
        started_ = true;
        for (auto& [id, slot] : slots_) slot.worker = make_worker(slot.route, {});
    }
    for (const auto& worker : workers()) worker->start();
}

void RouteEngine::stop() {
    freeing_ = {};
    std::vector<std::shared_ptr<RouteWorker>> last = workers();
    {
        const std::lock_guard lock(mutex_);
        started_ = false;
        last.insert(last.end(), retired_.begin(), retired_.end());
        retired_.clear();
        for (auto& [id, slot] : slots_) slot.worker.reset();
    }
    for (const auto& worker : last) worker->stop();
}

std::vector<RouteState> RouteEngine::states() const {
    std::vector<RouteState> out;
    for (const auto& worker : workers()) out.push_back(worker->state());
    return out;
}

bool RouteEngine::resume(const std::string& route) {
    for (const auto& worker : workers()) {
        if (worker->route().id() == route) {
            worker->resume();
            return true;
        }
    }
    return false;
}

std::shared_ptr<const CompiledRoute> RouteEngine::route(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = slots_.find(id);
    return found == slots_.end() ? nullptr : found->second.route;
}

std::vector<std::shared_ptr<const CompiledRoute>> RouteEngine::routes() const {
    std::vector<std::shared_ptr<const CompiledRoute>> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, slot] : slots_) out.push_back(slot.route);
    return out;
}

std::unique_ptr<Inbox> RouteEngine::inbox(const CompiledRoute& route, const Config& door) {
    return std::make_unique<RouteInbox>(route, door,
                                        RouteInbox::Parts{parts_.queues, parts_.originals, receipts_, parts_.workers,
                                                          parts_.clock, parts_.state_dir / "spool"});
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
