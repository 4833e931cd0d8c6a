#include "workbench/inventory.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "config/loader.hpp"
#include "formats/csv.hpp"
#include "routing/dry_run.hpp"
#include "workbench/field_effects.hpp"

namespace clrbus::workbench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kInventoryFields = 600;  // of one document
constexpr std::size_t kInventoryRecords = 3;   // of one case

// In the order of xsd/learner-record.xsd.
const std::vector<std::string> kComponents{"academic-record", "outcomes",    "artifacts",   "programs", "employment",
                                           "activities",      "internships", "research",    "service",  "licensures",
                                           "volunteering",    "portfolios",  "study-abroad"};

struct FoundField {
    std::set<std::string> targets;
    bool decides = false;
    Leaf leaf;
};
struct FoundFields {
    std::vector<std::string> order;
    std::map<std::string, FoundField> fields;
    std::set<std::string> components;  // of what came out
};

// Keeps the document as the steps first see it parsed.
class FirstDocument : public StepWatch {
public:
    void comes(const Step&, const Work& work) override { keep(work); }
    void left(const Step&, const Work& work) override { keep(work); }
    Document first;

private:
    void keep(const Work& work) {
        if (!first && work.document) first = Document::copy(work.document.root());
    }
};

void look_at_case(const CompiledRoute& route, const fs::path& input, FoundFields& found) {
    std::size_t n = 0;
    dry_messages(
        route, input,
        [&](Work& work) {
            Work clean{.route = route, .id = work.id, .body = work.body, .headers = work.headers, .document = {}};
            clean.number = work.number;
            FirstDocument watch;
            work.watch = &watch;
            try {
                apply_steps(route.steps(), work);
            } catch (const Error&) {
                return ++n < kInventoryRecords;  // a case of a refusal tells nothing of where fields go
            }
            if (!watch.first || work.outputs.empty()) return ++n < kInventoryRecords;
            for (FieldEffect& effect : field_effects(route, clean, watch.first, kInventoryFields)) {
                const auto [at, fresh] = found.fields.emplace(effect.path, FoundField{});
                if (fresh) found.order.push_back(effect.path);
                at->second.targets.insert(effect.targets.begin(), effect.targets.end());
                at->second.decides = at->second.decides || effect.decides;
                if (fresh) at->second.leaf = effect.leaf;
            }
            return ++n < kInventoryRecords;
        },
        [](std::uint64_t, const Error&) {});
}

FoundFields look_at_cases(const CompiledRoute& route, const fs::path& folder) {
    FoundFields out;
    std::vector<fs::path> inputs;
    if (!fs::is_directory(folder)) return out;
    for (const auto& one : fs::directory_iterator(folder)) {
        if (!one.is_directory()) continue;
        if (fs::exists(one.path() / "route")) {
            std::string id = read_file(one.path() / "route", 100);
            while (!id.empty() && id.back() == '\n') id.pop_back();
            if (id != route.id()) continue;
        }
        for (const auto& file : fs::directory_iterator(one)) {
            if (file.path().stem() == "input") inputs.push_back(file.path());
        }
    }
    std::sort(inputs.begin(), inputs.end());
    for (const fs::path& input : inputs) look_at_case(route, input, out);
    return out;
}

std::string structure_of(const Leaf& leaf) {
    switch (leaf.shape) {
        case Shape::kDate:
        case Shape::kInstant:
            return "structured: date";
        case Shape::kInteger:
        case Shape::kDecimal:
            return "structured: number";
        case Shape::kId:
            return "structured: id";
        case Shape::kFlag:
            return "structured: choice";
        case Shape::kEmail:
        case Shape::kUrl:
            return "structured: address";
        case Shape::kEmpty:
            return "not seen";
        case Shape::kText:
            break;
    }
    return leaf.longest > 60 ? "unstructured: free text" : "structured: text";
}

std::string access_of(const CompiledRoute& route) {
    std::set<std::string> doors;
    for (const Config& door : route.doors()) {
        const std::string uri(door.children().front().namespace_uri());
        const std::string prefix = "urn:clrbus:adapter:";
        doors.insert(uri.rfind(prefix, 0) == 0 ? uri.substr(prefix.size(), uri.rfind(':') - prefix.size()) : uri);
    }
    if (!route.drops()) doors.insert("AMQP");
    std::string out = route.element().get("approach", "push") + ":";
    for (const std::string& door : doors) out += " " + door;
    return out;
}

std::string form_of(const CompiledRoute& route) {
    for (const Config& step : route.element().children()) {
        if (step.name() == "split" || step.name() == "parse") return step.get("format");
    }
    return "xml";
}

std::string joined_words(const std::set<std::string>& words, const char* between) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
    return out;
}

void add_route(Inventory& inventory, const CompiledRoute& route, const fs::path& cases) {
    InventoryRow base;
    base.system = route.system();
    base.route = route.id();
    base.component = route.component();
    base.steward = route.steward();
    base.refresh = route.element().get("refresh");
    base.access = access_of(route);
    base.form = form_of(route);
    base.state = "fed";
    const FoundFields found = look_at_cases(route, cases);
    for (const std::string& path : found.order) {
        const FoundField& field = found.fields.at(path);
        InventoryRow row = base;
        row.element = path;
        row.structure = structure_of(field.leaf);
        row.mapped = joined_words(field.targets, "; ");
        if (row.mapped.empty()) row.mapped = field.decides ? "decides whether and how it is taken" : "not mapped";
        inventory.rows.push_back(std::move(row));
    }
    for (const Config& door : route.doors()) {
        const Config drop = door.child("drop");
        std::istringstream names(drop ? drop.get("columns") + " " + drop.get("elements") : std::string());
        for (std::string name; names >> name;) {
            InventoryRow row = base;
            row.element = original_name(name);
            row.structure = "not seen";
            row.mapped = "dropped at the door";
            inventory.rows.push_back(std::move(row));
        }
    }
    if (found.order.empty()) {
        base.mapped = "no case shows it";
        inventory.rows.push_back(std::move(base));
    }
}

// The same place filled by several routes: its value is normalized from several sources.
void tell_normalized(Inventory& inventory) {
    std::map<std::string, std::set<std::string>> routes;  // component and target -> routes
    const auto targets_of = [](const InventoryRow& row) {
        std::vector<std::string> out;
        std::size_t at = 0;
        while (at < row.mapped.size()) {
            const std::size_t end = std::min(row.mapped.find("; ", at), row.mapped.size());
            out.push_back(row.mapped.substr(at, end - at));
            at = end + 2;
        }
        return out;
    };
    for (const InventoryRow& row : inventory.rows) {
        if (row.mapped.rfind('/', 0) != 0) continue;
        for (const std::string& target : targets_of(row)) routes[row.component + target].insert(row.route);
    }
    for (InventoryRow& row : inventory.rows) {
        if (row.mapped.rfind('/', 0) != 0) continue;
        std::set<std::string> others;
        for (const std::string& target : targets_of(row)) {
            const auto& all = routes[row.component + target];
            others.insert(all.begin(), all.end());
        }
        others.erase(row.route);
        row.normalized = others.empty() ? "one source" : "also from " + joined_words(others, ", ");
    }
}

void add_by_hand(Inventory& inventory, const fs::path& file) {
    if (!fs::exists(file)) return;
    CsvOptions options;
    options.columns = {"system", "component", "state"};
    options.file = file.string();
    RecordHandlers handlers;
    handlers.on_record = [&](std::uint64_t, std::uint64_t, std::string_view, const Document& document) {
        const Node row = document.root();
        InventoryRow one;
        one.system = row.child_text("system");
        one.component = row.child_text("component");
        one.element = row.child_text("element");
        one.steward = row.child_text("steward");
        one.refresh = row.child_text("refresh");
        one.access = row.child_text("access");
        one.form = row.child_text("form");
        one.state = row.child_text("state");
        one.note = row.child_text("note");
        const auto wrong = [&](const std::string& why, const std::string& expected) {
            throw Error(Fault::kConfig, "WORK-030", "reading the sources without a route",
                        Where{.file = file.string(), .line = row.line()}, why)
                .expected(expected);
        };
        if (std::find(kComponents.begin(), kComponents.end(), one.component) == kComponents.end())
            wrong("'" + one.component + "' is no component", "a component of xsd/learner-record.xsd");
        if (one.state != "planned" && one.state != "not collected" && one.state != "fed")
            wrong("'" + one.state + "' is no state", "planned, not collected, fed");
        one.mapped = one.element.empty() ? "" : "not mapped";
        inventory.rows.push_back(std::move(one));
    };
    handlers.on_broken = [&](std::uint64_t, std::uint64_t, std::string_view, const Error& error) {
        inventory.errors.push_back(error);
    };
    try {
        const auto splitter = make_csv_splitter(options, handlers);
        splitter->write(read_file(file));
        splitter->finish();
    } catch (const Error& e) {
        inventory.errors.push_back(e);
    }
}

void fill_matrix(Inventory& inventory) {
    inventory.components = kComponents;
    std::map<std::pair<std::string, std::string>, InventoryCell> cells;
    for (const InventoryRow& row : inventory.rows) {
        if (std::find(inventory.systems.begin(), inventory.systems.end(), row.system) == inventory.systems.end())
            inventory.systems.push_back(row.system);
        if (row.component.empty()) continue;
        cells.emplace(std::make_pair(row.component, row.system),
                      InventoryCell{row.component, row.system, row.state, row.steward});
    }
    for (auto& [key, cell] : cells) inventory.cells.push_back(std::move(cell));
}

}  // namespace

const std::vector<std::string>& record_components() {
    return kComponents;
}

Inventory make_inventory(const std::vector<std::shared_ptr<const CompiledRoute>>& routes, const fs::path& folder,
                         const fs::path& by_hand) {
    Inventory inventory;
    for (const auto& route : routes) {
        const fs::path file = route->element().where().file;
        add_route(inventory, *route, (file.has_parent_path() ? file.parent_path() : folder / route->id()) / "cases");
    }
    add_by_hand(inventory, by_hand);
    tell_normalized(inventory);
    fill_matrix(inventory);
    return inventory;
}

}  // namespace clrbus::workbench
