#include "management/messages.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <map>
#include <set>

#include "core/error.hpp"
#include "crypto/aead.hpp"
#include "management/commands.hpp"
#include "records/applier.hpp"
#include "records/store.hpp"

namespace clrbus::management {
namespace {

using trace::Visit;
using trace::VisitState;

constexpr std::int64_t kMessagesMost = 10'000;
constexpr std::size_t kJourneyMost = 500;  // visits
constexpr int kAncestorsMost = 32;

std::string route_of(const Visit& visit) {
    const auto slash = visit.queue.find('/');
    if (slash == std::string::npos) return {};
    return visit.queue.substr(slash + 1, visit.queue.find('/', slash + 1) - slash - 1);
}

bool of_records(VisitState state) {
    return state == VisitState::kApplied || state == VisitState::kUnchanged || state == VisitState::kSuperseded ||
           state == VisitState::kHeld;
}

bool there(const Queues& queues, const std::string& queue, std::uint64_t sequence) {
    if (!queues.exists(queue)) return false;
    const auto found = queues.browse(queue, sequence, 1);
    return !found.empty() && found.front().sequence == sequence;
}

// What became of a dead letter; nothing while it lies there.
std::optional<std::string> after_death(const MessagesView& view, const Visit& visit) {
    const std::string queue = "dead/" + (visit.queue == records::kRecordsQueue ? std::string("records") : route_of(visit));
    for (const Visit& later : view.index.of_id(visit.id)) {
        if (later.queue == queue && later.sequence == visit.dead) return std::string(to_string(later.state));
    }
    if (view.queues != nullptr && !there(*view.queues, queue, visit.dead)) return "taken";
    return std::nullopt;
}

Time time_asked(std::string text) {
    if (text.size() == 10) text += "T00:00:00Z";
    return from_rfc3339(text);
}

object visit_object(const MessagesView& view, const Visit& visit) {
    object out{{"id", visit.id},
               {"queue", visit.queue},
               {"route", route_of(visit)},
               {"number", visit.sequence},
               {"state", to_string(visit.state)},
               {"accepted", to_rfc3339(visit.accepted)},
               {"ended", visit.state == VisitState::kWaiting ? std::string() : to_rfc3339(visit.ended)},
               {"generation", visit.generation},
               {"bytes", visit.bytes}};
    if (visit.state != VisitState::kWaiting) {
        out["milliseconds"] = (visit.ended - visit.accepted).count();
        if (visit.took != 0) out["worked_microseconds"] = visit.took;
    }
    if (!visit.parent.empty()) out["parent"] = visit.parent;
    if (visit.position != 0) out["row"] = visit.position;
    if (visit.attempts != 0) out["failed_attempts"] = visit.attempts;
    if (!visit.code.empty()) out["code"] = visit.code;
    if (!visit.step.empty()) out["step"] = visit.step;
    if (!visit.reason.empty()) out["reason"] = visit.reason;
    if (visit.dead != 0) {
        out["dead_letter"] = visit.dead;
        if (const auto now = after_death(view, visit)) out["then"] = *now;
    }
    if (!visit.outputs.empty()) {
        array outputs;
        for (const trace::VisitOutput& one : visit.outputs) outputs.push_back(object{{"queue", one.queue}, {"id", one.id}});
        out["outputs"] = std::move(outputs);
    }
    if (visit.more_outputs != 0) out["more_outputs"] = visit.more_outputs;
    if (!visit.keys.empty()) {
        object keys;
        for (const trace::VisitKey& key : visit.keys) {
            if (key.name == records::kTrailKey && visit.queue == records::kRecordsQueue) continue;
            if (key.value.empty()) {
                keys[key.name] = nullptr;  // personal: only its keyed hash is there
            } else {
                keys[key.name] = key.value;
            }
        }
        if (!keys.empty()) out["keys"] = std::move(keys);
    }
    return out;
}

object index_object(const MessagesView& view) {
    const trace::IndexStats stats = view.index.stats();
    array gaps;
    for (const trace::IndexGap& gap : stats.gaps) {
        gaps.push_back(
            object{{"from", to_rfc3339(gap.from)}, {"to", to_rfc3339(gap.to)}, {"visits", gap.visits}, {"why", gap.why}});
    }
    object days;
    for (const auto& [day, bytes] : stats.days) days[day] = bytes;
    return {{"visits", stats.visits},        {"bytes", stats.bytes},
            {"files", stats.files},          {"from", stats.visits == 0 ? std::string() : to_rfc3339(stats.from)},
            {"dropped", stats.dropped},      {"trouble", stats.trouble},
            {"gaps", std::move(gaps)},       {"days", std::move(days)},
            {"live", view.queues != nullptr}};
}

// The messages that came to the routes, for visits in the records.
void as_they_came(const MessagesView& view, const std::string& route, std::vector<Visit>& visits, array& out,
                  std::set<std::string>& seen) {
    for (const Visit& visit : visits) {
        bool found = false;
        if (!visit.parent.empty()) {
            for (const Visit& parent : view.index.of_id(visit.parent)) {
                const bool made = std::any_of(parent.outputs.begin(), parent.outputs.end(),
                                              [&visit](const trace::VisitOutput& one) { return one.id == visit.id; });
                if (!made) continue;
                found = true;
                if ((!route.empty() && route_of(parent) != route) || !seen.insert(parent.id + visit.id).second) continue;
                object one = visit_object(view, parent);
                one["record"] = to_string(visit.state);
                out.push_back(std::move(one));
            }
        }
        if (!found && route.empty() && seen.insert(visit.id).second) out.push_back(visit_object(view, visit));
    }
}

}  // namespace

object find_messages(const MessagesView& view, const MessagesAsked& asked) {
    trace::MessageQuery query;
    if (asked.most < 1 || asked.most > kMessagesMost)
        throw Error(Fault::kPoison, "MGMT-002", "reading the request", "'most' is a number from 1 to 10000");
    query.most = static_cast<std::size_t>(asked.most);
    if (!asked.state.empty()) {
        query.state = trace::visit_state(asked.state);
        if (!query.state) {
            std::string all;
            for (std::size_t i = 0; i < trace::kVisitStates; ++i)
                all += (i == 0 ? "" : ", ") + std::string(to_string(static_cast<VisitState>(i)));
            throw Error(Fault::kPoison, "MGMT-002", "reading the request", "'" + asked.state + "' is no state").expected(all);
        }
    }
    if (!asked.since.empty()) query.since = time_asked(asked.since);
    if (!asked.until.empty()) query.until = time_asked(asked.until);
    if (!asked.key.empty()) {
        const auto equals = asked.key.find('=');
        if (equals != std::string::npos) query.key_name = asked.key.substr(0, equals);
        query.key = view.hasher(equals == std::string::npos ? asked.key : asked.key.substr(equals + 1));
    }
    query.admit = [&view](const Visit& visit) {
        if (view.queues == nullptr || visit.state != VisitState::kWaiting) return true;
        return there(*view.queues, visit.queue, visit.sequence);
    };
    array found;
    std::set<std::string> seen;
    bool complete = true;
    if (!asked.learner.empty() || (query.state && of_records(*query.state))) {
        if (query.key && asked.learner.empty())
            throw Error(Fault::kPoison, "MGMT-002", "reading the request", "a key goes with the states of a route")
                .expected("--key without --state " + asked.state + ": each message shows what became of it in 'trace'");
        query.queues = {records::kRecordsQueue};
        std::vector<std::optional<std::uint64_t>> keys{std::nullopt};
        if (!asked.learner.empty()) {
            if (!view.trails)
                throw Error(Fault::kPoison, "MGMT-031", "looking for a learner's messages",
                            "the learner records are read by the running bus alone");
            keys.clear();
            for (const std::uint64_t trail : view.trails(asked.learner)) keys.emplace_back(trail);
            query.key_name = records::kTrailKey;
        }
        std::vector<Visit> visits;
        for (const auto& key : keys) {
            query.key = key;
            auto page = view.index.find(query);
            complete = complete && page.complete;
            std::move(page.visits.begin(), page.visits.end(), std::back_inserter(visits));
        }
        std::stable_sort(visits.begin(), visits.end(), [](const Visit& a, const Visit& b) { return a.ended > b.ended; });
        if (visits.size() > query.most) {
            visits.resize(query.most);
            complete = false;
        }
        as_they_came(view, asked.route, visits, found, seen);
    } else {
        if (asked.route.empty()) {
            query.queues = {"in/"};
            if (query.state && *query.state == VisitState::kDead) query.queues = {"in/", "out/", "step/", "records"};
        } else {
            query.queues = {"in/" + asked.route};
            if (query.state && *query.state == VisitState::kDead)
                query.queues.insert(query.queues.end(), {"out/" + asked.route + "/", "step/" + asked.route + "/"});
        }
        if (query.state && *query.state == VisitState::kDead)
            query.admit = [&view](const Visit& visit) { return visit.dead != 0 && !after_death(view, visit); };
        const auto page = view.index.find(query);
        complete = page.complete;
        for (const Visit& visit : page.visits) found.push_back(visit_object(view, visit));
    }
    const auto count = found.size();
    return {{"messages", std::move(found)}, {"count", count}, {"complete", complete}, {"index", index_object(view)}};
}

object journey_of(const MessagesView& view, const std::string& id, std::int64_t children) {
    // Up: what it was made from, the nearest first.
    std::vector<std::string> up;
    std::set<std::string> known{id};
    std::vector<std::string> look{id};
    for (int n = 0; n < kAncestorsMost && !look.empty(); ++n) {
        std::vector<std::string> next;
        for (const std::string& one : look) {
            std::vector<std::string> parents;
            for (const Visit& visit : view.index.of_id(one, 50)) {
                if (!visit.parent.empty()) parents.push_back(visit.parent);
            }
            for (const Visit& visit : view.index.made(one)) parents.push_back(visit.id);
            for (const std::string& parent : parents) {
                if (!known.insert(parent).second) continue;
                up.push_back(parent);
                next.push_back(parent);
            }
        }
        look = std::move(next);
    }
    array journey;
    bool complete = true, found = false;
    const auto add = [&](const Visit& visit, const char* relation, int depth) {
        if (journey.size() >= kJourneyMost) {
            complete = false;
            return;
        }
        object one = visit_object(view, visit);
        one["is"] = relation;
        one["depth"] = depth;
        journey.push_back(std::move(one));
    };
    for (auto at = up.rbegin(); at != up.rend(); ++at) {
        for (const Visit& visit : view.index.of_id(*at)) add(visit, "parent", 0);
    }
    // Down: each message with all of its visits, then what they made.
    std::set<std::string> shown(up.begin(), up.end());
    const std::function<void(const std::string&, const char*, int)> down = [&](const std::string& one, const char* relation,
                                                                               int depth) {
        if (!shown.insert(one).second) return;
        const auto visits = view.index.of_id(one);
        found = found || (depth == 0 && !visits.empty());
        for (const Visit& visit : visits) {
            add(visit, relation, depth);
            if (!complete) return;
            for (const trace::VisitOutput& output : visit.outputs) {
                if (output.id != one && view.index.of_id(output.id, 1).empty() && shown.insert(output.id).second) {
                    journey.push_back(object{{"id", output.id},
                                             {"queue", output.queue},
                                             {"state", "on-its-way"},
                                             {"is", "output"},
                                             {"depth", depth + 1}});
                }
                down(output.id, "output", depth + 1);
            }
            if (visit.state != VisitState::kSplit) continue;
            auto records = view.index.children(one, static_cast<std::size_t>(children) + 1);
            if (records.size() > static_cast<std::size_t>(children)) {
                records.resize(static_cast<std::size_t>(children));
                complete = false;
            }
            for (const Visit& record : records) down(record.id, "record", depth + 1);
        }
    };
    down(id, "message", 0);
    if (!found && journey.empty())
        throw Error(Fault::kPoison, "MGMT-032", "tracing a message", "nothing is known of a message of this id")
            .expected("the id of a message, as 'messages' shows it");
    return {{"id", id}, {"journey", std::move(journey)}, {"complete", complete}, {"index", index_object(view)}};
}

namespace {

MessagesView live_view(const Call& call) {
    return {call.parts.index, call.parts.hasher, &call.parts.queues,
            [&store = call.parts.store](const std::string& learner) { return store.trails(learner); }};
}

MessagesAsked asked_of(const std::function<std::string(const char*)>& text, std::int64_t most) {
    return {text("route"), text("key"), text("learner"), text("state"), text("since"), text("until"), most};
}

}  // namespace

object messages(const Call& call) {
    return find_messages(live_view(call),
                         asked_of([&call](const char* name) { return call.text(name); }, call.number("most", 100)));
}

object trace_message(const Call& call) {
    return journey_of(live_view(call), call.required("id"), std::clamp<std::int64_t>(call.number("children", 20), 0, 1000));
}

}  // namespace clrbus::management

namespace clrbus {

std::string call_stopped(const std::filesystem::path& state, std::string_view request) {
    using management::find_messages, management::journey_of, management::MessagesView, management::asked_of, management::object;
    try {
        const object asked = boost::json::parse({request.data(), request.size()}).as_object();
        const auto text = [&asked](const char* name) {
            const auto* value = asked.if_contains(name);
            return value != nullptr && value->is_string() ? std::string(std::string_view(value->get_string())) : std::string();
        };
        const auto number = [&asked](const char* name, std::int64_t otherwise) {
            const auto* value = asked.if_contains(name);
            return value != nullptr && value->is_int64() ? value->get_int64() : otherwise;
        };
        trace::IndexOptions options;
        options.directory = (state / "trace").string();
        options.read_only = true;
        trace::Index index(options);
        const trace::KeyHasher hasher(crypto::KeyFile::load(state / "storage.key").derive(trace::kKeyPurpose));
        const MessagesView view{index, hasher, nullptr, {}};
        const object out = text("command") == "trace"
                               ? journey_of(view, text("id"), std::clamp<std::int64_t>(number("children", 20), 0, 1000))
                               : find_messages(view, asked_of(text, number("most", 100)));
        return boost::json::serialize(out);
    } catch (const Error& e) {
        return boost::json::serialize(object{{"error",
                                              {{"code", e.code()},
                                               {"text", e.what()},
                                               {"exit", e.fault() == Fault::kConfig ? 3
                                                        : e.fault() == Fault::kAway ? 4
                                                                                    : 1}}}});
    } catch (const std::exception&) {
        return boost::json::serialize(
            object{{"error", {{"code", "MGMT-001"}, {"text", "a request is a JSON object"}, {"exit", 2}}}});
    }
}

}  // namespace clrbus
