#include "workbench/proposal.hpp"

#include <algorithm>
#include <set>

#include "workbench/shapes.hpp"

namespace clrbus::workbench {
namespace {

// Names as sources write them, in words; the first that matches whole wins, then the first that ends a name.
struct Likely {
    const char* target;
    const char* rule;  // "" = by the field's shape
    std::vector<const char*> names;
};

const std::vector<Likely>& likely_person() {
    static const std::vector<Likely> all{
        {"sis-id",
         "",
         {"student id", "sis id", "sis user id", "banner id", "emplid", "student number", "student no", "studentid",
          "spriden id", "colleague id", "sisid"}},
        {"hr-id", "", {"employee id", "employee number", "worker id", "employee no", "emp id", "employeeid", "staff id"}},
        {"institution-id",
         "",
         {"institution id", "university id", "campus id", "person id", "external id", "id number", "unique id", "uid",
          "user id"}},
        {"orcid", "", {"orcid", "orcid id"}},
        {"eppn", "", {"eppn", "edu person principal name", "principal name"}},
        {"login", "", {"username", "user name", "login", "login id", "net id", "netid", "sis login id"}},
        {"email",
         "lower",
         {"email", "email address", "e mail", "mail", "school email", "student email", "user email", "contact email"}},
    };
    return all;
}

const std::vector<Likely>& likely_names() {
    static const std::vector<Likely> all{
        {"@given",
         "",
         {"first name", "given name", "firstname", "givenname", "forename", "student first name", "legal first name",
          "preferred first name"}},
        {"@family",
         "",
         {"last name", "family name", "lastname", "familyname", "surname", "sn", "student last name", "legal last name"}},
        {"@middle", "", {"middle name", "middle names", "middlename"}},
        {"@suffix", "", {"suffix", "name suffix"}},
        {"@full",
         "",
         {"full name", "student name", "display name", "legal name", "learner name", "recipient name", "person name",
          "participant name", "worker name", "employee name"}},
    };
    return all;
}

const std::vector<Likely>& likely_achievement() {
    static const std::vector<Likely> all{
        {"achievement/name",
         "",
         {"title", "course title", "course name", "position title", "job title", "badge name", "event name", "activity name",
          "activity", "organization name", "credential name", "certificate name", "program title", "program name",
          "degree name", "opportunity", "project title", "name"}},
        {"achievement/code",
         "",
         {"course code", "course number", "job code", "class code", "catalog number", "code", "subject code", "event code"}},
        {"achievement/description",
         "text",
         {"description", "duties", "summary", "abstract", "course description", "position description", "job description"}},
        {"achievement/criteria", "text", {"criteria", "requirements"}},
        {"achievement/@begin",
         "",
         {"start date", "begin date", "start", "begin", "since", "member since", "joined", "join date", "from date", "from",
          "hire date", "date started", "started on", "started at", "startdate"}},
        {"achievement/@end",
         "",
         {"end date", "finish date", "end", "to date", "member until", "until", "termination date", "date ended", "ended on",
          "ended at", "enddate"}},
        {"achievement/@awarded",
         "",
         {"award date", "awarded on", "awarded at", "date awarded", "conferral date", "conferred on", "issued on", "issue date",
          "date issued", "completion date", "completed at", "completed on", "date completed", "degree date", "graduation date",
          "date earned", "earned on"}},
        {"achievement/@valid-until",
         "",
         {"expires", "expires at", "expires on", "expiration date", "expiry date", "valid until"}},
        {"achievement/result[LetterGrade|Final grade]/@value",
         "",
         {"final grade", "grade", "letter grade", "course grade", "mark"}},
        {"achievement/result[RawScore|Score]/@value", "", {"score", "final score", "points", "raw score"}},
        {"achievement/result[Percent|Percent]/@value", "", {"percent", "percentage"}},
        {"achievement/result[GradePointAverage|GPA]/@value", "", {"gpa", "cumulative gpa", "overall gpa"}},
        {"achievement/credits/@earned",
         "number",
         {"credits earned", "credit hours", "credits", "earned credits", "credit hours earned", "units"}},
        {"achievement/credits/@attempted", "number", {"credits attempted", "attempted credits"}},
        {"achievement/hours",
         "number",
         {"hours", "total hours", "hours worked", "service hours", "hours completed", "volunteer hours"}},
        {"achievement/session/@designator", "", {"term code", "term id", "session id", "semester code"}},
        {"achievement/session/@name", "", {"term", "semester", "term name", "session", "academic term", "session name"}},
        {"achievement/session/@school-year", "", {"academic year", "school year"}},
        {"achievement/source-organization/@name",
         "",
         {"department", "unit", "employer", "employer name", "agency", "host organization", "host", "company", "organization",
          "department name", "sponsor", "site"}},
        {"achievement/role", "", {"role", "position", "capacity", "member role"}},
        {"achievement/location", "", {"location", "city", "place", "country"}},
        {"achievement/program/@name", "", {"program", "major", "degree program", "plan"}},
        {"achievement/specialization", "", {"concentration", "specialization", "focus"}},
        {"achievement/instructor", "", {"instructor", "teacher", "instructor name", "professor"}},
        {"achievement/license-number", "", {"license number", "licence number", "certificate number"}},
        {"achievement/evidence[Evidence]/@url",
         "",
         {"evidence", "evidence url", "url", "link", "doi", "handle", "credential url"}},
        {"achievement/@status", "map", {"status", "enrollment status", "completion status", "state", "registration status"}},
        {"achievement/note", "text", {"note", "notes", "comment", "comments", "remarks"}},
        {"achievement/tag", "", {"tags", "tag", "skill", "skills", "keyword", "keywords"}},
    };
    return all;
}

const std::vector<const char*> kRecordIds{"id",
                                          "guid",
                                          "uuid",
                                          "record id",
                                          "position id",
                                          "enrollment id",
                                          "assertion id",
                                          "registration id",
                                          "transaction id",
                                          "award id",
                                          "result id",
                                          "submission id",
                                          "attendance id",
                                          "participation id",
                                          "membership id",
                                          "event id",
                                          "section id",
                                          "class id",
                                          "course id",
                                          "identifier",
                                          "key",
                                          "reference"};
const std::vector<const char*> kVersions{
    "updated at",  "last modified", "modified",           "modified at",   "last updated",
    "updated",     "changed at",    "last modified date", "date modified", "modification date",
    "last update", "timestamp",     "update date",        "as of",         "last changed"};
const std::vector<const char*> kUnwanted{"ssn",
                                         "social security",
                                         "national id",
                                         "tax id",
                                         "sin",
                                         "birth",
                                         "dob",
                                         "gender",
                                         "sex",
                                         "ethnic",
                                         "race",
                                         "religion",
                                         "marital",
                                         "disability",
                                         "citizenship",
                                         "visa",
                                         "salary",
                                         "pay",
                                         "wage",
                                         "rate",
                                         "compensation",
                                         "stipend",
                                         "bank",
                                         "iban",
                                         "account number",
                                         "password",
                                         "secret",
                                         "home address",
                                         "street",
                                         "address line",
                                         "postal",
                                         "zip",
                                         "phone",
                                         "mobile",
                                         "emergency",
                                         "parent",
                                         "medical"};

// Better is smaller; -1: no.
int match(const std::string& name, const std::vector<const char*>& names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (name == names[i]) return static_cast<int>(i);
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string end = std::string(" ") + names[i];
        if (std::string_view(names[i]).size() > 3 && name.size() > end.size() &&
            name.compare(name.size() - end.size(), end.size(), end) == 0)
            return static_cast<int>(100 + i);
    }
    return -1;
}

bool has_words(const std::string& name, const char* words) {
    const std::string padded = " " + name + " ";
    return padded.find(std::string(" ") + words + " ") != std::string::npos;
}

bool is_unwanted(const Field& field) {
    const std::string name = spoken(field.name);
    if (name == "pay period" || has_words(name, "valid") || has_words(name, "email")) return false;
    return std::any_of(kUnwanted.begin(), kUnwanted.end(), [&](const char* words) {
        return has_words(name, words) || (std::string_view(words).size() > 4 && name.find(words) != std::string::npos);
    });
}

// The words for achievements of the record's status, as far as they are plain.
std::string status_map(const Leaf& leaf) {
    static const std::vector<std::pair<const char*, std::vector<const char*>>> meanings{
        {"Completed", {"completed", "complete", "passed", "finished", "done", "graduated", "awarded", "attended", "c"}},
        {"InProgress", {"in progress", "active", "current", "ongoing", "started", "open", "a"}},
        {"Enrolled", {"enrolled", "registered", "e"}},
        {"Withdrew", {"withdrawn", "withdrew", "dropped", "w", "cancelled", "canceled"}},
        {"Failed", {"failed", "fail", "f", "not passed"}},
        {"OnHold", {"on hold", "suspended", "leave"}},
    };
    std::string out;
    for (const auto& [value, times] : leaf.values) {
        for (const auto& [meaning, words] : meanings) {
            if (std::any_of(words.begin(), words.end(), [&](const char* w) { return spoken(value) == w; }) &&
                value.find_first_of(";=") == std::string::npos) {
                out += (out.empty() ? "" : ";") + value + "=" + meaning;
            }
        }
    }
    return out;
}

class Proposer {
public:
    Proposer(const Sample& sample, const ProposalFacts& facts) : sample_(sample), facts_(facts) {
        sheet_.kind = facts.kind;
        sheet_.source = facts.source;
        sheet_.prefixes = sample.prefixes;
        if (facts.kind == "statement") sheet_.covers = "all";
    }

    MappingSheet propose() {
        choose_group();
        key();
        version();
        if (facts_.kind == "person") {
            identifiers("identifier");
            names("name/");
        } else if (facts_.kind == "statement") {
            identifiers("learner/identifier");
            names("learner/name/");
            achievement();
        } else {
            definition();
        }
        missing();
        rest();
        return std::move(sheet_);
    }

private:
    std::string institution() const { return facts_.institution.empty() ? "*" : facts_.institution; }

    // Records that hold a list: one achievement for each element of the list that fits best.
    void choose_group() {
        if (facts_.kind != "statement") return;
        std::map<std::string, int> fits;
        for (const Field& field : sample_.fields) {
            if (field.group.empty()) continue;
            for (const Likely& likely : likely_achievement())
                fits[field.group] += match(spoken(field.name), likely.names) >= 0 ? 1 : 0;
        }
        int best = 1;
        for (const auto& [group, count] : fits) {
            if (count > best) {
                best = count;
                group_ = group;
            }
        }
        if (!group_.empty()) add("achievement", group_, "each", "", "one achievement for each of them");
    }

    bool inside(const Field& field) const { return !group_.empty() && field.group == group_; }

    const Field* best(const std::vector<const char*>& names, bool any_group,
                      const std::function<bool(const Field&)>& fits = {}) const {
        const Field* found = nullptr;
        int least = 10'000;
        for (const Field& field : sample_.fields) {
            if (used_.count(&field) != 0 || is_unwanted(field) || field.leaf->filled == 0) continue;
            if (!any_group && !field.group.empty()) continue;
            if (fits && !fits(field)) continue;
            int score = match(spoken(field.name), names);
            if (score < 0) continue;
            // Deep inside, the same word says less.
            score += 10 * static_cast<int>(std::count(field.path.begin(), field.path.end(), '/'));
            if (score < least) {
                least = score;
                found = &field;
            }
        }
        return found;
    }

    void add(const std::string& target, const std::string& source, const std::string& rule, const std::string& argument,
             const std::string& note) {
        sheet_.rows.push_back({target, source, rule, argument, note, 0});
    }

    void take(const std::string& target, const Field& field, std::string rule, std::string argument = {},
              const std::string& note = {}) {
        used_.insert(&field);
        if (rule.empty()) {
            rule = "copy";
            const bool day = target.find("@begin") != std::string::npos || target.find("@end") != std::string::npos ||
                             target.find("@awarded") != std::string::npos || target.find("@valid-until") != std::string::npos;
            if (field.leaf->shape == Shape::kDate || (day && field.leaf->shape == Shape::kInstant)) {
                rule = "date";
                argument = field.leaf->shape == Shape::kDate ? field.leaf->pattern : "";
            }
        }
        if (rule == "number" && field.leaf->shape != Shape::kInteger && field.leaf->shape != Shape::kDecimal) rule = "copy";
        if (field.repeated &&
            (target == "achievement/tag" || target == "achievement/instructor" || target == "achievement/note"))
            rule = "each";
        add(target, field.path, rule, std::move(argument), note);
    }

    // What ends like an id, comes once, and is no id of a person.
    const Field* some_id(const std::function<bool(const Field&)>& fits) const {
        for (const Field& field : sample_.fields) {
            const std::string name = spoken(field.name);
            const bool ends = match(name, {"id", "number", "guid", "uuid", "key"}) >= 0 ||
                              (name.size() > 3 && name.compare(name.size() - 3, 3, " id") == 0);
            const bool person = std::any_of(likely_person().begin(), likely_person().end(),
                                            [&](const Likely& likely) { return match(name, likely.names) >= 0; });
            if (ends && !person && used_.count(&field) == 0 && !is_unwanted(field) && field.leaf->unique() && fits(field))
                return &field;
        }
        return nullptr;
    }

    void key() {
        const auto unique = [](const Field& f) { return f.leaf->unique(); };
        const Field* id = nullptr;
        if (facts_.kind == "person") {
            id = best({"student id", "employee id", "institution id", "university id", "person id", "user id", "external id",
                       "emplid", "id"},
                      false);
        } else {
            id = best(kRecordIds, false, unique);
            if (id == nullptr) id = some_id([](const Field& f) { return f.group.empty(); });
        }
        if (id == nullptr) return joined_key();
        add("@key", id->path, "copy", "",
            id->leaf->unique() ? "no value came twice in the sample"
                               : "values come twice in the sample: is it the record's id?");
        key_source_ = id->path;
        key_rule_ = "copy";
        if (facts_.kind != "person") used_.insert(id);
    }

    // Without an id of its own, a record is told by whom it is about and what: the sheet says so, for a person to judge.
    void joined_key() {
        if (facts_.kind != "statement") return;
        const auto first = [&](const std::vector<Likely>& likely, const std::vector<std::string>& targets) {
            const Field* found = nullptr;
            for (const std::string& target : targets) {
                for (const Likely& one : likely) {
                    if (found == nullptr && one.target == target) found = best(one.names, false);
                }
            }
            return found;
        };
        const Field* who = first(likely_person(), {"sis-id", "hr-id", "institution-id", "eppn", "login", "email"});
        if (who == nullptr) return;
        std::string source = who->path;
        if (group_.empty()) {
            const Field* what = first(likely_achievement(), {"achievement/code", "achievement/name"});
            if (what == nullptr) return;
            source += " " + what->path;
            const Field* when = first(likely_achievement(), {"achievement/session/@designator", "achievement/session/@name",
                                                             "achievement/@begin", "achievement/@awarded"});
            if (when != nullptr) source += " " + when->path;
        }
        add("@key", source, "join", "|",
            "the source has no id of the record: do these tell two records apart, and never change?");
        key_source_ = source;
        key_rule_ = "join";
    }

    void version() {
        if (const Field* field = best(kVersions, false, [](const Field& f) {
                return f.leaf->shape == Shape::kInstant || f.leaf->shape == Shape::kInteger || f.leaf->shape == Shape::kId;
            }))
            take("@version", *field, "version");
    }

    void identifiers(const std::string& target) {
        for (const Likely& likely : likely_person()) {
            const Field* field = best(likely.names, false);
            if (field == nullptr && std::string_view(likely.target) == "email")
                field = best(likely.names, false, [](const Field& f) { return f.leaf->shape == Shape::kEmail; });
            if (field == nullptr) continue;
            const std::string_view scheme = likely.target;
            const std::string issuer = scheme == "orcid"                       ? "orcid.org"
                                       : scheme == "email" || scheme == "eppn" ? "*"
                                                                               : institution();
            take(target + "[" + likely.target + "|" + issuer + "]", *field, likely.rule, "",
                 scheme == "email" ? "" : "who gives this number? the part behind the bar");
        }
    }

    void names(const std::string& prefix) {
        for (const Likely& likely : likely_names()) {
            if (const Field* field = best(likely.names, false)) take(prefix + likely.target, *field, likely.rule);
        }
    }

    void achievement() {
        if (!key_source_.empty() && group_.empty()) {
            add("achievement/@key", key_source_, key_rule_, "", "the same as the record's: one achievement each");
        } else if (!group_.empty()) {
            const Field* id = best(kRecordIds, true, [&](const Field& f) { return inside(f); });
            if (id == nullptr) id = some_id([&](const Field& f) { return inside(f); });
            if (id != nullptr) take("achievement/@key", *id, "");
        }
        add("achievement/@type", "", facts_.type.empty() ? "missing" : "constant", facts_.type,
            "Course, Degree, Badge, Assignment, Membership, ext:…");
        add("achievement/@component", "", facts_.component.empty() ? "missing" : "constant", facts_.component, "");
        for (const Likely& likely : likely_achievement()) {
            const std::string target = likely.target;
            const Field* field = group_.empty() ? best(likely.names, false)
                                                : best(likely.names, true, [&](const Field& f) { return inside(f); });
            if (field == nullptr && !group_.empty()) field = best(likely.names, false);
            if (field == nullptr && (target == "achievement/tag" || target == "achievement/instructor"))
                field = best(likely.names, true, [](const Field& f) { return f.repeated; });
            if (field == nullptr) continue;
            if (std::string_view(likely.rule) == "map") {
                const std::string map = status_map(*field->leaf);
                if (map.empty()) continue;
                take(target, *field, "map", map, "every value must be named, or *=…");
            } else {
                take(target, *field, likely.rule);
            }
        }
    }

    void definition() {
        add("@type", "", facts_.type.empty() ? "missing" : "constant", facts_.type, "");
        add("@component", "", facts_.component.empty() ? "missing" : "constant", facts_.component, "");
        const std::vector<Likely> all{
            {"name", "", {"title", "name", "course title", "full title", "display name", "outcome name"}},
            {"code", "", {"code", "course code", "number", "short name", "human coding scheme"}},
            {"description", "text", {"description", "full statement", "summary"}},
            {"criteria", "text", {"criteria", "requirements"}},
            {"assessment", "text", {"assessment", "assessed by"}},
            {"@catalogue-year", "", {"catalog year", "catalogue year", "academic year"}},
            {"credits/@available", "number", {"credits", "credit hours", "units"}},
            {"field-of-study", "", {"subject", "department", "discipline"}},
        };
        for (const Likely& likely : all) {
            if (const Field* field = best(likely.names, false)) take(likely.target, *field, likely.rule);
        }
    }

    void missing() {
        for (const std::string& target : missing_targets(sheet_)) {
            const bool there =
                std::any_of(sheet_.rows.begin(), sheet_.rows.end(), [&](const MappingRow& r) { return r.target == target; });
            if (there) continue;
            const std::size_t brackets = target.find("[]");
            std::string named = target;
            if (brackets != std::string::npos) named.insert(brackets + 1, "institution-id|" + institution());
            add(named, "", "missing", "", "fill in the source and a rule; until then every message is refused");
        }
    }

    void rest() {
        for (const Field& field : sample_.fields) {
            const bool named = std::any_of(sheet_.rows.begin(), sheet_.rows.end(), [&](const MappingRow& r) {
                return (" " + r.source + " ").find(" " + field.path + " ") != std::string::npos;
            });
            if (!named)
                add("", field.path, "ignore", "",
                    is_unwanted(field) ? "not for the record: dropped at the door where that can be"
                                       : "no likely place: give it a target or leave it");
        }
    }

    const Sample& sample_;
    const ProposalFacts& facts_;
    MappingSheet sheet_;
    std::string group_;
    std::string key_source_, key_rule_;
    std::set<const Field*> used_;
};

}  // namespace

MappingSheet propose_mapping(const Sample& sample, const ProposalFacts& facts) {
    return Proposer(sample, facts).propose();
}

std::vector<const Field*> unwanted_fields(const Sample& sample) {
    std::vector<const Field*> out;
    for (const Field& field : sample.fields) {
        if (is_unwanted(field)) out.push_back(&field);
    }
    return out;
}

}  // namespace clrbus::workbench
