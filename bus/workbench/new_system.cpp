#include "workbench/new_system.hpp"

#include <algorithm>
#include <fstream>
#include <regex>

#include "core/error.hpp"
#include "core/text.hpp"
#include "routing/dry_run.hpp"
#include "workbench/made_up.hpp"
#include "workbench/proposal.hpp"
#include "workbench/schema_draft.hpp"

namespace clrbus::workbench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCaseRecords = 3;

[[noreturn]] void cannot(const char* code, const std::string& why, const std::string& expected) {
    throw Error(Fault::kConfig, code, "making a new system", Where{}, why).expected(expected);
}

void write_text(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary);
    out << text;
    out.close();
    if (!out) cannot("WORK-022", "'" + file.string() + "' cannot be written", "a folder that may be written");
}

// Whatever was written goes again unless keep() was called.
class WrittenPaths {
public:
    ~WrittenPaths() {
        std::error_code ignored;
        if (kept_) return;
        for (const fs::path& path : paths_) fs::remove_all(path, ignored);
    }
    void add(const fs::path& path) { paths_.push_back(path); }
    void keep() { kept_ = true; }

private:
    std::vector<fs::path> paths_;
    bool kept_ = false;
};

std::string words_of(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
    return out;
}

std::string route_text(const NewSystem& wanted, const Sample& sample, const std::vector<std::string>& dropped) {
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<routes xmlns=\"urn:clrbus:routes:1\">\n  <route id=\"" +
                      wanted.name + "\" system=\"" + xml_escaped(wanted.system.empty() ? wanted.name : wanted.system) + "\"";
    if (!wanted.component.empty()) out += " component=\"" + wanted.component + "\"";
    out += " approach=\"extract\"";
    if (!wanted.steward.empty()) out += " steward=\"" + xml_escaped(wanted.steward) + "\"";
    out += "\n         refresh=\"" + wanted.refresh + "\" retain=\"" + wanted.retain + "\"";
    if (wanted.kind == "person") out += " identity=\"authority\"";
    out += ">\n    <from>\n      " + wanted.door + "\n";
    if (!dropped.empty())
        out += std::string("      <drop ") + (sample.format == "csv" ? "columns" : "elements") + "=\"" +
               xml_escaped(words_of(dropped)) + "\"/>\n";
    out += "    </from>\n";
    const std::string csv = sample.format != "csv"
                                ? ""
                                : (sample.delimiter.empty() ? "" : " delimiter=\"" + sample.delimiter + "\"") +
                                      (sample.encoding.empty() ? "" : " encoding=\"" + sample.encoding + "\"");
    if (sample.whole) {
        out += "    <parse format=\"" + sample.format + "\"/>\n";
    } else {
        out += "    <split format=\"" + sample.format + "\"" + csv +
               (sample.record.empty() ? "" : " path=\"" + sample.record + "\"") + "/>\n";
    }
    out += "    <validate schema=\"" + wanted.name + "/record.xsd\"/>\n    <transform stylesheet=\"" + wanted.name +
           ".xsl\"/>\n    <to><records/></to>\n  </route>\n</routes>\n";
    return out;
}

std::string readme_text(const NewSystem& wanted, const Sample& sample, const MappingSheet& sheet,
                        const std::vector<std::string>& dropped) {
    std::string out = "# " + (wanted.system.empty() ? wanted.name : wanted.system) +
                      "\n\nFeeds: " + (wanted.component.empty() ? "(which component?)" : wanted.component) +
                      ". Answers for it: " + (wanted.steward.empty() ? "(which unit?)" : wanted.steward) +
                      ".\n\n## What the system offers\n\n(Which interface: export, report, API; who gives access; how often; "
                      "how credentials are got and changed.)\n\n"
                      "## What becomes of which field\n\n| field | becomes | how |\n|---|---|---|\n";
    for (const Field& field : sample.fields) {
        const bool gone =
            std::find(dropped.begin(), dropped.end(), field.path.substr(field.path.find_last_of("/:") + 1)) != dropped.end();
        std::string targets, how;
        for (const MappingRow& row : sheet.rows) {
            if (row.source != field.path || row.target.empty()) continue;
            targets += (targets.empty() ? "`" : ", `") + row.target + "`";
            how = row.rule + (row.argument.empty() ? "" : " (" + row.argument + ")");
        }
        std::replace(how.begin(), how.end(), '|', '/');
        std::replace(targets.begin(), targets.end(), '|', '/');
        out += "| " + field.path + " | " +
               (gone              ? "dropped at the door"
                : targets.empty() ? "not read"
                                  : targets) +
               " | " + how + " |\n";
    }
    out += "\n## Limits\n\n(What the source does not say, what it says late, what was decided and by whom.)\n";
    return out;
}

// What the door drops never reaches the schema.
void forget(Element& element, const std::vector<std::string>& dropped) {
    auto& children = element.children;
    children.erase(std::remove_if(children.begin(), children.end(),
                                  [&](const auto& child) {
                                      return std::find(dropped.begin(), dropped.end(), child->name) != dropped.end();
                                  }),
                   children.end());
    for (const auto& child : children) forget(*child, dropped);
}

std::string outcome_of(const DryResult& result) {
    switch (result.kind) {
        case DryResult::Kind::kOutput:
            return "to " + result.queue;
        case DryResult::Kind::kFiltered:
            return "filtered: " + result.reason;
        case DryResult::Kind::kDead:
            return "dead: " + result.error->code() + " " + result.error->what();
    }
    return {};
}

void write_expected(const fs::path& folder, const std::vector<DryResult>& results) {
    for (std::size_t i = 0; i < results.size(); ++i) {
        const std::string stem = results.size() == 1 ? "expected" : "expected-" + std::to_string(i + 1);
        const DryResult& one = results[i];
        if (one.kind == DryResult::Kind::kOutput) {
            write_text(folder / (stem + ".xml"), one.xml + "\n");
        } else if (one.kind == DryResult::Kind::kFiltered) {
            write_text(folder / (stem + ".txt"), "filtered: " + one.reason + "\n");
        } else {
            write_text(folder / (stem + ".txt"), "dead: " + one.error->code() + "\n");
        }
    }
}

void check_wanted(const NewSystem& wanted, const fs::path& routes, const RouteAssetFolders& folders) {
    static const std::regex name("[a-z0-9][a-z0-9._-]{0,63}");
    if (!std::regex_match(wanted.name, name))
        cannot("WORK-020", "'" + wanted.name + "' is no name of a system", "small letters, digits, - . _, at most 64");
    if (wanted.kind != "statement" && wanted.kind != "definition" && wanted.kind != "person")
        cannot("WORK-020", "'" + wanted.kind + "' is no kind of message", "statement, definition, person");
    for (const fs::path& taken :
         {routes / wanted.name, folders.transforms / (wanted.name + ".xsl"), folders.schemas / wanted.name}) {
        if (fs::exists(taken)) cannot("WORK-021", "'" + taken.string() + "' is there already", "a name that is free");
    }
}

}  // namespace

NewSystemDone make_new_system(const NewSystem& wanted, const fs::path& routes, const RouteAssetFolders& folders) {
    check_wanted(wanted, routes, folders);
    const Sample sample = read_sample(wanted.sample, wanted.format, wanted.record);
    const MappingSheet sheet =
        propose_mapping(sample, {wanted.kind, wanted.name, wanted.component, wanted.type, wanted.institution});
    NewSystemDone done;
    done.records = sample.records;
    done.fields = sample.fields.size();
    done.missing = missing_targets(sheet);
    for (const Field& field : sample.fields) {
        done.mapped += std::any_of(sheet.rows.begin(), sheet.rows.end(),
                                   [&](const auto& row) { return row.source == field.path && row.rule != "ignore"; })
                           ? 1
                           : 0;
    }
    for (const Field* field : unwanted_fields(sample)) {
        // Columns and elements are dropped by the names that they have in the tree.
        const std::size_t step = field->path.find_last_of("/:");
        const std::string name = step == std::string::npos ? field->path : field->path.substr(step + 1);
        const bool can = name.front() != '@' && (sample.format == "csv" || sample.format == "xml");
        (can ? done.dropped : done.not_dropped).push_back(can ? name : field->path);
    }

    WrittenPaths written;
    const auto put = [&](const fs::path& file, const std::string& text) {
        write_text(file, text);
        done.files.push_back(file);
    };
    Sample reduced = read_sample(wanted.sample, wanted.format, wanted.record);
    forget(reduced.root, done.dropped);
    written.add(folders.schemas / wanted.name);
    put(folders.schemas / wanted.name / "record.xsd", draft_schema(reduced));
    written.add(folders.transforms / (wanted.name + ".xsl"));
    put(folders.transforms / (wanted.name + ".xsl"), write_mapping_stylesheet(sheet, sample.root.name));

    // The route's folder is made beside its place and moved there in one step: nobody sees half of it.
    const fs::path making = routes / (".new-" + wanted.name);
    written.add(making);
    fs::remove_all(making);
    const fs::path route_file = making / wanted.name / "routes.xml";
    write_text(route_file, route_text(wanted, sample, done.dropped));
    std::vector<Document> records;
    each_record(sample, wanted.sample, kCaseRecords, [&](const Document& record) {
        records.push_back(wanted.keep_values ? Document::copy(record.root()) : made_up(record, sample));
    });
    const fs::path input = making / wanted.name / "cases" / "sample" / ("input." + sample.format);
    write_text(input, write_records(records, sample));
    RouteAssets assets(folders);
    const LoadedRoutes loaded = load_routes(making, assets);
    if (!loaded.errors.empty()) throw Error(loaded.errors.front());
    const std::vector<DryResult> results = dry_run(*loaded.routes.front(), input);
    write_expected(input.parent_path(), results);
    for (const DryResult& result : results) done.outcomes.push_back(outcome_of(result));
    write_text(making / wanted.name / "README.md", readme_text(wanted, sample, sheet, done.dropped));
    fs::rename(making / wanted.name, routes / wanted.name);
    fs::remove_all(making);
    for (const char* file : {"routes.xml", "README.md"}) done.files.push_back(routes / wanted.name / file);
    done.files.push_back(routes / wanted.name / "cases" / "sample" / input.filename());
    written.keep();
    return done;
}

}  // namespace clrbus::workbench
