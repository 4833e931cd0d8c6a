// A steward's word about a generation of a route: given, withdrawn, listed.
#include <algorithm>

#include "core/error.hpp"
#include "management/commands.hpp"
#include "records/store.hpp"
#include "routing/reloader.hpp"

namespace clrbus::management {
namespace {

object approval_object(const records::ApprovalLine& line) {
    object out{{"number", line.id},
               {"at", to_rfc3339(line.at)},
               {"what", line.withdrawn ? "withdrawn" : "approved"},
               {"route", line.route},
               {"generation", line.generation},
               {"hash", line.hash},
               {"steward", line.steward},
               {"who", line.who},
               {"why", line.why}};
    out["same_as"] = line.same_as == 0 ? boost::json::value(nullptr) : boost::json::value(line.same_as);
    return out;
}

// A reason is for people who ask later: plain text of one line.
std::string approval_why(const Call& call) {
    const std::string why = call.required("why");
    const bool plain = std::none_of(why.begin(), why.end(), [](unsigned char c) { return c < 0x20; });
    if (why.size() > 200 || !plain)
        throw Error(Fault::kPoison, "MGMT-014", "reading the reason", "it is longer than 200 bytes, or no plain text")
            .expected("one line of text");
    return why;
}

}  // namespace

object route_approve(const Call& call) {
    const std::string route = call.required("route");
    const std::string why = approval_why(call);
    const std::string withdraw = call.text("withdraw");
    std::uint64_t generation = static_cast<std::uint64_t>(std::max<std::int64_t>(0, call.number("generation", 0)));
    std::string hash, steward = call.text("steward");
    for (const auto& info : call.parts.routes.list()) {
        if (info.route == route && (generation == 0 || generation == info.generation)) {
            generation = info.generation;
            hash = info.hash;
        }
    }
    if (!withdraw.empty()) return approval_object(call.parts.store.withdraw(route, generation, call.who, why));
    if (hash.empty()) {
        for (const auto& kept : call.parts.routes.kept().list(route)) {
            if (kept.number == generation) hash = kept.hash;
        }
    }
    if (hash.empty())
        throw Error(Fault::kPoison, "MGMT-003", "approving a route", "there is no route '" + route + "' with this generation")
            .expected("what 'clrbus route history " + route + "' lists");
    if (steward.empty())
        throw Error(Fault::kPoison, "MGMT-002", "reading the request", "'steward' is missing: who answers for what it says");
    records::ApprovalLine line;
    line.route = route;
    line.generation = generation;
    line.hash = hash;
    line.steward = steward;
    line.who = call.who;
    line.why = why;
    return approval_object(call.parts.store.approve(std::move(line)));
}

object route_approvals(const Call& call) {
    const std::string route = call.text("route");
    array lines, running;
    for (const auto& line : call.parts.store.approval_lines(route)) lines.push_back(approval_object(line));
    const records::Approvals& approvals = call.parts.store.approvals();
    for (const auto& info : call.parts.routes.list()) {
        if (info.generation == 0 || (!route.empty() && info.route != route)) continue;
        const char* state = approvals.approved(info.route, info.generation) ? "approved"
                            : approvals.needs(info.route)                   ? "WAITS FOR APPROVAL"
                                                                            : "not needed";
        running.push_back(object{{"route", info.route}, {"generation", info.generation}, {"state", state}});
    }
    if (!route.empty() && running.empty() && lines.empty())
        throw Error(Fault::kPoison, "MGMT-003", "looking for a route", "there is no route '" + route + "'");
    return {{"running", std::move(running)}, {"lines", std::move(lines)}};
}

}  // namespace clrbus::management
