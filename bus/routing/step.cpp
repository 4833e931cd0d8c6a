#include "routing/step.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

#include "adapter/adapter.hpp"
#include "config/config.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "routing/journey.hpp"
#include "routing/route.hpp"
#include "xml/xpath.hpp"

namespace clrbus {

std::map<std::string, std::string> Work::variables(const XPath& expression) const {
    return expression.uses_variables() ? variables() : std::map<std::string, std::string>{};
}

std::map<std::string, std::string> Work::variables() const {
    std::map<std::string, std::string> out;
    for (const auto& [name, value] : headers.entries()) out[name.substr(name.rfind("clrbus-", 0) == 0 ? 7 : 0)] = value;
    for (const char* name : {"name", "user", "accepted-at"}) out.emplace(name, "");
    out["route"] = route.id();
    return out;
}

Work Work::fork() const {
    Work out{.route = route, .id = id, .body = body, .headers = headers, .document = Document::copy(document.root())};
    out.own_body = own_body;
    out.parsed = parsed;
    out.validated = validated;
    out.number = number;
    out.source_number = source_number;
    out.services = services;
    out.message = message;
    out.watch = watch;
    out.keyed = true;  // they are the message's, not the branch's
    out.media_type = media_type;
    return out;
}

void Work::marshal(std::string bytes, std::string_view type) {
    own_body = std::make_shared<const std::string>(std::move(bytes));
    media_type = type;
    body = *own_body;
    document = Document();
    parsed = validated = false;
}

void Work::join(Work&& branch) {
    if (branch.goes_on) {
        // The branch goes on later, as a message of its own: who sent asks for the one that is in hand.
        ledger.push_back({route.id(), Outcome::kMade, 1});
        for (Put& put : branch.outputs) {
            if (put.headers.has(header::kAtStep)) put.headers.remove(kReceiptHeader);
        }
    }
    std::move(branch.outputs.begin(), branch.outputs.end(), std::back_inserter(outputs));
    std::move(branch.ledger.begin(), branch.ledger.end(), std::back_inserter(ledger));
    std::move(branch.notes.begin(), branch.notes.end(), std::back_inserter(notes));
    std::move(branch.changes.begin(), branch.changes.end(), std::back_inserter(changes));
    std::move(branch.on_dead.begin(), branch.on_dead.end(), std::back_inserter(on_dead));
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

void Step::next(const Step* step) {
    next_ = step;
    for (const Steps* branch : branches()) {
        if (!branch->empty()) branch->back()->next(goes_on_behind() ? step : nullptr);
    }
}

namespace {

Flow apply_one(const Step& step, Work& work) {
    if (work.parsed && !work.keyed) take_keys(work);
    try {
        if (work.watch == nullptr) return step.apply(work);
        work.watch->comes(step, work);
        const Flow flow = step.apply(work);
        work.watch->left(step, work);
        return flow;
    } catch (Error& e) {
        // The innermost step is the one that failed; a choose around it adds nothing.
        if (!work.headers.has(header::kDeadStep)) work.headers.set(header::kDeadStep, step.name());
        throw;
    }
}

// Nothing when the label is not among them.
std::optional<Flow> apply_from(const Steps& steps, std::string_view label, Work& work) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
        Flow flow = Flow::kNext;
        if (steps[i]->name() == label) {
            flow = apply_one(*steps[i], work);
        } else {
            std::optional<Flow> inside;
            for (const Steps* branch : steps[i]->branches()) {
                inside = apply_from(*branch, label, work);
                if (inside) break;
            }
            if (!inside) continue;
            flow = steps[i]->goes_on_behind() ? *inside : Flow::kDone;
        }
        for (++i; i < steps.size() && flow == Flow::kNext; ++i) flow = apply_one(*steps[i], work);
        return flow;
    }
    return std::nullopt;
}

}  // namespace

Flow apply_steps(const Steps& steps, Work& work) {
    for (const auto& step : steps) {
        if (apply_one(*step, work) == Flow::kDone) return Flow::kDone;
    }
    return Flow::kNext;
}

Flow apply_steps_from(const Steps& steps, std::string_view label, Work& work) {
    const auto flow = apply_from(steps, label, work);
    if (flow) return *flow;
    work.headers.set(header::kDeadStep, label);
    throw Error(Fault::kPoison, "ROUTE-110", "going on at '" + std::string(label) + "'",
                "the route has no such step in this generation")
        .expected("replay it from another step, or edit it");
}

const Step* find_step(const Steps& steps, std::string_view label) {
    for (const auto& step : steps) {
        if (step->name() == label) return step.get();
        for (const Steps* branch : step->branches()) {
            if (const Step* inside = find_step(*branch, label)) return inside;
        }
    }
    return nullptr;
}

// name of the element, function in steps/, what it needs, whether it ends the message's way
#define CLRBUS_STEPS(STEP)                                      \
    STEP("parse", make_parse, never, false)                     \
    STEP("validate", make_validate, always, false)              \
    STEP("split", make_split, never, false)                     \
    STEP("transform", make_transform, always, false)            \
    STEP("marshal", make_marshal, always, false)                \
    STEP("choose", make_choose, always, false)                  \
    STEP("filter", make_filter, always, false)                  \
    STEP("set-header", make_set_header, selects, false)         \
    STEP("remove-header", make_remove_header, never, false)     \
    STEP("wire-tap", make_wire_tap, never, false)               \
    STEP("multicast", make_multicast, never, true)              \
    STEP("recipient-list", make_recipient_list, selects, true)  \
    STEP("routing-slip", make_routing_slip, never, false)       \
    STEP("claim-check", make_claim_check, selects, false)       \
    STEP("aggregate", make_aggregate, always, false)            \
    STEP("resequence", make_resequence, always, false)          \
    STEP("deduplicate", make_deduplicate, always, false)        \
    STEP("throttle", make_throttle, with_key, false)            \
    STEP("delay", make_delay, with_until, false)                \
    STEP("circuit-breaker", make_circuit_breaker, never, false) \
    STEP("enrich", make_enrich, always, false)                  \
    STEP("program", make_program, never, false)                 \
    STEP("request-reply", make_request_reply, never, false)     \
    STEP("reply", make_reply, never, true)                      \
    STEP("log", make_log, never, false)                         \
    STEP("to", make_to, to_records, true)

#define CLRBUS_DECLARE(name, make, needs, ends) \
    std::unique_ptr<Step> make(const Config& element, RouteAssets& assets, const StepPlace& place);
CLRBUS_STEPS(CLRBUS_DECLARE)

namespace {

bool always(const Config&) {
    return true;
}
bool never(const Config&) {
    return false;
}
bool selects(const Config& element) {
    return element.has("select");
}
bool with_key(const Config& element) {
    return element.has("key");
}
bool with_until(const Config& element) {
    return element.has("until");
}
bool to_records(const Config& element) {
    return static_cast<bool>(element.child("records"));
}

#define CLRBUS_ENTRY(name, make, needs, ends) StepKind{name, make, needs, ends},
constexpr StepKind kStepKinds[] = {CLRBUS_STEPS(CLRBUS_ENTRY)};

const StepKind& kind_of(const Config& element) {
    for (const StepKind& kind : kStepKinds) {
        if (kind.name == element.name()) return kind;
    }
    element.fail("ROUTE-013", "'" + std::string(element.name()) + "' is no step");
}

}  // namespace

std::span<const StepKind> step_kinds() {
    return kStepKinds;
}

// A split is no step of its own: the worker drives it, and the route takes it out in front (routing/splitter.hpp).
std::unique_ptr<Step> make_split(const Config& element, RouteAssets&, const StepPlace&) {
    element.fail("ROUTE-012", "a split is the first step of a route, and there is one");
}

bool leads_somewhere(const Config& element) {
    if (element.name() == "to" || element.name() == "recipient-list" || element.name() == "reply") return true;
    if (element.name() == "wire-tap") return false;  // what it takes is a copy
    const auto children = element.children();
    return std::any_of(children.begin(), children.end(), [](const Config& child) { return leads_somewhere(child); });
}

Steps make_steps(const std::vector<Config>& elements, RouteAssets& assets, const std::string& prefix, bool parsed) {
    Steps steps;
    bool marshalled = false;
    const auto add = [&steps](std::unique_ptr<Step> step, const std::string& label) {
        step->name(label);
        steps.push_back(std::move(step));
    };
    for (std::size_t i = 0; i < elements.size(); ++i) {
        const Config& element = elements[i];
        const StepKind& kind = kind_of(element);
        const StepPlace place{prefix + std::to_string(i + 1), false, i + 1 == elements.size()};
        const std::string label = place.position + " " + std::string(element.name());
        const Config* behind = i + 1 < elements.size() && elements[i + 1].name() == "validate" ? &elements[i + 1] : nullptr;
        if (kind.name == "parse") {
            if (parsed) element.fail("ROUTE-014", "the message is a document already");
            const bool fused = behind != nullptr && element.get("format") == "xml";
            add(make_parse_with(element, assets, fused ? behind : nullptr), label);
            parsed = true;
            marshalled = false;
            if (fused) ++i;
            continue;
        }
        if (!parsed && kind.needs_document(element)) {
            if (marshalled)
                element.fail("ROUTE-029", "the message is bytes behind a marshal: <" + std::string(kind.name) +
                                              "> needs a <parse> in front of it");
            const bool fused = kind.name == "validate";
            add(make_parse_with(Config(), assets, fused ? &element : nullptr), fused ? label : place.position + " parse");
            parsed = true;
            if (fused) continue;
        }
        if (kind.ends && i + 1 < elements.size())
            elements[i + 1].fail("ROUTE-025", "it is never reached: <" + std::string(kind.name) + "> ends the message's way");
        add(kind.make(element, assets, {place.position, parsed, place.last}), label);
        parsed = steps.back()->leaves_document(parsed);
        marshalled = marshalled || kind.name == "marshal";
    }
    for (std::size_t i = 0; i < steps.size(); ++i) steps[i]->next(i + 1 < steps.size() ? steps[i + 1].get() : nullptr);
    return steps;
}

}  // namespace clrbus
