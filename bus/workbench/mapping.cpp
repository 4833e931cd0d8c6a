#include "workbench/mapping.hpp"

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "formats/csv.hpp"

namespace clrbus::workbench {
namespace {

using Targets = std::vector<MappingTarget>;

// In the order of xsd/learner-record.xsd: the stylesheet writes elements in this order.
const Targets kStatementTargets{
    {"@key", true, "what this is the newest word about: the record's own id"},
    {"@version", false, "which of two words is the newer: a time or a rising number"},
    {"learner/identifier[]", true, "the learner's id: identifier[SCHEME|ISSUER]"},
    {"learner/name/@full", false, "whole name"},
    {"learner/name/@given", false, "first name"},
    {"learner/name/@family", false, "last name"},
    {"learner/name/@middle", false, "middle names"},
    {"learner/name/@suffix", false, "JR, III"},
    {"authority/@name", false, "the unit that answers; the route's steward without it"},
    {"authority/@unit", false, "a part of it"},
    {"organization/@name", false, "the organization that speaks, when it is not ours"},
    {"achievement", false, "rule each: one achievement for every node of the source"},
    {"achievement/@key", true, "the achievement's own key"},
    {"achievement/@type", true, "CLR achievement type: Course, Degree, Badge, Assignment, ext:Employment"},
    {"achievement/@component", true, "part of the record"},
    {"achievement/@level", false, "Undergraduate, Bachelor's degree"},
    {"achievement/@status", false, "Completed, Enrolled, Failed, InProgress, OnHold, Provisional, Withdrew"},
    {"achievement/@begin", false, "first day"},
    {"achievement/@end", false, "last day"},
    {"achievement/@awarded", false, "day it was conferred"},
    {"achievement/@valid-until", false, "day it lapses"},
    {"achievement/@official", false, "false: never shown as a final grade"},
    {"achievement/name", true, "title, for people"},
    {"achievement/code", false, "code that people use"},
    {"achievement/description", false, "what it is about"},
    {"achievement/criteria", false, "what it took"},
    {"achievement/creator/@name", false, "who defined it"},
    {"achievement/source-organization/@name", false, "department, employer, transfer school"},
    {"achievement/session/@designator", false, "id of the term"},
    {"achievement/session/@name", false, "Fall 2024"},
    {"achievement/session/@type", false, "Semester"},
    {"achievement/session/@school-year", false, "2024-2025"},
    {"achievement/session/@begin", false, "first day of the term"},
    {"achievement/session/@end", false, "last day of the term"},
    {"achievement/credits/@available", false, "credits that can be earned"},
    {"achievement/credits/@earned", false, "credits earned"},
    {"achievement/credits/@attempted", false, "credits tried"},
    {"achievement/credits/@units", false, "Semester, Quarter"},
    {"achievement/program/@type", false, "Major, Minor"},
    {"achievement/program/@name", false, "title of the program"},
    {"achievement/program/@cip", false, "CIP code"},
    {"achievement/field-of-study", false, "major"},
    {"achievement/specialization", false, "concentration"},
    {"achievement/role", false, "what the learner was"},
    {"achievement/narrative", false, "in the words of the learner or the source"},
    {"achievement/license-number", false, "of a licence"},
    {"achievement/location", false, "where"},
    {"achievement/hours", false, "hours done"},
    {"achievement/instructor", false, "who taught; may be `each`"},
    {"achievement/language", false, "of instruction"},
    {"achievement/tag", false, "a word to find it by; may be `each`"},
    {"achievement/other-identifier[]", false, "what another system calls it: other-identifier[SCHEME|ISSUER]"},
    {"achievement/result[]/@value", false, "what was reached: result[LetterGrade|Final grade]/@value"},
    {"achievement/result[]/@status", false, "the state behind the value"},
    {"achievement/result[]/@min", false, "lowest of the scale"},
    {"achievement/result[]/@max", false, "highest of the scale"},
    {"achievement/result[]/@date", false, "when"},
    {"achievement/result[]/@rater", false, "who judged: a role"},
    {"achievement/evidence[]/@url", false, "address of the work: evidence[NAME]/@url"},
    {"achievement/evidence[]/@description", false, "what it is"},
    {"achievement/evidence[]/@genre", false, "thesis, dataset"},
    {"achievement/note", false, "remark of the source; may be `each`"},
};

const Targets kDefinitionTargets{
    {"@key", true, "id in the catalogue"},
    {"@version", false, "which of two is the newer"},
    {"@type", true, "CLR achievement type of its instances"},
    {"@component", true, "part of the record"},
    {"@catalogue-year", false, "2024-2025"},
    {"@deleted", false, "true: no longer in the catalogue"},
    {"name", true, "title"},
    {"code", false, "code that people use"},
    {"description", false, "what it is about"},
    {"criteria", false, "what it takes"},
    {"assessment", false, "how it is assessed"},
    {"authority/@name", false, "who answers for it"},
    {"creator/@name", false, "who defined it"},
    {"credits/@available", false, "what it carries"},
    {"credits/@units", false, "Semester, Quarter"},
    {"field-of-study", false, "subject"},
    {"other-identifier[]", false, "what another system calls it: other-identifier[SCHEME|ISSUER]"},
};

const Targets kPersonTargets{
    {"@key", true, "the person's id at the source"},
    {"@version", false, "which of two is the newer"},
    {"@blocked", false, "true: no release"},
    {"@deleted", false, "true: the source no longer knows the person"},
    {"identifier[]", true, "an id of the person: identifier[SCHEME|ISSUER]"},
    {"name/@full", false, "whole name"},
    {"name/@given", false, "first name"},
    {"name/@family", false, "last name"},
    {"name/@middle", false, "middle names"},
    {"name/@suffix", false, "JR, III"},
    {"email", false, "to write to"},
};

const std::vector<std::string> kRules{"copy",  "text",  "constant", "missing", "date", "instant", "version", "number",
                                      "lower", "upper", "code",     "map",     "join", "each",    "xpath",   "ignore"};

std::string without_brackets(std::string_view target) {
    std::string out;
    bool inside = false;
    for (const char c : target) {
        if (c == ']') inside = false;
        if (!inside) out += c;
        if (c == '[') inside = true;
    }
    return out;
}

[[noreturn]] void wrong(const std::string& file, std::size_t line, const std::string& why, const std::string& expected) {
    throw Error(Fault::kConfig, "WORK-010", "reading the mapping sheet", Where{.file = file, .line = line}, why)
        .expected(expected);
}

std::string list_of(const std::vector<std::string>& words) {
    return std::accumulate(words.begin(), words.end(), std::string(),
                           [](const std::string& a, const std::string& b) { return a.empty() ? b : a + ", " + b; });
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t corner = row[0];
        row[0] = i;
        for (std::size_t k = 1; k <= b.size(); ++k) {
            const std::size_t up = row[k];
            row[k] = std::min({row[k] + 1, row[k - 1] + 1, corner + (a[i - 1] == b[k - 1] ? 0 : 1)});
            corner = up;
        }
    }
    return row[b.size()];
}

std::string quoted(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + "\"";
}

bool has_bracket_name(std::string_view target) {
    const std::size_t open = target.find('[');
    return open != std::string_view::npos && open + 1 < target.size() && target[open + 1] != ']';
}

void check_row(const MappingSheet& sheet, const MappingRow& row, const std::string& file) {
    if (std::find(kRules.begin(), kRules.end(), row.rule) == kRules.end()) {
        const std::string near = nearest(row.rule, kRules);
        wrong(file, row.line, "'" + row.rule + "' is no rule" + (near.empty() ? "" : "; is '" + near + "' meant?"),
              list_of(kRules));
    }
    if (row.rule == "ignore") {
        if (!row.target.empty()) wrong(file, row.line, "what is ignored has no target", "an empty target");
        return;
    }
    const Targets& targets = mapping_targets(sheet.kind);
    const std::string plain = without_brackets(row.target);
    const bool known = std::any_of(targets.begin(), targets.end(), [&](const MappingTarget& t) { return t.path == plain; });
    if (!known) {
        std::vector<std::string> names;
        for (const MappingTarget& t : targets) names.emplace_back(t.path);
        const std::string near = nearest(plain, names);
        wrong(file, row.line,
              "a " + sheet.kind + " has no place '" + row.target + "'" + (near.empty() ? "" : "; is '" + near + "' meant?"),
              "one of the targets that 'clrbus mapping targets " + sheet.kind + "' lists");
    }
    if (plain.find('[') != std::string::npos) {
        const bool two = plain.find("evidence[") == std::string::npos;
        const std::size_t open = row.target.find('['), close = row.target.find(']');
        const std::string name = row.target.substr(open + 1, close - open - 1);
        if (!has_bracket_name(row.target) ||
            (two && (name.find('|') == std::string::npos || name.front() == '|' || name.back() == '|')))
            wrong(file, row.line, "the name in brackets is not complete", two ? "two parts with | between them" : "a name");
    }
    const bool needs_source = row.rule != "constant" && row.rule != "missing" && row.rule != "xpath";
    if (needs_source && row.source.empty())
        wrong(file, row.line, "the rule '" + row.rule + "' needs a source", "a path of the source");
    const bool needs_argument = row.rule == "constant" || row.rule == "code" || row.rule == "map" || row.rule == "xpath";
    if (needs_argument && row.argument.empty())
        wrong(file, row.line, "the rule '" + row.rule + "' needs an argument", "see 'clrbus mapping --help'");
    if (row.rule == "map" && row.argument.find('=') == std::string::npos)
        wrong(file, row.line, "the argument of a map is not A=B;C=D", "FROM=TO, separated by semicolons; *=TO for all others");
    const bool many = plain == "achievement" || plain == "achievement/tag" || plain == "achievement/note" ||
                      plain == "achievement/instructor";
    if (row.rule == "each" && !many) wrong(file, row.line, "'" + row.target + "' stands once", "a rule other than each");
    if (plain == "achievement" && row.rule != "each") wrong(file, row.line, "achievement itself has no text", "the rule each");
}

}  // namespace

const std::vector<MappingTarget>& mapping_targets(std::string_view kind) {
    if (kind == "person") return kPersonTargets;
    if (kind == "definition") return kDefinitionTargets;
    return kStatementTargets;
}

std::string nearest(std::string_view name, const std::vector<std::string>& known) {
    std::string best;
    std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
    for (const std::string& one : known) {
        const std::size_t d = distance(name, one);
        if (d < least) {
            least = d;
            best = one;
        }
    }
    return best;
}

void check_mapping(const MappingSheet& sheet, const std::string& file) {
    if (sheet.kind != "statement" && sheet.kind != "definition" && sheet.kind != "person")
        wrong(file, 0, "'" + sheet.kind + "' is no kind of canonical message", "statement, definition, person");
    if (sheet.source.empty()) wrong(file, 0, "no row says which source speaks", "a row ,,sheet,source=NAME,");
    if (sheet.kind == "statement" && sheet.covers != "all" && sheet.covers != "part")
        wrong(file, 0, "covers is '" + sheet.covers + "'", "all or part");
    std::map<std::string, std::size_t> seen;
    for (const MappingRow& row : sheet.rows) {
        check_row(sheet, row, file);
        if (row.rule == "ignore" || row.rule == "each") continue;
        const auto [first, fresh] = seen.emplace(row.target, row.line);
        if (!fresh)
            wrong(file, row.line, "'" + row.target + "' was filled by line " + std::to_string(first->second) + " already",
                  "one row for a target");
    }
}

std::vector<std::string> missing_targets(const MappingSheet& sheet) {
    std::vector<std::string> out;
    for (const MappingTarget& target : mapping_targets(sheet.kind)) {
        const bool filled = std::any_of(sheet.rows.begin(), sheet.rows.end(), [&](const MappingRow& row) {
            return row.rule != "ignore" && row.rule != "missing" && without_brackets(row.target) == target.path;
        });
        const bool wanted = std::any_of(sheet.rows.begin(), sheet.rows.end(), [&](const MappingRow& row) {
            return row.rule == "missing" && without_brackets(row.target) == target.path;
        });
        if (!filled && (target.required || wanted)) out.emplace_back(target.path);
    }
    return out;
}

MappingSheet read_mapping_csv(std::string_view csv, const std::string& file) {
    MappingSheet sheet;
    CsvOptions options;
    options.columns = {"target", "source", "rule", "argument"};
    options.file = file;
    RecordHandlers handlers;
    handlers.on_record = [&](std::uint64_t, std::uint64_t, std::string_view, const Document& row) {
        const Node root = row.root();
        MappingRow one{root.child_text("target"),   root.child_text("source"), root.child_text("rule"),
                       root.child_text("argument"), root.child_text("note"),   root.line()};
        if (one.rule == "sheet") {
            const std::size_t equals = one.argument.find('=');
            const std::string name = one.argument.substr(0, equals);
            const std::string value = equals == std::string::npos ? "" : one.argument.substr(equals + 1);
            if (name == "kind")
                sheet.kind = value;
            else if (name == "source")
                sheet.source = value;
            else if (name == "covers")
                sheet.covers = value;
            else
                wrong(file, one.line, "'" + name + "' is no fact of a sheet", "kind=, source= or covers=");
        } else if (one.rule == "namespace") {
            sheet.prefixes[one.source] = one.argument;
        } else if (!one.target.empty() || !one.source.empty() || !one.rule.empty()) {
            if (one.rule.empty()) one.rule = one.target.empty() ? "ignore" : "copy";
            sheet.rows.push_back(std::move(one));
        }
    };
    handlers.on_broken = [](std::uint64_t, std::uint64_t, std::string_view, const Error& error) { throw Error(error); };
    const auto splitter = make_csv_splitter(options, handlers);
    splitter->write(csv);
    splitter->finish();
    check_mapping(sheet, file);
    return sheet;
}

std::string write_mapping_csv(const MappingSheet& sheet) {
    std::string out = "target,source,rule,argument,note\n";
    const auto line = [&out](const std::string& target, const std::string& source, const std::string& rule,
                             const std::string& argument, const std::string& note) {
        out += quoted(target) + "," + quoted(source) + "," + rule + "," + quoted(argument) + "," + quoted(note) + "\n";
    };
    line("", "", "sheet", "kind=" + sheet.kind, "statement, definition or person");
    line("", "", "sheet", "source=" + sheet.source, "the system that speaks");
    if (!sheet.covers.empty())
        line("", "", "sheet", "covers=" + sheet.covers,
             "all: replaces what stood under the key; part: touches only what it names");
    for (const auto& [prefix, uri] : sheet.prefixes) line("", prefix, "namespace", uri, "");
    for (const MappingRow& row : sheet.rows) line(row.target, row.source, row.rule, row.argument, row.note);
    return out;
}

}  // namespace clrbus::workbench
