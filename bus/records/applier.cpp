#include "records/applier.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "routing/journey.hpp"
#include "trace/statistics.hpp"

namespace clrbus::records {
namespace {

constexpr const char* kJournalFull = "REC-018";
constexpr std::size_t kFirstGuess = std::size_t{1} << 20;

}  // namespace

struct Applier::Impl : std::enable_shared_from_this<Applier::Impl> {
    Impl(RecordsStore& s, Queues& q, Executor& e, const Options& o) : store(s), queues(q), executor(e), options(o) {}

    // One applied group on its way to the journal.
    struct Settling {
        RecordsStore::Group group;
        Unit unit;
    };

    void ready(TakenMessage message);
    std::uint32_t credit_to_grant();  // mutex held
    void work(const std::stop_token& stop);
    bool apply(std::vector<RecordsStore::Prepared>& group);
    void commit(const std::shared_ptr<Settling>& settling);
    void committed(const std::shared_ptr<Settling>& settling, CommitState state);
    void away(const Error& error);
    void pause(std::string code, const std::string& reason);

    RecordsStore& store;
    Queues& queues;
    Executor& executor;
    const Options options;
    std::unique_ptr<Taker> taker;

    mutable std::mutex mutex;
    std::condition_variable_any changed;
    std::deque<RecordsStore::Prepared> waiting;
    std::size_t waiting_bytes = 0;
    std::uint32_t credit = 0;  // granted, not delivered yet
    std::size_t in_hand = 0;   // of the group that is being applied
    std::size_t units = 0;
    std::vector<std::shared_ptr<Settling>> again;  // refused by the disk watermark: to be committed again
    bool stopping = false;
    bool abandoned = false;
    std::size_t largest = kFirstGuess;  // of the messages lately: how much one credit may bring
    State state;
    std::chrono::milliseconds pause_for{0};  // before the next try
    std::chrono::milliseconds last_pause{0};

    std::jthread thread;  // last: uses the members above
};

Applier::Applier(RecordsStore& store, Queues& queues, Executor& executor) : Applier(store, queues, executor, Options{}) {}

Applier::Applier(RecordsStore& store, Queues& queues, Executor& executor, const Options& options)
    : impl_(std::make_shared<Impl>(store, queues, executor, options)) {
    queues.declare(kRecordsQueue, QueueLimits{});
    queues.declare(kRecordsDeadQueue, QueueLimits{});
}

Applier::~Applier() {
    stop();
}

void Applier::start() {
    Impl& impl = *impl_;
    {
        const std::lock_guard lock(impl.mutex);
        if (impl.state.running) return;
        impl.state = State{};
        impl.state.running = true;
        impl.stopping = false;
        impl.credit = 0;
    }
    impl.thread = std::jthread([&impl](const std::stop_token& stop) { impl.work(stop); });
    impl.taker =
        impl.queues.take(kRecordsQueue, impl.executor, [&impl](TakenMessage message) { impl.ready(std::move(message)); });
    std::uint32_t grant = 0;
    {
        const std::lock_guard lock(impl.mutex);
        grant = impl.credit_to_grant();
    }
    impl.taker->grant(grant);
}

void Applier::stop() {
    Impl& impl = *impl_;
    if (!impl.taker) return;
    {
        const std::lock_guard lock(impl.mutex);
        impl.stopping = true;
    }
    impl.taker->stop();
    impl.thread.request_stop();
    impl.thread.join();
    {
        // The callbacks of Units call back into this.
        std::unique_lock lock(impl.mutex);
        if (!impl.changed.wait_for(lock, impl.options.stop_wait, [&] { return impl.units == 0; })) {
            // Applied, but not settled: redelivered at the next start, and counted then as now.
            log::error("records", "the journal did not answer within the time to stop");
            impl.abandoned = true;
            impl.units = 0;
        }
        impl.waiting.clear();
        impl.again.clear();
        impl.waiting_bytes = 0;
        impl.state.running = false;
    }
    impl.taker.reset();  // what was not applied goes back to the head of the queue
}

void Applier::resume() {
    const std::lock_guard lock(impl_->mutex);
    impl_->state.paused = false;
    impl_->state.away = false;
    impl_->pause_for = std::chrono::milliseconds(0);
    counter("clrbus_records_paused").set(0);
    impl_->changed.notify_all();
}

Applier::State Applier::state() const {
    const std::lock_guard lock(impl_->mutex);
    State state = impl_->state;
    state.waiting = impl_->waiting.size() + impl_->in_hand;
    state.units = impl_->units;
    return state;
}

std::uint32_t Applier::Impl::credit_to_grant() {
    if (stopping || waiting_bytes >= options.most_waiting_bytes || waiting.size() >= 2 * options.most_messages) return 0;
    // What is on its way counts as much as the largest of late, so that memory stays bounded when messages are large.
    const auto fits =
        static_cast<std::uint32_t>(std::clamp<std::size_t>(options.most_waiting_bytes / largest, 1, options.window));
    if (credit > fits / 2) return 0;
    return fits - std::exchange(credit, fits);
}

// On a worker: what can be done ahead is not done by the one thread that writes.
void Applier::Impl::ready(TakenMessage message) {
    const std::size_t size = message.message.size();
    std::uint32_t grant = 0;
    RecordsStore::Prepared prepared = store.prepare(std::move(message));
    {
        const std::lock_guard lock(mutex);
        if (stopping) return;  // back to the queue with the taker
        if (credit > 0) --credit;
        largest = std::max({size, largest - largest / 64, std::size_t{1}});
        waiting_bytes += size;
        waiting.push_back(std::move(prepared));
        grant = credit_to_grant();
        changed.notify_all();
    }
    if (grant != 0) taker->grant(grant);
}

void Applier::Impl::work(const std::stop_token& stop) {
    std::vector<RecordsStore::Prepared> group;
    for (;;) {
        std::uint32_t grant = 0;
        std::vector<std::shared_ptr<Settling>> retried;
        {
            std::unique_lock lock(mutex);
            if (pause_for.count() != 0) {
                const auto pause = std::exchange(pause_for, std::chrono::milliseconds(0));
                changed.wait_for(lock, stop, pause, [this] { return !state.away; });  // resume() ends it early
            } else {
                changed.wait(lock, stop, [&] {
                    return !state.paused &&
                           ((!waiting.empty() || !group.empty()) ? units < options.most_units : !again.empty());
                });
            }
            if (stop.stop_requested()) {
                units -= again.size();  // applied, but not settled: redelivered at the next start, and counted then
                again.clear();
                in_hand = 0;
                changed.notify_all();
                return;
            }
            retried.swap(again);
            if (group.empty()) {
                std::size_t bytes = 0;
                while (!waiting.empty() && group.size() < options.most_messages &&
                       (group.empty() || bytes < options.most_bytes)) {
                    bytes += waiting.front().message().message.size();
                    group.push_back(std::move(waiting.front()));
                    waiting.pop_front();
                }
                waiting_bytes -= bytes;
                in_hand = group.size();
                grant = credit_to_grant();
            }
        }
        if (grant != 0) taker->grant(grant);
        for (const auto& settling : retried) commit(settling);
        if (!group.empty() && apply(group)) {
            group.clear();
            const std::lock_guard lock(mutex);
            in_hand = 0;
        }
    }
}

// True when the group was applied; else it stays in hand.
bool Applier::Impl::apply(std::vector<RecordsStore::Prepared>& group) {
    auto settling = std::make_shared<Settling>();
    try {
        settling->group = store.apply(group);
    } catch (const Error& e) {
        if (e.fault() == Fault::kAway)
            away(e);
        else
            pause(e.code(), e.what());
        return false;
    } catch (const std::exception& e) {
        pause("REC-019", e.what());
        return false;
    }
    using Counts = std::array<std::int64_t, kOutcomes>;
    Counts counts{};
    std::map<std::string, Counts, std::less<>> of_routes;  // beside the account that must balance
    Unit& unit = settling->unit;
    const Time now = system_clock().now();
    for (std::size_t i = 0; i < group.size(); ++i) {
        const RecordsStore::Applied& applied = settling->group.results[i];
        const TakenMessage& message = group[i].message();
        unit.settled.push_back({message.queue, message.sequence});
        ++counts[static_cast<std::size_t>(applied.outcome)];
        if (const std::string_view route = message.headers.get(header::kRoute); !route.empty()) {
            auto found = of_routes.find(route);
            if (found == of_routes.end()) found = of_routes.emplace(route, Counts{}).first;
            ++found->second[static_cast<std::size_t>(applied.outcome)];
        }
        trace::Visit visit = visit_of(message.queue, message.sequence, message.message.message_id(), message.headers, now);
        visit.state = visit_state_of(applied.outcome);
        visit.bytes = message.message.body().size();
        if (group[i].trail() != 0) visit.keys.push_back({kTrailKey, group[i].trail(), {}});
        if (applied.error) add_fault(visit, *applied.error, "records");
        trace::append_visit(unit.visits, visit);
        if (!applied.error) continue;
        Put dead{kRecordsDeadQueue, message.message, message.headers, {}};
        dead.headers.set(header::kDeadStep, "records");
        dead.headers.set(header::kDeadCode, applied.error->code());
        dead.headers.set(header::kDeadReason, applied.error->what());
        dead.headers.set(header::kDeadPath, applied.error->where().path);
        dead.headers.set(header::kDeadAt, to_rfc3339(now));
        unit.outputs.push_back(std::move(dead));
    }
    const auto count = [&unit](const std::string& account, const Counts& all) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all[i] != 0) unit.ledger.push_back({account, static_cast<Outcome>(i), all[i]});
        }
    };
    count(kRecordsAccount, counts);
    for (const auto& [route, all] : of_routes) count(trace::kAppliedAccount + route, all);
    {
        const std::lock_guard lock(mutex);
        ++units;
        state.away = false;
        pause_for = std::chrono::milliseconds(0);
    }
    counter("clrbus_records_away").set(0);
    commit(settling);
    return true;
}

void Applier::Impl::commit(const std::shared_ptr<Settling>& settling) {
    queues.commit(settling->unit, executor,
                  [self = shared_from_this(), settling](CommitState result) { self->committed(settling, result); });
}

void Applier::Impl::committed(const std::shared_ptr<Settling>& settling, CommitState result) {
    const std::lock_guard lock(mutex);
    if (abandoned) return;  // the store may be gone
    if (result == CommitState::kDone) {
        store.settled(settling->group);
        if (state.away && state.code == kJournalFull && again.empty()) state.away = false;
    }
    if (result == CommitState::kFull && !stopping) {
        again.push_back(settling);  // still counted in units
        if (pause_for.count() == 0) pause_for = options.retry_first;
        state.away = true;
        state.code = kJournalFull;
        state.reason = "the journal is above its disk watermark";
    } else {
        --units;
        if (result == CommitState::kFailed) {
            // Nothing is lost: the messages are in the queue, and applying them again changes nothing.
            state.paused = true;
            state.code = "REC-017";
            state.reason = "the journal failed";
        }
    }
    changed.notify_all();
}

void Applier::Impl::away(const Error& error) {
    const std::lock_guard lock(mutex);
    if (!state.away) {
        log::warn("records", error.what());
        state.since = system_clock().now();
        pause_for = options.retry_first;
    } else {
        pause_for = std::min(options.retry_most, std::max(options.retry_first, last_pause * 2));
    }
    last_pause = pause_for;
    state.away = true;
    state.code = error.code();
    state.reason = error.what();
    counter("clrbus_records_away").set(1);
}

void Applier::Impl::pause(std::string code, const std::string& reason) {
    log::error("records", "applying is paused: " + reason);
    counter("clrbus_records_paused").set(1);
    const std::lock_guard lock(mutex);
    state.paused = true;
    state.since = system_clock().now();
    state.code = std::move(code);
    state.reason = reason;
}

}  // namespace clrbus::records
