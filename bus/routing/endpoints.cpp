#include "routing/endpoints.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "core/log.hpp"

namespace clrbus {

Endpoints::Endpoints(Parts parts) : parts_(std::move(parts)) {}

Endpoints::~Endpoints() {
    stop();
}

std::vector<Error> Endpoints::use(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) {
    std::vector<Error> errors;
    std::set<std::string> named;
    std::vector<std::shared_ptr<Outbox>> old, fresh;
    const auto put = [&](const RouteEndpoint& endpoint, const CompiledRoute& route) {
        named.insert(endpoint.queue);
        if (!parts_.queues.exists(endpoint.queue))
            parts_.queues.declare(endpoint.queue, {endpoint.max_waiting, QueueLimits{}.max_bytes});
        {
            const std::lock_guard lock(mutex_);
            const auto found = entries_.find(endpoint.queue);
            if (found != entries_.end() && found->second.outbox && found->second.endpoint.text == endpoint.text) return;
        }
        Entry entry{endpoint, nullptr, {}};
        try {
            entry.outbox =
                std::make_shared<Outbox>(endpoint, route.attempts(), parts_.sink(endpoint.element),
                                         Outbox::Parts{parts_.queues, parts_.executor, parts_.clock, [this] { changed(); }});
            fresh.push_back(entry.outbox);
        } catch (const Error& e) {
            errors.push_back(e);
            entry.broken = {.queue = endpoint.queue,
                            .route = endpoint.route,
                            .name = endpoint.name,
                            .kind = EndpointState::Kind::kBroken,
                            .since = parts_.clock.now(),
                            .code = e.code(),
                            .reason = e.what()};
        }
        const std::lock_guard lock(mutex_);
        Entry& place = entries_[endpoint.queue];
        if (place.outbox) old.push_back(place.outbox);
        place = std::move(entry);
    };
    for (const auto& route : routes) {
        for (const RouteEndpoint& endpoint : route->endpoints()) put(endpoint, *route);
    }
    bool started = false;
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(entries_, [&](const auto& entry) {
            if (named.count(entry.first) != 0) return false;
            if (entry.second.outbox) old.push_back(entry.second.outbox);
            return true;
        });
        started = started_;
    }
    // What is on its way with the old settings ends first: two that take from one queue would take turns.
    for (const auto& outbox : old) outbox->stop();
    if (started) {
        for (const auto& outbox : fresh) outbox->start();
    }
    return errors;
}

void Endpoints::start() {
    {
        const std::lock_guard lock(mutex_);
        started_ = true;
    }
    timing_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    for (const auto& outbox : outboxes()) outbox->start();
}

void Endpoints::stop() {
    for (const auto& outbox : outboxes()) outbox->stop();
    timing_ = {};
    const std::lock_guard lock(mutex_);
    started_ = false;
}

std::vector<std::shared_ptr<Outbox>> Endpoints::outboxes() const {
    std::vector<std::shared_ptr<Outbox>> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [queue, entry] : entries_) {
        if (entry.outbox) out.push_back(entry.outbox);
    }
    return out;
}

void Endpoints::changed() {
    const std::lock_guard lock(timer_mutex_);
    timer_changed_ = true;
    timer_.notify_all();
}

void Endpoints::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto now = parts_.clock.steady();
        auto next = now + std::chrono::hours(1);
        for (const auto& outbox : outboxes()) {
            outbox->run_due(now);
            next = std::min(next, outbox->next_due());
        }
        std::unique_lock lock(timer_mutex_);
        timer_.wait_until(lock, stop, next, [this] { return timer_changed_; });
        timer_changed_ = false;
    }
}

std::vector<EndpointState> Endpoints::states() const {
    std::map<std::string, QueueState> waiting;
    for (QueueState& queue : parts_.queues.states()) {
        if (queue.name.rfind("out/", 0) == 0) waiting[queue.name] = std::move(queue);
    }
    std::vector<EndpointState> out;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [queue, entry] : entries_) out.push_back(entry.outbox ? entry.outbox->state() : entry.broken);
    }
    for (EndpointState& state : out) {
        const QueueState& queue = waiting[state.queue];
        state.waiting = queue.ready + queue.in_hand + queue.delayed;
        waiting.erase(state.queue);
    }
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [key, asked] : asked_) {
            if (asked) out.push_back(asked->state());
        }
    }
    for (const auto& [name, queue] : waiting) {
        if (queue.ready + queue.in_hand + queue.delayed == 0) continue;
        EndpointState state;
        state.queue = name;
        state.route = name.substr(4, name.rfind('/') - 4);
        state.name = name.substr(name.rfind('/') + 1);
        state.kind = EndpointState::Kind::kBroken;
        state.since = queue.oldest;
        state.code = "ROUTE-131";
        state.reason = "no route names this endpoint any more";
        state.waiting = queue.ready + queue.in_hand + queue.delayed;
        out.push_back(std::move(state));
    }
    return out;
}

bool Endpoints::resume(const std::string& route) {
    bool found = false;
    for (const auto& outbox : outboxes()) {
        if (outbox->endpoint().route != route) continue;
        found = true;
        outbox->resume();
    }
    return found;
}

std::shared_ptr<AskedEndpoint> Endpoints::asked(const std::string& route, const std::string& name, const Config& element) {
    const std::string key = route + '/' + name + '/' + settings_text(element);
    const std::lock_guard lock(mutex_);
    auto& place = asked_[key];
    if (!place) place = std::make_shared<AskedEndpoint>(route, name, parts_.responder(element), parts_.clock);
    return place;
}

}  // namespace clrbus
