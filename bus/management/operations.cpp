// What stands still, what is where, and whether it adds up.
#include <chrono>
#include <thread>

#include "core/error.hpp"
#include "core/log.hpp"
#include "management/commands.hpp"
#include "records/store.hpp"
#include "routing/engine.hpp"
#include "routing/ledger.hpp"
#include "routing/outbox.hpp"
#include "routing/reloader.hpp"
#include "trace/statistics.hpp"

namespace clrbus::management {
namespace {

// Nothing stands still while the oldest message is younger than this.
constexpr std::chrono::minutes kOld{15};

std::string time_text(Time time) {
    return time == Time{} ? std::string() : to_rfc3339(time);
}

object queue_object(const QueueState& state) {
    return {{"queue", state.name},      {"ready", state.ready}, {"in_hand", state.in_hand},
            {"delayed", state.delayed}, {"bytes", state.bytes}, {"oldest", time_text(state.oldest)}};
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
    array problems;
    const auto problem = [&problems](std::string what, std::string since, std::string todo) {
        problems.push_back(object{{"what", std::move(what)}, {"since", std::move(since)}, {"do", std::move(todo)}});
    };
    if (const std::string failed = parts.journal_failure(); !failed.empty()) {
        problem("the journal takes nothing: " + failed, "",
                "free or repair the disk, then restart: what was accepted is on disk");
    }
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
        if (state.paused)
            problem("route '" + state.id + "' is paused: " + state.reason, time_text(state.since),
                    "clrbus dead list " + state.id + "; mend; clrbus resume " + state.id);
        if (inbox.oldest != Time{} && parts.clock.now() - inbox.oldest > kOld) {
            problem("route '" + state.id + "': the oldest message waits", time_text(inbox.oldest),
                    "clrbus queues; look for a route that is paused or a far side that is away");
        }
    }
    for (const RouteReloader::Refused& one : parts.routes.refused()) {
        const std::string what = one.route.empty() ? "file " + one.file.string() : "route '" + one.route + "'";
        problem(what + (one.runs ? ": a change is refused, the generation before runs on: " : " does not run: ") + one.code +
                    ": " + one.text,
                time_text(one.since), "mend the file, it is taken by itself; or clrbus route rollback " + one.route);
    }
    for (const auto& [name, state] : queues) {
        const std::uint64_t waiting = state.ready + state.in_hand + state.delayed;
        if (name.rfind("in/", 0) != 0 || waiting == 0 || parts.engine.route(name.substr(3)) != nullptr) continue;
        problem("no route takes what waits in " + name + " (" + std::to_string(waiting) + ")", time_text(state.oldest),
                "put the route back, or mend it: see clrbus route list");
    }
    for (const DoorHealth& door : parts.doors()) {
        if (!door.ok)
            problem("door " + door.door + ": " + door.text, time_text(door.since),
                    "see the door's README, section When it fails");
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
        const std::string waiting = ", " + std::to_string(one.waiting) + " wait";
        if (one.kind == EndpointState::Kind::kAway) {
            problem("endpoint '" + one.queue + "' is away: " + one.code + waiting, time_text(one.since),
                    "look at the far side; nothing is lost, and it goes on by itself (clrbus resume " + one.route +
                        " tries at once)");
        } else if (one.kind != EndpointState::Kind::kOk) {
            problem("endpoint '" + one.queue + "' is " + std::string(to_string(one.kind)) + ": " + one.reason + waiting,
                    time_text(one.since),
                    one.kind == EndpointState::Kind::kPaused
                        ? "clrbus dead list " + one.route + "; mend; clrbus resume " + one.route
                        : "mend the endpoint in the route's file");
        }
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
    // Sums and depths are read one after the other: what moves in between shows as a difference, and is gone at the next look.
    std::vector<LedgerLine> lines;
    bool balanced = false;
    for (int look = 0; look < 20 && !balanced; ++look) {
        if (look != 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
        lines = ledger_lines(call.parts.queues.ledger(), call.parts.queues.states());
        balanced = true;
        for (const LedgerLine& line : lines) balanced = balanced && line.balanced();
    }
    array out;
    for (const LedgerLine& line : lines) {
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
    return {{"balanced", balanced}, {"accounts", std::move(out)}};
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

object resume(const Call& call) {
    const std::string route = call.required("route");
    const bool endpoints = call.parts.resume_endpoints(route);
    if (!call.parts.engine.resume(route) && !endpoints)
        throw Error(Fault::kPoison, "MGMT-003", "resuming", "there is no route '" + route + "'");
    return {{"route", route}, {"state", "running"}};
}

}  // namespace clrbus::management
