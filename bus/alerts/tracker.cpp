#include "alerts/tracker.hpp"

#include <set>
#include <utility>

namespace clrbus::alerts {
namespace {

Event event_of(const OpenAlert& alert, bool begin, Time at, std::uint64_t number) {
    const Condition& c = alert.condition;
    return {number, begin, c.key, c.kind, c.code, c.what, c.todo, c.since, at};
}

}  // namespace

void Tracker::restore(std::vector<OpenAlert> open) {
    for (OpenAlert& alert : open) {
        alert.gone.reset();
        std::string key = alert.condition.key;
        open_.insert_or_assign(std::move(key), std::move(alert));
    }
}

std::vector<Event> Tracker::look(Time now, const std::vector<Condition>& conditions, std::chrono::milliseconds quiet,
                                 bool may_end, std::uint64_t& number) {
    std::vector<Event> out;
    std::set<std::string> seen;
    for (const Condition& condition : conditions) {
        if (!seen.insert(condition.key).second) continue;
        const auto found = open_.find(condition.key);
        if (found != open_.end()) {
            found->second.gone.reset();
            if (!condition.begins) continue;
            // It goes on: its beginning stays, whatever the number in its sentence is by now.
            const Time since = found->second.condition.since;
            found->second.condition = condition;
            found->second.condition.since = since;
            continue;
        }
        if (!condition.begins) continue;
        const Time first = first_seen_.try_emplace(condition.key, now).first->second;
        const Time since = condition.since == Time{} ? first : condition.since;
        if (now - since < condition.after) continue;
        OpenAlert alert{condition, now, {}};
        alert.condition.since = since;
        out.push_back(event_of(alert, true, now, ++number));
        open_.emplace(condition.key, std::move(alert));
        first_seen_.erase(condition.key);
    }
    std::erase_if(first_seen_, [&](const auto& one) { return seen.count(one.first) == 0; });
    for (auto at = open_.begin(); at != open_.end();) {
        OpenAlert& alert = at->second;
        if (seen.count(at->first) != 0 || !may_end) {
            ++at;
            continue;
        }
        if (!alert.gone) alert.gone = now;
        if (now - *alert.gone < quiet) {
            ++at;
            continue;
        }
        out.push_back(event_of(alert, false, *alert.gone, ++number));
        at = open_.erase(at);
    }
    return out;
}

}  // namespace clrbus::alerts
