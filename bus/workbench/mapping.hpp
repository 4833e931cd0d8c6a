// The mapping sheet: a table that says for each place of a canonical message where it comes from. People who would rather fill
// in a table edit it as CSV; the stylesheet is written from it and carries it inside, so that it comes back out. Pure; any
// thread.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::workbench {

// rule: how the source's text becomes the target's.
//   copy        white space collapsed                    text      as it stands
//   constant    the argument                             missing   nothing yet: the route refuses every message until it is
//   filled in date        argument: pattern of the source, "" = ISO instant     a time; without a zone the institution's
//   version     a time or digits, as a business version
//   number      a decimal number                         lower, upper
//   code        argument: LIST or LIST:COLUMN of conf/codes
//   map         argument: A=Completed;W=Withdrew;*=InProgress
//   join        several sources (blank separated); argument: what stands between, "|" without it
//   each        once for every source node: tag, note, instructor, and achievement itself
//   xpath       argument: an expression of its own
//   ignore      target is empty: seen, and not wanted
struct MappingRow {
    std::string target, source, rule, argument, note;
    std::size_t line = 0;  // in the sheet, for errors
};

struct MappingSheet {
    std::string kind;                             // statement, definition, person
    std::string source;                           // the system that speaks: source attribute of the canonical message
    std::string covers;                           // statement: all, part
    std::map<std::string, std::string> prefixes;  // of the source's namespaces
    std::vector<MappingRow> rows;
};

// One place of the canonical message that a row may name. A name in brackets tells several apart: identifier[SCHEME|ISSUER],
// result[TYPE|NAME], evidence[NAME].
struct MappingTarget {
    std::string_view path;  // achievement/session/@name; identifier[]/@value is written identifier[SCHEME|ISSUER]
    bool required = false;
    std::string_view means;
};
const std::vector<MappingTarget>& mapping_targets(std::string_view kind);

// CSV with the header target,source,rule,argument,note. The first rows name kind, source and covers (rule "sheet") and prefixes
// (rule "namespace"). Throws Error(kConfig, "WORK-010") with the line and what was expected; names the nearest known target.
MappingSheet read_mapping_csv(std::string_view csv, const std::string& file);
std::string write_mapping_csv(const MappingSheet& sheet);

// Checks targets, rules and arguments. Throws as read_mapping_csv does.
void check_mapping(const MappingSheet& sheet, const std::string& file);

// The targets that must be filled and are not, or are `missing`.
std::vector<std::string> missing_targets(const MappingSheet& sheet);

// root: local name of a record's root with its prefix, for the places in errors.
std::string write_mapping_stylesheet(const MappingSheet& sheet, const std::string& root);

// The sheet inside a stylesheet. edited: the rest of the stylesheet is no longer what the sheet makes. Throws Error(kConfig,
// "WORK-011") when it carries none.
MappingSheet read_mapping_stylesheet(std::string_view xsl, const std::string& file, std::string& root, bool& edited);

// The known name that is nearest to the one given, "" when none is near.
std::string nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace clrbus::workbench
