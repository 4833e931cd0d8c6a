#include "routing/outbox.hpp"

#include <algorithm>
#include <utility>

#include "core/counters.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "routing/faults.hpp"
#include "routing/journey.hpp"
#include "routing/span_record.hpp"

namespace clrbus {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// How long to wait when the disk takes no dead letter.
constexpr std::chrono::seconds kFullWait{1};

}  // namespace

std::string_view to_string(EndpointState::Kind kind) {
    switch (kind) {
        case EndpointState::Kind::kOk:
            return "ok";
        case EndpointState::Kind::kAway:
            return "away";
        case EndpointState::Kind::kPaused:
            return "paused";
        case EndpointState::Kind::kBroken:
            return "broken";
    }
    return "";
}

Outbox::Outbox(RouteEndpoint endpoint, CompiledRoute::Attempts attempts, std::unique_ptr<Sink> sink, Parts parts)
    : endpoint_(std::move(endpoint)),
      attempts_(attempts),
      sink_(std::move(sink)),
      parts_(std::move(parts)),
      window_(std::max(1U, sink_->window())) {
    state_.queue = endpoint_.queue;
    state_.route = endpoint_.route;
    state_.name = endpoint_.name;
}

Outbox::~Outbox() {
    stop();
}

void Outbox::start() {
    std::shared_ptr<Taker> taker =
        parts_.queues.take(endpoint_.queue, parts_.executor, [this](TakenMessage message) { take(std::move(message)); });
    {
        const std::lock_guard lock(mutex_);
        taker_ = taker;
        credit_ = window_;
    }
    taker->grant(window_);
}

void Outbox::stop() {
    std::shared_ptr<Taker> last;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        last = taker_;
    }
    if (last) last->stop();
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return in_hand_ == 0; });
    taker_.reset();
    lock.unlock();
    last.reset();
}

void Outbox::resume() {
    std::shared_ptr<Taker> taker;
    std::uint32_t more = 0;
    {
        const std::lock_guard lock(mutex_);
        if (state_.kind == EndpointState::Kind::kPaused) {
            state_.kind = EndpointState::Kind::kOk;
            state_.since = Time{};
            state_.code.clear();
            state_.reason.clear();
            dead_in_a_row_ = 0;
        } else if (state_.kind == EndpointState::Kind::kAway) {
            next_try_ = parts_.clock.steady();
            state_.next_try = parts_.clock.now();
        }
        more = take_room();
        taker = taker_;
    }
    if (taker && more != 0) taker->grant(more);
    parts_.timer_changed();
}

// With the lock held: credit for what the window has room for, while the far side is there.
std::uint32_t Outbox::take_room() {
    if (stopping_ || state_.kind != EndpointState::Kind::kOk || in_hand_ + credit_ >= window_) return 0;
    const std::uint32_t more = window_ - in_hand_ - credit_;
    credit_ += more;
    return more;
}

SteadyTime Outbox::next_due() const {
    const std::lock_guard lock(mutex_);
    const bool waits = state_.kind == EndpointState::Kind::kAway && !probing_ && !stopping_ && credit_ == 0;
    return waits ? next_try_ : SteadyTime::max();
}

void Outbox::run_due(SteadyTime now) {
    std::shared_ptr<Taker> taker;
    {
        const std::lock_guard lock(mutex_);
        if (state_.kind != EndpointState::Kind::kAway || probing_ || stopping_ || credit_ != 0 || now < next_try_) return;
        credit_ = 1;
        taker = taker_;
    }
    if (taker) taker->grant(1);
}

EndpointState Outbox::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

void Outbox::take(TakenMessage message) {
    bool send = false, probe = false;
    {
        const std::lock_guard lock(mutex_);
        --credit_;
        ++in_hand_;
        const bool due = state_.kind == EndpointState::Kind::kAway && !probing_ && parts_.clock.steady() >= next_try_;
        send = !stopping_ && (state_.kind == EndpointState::Kind::kOk || due);
        if (send && due) probing_ = probe = true;
    }
    if (!send) return give_back(message, Time{}, false);
    std::string id = message.message.message_id();
    if (id.empty()) id = name_uuid(kOutputNamespace, endpoint_.queue + "\n" + std::to_string(message.sequence));
    Outgoing outgoing{std::move(id), message.message, message.headers, endpoint_.route};
    const auto kept = std::make_shared<TakenMessage>(std::move(message));
    try {
        sink_->send(std::move(outgoing), [this, kept, probe](SendResult result) {
            parts_.executor.post([this, kept, probe, result = std::move(result)] { settle(kept, result, probe); });
        });
    } catch (const Error& e) {
        // Before it went anywhere: what cannot be written down cannot be sent.
        const auto kind = e.fault() == Fault::kPoison ? SendResult::Kind::kPoison : SendResult::Kind::kAway;
        settle(kept, {kind, e, std::nullopt}, probe);
    }
}

void Outbox::settle(const std::shared_ptr<TakenMessage>& message, const SendResult& result, bool probe) {
    const log::Scope scope(endpoint_.route, message->message.message_id());
    switch (result.kind) {
        case SendResult::Kind::kDone: {
            far_side_is_there(true);
            Unit unit;
            unit.settled.push_back({message->queue, message->sequence});
            unit.ledger.push_back({endpoint_.queue, Outcome::kDelivered, 1});
            tell(unit, *message, nullptr);
            return commit(std::move(unit), 1);
        }
        case SendResult::Kind::kAway:
            far_side_is_away(result, probe, message->sequence);
            return give_back(*message, Time{}, false);
        case SendResult::Kind::kAgain:
            far_side_is_there(false);
            if (message->attempts + 1 >= attempts_.most) return settle_dead(*message, *result.error);
            log::warn("endpoint", "attempt " + std::to_string(message->attempts + 1) + " of " + std::to_string(attempts_.most) +
                                      ": " + result.error->what());
            return give_back(*message, parts_.clock.now() + back_off(attempts_, message->attempts, message->sequence), true);
        case SendResult::Kind::kPoison:
            far_side_is_there(false);
            return settle_dead(*message, *result.error);
    }
}

void Outbox::tell(Unit& unit, const TakenMessage& message, const Error* error) const {
    trace::Visit visit =
        visit_of(message.queue, message.sequence, message.message.message_id(), message.headers, parts_.clock.now());
    visit.bytes = message.message.body().size();
    visit.attempts = message.attempts;
    if (error != nullptr) add_fault(visit, *error, "endpoint " + endpoint_.name);
    record_endpoint_span(message, visit);
    trace::append_visit(unit.visits, visit);
}

void Outbox::settle_dead(const TakenMessage& message, const Error& error) {
    Headers headers = message.headers;
    headers.set(kEndpointHeader, endpoint_.queue);
    headers.set(header::kDeadStep, "endpoint " + endpoint_.name);
    Unit unit;
    unit.outputs.push_back(
        dead_letter(endpoint_.route, message.message, headers, error, parts_.clock.now(), message.attempts + 1));
    unit.settled.push_back({message.queue, message.sequence});
    unit.ledger.push_back({endpoint_.queue, Outcome::kDead, 1});
    tell(unit, message, &error);
    log::warn("endpoint", std::string("dead letter: ") + error.what());
    counter("clrbus_dead_letters_total{route=\"" + endpoint_.route + "\"}").add();
    bool paused = false;
    {
        const std::lock_guard lock(mutex_);
        paused = ++dead_in_a_row_ >= kDeadInARow && state_.kind == EndpointState::Kind::kOk;
        if (paused) {
            state_.kind = EndpointState::Kind::kPaused;
            state_.since = parts_.clock.now();
            state_.code = error.code();
            state_.reason = std::to_string(kDeadInARow) + " dead letters in a row, the last one: " + error.why();
        }
    }
    if (paused) log::error("endpoint", "endpoint '" + endpoint_.queue + "' pauses: " + error.code());
    // The route's account knows the message as delivered to here; from here on it is this account's.
    auto input = unit.settled.front();
    parts_.queues.commit(std::move(unit), parts_.executor, [this, input = std::move(input)](CommitState state) {
        if (state == CommitState::kDone) return left_hand();
        // A full disk: later.
        parts_.queues.release(input.queue, input.sequence, parts_.clock.now() + kFullWait, false, parts_.executor,
                              [this](CommitState) { left_hand(); });
    });
}

void Outbox::far_side_is_there(bool delivered) {
    bool back = false;
    Time since{};
    {
        const std::lock_guard lock(mutex_);
        back = state_.kind == EndpointState::Kind::kAway;
        if (back) {
            since = state_.since;
            state_.kind = EndpointState::Kind::kOk;
            state_.since = state_.next_try = Time{};
            probing_ = false;
            failures_ = 0;
        }
        if (delivered) dead_in_a_row_ = 0;
    }
    if (back) log::info("endpoint", "endpoint '" + endpoint_.queue + "' is back; it was away since " + to_rfc3339(since));
}

void Outbox::far_side_is_away(const SendResult& result, bool probe, std::uint64_t sequence) {
    bool began = false;
    {
        const std::lock_guard lock(mutex_);
        began = state_.kind == EndpointState::Kind::kOk;
        if (probe) probing_ = false;
        state_.code = result.error->code();
        state_.reason = result.error->what();
        if (began) {
            state_.kind = EndpointState::Kind::kAway;
            state_.since = parts_.clock.now();
            failures_ = 0;
        }
        if (began || probe) {
            std::chrono::milliseconds wait = back_off(attempts_, failures_++, sequence);
            if (result.wait) wait = std::max<std::chrono::milliseconds>(wait, *result.wait);
            next_try_ = parts_.clock.steady() + wait;
            state_.next_try = parts_.clock.now() + wait;
        }
    }
    if (began) {
        log::warn("endpoint",
                  "endpoint '" + endpoint_.queue + "' is away: " + result.error->code() + ": " + result.error->what());
        counter("clrbus_endpoint_away_total{route=\"" + endpoint_.route + "\"}").add();
    }
}

void Outbox::give_back(const TakenMessage& message, Time not_before, bool failed) {
    parts_.queues.release(message.queue, message.sequence, not_before, failed, parts_.executor,
                          [this](CommitState) { left_hand(); });
}

void Outbox::commit(Unit unit, std::size_t delivered) {
    parts_.queues.commit(std::move(unit), parts_.executor,
                         [this, delivered](CommitState state) { left_hand(state == CommitState::kDone ? delivered : 0); });
}

// One message less in hand: as many more may come as the window has room for.
void Outbox::left_hand(std::size_t delivered) {
    std::shared_ptr<Taker> taker;
    std::uint32_t more = 0;
    {
        const std::lock_guard lock(mutex_);
        --in_hand_;
        if (delivered != 0) {
            state_.done += static_cast<std::int64_t>(delivered);
            state_.last_done = parts_.clock.now();
        }
        more = take_room();
        if (more != 0) taker = taker_;
        // Under the lock: once nothing is in hand, this may go.
        if (!stopping_ && state_.kind == EndpointState::Kind::kAway) parts_.timer_changed();
        idle_.notify_all();
    }
    if (taker) taker->grant(more);
}

}  // namespace clrbus
