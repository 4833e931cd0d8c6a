#include "routing/stateful.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include "adapter/adapter.hpp"
#include "config/config.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "routing/continuation.hpp"
#include "routing/faults.hpp"
#include "routing/journey.hpp"
#include "routing/receipts.hpp"
#include "routing/route.hpp"
#include "routing/step_keeper.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kWaitFacts[] = {wait_header::kId,    wait_header::kKey,  wait_header::kCorrelation,
                                           wait_header::kOrder, wait_header::kSize, wait_header::kNumber,
                                           wait_header::kDue,   wait_header::kReply};
constexpr std::int64_t kMostWaiting = 1'000'000;

std::int64_t wait_number(const Headers& headers, std::string_view name) {
    const std::string_view text = headers.get(name);
    std::int64_t out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
}

void receipt_of(Unit& unit, const StatefulStep::Settle& parts, const BrowsedMessage& message, const Inbox::State& state) {
    const std::string_view id = message.headers.get(kReceiptHeader);
    if (!id.empty() && id != "1") parts.receipts.settle(unit, parts.route.id(), std::string(id), state);
}

}  // namespace

StatefulStep::StatefulStep(const Config& element)
    : state_id_(element.get("id")), most_waiting_(static_cast<std::uint64_t>(element.get_int("most-waiting", kMostWaiting))) {}

Flow StatefulStep::park(Work& work, const Headers& facts) const {
    Put put = continuation(work, *this, *this);
    put.queue = queue(work.route.id());
    put.headers = without_wait_facts(std::move(put.headers));
    put.headers.set(wait_header::kId, work.id);
    for (const auto& [name, value] : facts.entries()) put.headers.set(name, value);
    work.outputs.push_back(std::move(put));
    work.goes_on = true;
    return Flow::kDone;
}

std::string StatefulStep::key_hash(const Work& work, std::string_view value) const {
    if (work.services == nullptr || work.services->keeper == nullptr) return {};
    return crypto::to_hex(work.services->keeper->state().hash(queue(work.route.id()), value));
}

storage::StepMember StatefulStep::member_of(const Look& look, const BrowsedMessage& message) {
    storage::StepMember member;
    member.sequence = message.sequence;
    member.number = wait_number(message.headers, wait_header::kNumber);
    member.due = wait_number(message.headers, wait_header::kDue);
    member.bytes = message.message.size();
    member.id_hash = look.hash(message.headers.get(wait_header::kId));
    member.key = crypto::from_hex(message.headers.get(wait_header::kKey)).value_or(std::string());
    return member;
}

void StatefulStep::take(Look& look, const BrowsedMessage& message) const {
    look.tables.add(look.step, member_of(look, message));
}

// By value: a step may take them apart. NOLINTNEXTLINE(performance-unnecessary-value-param)
Unit StatefulStep::settle(const Settle& parts, const storage::StepGroup&, std::vector<BrowsedMessage> messages) const {
    Unit unit;
    for (const BrowsedMessage& message : messages) go_on(unit, parts, message);
    return unit;
}

void StatefulStep::finished(Look& look, const storage::StepGroup& group) const {
    look.tables.remove_group(group.instance);
}

void StatefulStep::go_on(Unit& unit, const Settle& parts, const BrowsedMessage& message) const {
    Put put;
    put.queue = parts.route.inbox();
    put.message = message.message;
    put.headers = without_wait_facts(message.headers);
    put.headers.set(header::kAtStep, goes_on_at_itself() ? name() : next()->name());
    unit.settled.push_back({parts.queue, message.sequence});
    trace::Visit visit = visit_of(parts.queue, message, parts.now);
    visit.state = trace::VisitState::kWentOn;
    visit.outputs.push_back({put.queue, visit.id});
    trace::append_visit(unit.visits, visit);
    unit.outputs.push_back(std::move(put));
}

void StatefulStep::dead(Unit& unit, const Settle& parts, const BrowsedMessage& message, const Error& error) const {
    Headers headers = without_wait_facts(message.headers);
    headers.set(header::kAtStep, name());  // replayed, it comes here again
    headers.set(header::kDeadStep, name());
    trace::Visit visit = visit_of(parts.queue, message, parts.now);
    add_fault(visit, error, name());
    trace::append_visit(unit.visits, visit);
    unit.outputs.push_back(dead_letter(parts.route, message.message, headers, error, parts.now));
    unit.settled.push_back({parts.queue, message.sequence});
    unit.ledger.push_back({parts.route.id(), Outcome::kDead, 1});
    counter("clrbus_dead_letters_total{route=\"" + parts.route.id() + "\"}").add();
    receipt_of(unit, parts, message,
               {.state = "dead", .code = error.code(), .path = {}, .expected = error.expected(), .reason = error.why()});
}

void StatefulStep::end(Unit& unit, const Settle& parts, const BrowsedMessage& message, Outcome outcome,
                       const std::string& reason, const Put* into) const {
    unit.settled.push_back({parts.queue, message.sequence});
    trace::Visit visit = visit_of(parts.queue, message, parts.now);
    visit.state = visit_state_of(outcome);
    visit.reason = reason;
    if (into != nullptr) visit.outputs.push_back({into->queue, into->message.message_id()});
    trace::append_visit(unit.visits, visit);
    unit.ledger.push_back({parts.route.id(), outcome, 1});
    receipt_of(unit, parts, message,
               {.state = std::string(to_string(outcome)), .code = {}, .path = {}, .expected = {}, .reason = reason});
}

Headers StatefulStep::without_wait_facts(Headers headers) {
    for (const std::string_view name : kWaitFacts) headers.remove(name);
    return headers;
}

std::vector<StatefulStep*> stateful_steps(const Steps& steps) {
    std::vector<StatefulStep*> out;
    for (const auto& step : steps) {
        if (auto* stateful = dynamic_cast<StatefulStep*>(step.get())) out.push_back(stateful);
        for (const Steps* branch : step->branches()) {
            const auto inside = stateful_steps(*branch);
            out.insert(out.end(), inside.begin(), inside.end());
        }
    }
    return out;
}

void name_stateful_steps(const Steps& steps, const Config& route) {
    std::map<std::string, int> used;
    const auto found = stateful_steps(steps);
    for (StatefulStep* step : found) {
        if (step->parks() && !step->goes_on_at_itself() && step->next() == nullptr)
            route.fail("ROUTE-051", "nothing stands behind step '" + step->name() + "': what it lets go on would go nowhere");
        if (!step->state_id().empty()) ++used[step->state_id()];
    }
    std::map<std::string, int> kinds;
    for (StatefulStep* step : found) {
        if (!step->state_id().empty()) {
            if (used[step->state_id()] > 1) route.fail("ROUTE-050", "two steps have the id '" + step->state_id() + "'");
            continue;
        }
        const std::string kind = step->name().substr(step->name().rfind(' ') + 1);
        do step->state_id(kind + "-" + std::to_string(++kinds[kind]));
        while (used.count(step->state_id()) != 0);
    }
}

}  // namespace clrbus
