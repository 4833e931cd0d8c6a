#include "workbench/check_routes.hpp"

#include <algorithm>
#include <map>
#include <regex>

#include "config/loader.hpp"
#include "routing/route_graph.hpp"
#include "workbench/inventory.hpp"
#include "workbench/mapping.hpp"
#include "workbench/namespaces_met.hpp"
#include "xml/parser.hpp"
#include "xml/schemas.hpp"

namespace clrbus::workbench {
namespace {

namespace fs = std::filesystem;
using Severity = Finding::Severity;

constexpr std::string_view kRoutesNamespace = "urn:clrbus:routes:1";

// What stands in a schema file behind name="…" of this kind of declaration. The files are read as text: one that is broken has
// a finding of its own.
void declared(const std::string& xsd, const char* kind, std::set<std::string>& out) {
    const std::regex pattern(std::string("<xs:") + kind + " name=\"([^\"]+)\"");
    for (std::sregex_iterator at(xsd.begin(), xsd.end(), pattern), end; at != end; ++at) out.insert((*at)[1]);
}

// The attributes of routes.xsd that hold an expression.
std::set<std::string> expression_attributes(const std::string& xsd) {
    std::set<std::string> out;
    const std::regex pattern("<xs:attribute name=\"([^\"]+)\" type=\"Expression\"");
    for (std::sregex_iterator at(xsd.begin(), xsd.end(), pattern), end; at != end; ++at) out.insert((*at)[1]);
    return out;
}

std::vector<std::string> files_below(const fs::path& folder) {
    std::vector<std::string> out;
    std::error_code failed;
    for (fs::recursive_directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
        if (at->is_regular_file(failed)) out.push_back(at->path().lexically_relative(folder).string());
    }
    std::sort(out.begin(), out.end());
    return out;
}

class RouteExamination {
public:
    RouteExamination(RouteAssets& assets, Findings& found) : assets_(assets), found_(found) {
        const fs::path xsd = assets.folders().schemas / "routes.xsd";
        schema_files_.push_back(xsd);
        schema_files_.insert(schema_files_.end(), assets.folders().adapter_schemas.begin(),
                             assets.folders().adapter_schemas.end());
        schemas_ = Schemas::load(schema_files_);
        expressions_ = expression_attributes(read_file(xsd));
        for (const char* kind : {"attribute", "element"}) {
            found.known(kind, [files = schema_files_, kind] {
                std::set<std::string> names;
                for (const auto& file : files) declared(read_file(file), kind, names);
                return std::vector<std::string>(names.begin(), names.end());
            });
        }
        const RouteAssetFolders& folders = assets.folders();
        found.known("ROUTE-011", [&folders] {
            std::vector<std::string> names = files_below(folders.schemas), sheets = files_below(folders.transforms);
            names.insert(names.end(), sheets.begin(), sheets.end());
            return names;
        });
        found.known("XPATH-002", [&folders] {
            std::vector<std::string> names;
            for (const auto& [name, value] : folders.properties) names.push_back("$property-" + name);
            return names;
        });
        found.known("XSL-006", [&folders] {
            std::vector<std::string> names;
            for (const std::string& file : files_below(folders.codes)) names.push_back(fs::path(file).stem().string());
            return names;
        });
    }

    void file(const fs::path& path, CheckedRoutes& out) {
        bool valid = true;
        Config root;
        try {
            XmlParser(schemas_).parse(read_file(path), path.string());
        } catch (const Error& e) {
            found_.add(e);
            valid = false;
        }
        try {
            root = ConfigLoader(nullptr).load(path);
        } catch (const Error&) {
            return;  // not well-formed: said above
        }
        for (const Config& element : root.children("route")) {
            out.elements.push_back(element);
            out.ids.push_back(element.get("id"));
            route_ = element.get("id");
            if (std::count(out.ids.begin(), out.ids.end(), route_) > 1)
                found_.add(Severity::kError, "ROUTE-018", element, "id", "id: '" + route_ + "' is taken by another route", {},
                           route_);
            look(element);
            namespaces(element.children(), {});
            if (valid) compile(element, out);
        }
    }

private:
    void attempt(const Config& element, const std::function<void()>& make) {
        try {
            make();
        } catch (const Error& e) {
            if (e.code().starts_with("ROUTE-01") || e.where().file == element.where().file) {
                found_.add(e, route_, element);
                return;
            }
            found_.add(e, {}, element);  // a file that several routes may name is named once
        }
    }

    // Each attribute by itself.
    void look(const Config& element) {
        if (element.namespace_uri() != kRoutesNamespace) return;
        for (const auto& [name, value] : element.attributes()) {
            if (value.empty()) continue;
            if (expressions_.count(name) != 0) {
                attempt(element, [&, attribute = name] { assets_.xpath(element, attribute); });
            } else if (name == "schema") {
                attempt(element, [&, names = value] { assets_.schemas(element, names)->compile_all(); });
            } else if (name == "stylesheet") {
                attempt(element, [&, file = value] { assets_.transformer(element, file); });
            }
        }
        for (const Config& child : element.children()) look(child);
    }

    void compile(const Config& element, CheckedRoutes& out) {
        try {
            out.routes.push_back(CompiledRoute::compile(element, assets_));
        } catch (const Error& e) {
            if (dynamic_cast<const StylesheetError*>(&e) == nullptr) found_.add(e, has_place_here(e) ? route_ : "", element);
        }
    }
    static bool has_place_here(const Error& e) { return e.where().file.ends_with("routes.xml"); }

    // A transform reads what the validate in front of it let through: the namespaces must meet.
    void namespaces(const std::vector<Config>& steps, std::string schemas) {
        for (const Config& step : steps) {
            const std::string_view name = step.name();
            if (name == "validate") {
                schemas = step.get("schema");
            } else if (name == "transform") {
                if (!schemas.empty()) meet(step, schemas);
                schemas.clear();
            } else if (name == "choose" || name == "multicast" || name == "circuit-breaker") {
                for (const Config& branch : step.children()) namespaces(branch.children(), schemas);
                if (name == "choose" && changes_document(step)) schemas.clear();
            } else if (name == "wire-tap") {
                namespaces(step.children(), schemas);
            } else if (changes_document(step)) {
                schemas.clear();
            }
        }
    }
    static bool changes_document(const Config& step) {
        static const std::set<std::string, std::less<>> kChanges{
            "transform", "parse", "marshal", "enrich", "program", "request-reply", "aggregate", "claim-check", "split"};
        if (kChanges.count(step.name()) != 0) return true;
        const auto children = step.children();
        return std::any_of(children.begin(), children.end(), [](const Config& child) { return changes_document(child); });
    }
    void meet(const Config& step, const std::string& names) {
        std::shared_ptr<const Schemas> schemas;
        std::shared_ptr<const Transformer> stylesheet;
        try {
            schemas = assets_.schemas(step, names);
            stylesheet = assets_.transformer(step, step.get("stylesheet"));
        } catch (const Error&) {
            return;  // said where it is named
        }
        const std::set<std::string> read = namespaces_read(stylesheet->all_files());
        const std::set<std::string> there = namespaces_declared(schemas->all_files());
        if (read.empty() || std::any_of(read.begin(), read.end(), [&](const auto& one) { return there.count(one) != 0; }))
            return;
        const auto listed = [](const std::set<std::string>& all) {
            std::string out;
            for (const std::string& one : all)
                out += (out.empty() ? "" : ", ") + (one.empty() ? std::string("no namespace") : "'" + one + "'");
            return out;
        };
        found_.add(Severity::kError, "CHECK-005", step, "stylesheet",
                   "the stylesheet reads elements of " + listed(read) + ", and the schema in front of it, " + names +
                       ", lets none of them through",
                   "elements of " + listed(there), route_);
    }

    RouteAssets& assets_;
    Findings& found_;
    std::vector<fs::path> schema_files_;
    std::shared_ptr<const Schemas> schemas_;
    std::set<std::string> expressions_;
    std::string route_;  // that is looked at
};

void check_targets(const RouteCheck& check, const CheckedRoutes& all, Findings& found) {
    found.known("ROUTE-026", [&all] { return all.ids; });
    std::set<std::string> reached;
    for (const Config& element : all.elements) {
        for (const RouteTarget& target : route_targets(element)) {
            reached.insert(target.route);
            if (std::find(all.ids.begin(), all.ids.end(), target.route) == all.ids.end())
                found.add(Severity::kError, "ROUTE-026", target.element, target.element.has("allowed") ? "allowed" : "id",
                          "there is no route '" + target.route + "'", {}, element.get("id"));
        }
    }
    auto routes = all.routes;
    for (const auto& [id, error] : refuse_wrong_targets(routes, {all.ids.begin(), all.ids.end()})) {
        if (error.code() != "ROUTE-026") found.add(error, id);
    }
    for (const Config& element : all.elements) {
        const std::string id = element.get("id");
        if (element.child("from") || reached.count(id) != 0 || check.published(id)) continue;
        found.add(Severity::kError, "CHECK-004", element, "id",
                  "nothing comes into in/" + id + ": no <from>, no route that sends to it, and nobody may publish to it",
                  "a <from>, a <to><route id=\"" + id + "\"/></to> elsewhere, or a user or token that may publish:" + id, id);
    }
}

// Which of the routes of a folder have a case.
std::set<std::string> with_cases(const fs::path& folder) {
    std::set<std::string> out;
    std::error_code failed;
    for (fs::directory_iterator at(folder / "cases", failed), end; !failed && at != end; at.increment(failed)) {
        if (!at->is_directory(failed)) continue;
        std::string id = folder.filename().string();
        if (fs::is_regular_file(at->path() / "route")) {
            id = read_file(at->path() / "route", 100);
            while (!id.empty() && id.back() == '\n') id.pop_back();
        }
        out.insert(id);
    }
    return out;
}

void check_answers(const Config& element, const std::set<std::string>& cases, Findings& found) {
    const std::string id = element.get("id");
    const auto advise = [&](const char* attribute, const char* why, const char* expected) {
        if (!element.has(attribute))
            found.add(Severity::kWarning, "CHECK-002", element, "", "route '" + id + "' has no " + attribute + ": " + why,
                      expected, id);
    };
    advise("steward", "nobody answers for its claims", "steward=\"the unit that answers for the data\"");
    advise("refresh", "a late source cannot be told from a quiet one", "refresh=\"PT24H\", say");
    advise("retain", "its originals are kept for ever", "retain=\"P7Y\", say");
    const std::string component = element.get("component");
    const auto& known = record_components();
    if (!component.empty() && std::find(known.begin(), known.end(), component) == known.end()) {
        std::string expected;
        for (const std::string& one : known) expected += (expected.empty() ? "" : ", ") + one;
        found.add(Severity::kWarning, "CHECK-007", element, "component",
                  "'" + component + "' is no component of the learner record", expected, id);
    }
    if (cases.count(id) == 0)
        found.add(Severity::kWarning, "CHECK-006", element, "id", "route '" + id + "' has no case: nothing shows what it does",
                  "cases/NAME/ with input.* and expected.xml beside its routes.xml", id);
}

}  // namespace

CheckedRoutes check_routes(const RouteCheck& check, RouteAssets& assets, Findings& found) {
    CheckedRoutes out;
    RouteExamination examination(assets, found);
    found.known("CHECK-007", [] { return record_components(); });
    std::vector<fs::path> files;
    std::error_code failed;
    for (fs::directory_iterator at(check.folder, failed), end; !failed && at != end; at.increment(failed)) {
        if (fs::is_regular_file(at->path() / "routes.xml", failed)) files.push_back(at->path() / "routes.xml");
    }
    std::sort(files.begin(), files.end());
    if (files.empty())
        found.add(Severity::kError, "CHECK-010", check.folder, {}, "there is no route in this folder",
                  "a folder NAME/ with a routes.xml for each system");
    std::set<std::string> cases;
    for (const fs::path& file : files) {
        examination.file(file, out);
        cases.merge(with_cases(file.parent_path()));
    }
    check_targets(check, out, found);
    for (const Config& element : out.elements) check_answers(element, cases, found);
    return out;
}

}  // namespace clrbus::workbench
