#include "routing/journey.hpp"

#include <algorithm>
#include <charconv>

#include "core/counters.hpp"
#include "core/text.hpp"
#include "routing/route.hpp"
#include "routing/work.hpp"
#include "xml/xpath.hpp"

namespace clrbus {
namespace {

std::uint64_t journey_number(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

// As to_rfc3339 writes it; Time{} for anything else. from_rfc3339 takes more, and more time.
Time journey_time(std::string_view text) {
    if (text.size() != 24 || text[10] != 'T' || text[19] != '.' || text[23] != 'Z') return {};
    const auto number = [text](std::size_t at, std::size_t count) {
        int value = 0;
        for (std::size_t i = at; i < at + count; ++i) value = value * 10 + (text[i] - '0');
        return value;
    };
    const std::chrono::year_month_day day{std::chrono::year(number(0, 4)),
                                          std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                          std::chrono::day(static_cast<unsigned>(number(8, 2)))};
    if (!day.ok()) return {};
    return Time(std::chrono::sys_days(day)) + std::chrono::hours(number(11, 2)) + std::chrono::minutes(number(14, 2)) +
           std::chrono::seconds(number(17, 2)) + std::chrono::milliseconds(number(20, 3));
}

}  // namespace

void take_keys(Work& work) {
    work.keyed = true;
    if (work.services == nullptr || work.services->hasher == nullptr) return;
    for (const BusinessKey& key : work.route.keys()) {
        std::string found;
        try {
            found = key.value->string(work.document, work.variables(*key.value));
        } catch (const Error&) {
            counter("clrbus_trace_keys_failed_total{route=\"" + work.route.id() + "\"}").add();
            continue;
        }
        const std::string_view value = trimmed(found);
        if (value.empty()) continue;
        trace::VisitKey& one = work.keys.emplace_back();
        one.name = key.name;
        one.hash = (*work.services->hasher)(value);
        if (!key.personal && value.size() <= trace::kKeyValueMost) one.value = value;
    }
}

trace::VisitState visit_state_of(Outcome outcome) {
    using trace::VisitState;
    switch (outcome) {
        case Outcome::kFiltered:
            return VisitState::kFiltered;
        case Outcome::kSplit:
            return VisitState::kSplit;
        case Outcome::kAggregated:
            return VisitState::kAggregated;
        case Outcome::kDuplicate:
            return VisitState::kDuplicate;
        case Outcome::kDead:
            return VisitState::kDead;
        case Outcome::kDiscarded:
            return VisitState::kDiscarded;
        case Outcome::kExpired:
            return VisitState::kExpired;
        case Outcome::kApplied:
            return VisitState::kApplied;
        case Outcome::kUnchanged:
            return VisitState::kUnchanged;
        case Outcome::kSuperseded:
            return VisitState::kSuperseded;
        case Outcome::kHeld:
            return VisitState::kHeld;
        case Outcome::kAccepted:
        case Outcome::kMade:
        case Outcome::kDelivered:
        case Outcome::kTaken:
            break;
    }
    return VisitState::kDelivered;
}

trace::Visit visit_of(const std::string& queue, std::uint64_t sequence, std::string id, const Headers& headers, Time ended) {
    trace::Visit out;
    out.queue = queue;
    out.id = std::move(id);
    out.sequence = sequence;
    out.parent = headers.get(header::kParent);
    out.position = journey_number(headers.get(header::kPosition));
    out.generation = journey_number(headers.get(header::kGeneration));
    out.accepted = journey_time(headers.get(header::kAcceptedAt));
    out.ended = ended;
    if (out.accepted == Time{} || out.accepted > ended) out.accepted = ended;
    return out;
}

trace::Visit visit_of(const std::string& queue, const BrowsedMessage& message, Time ended) {
    trace::Visit out = visit_of(queue, message.sequence, message.message.message_id(), message.headers, ended);
    out.bytes = message.message.body().size();
    out.attempts = message.attempts;
    return out;
}

void add_outputs(trace::Visit& visit, const std::vector<Put>& outputs, std::size_t from) {
    for (std::size_t i = from; i < outputs.size(); ++i) {
        if (visit.outputs.size() == trace::kVisitOutputs) {
            visit.more_outputs += outputs.size() - i;
            return;
        }
        if (outputs[i].queue.rfind("dead/", 0) != 0)
            visit.outputs.push_back({outputs[i].queue, outputs[i].message.message_id()});
    }
}

void add_fault(trace::Visit& visit, const Error& error, std::string_view step) {
    visit.state = trace::VisitState::kDead;
    visit.code = error.code();
    visit.step = step;
}

}  // namespace clrbus
