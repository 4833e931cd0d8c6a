// What comes back from workers in other processes: Units that are applied once, and messages that are given back.
#include <algorithm>
#include <utility>

#include "broker/link_state.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus {
namespace {

constexpr auto kResultAgain = std::chrono::milliseconds(250);  // while the disk is full
constexpr auto kRefusedAgain = std::chrono::seconds(60);       // a message whose Unit cannot be applied here

}  // namespace

void LinkQueues::State::listen() {
    results = taking.receiver(
        options.address_of(options.results_name()),
        {.on_message = [this](std::uint64_t token, std::string encoded) { on_result(token, std::move(encoded)); },
         .on_lost =
             [this] {
                 // They are given out again; one that is under way is then applied a second time, to nothing.
                 std::size_t dropped = 0;
                 {
                     const std::lock_guard lock(mutex);
                     dropped = waiting.size();
                     waiting.clear();
                 }
                 if (dropped != 0) results->grant(static_cast<std::uint32_t>(dropped));
             }});
    results->grant(options.results);
}

void LinkQueues::State::settle_result(std::uint64_t token, amqp::DeliveryState how) {
    amqp::Settlement answer{.token = token, .state = how};
    if (how == amqp::DeliveryState::kRejected) answer.error = {"amqp:decode-error", "not a result that can be applied"};
    results->settle({answer});
    results->grant(1);
}

void LinkQueues::State::on_result(std::uint64_t token, std::string encoded) {
    try {
        auto result = broker::decode_result(std::move(encoded));
        if (auto* given = std::get_if<broker::LinkRelease>(&result)) return release(token, *given);
        {
            const std::lock_guard lock(mutex);
            waiting.push_back({token, std::move(std::get<broker::LinkUnit>(result)), {}});
        }
        apply_waiting();
    } catch (const Error& e) {
        counter("clrbus_link_unreadable_total").add();
        log::error("links", std::string("a result is refused: ") + e.what());
        settle_result(token, amqp::DeliveryState::kRejected);
    }
}

// In the order in which they came, except that those wait which change a note that one under way changes.
void LinkQueues::State::apply_waiting() {
    std::deque<Result> ready;
    {
        const std::lock_guard lock(mutex);
        const auto now = std::chrono::steady_clock::now();
        std::set<std::string> taken = busy;
        for (auto at = waiting.begin(); at != waiting.end();) {
            const auto& notes = at->with.unit.notes;
            const bool waits = at->not_before > now || std::any_of(notes.begin(), notes.end(),
                                                                   [&](const Note& note) { return taken.contains(note.name); });
            for (const Note& note : notes) taken.insert(note.name);
            if (waits) {
                ++at;
                continue;
            }
            for (const Note& note : notes) busy.insert(note.name);
            ready.push_back(std::move(*at));
            at = waiting.erase(at);
        }
    }
    for (Result& result : ready) apply(std::move(result));
}

bool LinkQueues::State::believes(const broker::LinkUnit& with) const {
    const bool notes = std::all_of(with.believed.begin(), with.believed.end(),
                                   [this](const Note& note) { return local.note(note.name) == note.value; });
    return notes && std::all_of(with.during.begin(), with.during.end(), [this](const Unit::Input& input) {
               const auto found = local.browse(input.queue, input.sequence, 1);
               return !found.empty() && found.front().sequence == input.sequence;
           });
}

void LinkQueues::State::apply(Result result) {
    try {
        if (!believes(result.with)) return refuse(result);
        auto shared = std::make_shared<Result>(std::move(result));
        local.commit(shared->with.unit, pool,
                     [self = shared_from_this(), shared](CommitState state) { self->finished(*shared, state); });
    } catch (const Error& e) {
        // Of a worker with other routes, or of nobody. Its messages are tried again later: by then the routes may be the same.
        counter("clrbus_link_refused_units_total").add();
        log::error("links", std::string("a Unit cannot be applied: ") + e.what());
        const auto later =
            std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now()) + kRefusedAgain;
        for (const Unit::Input& input : result.with.unit.settled) {
            if (!take_back(input.queue, input.sequence)) continue;
            local.release(input.queue, input.sequence, later, true, pool, [](CommitState) {});
        }
        finished(result, CommitState::kDone);
    }
}

// The worker went by notes that are no longer so: another one was quicker with the same message, or a result came twice. What
// it made is dropped whole; its input, when nobody has settled it, is worked on again from what the notes say now.
void LinkQueues::State::refuse(const Result& result) {
    counter("clrbus_link_stale_units_total").add();
    for (const Unit::Input& input : result.with.unit.settled) {
        if (take_back(input.queue, input.sequence))
            local.release(input.queue, input.sequence, Time{}, false, pool, [](CommitState) {});
    }
    finished(result, CommitState::kDone);
}

void LinkQueues::State::finished(const Result& result, CommitState state) {
    {
        const std::lock_guard lock(mutex);
        for (const Note& note : result.with.unit.notes) busy.erase(note.name);
        if (state == CommitState::kFull) {
            waiting.push_front(result);
            waiting.front().not_before = std::chrono::steady_clock::now() + kResultAgain;
        }
    }
    if (state != CommitState::kDone) return;  // failed: the process is about to end, and the broker keeps the result
    forget(result.with.unit.settled);
    settle_result(result.token, amqp::DeliveryState::kAccepted);
    apply_waiting();
}

void LinkQueues::State::release(std::uint64_t token, const broker::LinkRelease& given) {
    bool current = false;
    {
        const std::lock_guard lock(mutex);
        const auto inbox = inboxes.find(given.queue);
        if (inbox != inboxes.end()) {
            const auto found = inbox->second.out.find(given.sequence);
            current = found != inbox->second.out.end() && found->second.delivery == given.delivery && !found->second.holder;
            if (current) forget(inbox->second, found);
        }
    }
    if (!current) return settle_result(token, amqp::DeliveryState::kAccepted);
    local.release(given.queue, given.sequence, given.not_before, given.failed, pool,
                  [self = shared_from_this(), token](CommitState state) {
                      if (state == CommitState::kFailed) return;
                      self->settle_result(token, amqp::DeliveryState::kAccepted);
                      const std::lock_guard lock(self->mutex);
                      self->pump_all();
                  });
}

}  // namespace clrbus
