#include "routing/step.hpp"

#include "config/config.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "routing/route.hpp"

namespace clrbus {

std::map<std::string, std::string> Work::variables() const {
    std::map<std::string, std::string> out;
    for (const auto& [name, value] : headers.entries()) out[name.substr(name.rfind("clrbus-", 0) == 0 ? 7 : 0)] = value;
    for (const char* name : {"name", "user", "accepted-at"}) out.emplace(name, "");
    out["route"] = route.id();
    return out;
}

std::string output_id(const Work& work, std::string_view step) {
    std::string name = work.id;
    name += '\n';
    name += work.route.id();
    name += '\n';
    name += step;
    name += '\n';
    name += std::to_string(work.outputs.size());
    return name_uuid(kOutputNamespace, name);
}

Flow apply_steps(const Steps& steps, Work& work) {
    for (const auto& step : steps) {
        try {
            if (step->apply(work) == Flow::kDone) return Flow::kDone;
        } catch (Error& e) {
            // The innermost step is the one that failed; a choose around it adds nothing.
            if (!work.headers.has(header::kDeadStep)) work.headers.set(header::kDeadStep, step->name());
            throw;
        }
    }
    return Flow::kNext;
}

namespace {

bool needs_document(std::string_view name) {
    return name == "validate" || name == "transform" || name == "choose" || name == "filter" || name == "to";
}

std::unique_ptr<Step> make_step(const Config& element, RouteAssets& assets) {
    const std::string_view name = element.name();
    if (name == "validate") return make_validate(element, assets);
    if (name == "transform") return make_transform(element, assets);
    if (name == "choose") return make_choose(element, assets);
    if (name == "filter") return make_filter(element, assets);
    if (name == "set-header") return make_set_header(element, assets);
    if (name == "log") return make_log(element, assets);
    if (name == "to") return make_to(element, assets);
    if (name == "split") element.fail("ROUTE-012", "a split is the first step of a route, and there is one");
    element.fail("ROUTE-013", "'" + std::string(name) + "' is no step");
}

}  // namespace

Steps make_steps(const std::vector<Config>& elements, RouteAssets& assets, const std::string& prefix) {
    Steps steps;
    bool parsed = !prefix.empty();  // inside a choose, or behind a split, there is a document already
    for (std::size_t i = 0; i < elements.size(); ++i) {
        const Config& element = elements[i];
        const std::string label = prefix + std::to_string(i + 1) + " " + std::string(element.name());
        const Config* behind = i + 1 < elements.size() && elements[i + 1].name() == "validate" ? &elements[i + 1] : nullptr;
        if (element.name() == "parse") {
            if (parsed) element.fail("ROUTE-014", "the message is a document already");
            const bool fused = behind != nullptr && element.get("format") == "xml";
            steps.push_back(make_parse(element, assets, fused ? behind : nullptr));
            steps.back()->name(label);
            parsed = true;
            if (fused) ++i;
            continue;
        }
        if (!parsed && needs_document(element.name())) {
            const bool fused = element.name() == "validate";
            steps.push_back(make_parse(Config(), assets, fused ? &element : nullptr));
            steps.back()->name(label);
            parsed = true;
            if (fused) continue;
        }
        steps.push_back(make_step(element, assets));
        steps.back()->name(label);
    }
    return steps;
}

}  // namespace clrbus
