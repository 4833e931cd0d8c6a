#include "routing/engine.hpp"

#include <algorithm>
#include <future>
#include <utility>

#include "core/log.hpp"
#include "routing/endpoints.hpp"
#include "routing/faults.hpp"
#include "routing/journey.hpp"
#include "routing/route_graph.hpp"
#include "storage/originals.hpp"

namespace clrbus {
namespace {

constexpr std::chrono::seconds kSuspectsTime{30};      // in which suspects run alone
constexpr std::size_t kAskThreads = 8;                 // of a route: so many questions at once
constexpr std::chrono::seconds kRetireWait{5};         // for what is in hand, before the next generation starts
constexpr std::chrono::milliseconds kRetireLook{100};  // between two looks at old generations

constexpr const char* kRecordsAccount = "records";

// Where a split of this message stopped (worker_split.cpp).
std::string split_note(const std::string& route, const std::string& id) {
    return "split/" + route + "/" + id;
}

// At start there is nothing else to do than to wait for the disk.
void commit_and_wait(Queues& queues, Executor& executor, Unit unit) {
    std::promise<CommitState> done;
    queues.commit(std::move(unit), executor, [&done](CommitState state) { done.set_value(state); });
    if (done.get_future().get() != CommitState::kDone) {
        throw Error(Fault::kConfig, "ROUTE-031", "writing to the journal", "it takes nothing: disk full or failed");
    }
}

}  // namespace

RouteEngine::RouteEngine(Parts parts, const std::vector<std::shared_ptr<const CompiledRoute>>& routes, const Keep& keep)
    : parts_(std::move(parts)),
      receipts_(parts_.queues),
      guard_(parts_.state_dir / "in-hand"),
      keeper_({parts_.queues, receipts_, parts_.clock, parts_.state_dir}) {
    std::filesystem::create_directories(parts_.state_dir / "spool");
    parts_.queues.declare("records", parts_.limits);
    activate(routes, {}, keep);
    count_suspects();
    freeing_ = std::jthread([this](const std::stop_token& stop) { free_retired(stop); });
}

RouteEngine::~RouteEngine() {
    stop();
}

void RouteEngine::declare(const CompiledRoute& route) {
    parts_.queues.declare(route.inbox(), parts_.limits);
    parts_.queues.declare(route.dead(), QueueLimits{~0ULL, ~0ULL});
    for (const RouteEndpoint& endpoint : route.endpoints())
        parts_.queues.declare(endpoint.queue, {endpoint.max_waiting, parts_.limits.max_bytes});
    // A target that does not compile is no route of ours: what is sent to it waits in its inbox until it is mended.
    for (const RouteTarget& target : route_targets(route.element())) parts_.queues.declare("in/" + target.route, parts_.limits);
}

// A generation is a number that rises when what the route is made of changes; it is kept with the messages.
void RouteEngine::give_generations(const std::vector<std::shared_ptr<const CompiledRoute>>& routes, const Keep& keep) {
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
        if (keep) keep(*route, hash != route->hash());
    }
    if (!unit.notes.empty()) commit_and_wait(parts_.queues, parts_.workers, std::move(unit));
}

void RouteEngine::activate(const std::vector<std::shared_ptr<const CompiledRoute>>& put, const std::vector<std::string>& gone,
                           const Keep& keep) {
    if (suspects_first_.joinable()) suspects_first_.join();
    for (const auto& route : put) declare(*route);
    give_generations(put, keep);
    for (const auto& route : put) keeper_.use(route);  // what waits goes on as the new one says
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
        // With an order by key the old one takes nothing any more, either: what it took last would be known too late.
        if (old && (old->wait_for_whole(kRetireWait) || route->workers() > 1) && old->route().order()) old->stop_hands();
        auto worker = started_ && runs(*route) ? make_worker(route, state) : nullptr;
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
    if (parts_.endpoints == nullptr) return;
    // What an endpoint that cannot be used would send waits, and status says so.
    for (const Error& error : parts_.endpoints->use(this->routes())) log::error("endpoint", error.what());
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

// What was in hand when the process before ended, and what an earlier one left. Notes of messages that are gone go.
void RouteEngine::count_suspects() {
    constexpr std::string_view prefix = "suspect/";
    Unit unit;
    for (const CrashGuard::Suspect& suspect : guard_.take_leftovers()) {
        const std::string name = std::string(prefix) + std::to_string(suspect.sequence);
        int times = 0;
        if (const auto note = parts_.queues.note(name)) times = std::stoi(*note);
        // An end that nobody can be blamed for makes it a suspect; only one of its own goes further than that.
        times = suspect.ended_it ? times + 1 : std::max(times, 1);
        // Elsewhere nobody can be found by looking: only what ended the process is remembered.
        const std::string route = parts_.remote ? (suspect.ended_it ? "elsewhere" : "") : route_of(suspect.sequence);
        if (route.empty()) continue;
        unit.notes.push_back({name, std::to_string(times)});
        suspects_[suspect.sequence] = {route, times};
    }
    for (const Note& note : parts_.queues.notes(prefix)) {
        const std::uint64_t sequence = std::stoull(note.name.substr(prefix.size()));
        if (suspects_.count(sequence) != 0) continue;
        const std::string route = parts_.remote ? "elsewhere" : route_of(sequence);
        if (note.value && !route.empty()) {
            suspects_[sequence] = {route, std::stoi(*note.value)};
        } else {
            unit.notes.push_back({note.name, std::nullopt});
        }
    }
    if (!unit.notes.empty()) commit_and_wait(parts_.queues, parts_.workers, std::move(unit));
}

std::string RouteEngine::route_of(std::uint64_t sequence) const {
    for (const auto& route : routes()) {
        const auto found = parts_.queues.browse(route->inbox(), sequence, 1);
        if (!found.empty() && found.front().sequence == sequence) return route->id();
    }
    return {};
}

std::shared_ptr<RouteWorker> RouteEngine::make_worker(const std::shared_ptr<const CompiledRoute>& route,
                                                      const RouteState& before) {
    Threads* own = threads_of(*route);
    const bool learned = orders_.count(route->id()) != 0;
    auto order = order_of(*route);
    auto worker = std::make_shared<RouteWorker>(
        route,
        WorkerParts{parts_.queues, parts_.originals, receipts_, guard_, parts_.clock,
                    own != nullptr ? own->steps : parts_.workers, own != nullptr ? own->splits : parts_.splits, keeper_,
                    parts_.endpoints, parts_.hasher, suspects_, order},
        before);
    if (order && !learned) order->learn([&worker](const TakenMessage& message) { return worker->order_hash(message); });
    return worker;
}

std::shared_ptr<KeyOrder> RouteEngine::order_of(const CompiledRoute& route) {
    const auto found = orders_.find(route.id());
    if (!route.order()) {
        if (found != orders_.end()) {
            found->second->wake_all();
            orders_.erase(found);
        }
        return nullptr;
    }
    if (found != orders_.end()) return found->second;
    return orders_[route.id()] = std::make_shared<KeyOrder>(parts_.queues, route.inbox());
}

RouteEngine::Threads* RouteEngine::threads_of(const CompiledRoute& route) {
    if (asked_elements(route.element()).empty()) return nullptr;
    auto& place = threads_[route.id()];
    if (!place) place.reset(new Threads{{kAskThreads, "ask"}, {1, "ask-split"}});
    return place.get();
}

bool RouteEngine::runs(const CompiledRoute& route) const {
    return !parts_.runs || parts_.runs(route);
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
        for (auto& [id, slot] : slots_) {
            if (runs(*slot.route)) slot.worker = make_worker(slot.route, {});
        }
    }
    keeper_.start();
    if (suspects_.empty() || parts_.remote) {
        for (const auto& worker : workers()) worker->start();
        return;
    }
    // The doors need not wait for it.
    suspects_first_ = std::jthread([this](const std::stop_token& stop) { run_suspects(stop); });
}

// Each by itself, with no other message in hand: if the process ends now, it was this one.
void RouteEngine::run_suspects(const std::stop_token& stop) {
    const auto all = workers();
    const auto until = std::chrono::steady_clock::now() + kSuspectsTime;
    std::vector<std::pair<std::shared_ptr<RouteWorker>, std::uint64_t>> found;
    for (const auto& worker : all) {
        const bool has = std::any_of(suspects_.begin(), suspects_.end(),
                                     [&worker](const auto& suspect) { return suspect.second.route == worker->route().id(); });
        if (!has || stop.stop_requested()) continue;
        for (const std::uint64_t sequence : worker->gather_suspects()) found.emplace_back(worker, sequence);
    }
    for (const auto& [worker, sequence] : found) {
        if (stop.stop_requested() || std::chrono::steady_clock::now() > until) break;
        log::warn("route", "running alone what was in hand when the process ended: route '" + worker->route().id() +
                               "', number " + std::to_string(sequence));
        guard_.runs_alone(sequence);
        const bool finished = worker->run_alone(sequence);
        guard_.runs_alone(0);
        if (!finished) break;  // it takes long, and the others would not be alone beside it
    }
    for (const auto& worker : all) {
        if (!stop.stop_requested()) worker->start();
    }
}

void RouteEngine::stop() {
    suspects_first_ = {};
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
    keeper_.stop();
    last.clear();
    orders_.clear();
    threads_.clear();  // runs what was posted
}

std::vector<RouteState> RouteEngine::states() const {
    std::vector<RouteState> out;
    for (const auto& worker : workers()) out.push_back(worker->state());
    const std::lock_guard lock(mutex_);
    for (const auto& [id, slot] : slots_) {
        if (slot.worker) continue;
        RouteState elsewhere;
        elsewhere.id = id;
        elsewhere.generation = slot.route->generation;
        out.push_back(std::move(elsewhere));
    }
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

BrowsedMessage RouteEngine::dead_one(const std::string& route, std::uint64_t sequence) const {
    auto found = parts_.queues.browse("dead/" + route, sequence, 1);
    if (found.empty() || found.front().sequence != sequence)
        throw Error(Fault::kPoison, "DEAD-001", "looking for a dead letter", "there is none of this number");
    return std::move(found.front());
}

std::shared_ptr<const CompiledRoute> RouteEngine::route_or_refuse(const std::string& id) const {
    auto found = route(id);
    if (!found) throw Error(Fault::kPoison, "DEAD-005", "replaying", "there is no route '" + id + "', or it does not compile");
    return found;
}

void RouteEngine::replay(const std::string& route, std::uint64_t sequence, CommitDone done, const ReplayOptions& options) {
    const BrowsedMessage dead = dead_one(route, sequence);
    Unit unit;
    unit.settled.push_back({"dead/" + route, sequence});
    if (route == kRecordsAccount) {
        unit.outputs.push_back({kRecordsAccount, dead.message, without_dead_facts(dead.headers), {}});
        unit.ledger.push_back({kRecordsAccount, Outcome::kTaken, 1});
    } else if (const std::string endpoint(dead.headers.get(kEndpointHeader)); !endpoint.empty()) {
        // What an endpoint refused goes to that endpoint again: its route is done with it.
        Headers headers = without_dead_facts(dead.headers);
        headers.remove(kEndpointHeader);
        unit.outputs.push_back({endpoint, dead.message, std::move(headers), {}});
        unit.ledger.push_back({endpoint, Outcome::kMade, 1});
    } else {
        const auto compiled = route_or_refuse(route);
        unit.outputs.push_back(replay_put(*compiled, dead, options));
        unit.ledger.push_back({route, Outcome::kMade, 1});
        if (options.from == ReplayOptions::From::kStart && !dead.headers.has(header::kPosition))
            unit.notes.push_back({split_note(route, dead.message.message_id()), std::nullopt});
    }
    trace::Visit visit = visit_of("dead/" + route, dead, parts_.clock.now());
    visit.state = trace::VisitState::kReplayed;
    add_outputs(visit, unit.outputs);
    trace::append_visit(unit.visits, visit);
    parts_.queues.commit(std::move(unit), parts_.workers, std::move(done));
}

void RouteEngine::check_replay(const std::string& route, std::uint64_t sequence, const ReplayOptions& options) const {
    const BrowsedMessage dead = dead_one(route, sequence);
    if (route != kRecordsAccount && !dead.headers.has(kEndpointHeader)) replay_put(*route_or_refuse(route), dead, options);
}

std::string RouteEngine::dead_body(const BrowsedMessage& dead, std::size_t most) const {
    if (!dead.headers.has("clrbus-spooled")) return dead.message.body_copy().substr(0, most);
    const auto original = parts_.originals.open(dead.headers.get(header::kOriginal));
    std::string out(std::min<std::uint64_t>(most, original->size()), '\0');
    std::size_t have = 0;
    for (std::size_t n = 1; n != 0 && have < out.size(); have += n) n = original->read(out.data() + have, out.size() - have);
    out.resize(have);
    return out;
}

ReplayPlan RouteEngine::plan(const std::string& route, std::uint64_t sequence, const ReplayOptions& options) const {
    const BrowsedMessage dead = dead_one(route, sequence);
    if (route == kRecordsAccount) {
        ReplayPlan out;
        out.records = 1;
        out.outputs.push_back({kRecordsAccount, dead.message.message_id()});
        return out;
    }
    if (const std::string endpoint(dead.headers.get(kEndpointHeader)); !endpoint.empty()) {
        ReplayPlan out;
        out.others = 1;
        out.outputs.push_back({output_name(endpoint), dead.message.message_id()});
        out.outside.push_back({"endpoint", "sends to", endpoint, 1});
        return out;
    }
    const auto compiled = route_or_refuse(route);
    std::optional<std::string> note;
    if (options.from != ReplayOptions::From::kStart) note = parts_.queues.note(split_note(route, dead.message.message_id()));
    return plan_replay(*compiled, replay_put(*compiled, dead, options), parts_.originals, note);
}

void RouteEngine::discard(const std::string& route, std::uint64_t sequence, CommitDone done) {
    Unit unit;
    unit.settled.push_back({"dead/" + route, sequence});
    const auto found = parts_.queues.browse("dead/" + route, sequence, 1);
    if (!found.empty() && found.front().sequence == sequence) {
        unit.notes.push_back({split_note(route, found.front().message.message_id()), std::nullopt});
        trace::Visit visit = visit_of("dead/" + route, found.front(), parts_.clock.now());
        visit.state = trace::VisitState::kDiscarded;
        trace::append_visit(unit.visits, visit);
    }
    parts_.queues.commit(std::move(unit), parts_.workers, std::move(done));
}

}  // namespace clrbus
