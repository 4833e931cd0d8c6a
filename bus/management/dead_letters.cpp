// Dead letters: what could not work, with place and reason; shown, replayed, discarded.
#include <future>

#include "core/error.hpp"
#include "management/commands.hpp"
#include "records/store.hpp"
#include "routing/engine.hpp"

namespace clrbus::management {
namespace {

std::vector<std::string> routes_of(const Call& call) {
    const std::string route = call.text("route");
    std::vector<std::string> out;
    for (const auto& one : call.parts.engine.routes()) {
        if (route.empty() || one->id() == route) out.push_back(one->id());
    }
    if (out.empty() && !route.empty())
        throw Error(Fault::kPoison, "MGMT-003", "listing dead letters", "there is no route '" + route + "'");
    return out;
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
            {"bytes", dead.message.body().size()}};
}

void wait_for(std::future<CommitState> done) {
    if (done.wait_for(std::chrono::seconds(30)) != std::future_status::ready)
        throw Error(Fault::kAway, "MGMT-004", "waiting for the journal", "no answer for 30 s");
    if (done.get() != CommitState::kDone)
        throw Error(Fault::kAway, "MGMT-005", "writing to the journal", "the disk is full, or the journal failed");
}

// Every dead letter of the routes asked for, or the one with the number given.
template <typename Each>
std::int64_t for_each_dead(const Call& call, const Each& each) {
    const std::int64_t number = call.number("number", 0);
    const std::string code = call.text("code");
    std::int64_t count = 0;
    for (const std::string& route : routes_of(call)) {
        std::uint64_t from = static_cast<std::uint64_t>(number);
        for (;;) {
            const auto found = call.parts.queues.browse("dead/" + route, from, number != 0 ? 1 : 500);
            for (const BrowsedMessage& dead : found) {
                from = dead.sequence + 1;
                if (number != 0 && dead.sequence != static_cast<std::uint64_t>(number)) continue;
                if (!code.empty() && dead.headers.get(header::kDeadCode) != code) continue;
                each(route, dead);
                ++count;
            }
            if (number != 0 || found.size() < 500) break;
        }
    }
    if (number != 0 && count == 0)
        throw Error(Fault::kPoison, "DEAD-001", "looking for a dead letter", "there is none of this number");
    return count;
}

}  // namespace

object dead_list(const Call& call) {
    const std::int64_t most = call.number("most", 1000);
    array out;
    std::int64_t all = 0;
    for (const std::string& route : routes_of(call)) {
        std::uint64_t from = 0;
        for (;;) {
            const auto found = call.parts.queues.browse("dead/" + route, from, 500);
            for (const BrowsedMessage& dead : found) {
                from = dead.sequence + 1;
                if (++all <= most) out.push_back(dead_object(route, dead));
            }
            if (found.size() < 500) break;
        }
    }
    return {{"count", all}, {"dead", std::move(out)}};
}

object dead_show(const Call& call) {
    object out;
    if (call.number("number", 0) == 0) throw Error(Fault::kPoison, "MGMT-002", "reading the request", "'number' is missing");
    const records::Reader reader{records::Reader::Kind::kStaff, call.who, ""};
    for_each_dead(call, [&](const std::string& route, const BrowsedMessage& dead) {
        // The body may be about anybody: who looked at it is written down before it is shown.
        call.parts.store.disclose(reader, "", "dead letter", "dead/" + route + "/" + std::to_string(dead.sequence));
        out = dead_object(route, dead);
        const std::string body = dead.message.body_copy();
        out["body"] = body.substr(0, 1U << 20);
        object headers;
        for (const auto& [name, value] : dead.headers.entries()) headers[name] = value;
        out["headers"] = std::move(headers);
    });
    return out;
}

object dead_replay(const Call& call) {
    std::vector<std::pair<std::string, std::uint64_t>> chosen;
    for_each_dead(call,
                  [&](const std::string& route, const BrowsedMessage& dead) { chosen.emplace_back(route, dead.sequence); });
    const bool dry = call.text("dry") == "true";
    array out;
    for (const auto& [route, sequence] : chosen) {
        out.push_back(object{{"route", route}, {"number", sequence}});
        if (dry) continue;
        auto done = std::make_shared<std::promise<CommitState>>();
        auto future = done->get_future();
        call.parts.engine.replay(route, sequence, [done](CommitState state) { done->set_value(state); });
        wait_for(std::move(future));
    }
    return {{"replayed", dry ? 0 : static_cast<std::int64_t>(chosen.size())}, {"dry", dry}, {"messages", std::move(out)}};
}

object dead_discard(const Call& call) {
    const std::string why = call.required("why");
    std::vector<std::pair<std::string, std::uint64_t>> chosen;
    for_each_dead(call,
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

}  // namespace clrbus::management
