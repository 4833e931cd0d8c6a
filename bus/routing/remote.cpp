#include "routing/remote.hpp"

#include <map>

#include "core/ids.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

// The element of that name that is left over when `before` of them have been passed, in the order of the file.
Config element_behind(const Config& under, std::string_view name, std::size_t& before) {
    for (const Config& child : under.children()) {
        if (child.name() == name && before-- == 0) return child;
        if (const Config found = element_behind(child, name, before)) return found;
    }
    return {};
}

void collect_bound(const Steps& steps, std::vector<BoundHome>& out) {
    for (const auto& step : steps) {
        if (step->needs_local_state()) out.push_back({{}, step->name(), "keeps its state in one process"});
        for (const Step::Effect& effect : step->effects()) {
            // Endpoints are where the books are, and whoever waits for their answers is, too.
            if (effect.kind == "asks") out.push_back({{}, step->name(), "waits for the answer of an endpoint"});
        }
        for (const Steps* branch : step->branches()) collect_bound(*branch, out);
    }
}

}  // namespace

std::vector<std::string> notes_of_message(const TakenMessage& message) {
    const std::string route = message.queue.substr(message.queue.find('/') + 1);
    std::string id = message.message.message_id();
    if (id.empty()) id = name_uuid(kOutputNamespace, message.queue + "\n" + std::to_string(message.sequence));
    return {"generation/" + route, "split/" + route + "/" + id};
}

std::vector<BoundHome> bound_home(const CompiledRoute& route) {
    std::vector<BoundHome> out;
    if (route.order()) out.push_back({route.element(), "", "order=\"key\" is kept by one process"});
    collect_bound(route.steps(), out);
    // Every step of a kind is bound or none is, and compiled steps stand in the order of their elements.
    std::map<std::string, std::size_t, std::less<>> seen;
    for (BoundHome& one : out) {
        if (one.element) continue;
        const std::string kind = one.step.substr(one.step.find(' ') + 1);
        std::size_t before = seen[kind]++;
        const Config found = element_behind(route.element(), kind, before);
        one.element = found ? found : route.element();
    }
    return out;
}

bool runs_at_home(const CompiledRoute& route) {
    return !bound_home(route).empty();
}

}  // namespace clrbus
