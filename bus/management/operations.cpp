// What stands still, what is where, and whether it adds up.
#include <chrono>
#include <map>
#include <vector>

#include "core/error.hpp"
#include "core/log.hpp"
#include "management/commands.hpp"
#include "management/conditions.hpp"
#include "records/store.hpp"
#include "routing/engine.hpp"
#include "routing/ledger.hpp"
#include "routing/outbox.hpp"
#include "trace/statistics.hpp"

namespace clrbus::management {
namespace {

std::string time_text(Time time) {
    return time == Time{} ? std::string() : to_rfc3339(time);
}

object queue_object(const QueueState& state) {
    return {{"queue", state.name},      {"ready", state.ready}, {"in_hand", state.in_hand},
            {"delayed", state.delayed}, {"bytes", state.bytes}, {"oldest", time_text(state.oldest)}};
}

object condition_object(const alerts::Condition& one, Time now) {
    const auto age = one.oldest == Time{} ? std::chrono::milliseconds(0) : now - one.oldest;
    return {{"what", one.what},
            {"since", time_text(one.since)},
            {"oldest", time_text(one.oldest)},
            {"oldest_seconds", std::chrono::duration_cast<std::chrono::seconds>(age).count()},
            {"do", one.todo},
            {"code", one.code},
            {"page", "clrbus explain " + one.code},
            {"kind", one.kind},
            {"key", one.key}};
}

object statistics_object(const trace::RouteStatistics& one) {
    object out{{"route", one.route},
               {"received", one.received},
               {"made", one.made},
               {"delivered", one.delivered},
               {"filtered", one.filtered},
               {"duplicate", one.duplicate},
               {"applied", one.applied},
               {"unchanged", one.unchanged},
               {"waiting", one.waiting},
               {"dead", one.dead},
               {"dead_now", one.dead_now},
               {"last_received", time_text(one.last_received)},
               {"last_success", time_text(one.last_success)},
               {"day", one.day},
               {"dead_day", one.dead_day},
               {"weekday", nullptr},
               {"rate", nullptr}};
    if (one.weekday) out["weekday"] = *one.weekday;
    if (one.rate) out["rate"] = *one.rate;
    return out;
}

}  // namespace

object status(const Call& call) {
    const Management::Parts& parts = call.parts;
    array problems, warnings;
    std::vector<alerts::Condition> found = find_conditions(parts, false);
    // The alerts look at the ledger, which may take a second.
    for (const alerts::OpenAlert& open : parts.alerts.open()) {
        if (open.condition.kind == "ledger") found.push_back(open.condition);
    }
    for (alerts::Condition& one : parts.alerts.undelivered()) found.push_back(std::move(one));
    std::erase_if(found, [](const alerts::Condition& one) { return !one.begins; });
    for (const alerts::Condition& one : found)
        (one.still ? problems : warnings).push_back(condition_object(one, parts.clock.now()));
    std::map<std::string, QueueState> queues;
    for (const QueueState& state : parts.queues.states()) queues[state.name] = state;
    array routes;
    for (const RouteState& state : parts.engine.states()) {
        const QueueState& inbox = queues["in/" + state.id];
        const QueueState& dead = queues["dead/" + state.id];
        routes.push_back(object{{"route", state.id},
                                {"generation", state.generation},
                                {"state", state.paused ? "paused" : "running"},
                                {"reason", state.reason},
                                {"since", time_text(state.since)},
                                {"waiting", inbox.ready + inbox.in_hand + inbox.delayed},
                                {"oldest", time_text(inbox.oldest)},
                                {"dead", dead.ready + dead.in_hand},
                                {"done", state.done},
                                {"last_done", time_text(state.last_done)}});
    }
    array endpoints;
    for (const EndpointState& one : parts.endpoints()) {
        endpoints.push_back(object{{"endpoint", one.queue},
                                   {"route", one.route},
                                   {"state", to_string(one.kind)},
                                   {"since", time_text(one.since)},
                                   {"next_try", time_text(one.next_try)},
                                   {"code", one.code},
                                   {"reason", one.reason},
                                   {"waiting", one.waiting},
                                   {"done", one.done},
                                   {"last_done", time_text(one.last_done)}});
    }
    array steps;
    for (const StepKeeper::Waiting& one : parts.engine.keeper().waiting()) {
        steps.push_back(object{{"queue", one.queue},
                               {"route", one.route},
                               {"step", one.step},
                               {"condition", one.condition},
                               {"waiting", one.messages},
                               {"groups", one.groups},
                               {"next", time_text(one.next)}});
    }
    array statistics;
    for (const trace::RouteStatistics& one : parts.statistics.routes()) statistics.push_back(statistics_object(one));
    const auto counts = parts.store.counts();
    const QueueState& records = queues["records"];
    object out{{"version", parts.version},
               {"started", time_text(parts.started)},
               {"ok", problems.empty()},
               {"problems", std::move(problems)},
               {"warnings", std::move(warnings)},
               {"routes", std::move(routes)},
               {"endpoints", std::move(endpoints)},
               {"steps", std::move(steps)},
               {"statistics", std::move(statistics)},
               {"records",
                {{"learners", counts.learners},
                 {"statements", counts.statements},
                 {"definitions", counts.definitions},
                 {"waiting_for_identity", counts.waiting},
                 {"oldest_waiting", time_text(counts.oldest_waiting)},
                 {"queued", records.ready + records.in_hand + records.delayed}}}};
    return out;
}

object queues(const Call& call) {
    array out;
    for (const QueueState& state : call.parts.queues.states()) out.push_back(queue_object(state));
    return {{"queues", std::move(out)}};
}

object ledger(const Call& call) {
    const LedgerLook look = look_at_ledger(call.parts);
    array out;
    for (const LedgerLine& line : look.lines) {
        object one{{"account", line.account}};
        for (std::size_t i = 0; i < kOutcomes; ++i) {
            if (line.sums[i] != 0) one[to_string(static_cast<Outcome>(i))] = line.sums[i];
        }
        one["waiting"] = line.waiting;
        one["in"] = line.in;
        one["out"] = line.out;
        one["balanced"] = line.balanced();
        out.push_back(std::move(one));
    }
    return {{"balanced", look.balanced}, {"accounts", std::move(out)}};
}

object backup(const Call& call) {
    const std::string target = call.required("target");
    if (!call.parts.backup) {
        throw Error(Fault::kConfig, "MGMT-020", "making a backup", "the queues live at another broker")
            .expected("that broker's own backup, and the state directory of --role records");
    }
    const auto done = call.parts.backup(target);
    log::info("management", "backup of " + std::to_string(done.bytes) + " bytes by " + call.who);
    return {{"target", target}, {"files", done.files}, {"bytes", done.bytes}, {"made", done.made}};
}

object alerts_list(const Call& call) {
    array open, channels;
    for (const alerts::OpenAlert& one : call.parts.alerts.open()) {
        object line = condition_object(one.condition, call.parts.clock.now());
        line["began"] = time_text(one.began);
        open.push_back(std::move(line));
    }
    for (const alerts::ChannelState& one : call.parts.alerts.channels()) {
        channels.push_back(object{{"channel", one.name},
                                  {"state", one.failing_since == Time{} ? "ok" : "failing"},
                                  {"since", time_text(one.failing_since)},
                                  {"pending", one.pending},
                                  {"sent", one.sent},
                                  {"left_out", one.left_out},
                                  {"last_sent", time_text(one.last_sent)},
                                  {"code", one.code},
                                  {"error", one.error}});
    }
    return {{"open", std::move(open)}, {"channels", std::move(channels)}};
}

object alerts_test(const Call& call) {
    const std::string channel = call.text("channel");
    const auto tried = call.parts.alerts.test(channel);
    if (tried.empty())
        throw Error(Fault::kPoison, "MGMT-021", "testing the alerts",
                    channel.empty() ? "no channel is configured" : "there is no channel '" + channel + "'")
            .expected("<mail>, <webhook> or <command> in <alerts>; clrbus alerts list names them");
    array out;
    bool good = true;
    for (const auto& one : tried) {
        good = good && one.code.empty();
        out.push_back(
            object{{"channel", one.channel}, {"arrived", one.code.empty()}, {"code", one.code}, {"error", one.error}});
    }
    return {{"ok", good}, {"channels", std::move(out)}};
}

object resume(const Call& call) {
    const std::string route = call.required("route");
    const bool endpoints = call.parts.resume_endpoints(route);
    if (!call.parts.engine.resume(route) && !endpoints)
        throw Error(Fault::kPoison, "MGMT-003", "resuming", "there is no route '" + route + "'");
    return {{"route", route}, {"state", "running"}};
}

}  // namespace clrbus::management
