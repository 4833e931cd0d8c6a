#include "workbench/proposal.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include "workbench/proposal_words.hpp"
#include "workbench/shapes.hpp"

namespace clrbus::workbench {
namespace {

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

    // A person's name or form of address is no title.
    static std::function<bool(const Field&)> fits_target(const std::string& target) {
        if (target != "achievement/name") return {};
        return [](const Field& f) { return !of_person(f); };
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
        add(target, field.path, rule, argument, note);
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
                    if (found == nullptr && one.target == target) found = best(one.names, false, fits_target(target));
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
            const auto fits = fits_target(target);
            const Field* field = group_.empty() ? best(likely.names, false, fits)
                                                : best(likely.names, true, [&](const Field& f) { return inside(f); });
            if (field == nullptr && !group_.empty()) field = best(likely.names, false, fits);
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
