// Dead letters: what could not work, with place and reason; shown, replayed, discarded.
#include <future>
#include <optional>

#include "core/error.hpp"
#include "crypto/base64.hpp"
#include "management/commands.hpp"
#include "records/store.hpp"
#include "routing/engine.hpp"

namespace clrbus::management {
namespace {

constexpr std::size_t kShownMost = 1U << 20;

// One that was corrected by hand; the difference holds values of a person, so who looked at it is written down first.
object edit_object(const Call& call, const DeadEdit& edit) {
    object out{{"route", edit.route}, {"number", edit.number}, {"id", edit.id},     {"child", edit.child},
               {"from", edit.from},   {"to", edit.to},         {"by", edit.by},     {"at", edit.at},
               {"why", edit.why},     {"code", edit.code},     {"step", edit.step}, {"corrected_by_hand", true}};
    if (call.text("values") != "true") return out;
    const records::Reader reader{records::Reader::Kind::kStaff, call.who, ""};
    call.parts.store.disclose(reader, "", "dead letter, its correction",
                              "dead/" + edit.route + "/" + std::to_string(edit.number));
    out["difference"] = call.parts.engine.difference(edit);
    return out;
}

std::vector<std::string> routes_of(const Call& call) {
    const std::string route = call.text("route");
    std::vector<std::string> out;
    for (const auto& one : call.parts.engine.routes()) {
        if (route.empty() || one->id() == route) out.push_back(one->id());
    }
    // What the learner records could not take, and routes that do not compile now: their queues are there.
    if (route.empty() ? call.parts.queues.exists("dead/records") : out.empty() && call.parts.queues.exists("dead/" + route))
        out.push_back(route.empty() ? "records" : route);
    if (out.empty() && !route.empty())
        throw Error(Fault::kPoison, "MGMT-003", "listing dead letters", "there is no route '" + route + "'");
    return out;
}

// Of a dead letter, what may be shown without looking at the person's values.
bool is_fact(std::string_view name) {
    return (name.rfind("clrbus-", 0) == 0 || name == header::kTrace) && name != header::kDeadDocument && name != header::kApply;
}

object dead_object(const std::string& route, const BrowsedMessage& dead) {
    const auto header = [&dead](std::string_view name) { return std::string(dead.headers.get(name)); };
    return {{"route", route},
            {"number", dead.sequence},
            {"id", dead.message.message_id()},
            {"name", header(header::kName)},
            {"row", header(header::kPosition)},
            {"step", header(header::kDeadStep)},
            {"code", header(header::kDeadCode)},
            {"path", header(header::kDeadPath)},
            {"line", header(header::kDeadLine)},
            {"reason", header(header::kDeadReason)},
            {"expected", header(header::kDeadExpected)},
            {"at", header(header::kDeadAt)},
            {"attempts", header(header::kDeadAttempts)},
            {"accepted", header(header::kAcceptedAt)},
            {"generation", header(header::kGeneration)},
            {"original", header(header::kOriginal)},
            {"trace", header(header::kTrace)},
            {"history", header(header::kHistory)},
            {"bytes", dead.message.body().size()}};
}

void wait_for(std::future<CommitState> done) {
    if (done.wait_for(std::chrono::seconds(30)) != std::future_status::ready)
        throw Error(Fault::kAway, "MGMT-004", "waiting for the journal", "no answer for 30 s");
    if (done.get() != CommitState::kDone)
        throw Error(Fault::kAway, "MGMT-005", "writing to the journal", "the disk is full, or the journal failed");
}

// Which of them: numbers, code, step, since, most; all without any.
struct Selection {
    std::vector<std::uint64_t> numbers;
    std::string code, step;
    std::optional<Time> since;
    std::int64_t most = 0;  // 0: no limit

    explicit Selection(const Call& call) : code(call.text("code")), step(call.text("step")), most(call.number("most", 0)) {
        if (const std::int64_t number = call.number("number", 0); number != 0)
            numbers.push_back(static_cast<std::uint64_t>(number));
        if (const auto* list = call.arguments.if_contains("numbers"); list != nullptr && list->is_array()) {
            for (const auto& one : list->as_array()) {
                if (!one.is_int64() || one.get_int64() <= 0)
                    throw Error(Fault::kPoison, "MGMT-002", "reading the request", "'numbers' holds what is no number");
                numbers.push_back(static_cast<std::uint64_t>(one.get_int64()));
            }
        }
        std::string from = call.text("since");
        if (from.size() == 10) from += "T00:00:00Z";
        if (!from.empty()) since = from_rfc3339(from);
    }
    bool named() const { return !numbers.empty(); }
    bool takes(const BrowsedMessage& dead) const {
        if (!code.empty() && dead.headers.get(header::kDeadCode) != code) return false;
        if (!step.empty() && dead.headers.get(header::kDeadStep) != step) return false;
        if (!since) return true;
        const std::string_view at = dead.headers.get(header::kDeadAt);
        return !at.empty() && from_rfc3339(at) >= *since;
    }
};

// Every dead letter of the routes asked for that the selection takes. Throws Error(kPoison, "DEAD-001") when one that is named
// by its number is not there.
template <typename Each>
std::int64_t for_each_dead(const Call& call, const Selection& selection, const Each& each) {
    std::int64_t count = 0;
    const auto one = [&](const std::string& route, const BrowsedMessage& dead) {
        if (!selection.takes(dead) || (selection.most != 0 && count >= selection.most)) return;
        each(route, dead);
        ++count;
    };
    const auto routes = routes_of(call);
    for (const std::uint64_t number : selection.numbers) {
        bool found = false;
        for (const std::string& route : routes) {
            const auto dead = call.parts.queues.browse("dead/" + route, number, 1);
            if (dead.empty() || dead.front().sequence != number) continue;
            one(route, dead.front());
            found = true;
        }
        if (!found)
            throw Error(Fault::kPoison, "DEAD-001", "looking for a dead letter",
                        "there is none of the number " + std::to_string(number));
    }
    if (selection.named()) return count;
    for (const std::string& route : routes) {
        std::uint64_t from = 0;
        for (;;) {
            const auto found = call.parts.queues.browse("dead/" + route, from, 500);
            for (const BrowsedMessage& dead : found) {
                from = dead.sequence + 1;
                one(route, dead);
            }
            if (found.size() < 500 || (selection.most != 0 && count >= selection.most)) break;
        }
    }
    return count;
}

ReplayOptions replay_options(const Call& call) {
    ReplayOptions options;
    options.who = call.who;
    options.at = call.parts.clock.now();
    const std::string from = call.text("from");
    if (from == "start") options.from = ReplayOptions::From::kStart;
    if (from == "step") options.from = ReplayOptions::From::kStep;
    std::string only = call.text("only");
    for (std::size_t at = 0; at < only.size();) {
        const std::size_t end = std::min(only.find_first_of(", ", at), only.size());
        if (end != at) options.only.push_back(only.substr(at, end - at));
        at = end + 1;
    }
    for (const std::string& name : options.only) {
        if (name == "records" || name.rfind("route:", 0) == 0 || name.rfind("out:", 0) == 0) continue;
        throw Error(Fault::kPoison, "DEAD-006", "choosing outputs", "'" + name + "' is no name of an output")
            .expected("records, route:ID or out:NAME");
    }
    return options;
}

object plan_object(const ReplayPlan& plan) {
    object out;
    array outputs, outside;
    for (const ReplayPlan::Output& one : plan.outputs)
        outputs.push_back(object{{"to", one.to}, {"id", one.id}, {"suppressed", one.suppressed}});
    for (const ReplayPlan::Outside& one : plan.outside)
        outside.push_back(object{{"step", one.step}, {"does", one.kind}, {"what", one.target}, {"times", one.times}});
    out["outputs"] = std::move(outputs);
    out["outside"] = std::move(outside);
    if (plan.children != 0) out["children"] = plan.children;
    if (!plan.filtered.empty()) out["filtered"] = plan.filtered;
    if (plan.error) {
        out["fails"] = {{"count", plan.fails},
                        {"code", plan.error->code()},
                        {"path", plan.error->where().path},
                        {"reason", plan.error->why()}};
    }
    return out;
}

}  // namespace

object dead_list(const Call& call) {
    const std::int64_t most = call.number("most", 1000);
    Selection selection(call);
    selection.most = 0;
    array out;
    std::int64_t all = 0;
    for_each_dead(call, selection, [&](const std::string& route, const BrowsedMessage& dead) {
        if (++all <= most) out.push_back(dead_object(route, dead));
    });
    return {{"count", all}, {"dead", std::move(out)}};
}

object dead_show(const Call& call) {
    object out;
    const Selection selection(call);
    if (!selection.named()) throw Error(Fault::kPoison, "MGMT-002", "reading the request", "'number' is missing");
    const bool values = call.text("values") == "true";
    if (const auto edit = call.parts.engine.edited(call.text("route"), selection.numbers.front()))
        return edit_object(call, *edit);  // it is no dead letter any more
    const records::Reader reader{records::Reader::Kind::kStaff, call.who, ""};
    for_each_dead(call, selection, [&](const std::string& route, const BrowsedMessage& dead) {
        // The body may be about anybody: who looked at it is written down before it is shown.
        if (values) call.parts.store.disclose(reader, "", "dead letter", "dead/" + route + "/" + std::to_string(dead.sequence));
        out = dead_object(route, dead);
        if (values) out["body"] = call.parts.engine.dead_body(dead, kShownMost);
        object headers;
        for (const auto& [name, value] : dead.headers.entries()) {
            if (values || is_fact(name)) headers[name] = value;
        }
        out["headers"] = std::move(headers);
    });
    return out;
}

object dead_replay(const Call& call) {
    const Selection selection(call);
    const ReplayOptions options = replay_options(call);
    std::vector<std::pair<std::string, std::uint64_t>> chosen;
    for_each_dead(call, selection,
                  [&](const std::string& route, const BrowsedMessage& dead) { chosen.emplace_back(route, dead.sequence); });
    const bool dry = call.text("dry") == "true";
    array out;
    std::uint64_t records = 0, others = 0, suppressed = 0, fails = 0, outside = 0;
    if (dry) {
        for (const auto& [route, sequence] : chosen) {
            const ReplayPlan plan = call.parts.engine.plan(route, sequence, options);
            object one = plan_object(plan);
            one["route"] = route;
            one["number"] = sequence;
            out.push_back(std::move(one));
            records += plan.records;
            others += plan.others;
            suppressed += plan.suppressed;
            fails += plan.fails;
            for (const ReplayPlan::Outside& effect : plan.outside) outside += effect.times;
        }
        return {{"replayed", 0},
                {"dry", true},
                {"messages", std::move(out)},
                {"selected", chosen.size()},
                {"records", records},
                {"other_outputs", others},
                {"suppressed", suppressed},
                {"outside", outside},
                {"would_fail", fails}};
    }
    // All of them can go, or none goes.
    for (const auto& [route, sequence] : chosen) call.parts.engine.check_replay(route, sequence, options);
    std::vector<std::future<CommitState>> waits;
    for (const auto& [route, sequence] : chosen) {
        out.push_back(object{{"route", route}, {"number", sequence}});
        auto done = std::make_shared<std::promise<CommitState>>();
        waits.push_back(done->get_future());
        call.parts.engine.replay(
            route, sequence, [done](CommitState state) { done->set_value(state); }, options);
    }
    for (auto& wait : waits) wait_for(std::move(wait));
    return {{"replayed", chosen.size()}, {"dry", false}, {"messages", std::move(out)}};
}

object dead_discard(const Call& call) {
    const std::string why = call.required("why");
    std::vector<std::pair<std::string, std::uint64_t>> chosen;
    for_each_dead(call, Selection(call),
                  [&](const std::string& route, const BrowsedMessage& dead) { chosen.emplace_back(route, dead.sequence); });
    const records::Reader reader{records::Reader::Kind::kStaff, call.who, ""};
    for (const auto& [route, sequence] : chosen) {
        call.parts.store.disclose(reader, "", "dead letter discarded: " + why,
                                  "dead/" + route + "/" + std::to_string(sequence));
        auto done = std::make_shared<std::promise<CommitState>>();
        auto future = done->get_future();
        call.parts.engine.discard(route, sequence, [done](CommitState state) { done->set_value(state); });
        wait_for(std::move(future));
    }
    return {{"discarded", chosen.size()}};
}

object dead_edit(const Call& call) {
    const std::string route = call.required("route");
    const Selection selection(call);
    if (selection.numbers.size() != 1) throw Error(Fault::kPoison, "MGMT-002", "reading the request", "'number' is missing");
    const std::uint64_t number = selection.numbers.front();
    const auto edited = call.parts.engine.edited(route, number);
    if (call.text("show") == "true") {
        if (!edited)
            throw Error(Fault::kPoison, "DEAD-001", "looking for a correction", "no dead letter of that number was corrected");
        return edit_object(call, *edited);
    }
    const records::Reader reader{records::Reader::Kind::kStaff, call.who, ""};
    const std::string what = "dead/" + route + "/" + std::to_string(number);
    if (call.text("read") == "true") {  // for an editor: the bytes as they are
        object out;
        for_each_dead(call, selection, [&](const std::string& of, const BrowsedMessage& dead) {
            const std::string body = call.parts.engine.dead_body(dead, kEditMost + 1);
            check_edit(of, dead, body);
            call.parts.store.disclose(reader, "", "dead letter, to correct it", what);
            out["body"] = crypto::base64(body);
        });
        return out;
    }
    const auto body = crypto::from_base64(call.text("body"));
    if (!body) throw Error(Fault::kPoison, "MGMT-002", "reading the request", "'body' is not base64");
    const std::string why = call.required("why");
    check_edit_reason(why);
    // That somebody tried is written down before it is done.
    call.parts.store.disclose(reader, "", "dead letter corrected by hand: " + why, what);
    return edit_object(call, call.parts.engine.edit(route, number, {*body, call.who, why, call.parts.clock.now()}));
}

}  // namespace clrbus::management
