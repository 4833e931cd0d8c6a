#include "routing/worker.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/counters.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/spans.hpp"
#include "crypto/hash.hpp"
#include "routing/continuation.hpp"
#include "routing/faults.hpp"
#include "routing/journey.hpp"
#include "routing/replay.hpp"
#include "routing/span_record.hpp"
#include "routing/splitter.hpp"
#include "routing/step_keeper.hpp"
#include "storage/originals.hpp"

namespace clrbus {
namespace {

constexpr std::uint32_t kWindow = 64;            // messages of one route in hand
constexpr std::uint64_t kPositionBits = 24;      // of a source number: the record within its message
constexpr std::uint64_t kWholeMost = 64U << 20;  // a spooled message that no split reads as a stream
constexpr std::string_view kSpooled = "clrbus-spooled";

// The order in which a source spoke: the acceptance of the message, then the record within it.
std::uint64_t source_number_of(const TakenMessage& message) {
    const std::string_view text = message.headers.get(header::kSourceNumber);
    if (!text.empty()) return std::stoull(std::string(text));
    return message.sequence << kPositionBits;
}

// One that goes on carries the id of the message that was sent.
std::string receipt_id(const TakenMessage& message, const Work& work) {
    const std::string_view value = message.headers.get(kReceiptHeader);
    return value == "1" ? work.id : std::string(value);
}

std::string suspect_note(std::uint64_t sequence) {
    return "suspect/" + std::to_string(sequence);
}

}  // namespace

std::vector<std::string> step_queues(const Unit& unit) {
    std::vector<std::string> out;
    for (const Put& put : unit.outputs) {
        if (put.queue.rfind("step/", 0) == 0 && std::find(out.begin(), out.end(), put.queue) == out.end())
            out.push_back(put.queue);
    }
    return out;
}

RouteWorker::RouteWorker(std::shared_ptr<const CompiledRoute> route, WorkerParts parts, const RouteState& before)
    : route_(std::move(route)),
      parts_(parts),
      services_{&parts.queues, &parts.originals, &parts.clock, parts.endpoints, &parts.keeper, &stopping_, parts.hasher},
      state_(before) {
    state_.id = route_->id();
    state_.generation = route_->generation;
}

RouteWorker::~RouteWorker() {
    stop();
}

void RouteWorker::start() {
    std::deque<TakenMessage> held;
    {
        const std::lock_guard lock(mutex_);
        gathering_ = false;
        held.swap(held_);
        if (!held.empty()) running_ += held.size() + 1;
    }
    if (held.empty()) return open_hands();
    // What was gathered first, in order.
    parts_.workers.post([this, held = std::move(held)]() mutable {
        for (TakenMessage& message : held) begin(0, std::move(message));
        open_hands();
        const std::lock_guard lock(mutex_);
        --running_;
        idle_.notify_all();
    });
}

void RouteWorker::open_hands() {
    // Keys are read in the order of the queue: one hand takes for all workers.
    const std::size_t most = parts_.order ? 1 : route_->workers();
    const std::uint32_t window =
        parts_.order && route_->workers() > 1 ? route_->workers() : std::max(1U, kWindow / route_->workers());
    std::vector<Hand> hands;
    {
        const std::lock_guard lock(mutex_);
        if (!takes_more()) return;  // when it is paused, resume() starts it
        hands = hands_;
    }
    for (std::size_t i = hands.size(); i < most; ++i) {
        hands.push_back({parts_.queues.take(route_->inbox(), parts_.workers,
                                            [this, i](TakenMessage message) { ready(i, std::move(message)); })});
    }
    {
        const std::lock_guard lock(mutex_);
        hands_.resize(hands.size());
        for (std::size_t i = 0; i < hands.size(); ++i) {
            hands_[i].taker = hands[i].taker;
            hands_[i].credit += window;
        }
    }
    for (const Hand& hand : hands) hand.taker->grant(window);
}

void RouteWorker::ready(std::size_t taker, TakenMessage message) {
    const bool room =
        !parts_.order || parts_.order->admit(message, [this](const TakenMessage& one) { return order_hash(one); });
    {
        const std::lock_guard lock(mutex_);
        ++in_flight_;
        --hands_[taker].credit;
        if (gathering_ && room) {
            held_.push_back(std::move(message));
            idle_.notify_all();
            return;
        }
        if (room) ++running_;
    }
    if (!room) return put_back(message, parts_.clock.now() + std::chrono::seconds(1));
    if (parts_.order && route_->workers() > 1) {
        parts_.workers.post([this, taker, message = std::move(message)]() mutable { begin(taker, std::move(message)); });
        return;
    }
    begin(taker, std::move(message));
}

void RouteWorker::begin(std::size_t taker, TakenMessage message) {
    bool no_more = false;
    std::shared_ptr<Taker> last;
    {
        const std::lock_guard lock(mutex_);
        no_more = !takes_more();
        if (no_more && taker < hands_.size()) last = hands_[taker].taker;
    }
    if (no_more) {
        if (last) last->stop();  // from its own callback: returns at once
        put_back(message, Time{});
    } else if (!parts_.order || begin_in_order(message)) {
        run(std::move(message));
    }
    const std::lock_guard lock(mutex_);
    --running_;
    idle_.notify_all();
}

std::vector<std::uint64_t> RouteWorker::gather_suspects() {
    constexpr std::size_t kHeldMost = 256;
    constexpr std::chrono::milliseconds kPatience{500};  // what comes from the queue comes at once, or waits for its time
    std::vector<std::uint64_t> found;
    std::shared_ptr<Taker> taker =
        parts_.queues.take(route_->inbox(), parts_.workers, [this](TakenMessage message) { ready(0, std::move(message)); });
    std::unique_lock lock(mutex_);
    gathering_ = true;
    hands_.push_back({taker});
    const auto wanted = static_cast<std::size_t>(std::count_if(
        parts_.suspects.begin(), parts_.suspects.end(), [this](const auto& one) { return one.second.route == route_->id(); }));
    while (found.size() < wanted && held_.size() < kHeldMost && !stopping_) {
        const std::size_t before = held_.size();
        ++hands_[0].credit;
        lock.unlock();
        taker->grant(1);
        lock.lock();
        if (!idle_.wait_for(lock, kPatience, [&] { return held_.size() > before; })) break;
        const std::uint64_t sequence = held_.back().sequence;
        if (parts_.suspects.count(sequence) != 0) found.push_back(sequence);
    }
    return found;
}

bool RouteWorker::run_alone(std::uint64_t sequence) {
    constexpr std::chrono::seconds kPatience{10};
    std::unique_lock lock(mutex_);
    const auto found = std::find_if(held_.begin(), held_.end(), [&](const auto& one) { return one.sequence == sequence; });
    if (found == held_.end()) return true;
    TakenMessage message = std::move(*found);
    held_.erase(found);
    progressed_ = false;
    ++running_;
    lock.unlock();
    begin(0, std::move(message));
    lock.lock();
    idle_.wait_for(lock, kPatience, [this] { return in_flight_ <= held_.size() || progressed_; });
    return in_flight_ <= held_.size();
}

void RouteWorker::stop() {
    std::vector<Hand> last;
    std::unique_lock lock(mutex_);
    stopping_ = true;
    in_flight_ -= held_.size();  // nobody has begun with them
    held_.clear();
    do {
        last = hands_;
        lock.unlock();
        for (const Hand& hand : last) hand.taker->stop();
        lock.lock();
        idle_.wait(lock, [this] { return in_flight_ == 0 && splitting_ == 0 && running_ == 0; });
    } while (hands_.size() != last.size());  // a start that was on its way opened more
    hands_.clear();                          // the takers go with `last`, outside of the lock
}

RouteState RouteWorker::retire() {
    std::vector<Hand> last;
    RouteState out;
    {
        const std::lock_guard lock(mutex_);
        retired_ = true;
        out = state_;
        // One that works on a message stops itself at the next one: nobody waits here for a step that takes long.
        if (running_ == 0) last = hands_;
    }
    for (const Hand& hand : last) hand.taker->stop();
    return out;
}

void RouteWorker::stop_hands() {
    std::vector<Hand> last;
    {
        const std::lock_guard lock(mutex_);
        last = hands_;
    }
    for (const Hand& hand : last) hand.taker->stop();
}

bool RouteWorker::finished() const {
    const std::lock_guard lock(mutex_);
    return retired_ && in_flight_ == 0 && splitting_ == 0 && running_ == 0;
}

bool RouteWorker::wait_for_whole(std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    return idle_.wait_for(lock, most, [this] { return in_flight_ <= splitting_ && running_ == 0; });
}

void RouteWorker::resume() {
    std::vector<Hand> old;
    {
        const std::lock_guard lock(mutex_);
        if (!state_.paused || stopping_ || retired_) return;
        old = hands_;
    }
    for (const Hand& hand : old) hand.taker->stop();
    {
        const std::lock_guard lock(mutex_);
        hands_.clear();
        state_.paused = false;
        state_.reason.clear();
        state_.dead_in_a_row = 0;
    }
    old.clear();  // what is still in their hands goes back, in order
    start();
}

RouteState RouteWorker::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

bool RouteWorker::paused() const {
    const std::lock_guard lock(mutex_);
    return state_.paused;
}

bool RouteWorker::sinks_open() const {
    const auto& out = route_->endpoints();
    return parts_.queues.accepts("records") &&
           std::all_of(out.begin(), out.end(), [this](const RouteEndpoint& one) { return parts_.queues.accepts(one.queue); });
}

void RouteWorker::run(TakenMessage message) {
    const std::string id = message.message.message_id();
    const log::Scope scope(route_->id(), id);
    // What comes out of a step may go on when the step is full.
    if (!sinks_open() || (!message.headers.has(header::kAtStep) && !parts_.keeper.room(*route_)))
        return put_back(message, parts_.clock.now() + std::chrono::milliseconds(200));
    if (message.attempts == 0 && message.headers.has(header::kAttemptFailed)) {  // its first one was made in the split
        return put_back(message, parts_.clock.now() + back_off(route_->attempts(), 0, message.sequence), true);
    }

    Work work{.route = *route_, .id = id, .body = message.message.body(), .headers = message.headers, .document = {}};
    work.headers.remove(header::kDeadStep);
    work.headers.remove(header::kAttemptFailed);
    work.source_number = source_number_of(message);
    work.services = &services_;
    work.message = &message.message;
    work.began = parts_.clock.steady();
    std::string joined;  // a body of several data sections has no single view
    try {
        if (id.empty()) work.id = name_uuid(kOutputNamespace, route_->inbox() + "\n" + std::to_string(message.sequence));
        // What it causes belongs to this attempt's span.
        if (spans::enabled()) {
            work.headers.set(header::kTrace, spans::child_context(message.headers.get(header::kTrace),
                                                                  work.id + "\n" + std::to_string(message.attempts)));
        }
        if (const auto suspect = parts_.suspects.find(message.sequence);
            suspect != parts_.suspects.end() && suspect->second.times >= kCrashesMost) {
            throw Error(Fault::kPoison, "ROUTE-105", "taking", "crashed the bus: it was in hand when the process ended, twice");
        }
        // One suspect at a time: what was in hand beside the message that ends the process must not die with it.
        std::unique_lock<std::mutex> alone(parts_.guard.alone(), std::defer_lock);
        if (parts_.suspects.count(message.sequence) != 0) alone.lock();
        const CrashGuard::Hold hold(parts_.guard, message.sequence);
        if (message.message.body_kind() == Message::BodyKind::kSeveralData) work.body = joined = message.message.body_copy();
        const bool spooled = message.headers.has(kSpooled);
        if (!spooled) {
            if (message.message.body_kind() == Message::BodyKind::kStructured) {
                throw Error(Fault::kPoison, "ROUTE-106", "taking", "the body is an AMQP map, list or sequence")
                    .expected("one data section, or a string");
            }
            if (!work.headers.has(header::kOriginal))
                work.headers.set(header::kOriginal, "sha256:" + crypto::sha256_hex(work.body));
        }
        std::string loaded;
        if (message.headers.has(header::kAtStep)) {
            if (spooled) work.body = loaded = load_spooled(message);
            work.headers.set(header::kDeadStep, message.headers.get(header::kAtStep));
            continue_work(work);
            work.keyed = true;  // when it first came
            work.headers.remove(header::kDeadStep);
            return run_whole(message, work);
        }
        const bool child = message.headers.has(header::kPosition);
        if (route_->split() && child) {
            parse_whole(work);
            work.number = std::stoull(std::string(message.headers.get(header::kPosition)));
            return run_whole(message, work);
        }
        if (route_->split()) {
            if (wants_split(*route_->split(), spooled ? std::string_view(head_of_spooled(message)) : work.body)) {
                // A split waits for space: not on a worker that other routes need.
                {
                    const std::lock_guard lock(mutex_);
                    ++splitting_;
                }
                parts_.splits.post([this, message = std::move(message), number = work.source_number, id = work.id,
                                    headers = work.headers] {
                    const log::Scope split_scope(route_->id(), id);
                    Work parent{.route = *route_, .id = id, .body = message.message.body(), .headers = headers, .document = {}};
                    parent.source_number = number;
                    parent.services = &services_;
                    parent.began = parts_.clock.steady();
                    run_split(message, parent);
                    const std::lock_guard lock(mutex_);
                    --splitting_;
                    idle_.notify_all();
                });
                return;
            }
        }
        if (spooled) work.body = loaded = load_spooled(message);
        if (route_->split()) parse_whole(work);  // one that the split lets pass
        run_whole(message, work);
    } catch (const Error& e) {
        settle_fault(message, work, e);
    } catch (const std::exception& e) {
        pause(std::string("ROUTE-900: an unexpected error: ") + typeid(e).name());
        put_back(message, Time{});
    }
}

std::string RouteWorker::head_of_spooled(const TakenMessage& message) const {
    std::string head(8192, '\0');
    head.resize(parts_.originals.open(message.headers.get(header::kOriginal))->read(head.data(), head.size()));
    return head;
}

std::string RouteWorker::load_spooled(const TakenMessage& message) const {
    const std::string_view reference = message.headers.get(header::kOriginal);
    if (parts_.originals.size(reference).value_or(0) > kWholeMost) {
        throw Error(Fault::kPoison, "ROUTE-107", "loading the original", "larger than 64 MB and not split")
            .expected("a route that splits");
    }
    return parts_.originals.read(reference);
}

void RouteWorker::parse_whole(Work& work) const {
    work.headers.set(header::kDeadStep, "1 split");
    work.document = parse_record(*route_->split(), work.body);
    work.headers.remove(header::kDeadStep);
    work.parsed = true;
    work.validated = route_->split()->schemas != nullptr;
}

void RouteWorker::forget_suspect(Unit& unit, const TakenMessage& message) const {
    if (parts_.suspects.count(message.sequence) != 0) unit.notes.push_back({suspect_note(message.sequence), std::nullopt});
}

void RouteWorker::finish(Unit& unit, const TakenMessage& message, const Work& work, Outcome outcome) {
    unit.settled.push_back({message.queue, message.sequence});
    unit.ledger.push_back({route_->id(), outcome, 1});
    tell(unit, message, work, visit_state_of(outcome));
    forget_suspect(unit, message);
    if (message.headers.has(kReceiptHeader)) {
        Inbox::State state;
        state.state = to_string(outcome);
        state.reason = work.filtered;
        parts_.receipts.settle(unit, route_->id(), receipt_id(message, work), state);
    }
}

// What became of the message in hand; the Unit's outputs are its.
void RouteWorker::tell(Unit& unit, const TakenMessage& message, const Work& work, trace::VisitState state,
                       const Error* error) const {
    trace::Visit visit = visit_of(message.queue, message.sequence, work.id, message.headers, parts_.clock.now());
    visit.state = state;
    visit.child_of_split = visit.position != 0 && !visit.parent.empty() && route_->split().has_value();
    visit.generation = route_->generation;
    visit.took = took_since(work.began);
    visit.bytes = message.message.body().size();
    visit.attempts = message.attempts;
    visit.reason = work.filtered;
    visit.keys = work.keys;
    if (error != nullptr) add_fault(visit, *error, work.headers.get(header::kDeadStep));
    add_outputs(visit, unit.outputs);
    record_route_span(message, work.headers.get(header::kTrace), route_->id(), visit);
    trace::append_visit(unit.visits, visit);
}

std::uint64_t RouteWorker::took_since(std::chrono::steady_clock::time_point began) const {
    if (began == std::chrono::steady_clock::time_point{}) return 0;
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(parts_.clock.steady() - began).count();
    return static_cast<std::uint64_t>(std::max<std::int64_t>(took, 0));
}

void RouteWorker::run_whole(const TakenMessage& message, Work& work) {
    if (const std::string_view at = message.headers.get(header::kAtStep); at.empty()) {
        apply_steps(route_->steps(), work);
    } else {
        work.headers.remove(header::kAtStep);  // what it causes starts where it starts
        work.headers.remove(header::kAtBody);
        apply_steps_from(route_->steps(), at, work);
    }
    suppress_outputs(work);
    Unit unit;
    unit.outputs = std::move(work.outputs);
    unit.ledger = std::move(work.ledger);
    unit.notes = std::move(work.notes);
    const Outcome outcome = outcome_of(work, unit.outputs);
    if (work.goes_on) {
        unit.settled.push_back({message.queue, message.sequence});
        tell(unit, message, work, trace::VisitState::kParked);
        forget_suspect(unit, message);
    } else {
        finish(unit, message, work, outcome);
    }
    if (!work.filtered.empty()) counter("clrbus_filtered_total{route=\"" + route_->id() + "\"}").add();
    {
        const std::lock_guard lock(mutex_);
        state_.dead_in_a_row = 0;
        away_since_ = Time{};
    }
    commit_behind(message, work, std::move(unit));
}

// First what steps must remember, then the Unit: after a crash in between the message comes again and is recognised by its id.
void RouteWorker::commit_behind(const TakenMessage& message, Work& work, Unit unit) {
    if (work.changes.empty()) return commit(std::move(unit), 1);
    parts_.keeper.state().apply(
        [changes = std::move(work.changes)](storage::StepTables& tables) {
            for (const auto& change : changes) change(tables);
        },
        parts_.workers,
        [this, message, id = work.id, headers = work.headers, unit = std::move(unit)](bool held) mutable {
            if (!held) return put_back(message, parts_.clock.now() + std::chrono::seconds(1));
            try {
                commit(std::move(unit), 1);
            } catch (const Error& e) {
                const Work dead{
                    .route = *route_, .id = id, .body = message.message.body(), .headers = std::move(headers), .document = {}};
                settle_fault(message, dead, e);
            }
        });
}

void RouteWorker::settle_fault(const TakenMessage& message, const Work& work, const Error& error) {
    if (error.fault() == Fault::kAway) {
        log::warn("route", error.what());
        return put_back(message, away_until(message.sequence));
    }
    if (error.fault() == Fault::kConfig) {
        pause(error.code() + ": " + error.what());
        return put_back(message, Time{});
    }
    if (error.again() && message.attempts + 1 < route_->attempts().most) {
        log::warn("route", "attempt " + std::to_string(message.attempts + 1) + " failed: " + error.what());
        counter("clrbus_attempts_failed_total{route=\"" + route_->id() + "\"}").add();
        return put_back(message, parts_.clock.now() + back_off(route_->attempts(), message.attempts, message.sequence), true);
    }
    for (const auto& take_back : work.on_dead) take_back();
    Unit unit;
    unit.outputs.push_back(
        dead_letter(*route_, message.message, work.headers, error, parts_.clock.now(), message.attempts + 1));
    for (const std::string_view name : {header::kAtStep, header::kAtBody}) {  // what its body is
        if (message.headers.has(name)) unit.outputs.back().headers.set(name, message.headers.get(name));
    }
    keep_document(unit.outputs.back(), *route_, work);
    tell(unit, message, work, trace::VisitState::kDead, &error);
    unit.settled.push_back({message.queue, message.sequence});
    unit.ledger.push_back({route_->id(), Outcome::kDead, 1});
    forget_suspect(unit, message);
    if (message.headers.has(kReceiptHeader)) {
        Inbox::State state{.state = "dead",
                           .code = error.code(),
                           .path = error.where().path,
                           .expected = error.expected(),
                           .reason = error.why()};
        parts_.receipts.settle(unit, route_->id(), receipt_id(message, work), state);
    }
    log::warn("route", "dead letter: " + error.code() + " at " + error.where().text());
    counter("clrbus_dead_letters_total{route=\"" + route_->id() + "\"}").add();
    bool too_many = false;
    {
        const std::lock_guard lock(mutex_);
        too_many = ++state_.dead_in_a_row >= kDeadInARow;
    }
    if (too_many) pause("ROUTE-901: " + std::to_string(kDeadInARow) + " dead letters in a row, the last one " + error.code());
    commit(std::move(unit), 1);
}

Time RouteWorker::away_until(std::uint64_t sequence) {
    const Time now = parts_.clock.now();
    const std::lock_guard lock(mutex_);
    if (away_since_ == Time{}) away_since_ = now;
    return now +
           away_wait(route_->attempts(), std::chrono::duration_cast<std::chrono::milliseconds>(now - away_since_), sequence);
}

void RouteWorker::put_back(const TakenMessage& message, Time not_before, bool failed) {
    if (parts_.order) parts_.order->returned(message.sequence);
    parts_.queues.release(message.queue, message.sequence, not_before, failed, parts_.workers,
                          [this](CommitState) { settled(1); });
}

void RouteWorker::pause(std::string reason) {
    log::error("route", "route '" + route_->id() + "' pauses: " + reason);
    {
        const std::lock_guard lock(mutex_);
        if (state_.paused) return;
        state_.paused = true;
        state_.reason = std::move(reason);
        state_.since = parts_.clock.now();
    }
    // What is taken from now on goes back, and its taker stops (ready).
}

void RouteWorker::commit(Unit unit, std::size_t inputs) {
    // A full disk refuses: the input goes back and is tried again later, until there is space.
    auto back = unit.settled;
    auto parked = step_queues(unit);
    parts_.queues.commit(
        std::move(unit), parts_.workers, [this, back = std::move(back), parked = std::move(parked), inputs](CommitState state) {
            for (const std::string& queue : parked) parts_.keeper.wake(queue);
            if (parts_.order && state != CommitState::kDone) {  // before it can be given out again
                for (const Unit::Input& input : back) parts_.order->returned(input.sequence);
            }
            if (state == CommitState::kFull && !stopping_) {
                for (const Unit::Input& input : back) {
                    parts_.queues.release(input.queue, input.sequence, parts_.clock.now() + std::chrono::seconds(1), false,
                                          parts_.workers, [](CommitState) {});
                }
            }
            if (parts_.order && state == CommitState::kDone) {
                for (const Unit::Input& input : back) parts_.order->settled(input.sequence);
            }
            settled(inputs);
        });
}

void RouteWorker::settled(std::size_t messages) {
    std::vector<std::shared_ptr<Taker>> more;
    {
        const std::lock_guard lock(mutex_);
        in_flight_ -= messages;
        state_.done += static_cast<std::int64_t>(messages);
        state_.last_done = parts_.clock.now();
        // To the one that has the least, so that all of them go on.
        for (std::size_t i = 0; i < messages && takes_more() && !hands_.empty(); ++i) {
            const auto hand = std::min_element(hands_.begin(), hands_.end(),
                                               [](const Hand& a, const Hand& b) { return a.credit < b.credit; });
            ++hand->credit;
            more.push_back(hand->taker);
        }
        idle_.notify_all();
    }
    for (const auto& taker : more) taker->grant(1);
}

}  // namespace clrbus
