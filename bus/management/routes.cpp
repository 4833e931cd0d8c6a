// The routes that run, what they are made of, how they came to be so, and the way back.
#include "core/error.hpp"
#include "management/commands.hpp"
#include "routing/reloader.hpp"

namespace clrbus::management {
namespace {

object refused_object(const RouteReloader::Refused& one) {
    return {{"route", one.route}, {"file", one.file.string()},      {"code", one.code},
            {"text", one.text},   {"since", to_rfc3339(one.since)}, {"runs", one.runs}};
}

array texts(const std::vector<std::string>& list) {
    array out;
    for (const std::string& one : list) out.emplace_back(one);
    return out;
}

object report_object(const RouteReloader::Report& report) {
    array refused;
    for (const auto& one : report.refused) refused.push_back(refused_object(one));
    return {{"activated", texts(report.activated)}, {"gone", texts(report.gone)},    {"pinned", texts(report.pinned)},
            {"cases", texts(report.cases)},         {"refused", std::move(refused)}, {"pending", report.pending}};
}

object info_object(const RouteReloader::Info& info) {
    object out{{"route", info.route},
               {"generation", info.generation},
               {"state", info.generation == 0 ? "not running"
                         : info.refused       ? "change refused"
                                              : "running"},
               {"pinned", nullptr},
               {"file", info.file.string()}};
    if (info.pinned) out["pinned"] = *info.pinned;
    out["refused"] = info.refused ? boost::json::value(refused_object(*info.refused)) : boost::json::value(nullptr);
    return out;
}

object kept_object(const KeptGeneration& kept) {
    return {{"generation", kept.number}, {"at", kept.at}, {"by", kept.by}, {"why", kept.why}, {"hash", kept.hash}};
}

RouteReloader::Info info_of(const Call& call) {
    const std::string route = call.required("route");
    for (auto& info : call.parts.routes.list()) {
        if (info.route == route) return info;
    }
    throw Error(Fault::kPoison, "MGMT-003", "looking for a route", "there is no route '" + route + "'");
}

std::optional<std::uint64_t> generation_of(const Call& call, const char* name) {
    const std::int64_t number = call.number(name, 0);
    return number > 0 ? std::optional(static_cast<std::uint64_t>(number)) : std::nullopt;
}

}  // namespace

object route_list(const Call& call) {
    array routes, refused;
    for (const auto& info : call.parts.routes.list()) routes.push_back(info_object(info));
    for (const auto& one : call.parts.routes.refused()) refused.push_back(refused_object(one));
    return {{"routes", std::move(routes)}, {"refused", std::move(refused)}};
}

object route_show(const Call& call) {
    const RouteReloader::Info info = info_of(call);
    object out = info_object(info);
    out["hash"] = info.hash;
    out["files"] = texts(info.files);
    return out;
}

object route_history(const Call& call) {
    const std::string route = call.required("route");
    array out;
    for (const auto& kept : call.parts.routes.kept().list(route)) out.push_back(kept_object(kept));
    if (out.empty()) info_of(call);
    return {{"route", route}, {"generations", std::move(out)}};
}

object route_diff(const Call& call) {
    const std::string route = call.required("route");
    auto& kept = call.parts.routes.kept();
    auto to = generation_of(call, "generation");
    const auto from = generation_of(call, "from");
    if (!to) to = info_of(call).generation;
    return {{"route", route}, {"generation", *to}, {"diff", from ? kept.diff(route, *from, *to) : kept.diff(route, *to)}};
}

object route_reload(const Call& call) {
    return report_object(call.parts.routes.reload(call.who));
}

object route_rollback(const Call& call) {
    return report_object(call.parts.routes.rollback(call.required("route"), generation_of(call, "generation"), call.who));
}

object route_unpin(const Call& call) {
    return report_object(call.parts.routes.unpin(call.required("route"), call.who));
}

}  // namespace clrbus::management
