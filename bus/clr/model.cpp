#include "clr/model.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"

namespace clrbus::clr {

namespace {

std::string model_child(Node node, std::string_view name) {
    const Node child = node.child(name);
    return child ? std::string(trimmed(child.text())) : std::string();
}

OrganizationModel model_organization(Node node) {
    OrganizationModel out;
    if (!node) return out;
    out.name = node.attribute("name");
    out.id = node.attribute("id");
    out.country = node.attribute("country");
    for (const Node code : node.children("code")) out.codes.emplace_back(code.attribute("scheme"), code.attribute("value"));
    return out;
}

AuthorityModel model_authority(Node node) {
    if (!node) return {};
    return {node.attribute("name"), node.attribute("unit"), node.attribute("url")};
}

AlignmentModel model_alignment(Node node) {
    return {node.attribute("name"),      node.attribute("url"),  node.attribute("code"),
            node.attribute("framework"), node.attribute("type"), node.attribute("description")};
}

// <result> of an achievement and <scale> of a definition have the same members as far as each has them.
ResultModel model_result(Node node) {
    ResultModel out;
    out.type = node.attribute("type");
    out.name = node.attribute("name");
    out.value = node.attribute("value");
    out.status = node.attribute("status");
    out.scale = node.attribute("scale");
    out.min = node.attribute("min");
    out.max = node.attribute("max");
    out.required = node.attribute("required");
    out.achieved_level = node.attribute("achieved-level");
    out.date = node.attribute("date");
    out.rater = node.attribute("rater");
    const std::string excluded = node.attribute("excluded-from-gpa");
    out.excluded_from_gpa = excluded == "true" || excluded == "1";
    for (const Node level : node.children("level"))
        out.levels.push_back(
            {level.attribute("key"), level.attribute("name"), level.attribute("points"), level.attribute("description")});
    for (const Node alignment : node.children("alignment")) out.alignments.push_back(model_alignment(alignment));
    return out;
}

void model_lists(Node node, AchievementModel& out) {
    for (const Node program : node.children("program"))
        out.programs.push_back({program.attribute("type"), program.attribute("name"), program.attribute("code")});
    for (const Node instructor : node.children("instructor")) out.instructors.emplace_back(trimmed(instructor.text()));
    for (const Node tag : node.children("tag")) out.tags.emplace_back(trimmed(tag.text()));
    for (const Node note : node.children("note")) out.notes.emplace_back(trimmed(note.text()));
    for (const Node honor : node.children("honors"))
        out.honors.emplace_back(honor.attribute("title"), honor.attribute("level"));
    for (const Node id : node.children("other-identifier"))
        out.other_identifiers.emplace_back(id.attribute("scheme"), id.attribute("value"));
    for (const Node result : node.children("result")) out.results.push_back(model_result(result));
    for (const Node evidence : node.children("evidence"))
        out.evidence.push_back({evidence.attribute("name"), evidence.attribute("url"), evidence.attribute("description"),
                                evidence.attribute("genre"), evidence.attribute("media-type"), evidence.attribute("size"),
                                evidence.attribute("sha256"), evidence.attribute("narrative")});
    for (const Node alignment : node.children("alignment")) out.alignments.push_back(model_alignment(alignment));
    for (const Node association : node.children("association"))
        out.associations.push_back({association.attribute("type"), association.attribute("target")});
}

int model_number(std::string_view digits) {
    int out = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return result.ec == std::errc() && result.ptr == digits.data() + digits.size() ? out : -1;
}

constexpr const char* kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                   "July",    "August",   "September", "October", "November", "December"};

}  // namespace

std::string with_detail(std::string title, const std::string& detail) {
    if (!detail.empty()) title.append(" (").append(detail).append(")");
    return title;
}

AchievementModel read_achievement(Node node) {
    AchievementModel out;
    out.key = node.attribute("key");
    out.type = node.attribute("type");
    out.component = node.attribute("component");
    out.level = node.attribute("level");
    out.status = node.attribute("status");
    out.begin = node.attribute("begin");
    out.end = node.attribute("end");
    out.awarded = node.attribute("awarded");
    out.valid_until = node.attribute("valid-until");
    const std::string official = node.attribute("official");
    out.official = official != "false" && official != "0";
    out.name = model_child(node, "name");
    out.code = model_child(node, "code");
    out.description = model_child(node, "description");
    out.criteria = model_child(node, "criteria");
    if (const Node definition = node.child("definition")) out.definition = definition.attribute("key");
    out.creator = model_organization(node.child("creator"));
    out.source_organization = model_organization(node.child("source-organization"));
    if (const Node session = node.child("session"))
        out.session = {session.attribute("designator"),  session.attribute("name"),  session.attribute("type"),
                       session.attribute("school-year"), session.attribute("begin"), session.attribute("end")};
    if (const Node credits = node.child("credits")) {
        out.credits_available = credits.attribute("available");
        out.credits_earned = credits.attribute("earned");
        out.credits_attempted = credits.attribute("attempted");
        out.credit_units = credits.attribute("units");
    }
    out.field_of_study = model_child(node, "field-of-study");
    out.specialization = model_child(node, "specialization");
    out.role = model_child(node, "role");
    out.narrative = model_child(node, "narrative");
    out.license_number = model_child(node, "license-number");
    out.location = model_child(node, "location");
    out.hours = model_child(node, "hours");
    out.language = model_child(node, "language");
    model_lists(node, out);
    return out;
}

DefinitionModel read_definition(Node node) {
    DefinitionModel out;
    out.key = node.attribute("key");
    out.type = node.attribute("type");
    out.component = node.attribute("component");
    out.catalogue_year = node.attribute("catalogue-year");
    out.name = model_child(node, "name");
    out.code = model_child(node, "code");
    out.description = model_child(node, "description");
    out.criteria = model_child(node, "criteria");
    out.assessment = model_child(node, "assessment");
    if (const Node credits = node.child("credits")) out.credits = credits.attribute("available");
    out.field_of_study = model_child(node, "field-of-study");
    out.authority = model_authority(node.child("authority"));
    out.creator = model_organization(node.child("creator"));
    for (const Node scale : node.children("scale")) out.scales.push_back(model_result(scale));
    for (const Node outcome : node.children("outcome")) out.outcomes.push_back(outcome.attribute("key"));
    for (const Node part : node.children("part")) out.parts.push_back(part.attribute("key"));
    for (const Node alignment : node.children("alignment")) out.alignments.push_back(model_alignment(alignment));
    for (const Node association : node.children("association"))
        out.associations.push_back({association.attribute("type"), association.attribute("target")});
    return out;
}

RecordModel model_of(const LearnerView& view) {
    RecordModel out;
    out.learner = view.id;
    out.version = view.version;
    out.changed = view.changed;
    out.created = view.created;
    out.partial = view.partial;
    out.identifiers = view.identifiers;
    out.name = view.full_name;
    if (out.name.empty()) out.name = trimmed(view.given + " " + view.family);
    for (const DefinitionView& definition : view.definitions)
        if (definition.document) out.definitions.emplace(definition.key, read_definition(definition.document.root()));
    for (const StatementView& statement : view.statements) {
        const Node root = statement.document.root();
        if (!root) continue;
        const std::set<std::string> in_force(statement.in_force.begin(), statement.in_force.end());
        AuthorityModel authority = model_authority(root.child("authority"));
        if (authority.name.empty()) authority.name = statement.source.authority;
        const OrganizationModel organization = model_organization(root.child("organization"));
        for (const Node node : root.children("achievement")) {
            if (!in_force.contains(node.attribute("key"))) continue;
            Entry entry{read_achievement(node),
                        statement.id,
                        statement.source,
                        authority,
                        organization,
                        !statement.own && !organization.empty(),
                        {},
                        {}};
            const auto definition = out.definitions.find(entry.achievement.definition);
            const bool defined = definition != out.definitions.end();
            entry.name = defined ? definition->second.name : entry.achievement.name;
            entry.description = defined && entry.achievement.description.empty() ? definition->second.description
                                                                                 : entry.achievement.description;
            out.entries.push_back(std::move(entry));
        }
    }
    return out;
}

std::optional<PartialDate> read_date(std::string_view text) {
    using namespace std::chrono;
    PartialDate out;
    if (text.size() < 4) return std::nullopt;
    const int y = model_number(text.substr(0, 4));
    if (y < 1000) return std::nullopt;
    if (text.size() == 4) {
        out.first = year(y) / January / 1;
        out.last = year(y) / December / 31;
        return out;
    }
    const int m = text.size() >= 7 && text[4] == '-' ? model_number(text.substr(5, 2)) : -1;
    if (m < 1 || m > 12) return std::nullopt;
    const auto whole = year(y) / month(static_cast<unsigned>(m));
    if (text.size() == 7) {
        out.first = whole / 1;
        out.last = whole / last;
        return out;
    }
    const int d = text.size() >= 10 && text[7] == '-' ? model_number(text.substr(8, 2)) : -1;
    const auto date = whole / static_cast<unsigned>(d < 0 ? 0 : d);
    if (!date.ok()) return std::nullopt;
    out.first = out.last = date;
    out.exact = true;
    if (text.size() == 10) return out;
    try {
        from_rfc3339(text);
    } catch (const Error&) {
        return std::nullopt;
    }
    out.instant = text;
    return out;
}

std::string date_title(std::string_view text) {
    const auto date = read_date(text);
    if (!date) return std::string(text);
    const std::chrono::year_month_day day(date->first);
    std::string year = std::to_string(static_cast<int>(day.year()));
    if (text.size() == 4) return year;
    const std::string month = std::string(kMonths[static_cast<unsigned>(day.month()) - 1]) + " " + year;
    return date->exact ? std::to_string(static_cast<unsigned>(day.day())) + " " + month : month;
}

}  // namespace clrbus::clr
