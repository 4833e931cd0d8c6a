// A change in transforms/lib touches many routes: their cases are run first, and all of them change or none.
#include <algorithm>
#include <set>
#include <utility>

#include "routing/dry_run.hpp"
#include "routing/reloader.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kSharedFiles = "transforms/lib/";

bool is_shared(const CompiledRoute::File& file) {
    return file.name.rfind(kSharedFiles, 0) == 0;
}

std::string joined_names(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
    return out;
}

}  // namespace

// The shared stylesheets that are another one in the folder than in what runs. candidate: null when it does not compile.
std::vector<std::string> RouteReloader::shared_changes(const CompiledRoute& running, const CompiledRoute* candidate) {
    std::vector<std::string> out;
    std::set<std::string> before;
    for (const auto& file : running.files()) {
        if (!is_shared(file)) continue;
        before.insert(file.name);
        const auto path = parts_.assets.folders().transforms / file.name.substr(std::string_view("transforms/").size());
        std::error_code failed;
        if (!std::filesystem::is_regular_file(path, failed) || parts_.assets.sha256_of(path) != file.sha256)
            out.push_back(file.name);
    }
    if (candidate == nullptr) return out;
    for (const auto& file : candidate->files()) {
        if (is_shared(file) && before.count(file.name) == 0) out.push_back(file.name);
    }
    return out;
}

std::optional<Error> RouteReloader::failing_case(const Routes& group) {
    std::string key;
    for (const auto& route : group) key += route->hash();
    if (key == judged_) return judgement_;
    Routes all = group;  // the others of a folder as they run
    std::set<std::filesystem::path> folders;
    for (const auto& route : group) folders.insert(route->route_file().path.parent_path());
    for (const auto& route : engine_->routes()) {
        if (std::none_of(group.begin(), group.end(), [&](const auto& one) { return one->id() == route->id(); }))
            all.push_back(route);
    }
    judged_ = std::move(key);
    judgement_.reset();
    for (const auto& folder : folders) {
        for (const CaseResult& result : run_cases(all, folder)) {
            if (result.held) continue;
            judgement_ = Error(Fault::kConfig, "ROUTE-086", "running the cases of the routes that it touches",
                               Where{.file = (folder / "cases" / result.name).string()}, "the case does not hold");
            judgement_->expected("clrbus test " + folder.filename().string() + " to show the difference");
            return judgement_;
        }
    }
    return judgement_;
}

void RouteReloader::hold_back(Routes& candidates, const RouteLoader::Result& loaded, Report& report) {
    Routes group;
    std::set<std::string> shared;
    std::vector<std::string> touched;
    std::optional<Error> broken;
    for (const auto& route : candidates) {
        const auto running = engine_->route(route->id());
        if (!running) continue;
        const auto changes = shared_changes(*running, route.get());
        if (changes.empty()) continue;
        group.push_back(route);
        touched.push_back(route->id());
        shared.insert(changes.begin(), changes.end());
    }
    if (group.empty()) return;
    for (const auto& one : loaded.refused) {
        const auto running = one.route.empty() ? nullptr : engine_->route(one.route);
        if (!running || shared_changes(*running, nullptr).empty()) continue;
        touched.push_back(one.route);
        if (!broken) broken = one.error;
    }
    report.cases = touched;
    if (!broken) broken = failing_case(group);
    if (!broken) return;
    Error why = *broken;
    why.within("a change of " + joined_names({shared.begin(), shared.end()}) + " touches the routes " + joined_names(touched) +
               ": all or none");
    for (const auto& route : group) refuse(route->id(), route->route_file().path, why);
    std::erase_if(candidates, [&](const auto& route) {
        return std::any_of(group.begin(), group.end(), [&](const auto& one) { return one == route; });
    });
}

}  // namespace clrbus
