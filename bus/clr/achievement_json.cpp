#include "clr/achievement_json.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "clr/json_text.hpp"
#include "clr/terms.hpp"
#include "core/ids.hpp"

namespace clrbus::clr {

namespace {

constexpr std::string_view kClrNamespace = "0d3c7b0e-5f0d-5f0b-9f0a-3b8e6b1f7c52";

void achievement_alignments(JsonText& json, const Institution& institution, const std::vector<AlignmentModel>& alignments) {
    if (alignments.empty()) return;
    json.array("alignment");
    for (const AlignmentModel& alignment : alignments) {
        json.object().strings("type", {"Alignment"}).member("targetName", alignment.name);
        // A target without an address still needs one: a name-based URN, the same wherever it is named.
        json.member("targetUrl", is_uri(alignment.url) ? alignment.url
                                                       : stable_urn(institution, "alignment", alignment.framework,
                                                                    alignment.code, alignment.name));
        json.optional("targetCode", alignment.code).optional("targetFramework", alignment.framework);
        json.optional("targetDescription", alignment.description).optional("targetType", alignment_type(alignment.type)).end();
    }
    json.end();
}

std::string achievement_description(const AchievementModel& a) {
    if (!a.description.empty()) return a.description;
    std::string out = type_title(shown_type(a)) + ": " + a.name;
    if (!a.code.empty()) out += " (" + a.code + ")";
    return out;
}

std::string achievement_criteria(const Entry& entry) {
    if (!entry.achievement.criteria.empty()) return entry.achievement.criteria;
    const std::string& speaker = !entry.organization.name.empty() ? entry.organization.name : entry.authority.name;
    return speaker.empty() ? "As the source recorded it." : "As recorded by " + speaker + ".";
}

std::string achievement_program(const AchievementModel& a, std::initializer_list<std::string_view> types) {
    for (const ProgramModel& program : a.programs)
        for (const std::string_view type : types)
            if (program.type == type) return program.name;
    return {};
}

void achievement_description_json(JsonText& json, const Institution& institution, const std::string& id,
                                  const ResultModel& shape) {
    json.object()
        .member("id", id)
        .strings("type", {"ResultDescription"})
        .member("name", shape.name)
        .member("resultType", shape.type);
    json.optional("valueMin", shape.min).optional("valueMax", shape.max);
    const auto required = std::find_if(shape.levels.begin(), shape.levels.end(),
                                       [&](const LevelModel& level) { return level.key == shape.required; });
    if (required != shape.levels.end())
        json.member("requiredLevel", id + "-" + slug(required->key));
    else
        json.optional("requiredValue", shape.required);
    if (!shape.levels.empty()) {
        json.array("rubricCriterionLevel");
        for (const LevelModel& level : shape.levels) {
            json.object()
                .member("id", id + "-" + slug(level.key))
                .strings("type", {"RubricCriterionLevel"})
                .member("name", level.name);
            json.optional("points", level.points).optional("description", level.description).end();
        }
        json.end();
    }
    achievement_alignments(json, institution, shape.alignments);
    json.end();
}

}  // namespace

std::string stable_urn(const Institution& institution, std::string_view kind, std::string_view a, std::string_view b,
                       std::string_view c) {
    std::string name = institution.id;
    for (const std::string_view part : {kind, a, b, c}) {
        name += '\n';
        name += std::to_string(part.size());  // ("ab","c") is not ("a","bc")
        name += ':';
        name += part;
    }
    return "urn:uuid:" + name_uuid(kClrNamespace, name);
}

std::string profile_of(const Institution& institution, const OrganizationModel& organization) {
    JsonText json;
    json.object();
    const bool coded = !organization.codes.empty();
    json.member("id", is_uri(organization.id) ? organization.id
                      : coded                 ? stable_urn(institution, "organization", organization.codes.front().first,
                                                           organization.codes.front().second)
                                              : stable_urn(institution, "organization-name", organization.name));
    json.strings("type", {"Profile"}).optional("name", organization.name);
    if (is_uri(organization.id) && organization.id.starts_with("http")) json.member("url", organization.id);
    if (coded) {
        json.array("otherIdentifier");
        for (const auto& [scheme, value] : organization.codes)
            json.object()
                .member("type", "IdentifierEntry")
                .member("identifier", value)
                .member("identifierType", extension_term(scheme))
                .end();
        json.end();
    }
    json.end();
    return json.take();
}

std::string shown_type(const AchievementModel& achievement) {
    static const std::set<std::string, std::less<>> unofficial{"Assignment", "Assessment", "Competency"};
    std::string type = achievement_type(achievement.type);
    if (achievement.official || unofficial.contains(type) || type.starts_with("ext:")) return type;
    // A self-report or a learning platform's running score: the registrar has not awarded it.
    return type == "Course" ? "Assessment" : "Achievement";
}

std::string shown_name(const Entry& entry) {
    const AchievementModel& a = entry.achievement;
    const bool changed = !a.official && shown_type(a) != achievement_type(a.type);
    return changed ? entry.name + " (not an official result)" : entry.name;
}

ResultModel status_result(const AchievementModel& achievement) {
    ResultModel out;
    out.type = out.name = "Status";
    out.status = achievement.status;
    return out;
}

AchievementBook::AchievementBook(const RecordModel& record, const Institution& institution)
    : record_(record), institution_(institution) {
    for (const Entry& entry : record.entries) {
        const AchievementModel& a = entry.achievement;
        const auto definition = a.official ? record.definitions.find(a.definition) : record.definitions.end();
        std::string id = definition != record.definitions.end()
                             ? stable_urn(institution, "definition", definition->first)
                             : stable_urn(institution, "achievement", record.learner, entry.statement, a.key);
        auto [item, made] = items_.try_emplace(id);
        if (made) order_.push_back(id);
        if (item->second.entry == nullptr) item->second.entry = &entry;
        if (definition != record.definitions.end() && made) {
            item->second.definition = &definition->second;
            for (const ResultModel& scale : definition->second.scales) add_description(item->second, id, scale);
        }
        for (const ResultModel& result : a.results) add_description(item->second, id, result);
        if (!a.status.empty() && a.status != "Completed") add_description(item->second, id, status_result(a));
        local_.emplace(std::pair(entry.statement, a.key), id);
        ids_.push_back(std::move(id));
    }
    // Definitions that the entries' definitions and associations point to, one step: what is expected beside what was reached.
    for (const Entry& entry : record.entries) {
        for (const LinkModel& link : entry.achievement.associations)
            if (!local_.contains({entry.statement, link.target})) add_definition(link.target);
        const auto definition = record.definitions.find(entry.achievement.definition);
        if (definition == record.definitions.end()) continue;
        for (const std::string& key : definition->second.outcomes) add_definition(key);
        for (const std::string& key : definition->second.parts) add_definition(key);
        for (const LinkModel& link : definition->second.associations) add_definition(link.target);
    }
    collect_edges();
}

void AchievementBook::add_definition(const std::string& key) {
    const auto definition = record_.definitions.find(key);
    if (definition == record_.definitions.end()) return;
    std::string id = stable_urn(institution_, "definition", key);
    auto [item, made] = items_.try_emplace(id);
    if (!made) return;
    item->second.definition = &definition->second;
    for (const ResultModel& scale : definition->second.scales) add_description(item->second, id, scale);
    order_.push_back(std::move(id));
}

void AchievementBook::add_description(Item& item, const std::string& achievement_id, const ResultModel& result) {
    auto known = std::find_if(item.descriptions.begin(), item.descriptions.end(),
                              [&](const Description& d) { return d.shape.type == result.type && d.shape.name == result.name; });
    if (known == item.descriptions.end()) {
        std::string id = achievement_id + "#" + slug(result.name);
        for (int n = 2;
             std::any_of(item.descriptions.begin(), item.descriptions.end(), [&](const Description& d) { return d.id == id; });
             ++n)
            id = achievement_id + "#" + slug(result.name) + "-" + std::to_string(n);
        ResultModel shape = result;
        shape.value.clear(), shape.status.clear(), shape.levels.clear();
        shape.alignments.clear();  // of the result, not of what can be reached
        item.descriptions.push_back({std::move(id), std::move(shape)});
        known = item.descriptions.end() - 1;
    }
    ResultModel& shape = known->shape;
    if (shape.min.empty()) shape.min = result.min;
    if (shape.max.empty()) shape.max = result.max;
    if (shape.required.empty()) shape.required = result.required;
    const auto has = [&](const std::string& key) {
        return std::any_of(shape.levels.begin(), shape.levels.end(), [&](const LevelModel& level) { return level.key == key; });
    };
    for (const LevelModel& level : result.levels)
        if (!has(level.key)) shape.levels.push_back(level);
    if (!result.achieved_level.empty() && !has(result.achieved_level))
        shape.levels.push_back({result.achieved_level, result.value.empty() ? result.achieved_level : result.value, "", ""});
}

std::string AchievementBook::id_of_target(const std::string& statement, const std::string& key) const {
    if (const auto local = local_.find({statement, key}); local != local_.end()) return local->second;
    if (record_.definitions.contains(key)) {
        std::string id = stable_urn(institution_, "definition", key);
        if (items_.contains(id)) return id;
    }
    return {};
}

const std::string& AchievementBook::json_of(const std::string& achievement_id) {
    Item& item = items_.at(achievement_id);
    if (item.json.empty()) item.json = write(achievement_id, item);
    return item.json;
}

std::vector<std::string> AchievementBook::all_ids() const {
    return order_;
}

const AchievementBook::Description* AchievementBook::find(std::size_t entry, const ResultModel& result) const {
    for (const Description& description : items_.at(ids_[entry]).descriptions)
        if (description.shape.type == result.type && description.shape.name == result.name) return &description;
    return nullptr;
}

std::string AchievementBook::description_of(std::size_t entry, const ResultModel& result) const {
    const Description* description = find(entry, result);
    return description != nullptr ? description->id : std::string();
}

std::string AchievementBook::level_of(std::size_t entry, const ResultModel& result) const {
    const Description* description = find(entry, result);
    if (description == nullptr || result.achieved_level.empty()) return {};
    return description->id + "-" + slug(result.achieved_level);
}

std::string AchievementBook::write(const std::string& id, const Item& item) const {
    static const Entry no_entry;
    const Entry& entry = item.entry != nullptr ? *item.entry : no_entry;
    const AchievementModel& a = entry.achievement;
    const DefinitionModel* d = item.definition;
    const auto first = [](const std::string& one, const std::string& other) -> const std::string& {
        return one.empty() ? other : one;
    };
    JsonText json;
    json.object().member("id", id).strings("type", {"Achievement"});
    json.member("achievementType", d != nullptr ? achievement_type(d->type) : shown_type(a));
    json.member("name", d != nullptr ? d->name : shown_name(entry));
    if (d != nullptr) {
        json.member("description", first(d->description, type_title(d->type) + ": " + d->name));
        const std::string& criteria = first(d->criteria, d->assessment);
        json.object("criteria").member("narrative", criteria.empty() ? "As the catalogue describes it." : criteria).end();
        json.optional("humanCode", d->code).number("creditsAvailable", d->credits).optional("fieldOfStudy", d->field_of_study);
        json.optional("version", d->catalogue_year);
    } else {
        json.member("description", achievement_description(a));
        json.object("criteria").member("narrative", achievement_criteria(entry)).end();
        json.optional("humanCode", a.code).number("creditsAvailable", first(a.credits_available, a.credits_attempted));
        json.optional("fieldOfStudy", first(a.field_of_study, achievement_program(a, {"Major", "major"})));
        json.optional("specialization", first(a.specialization, achievement_program(a, {"Concentration", "concentration"})));
        if (is_language(a.language)) json.member("inLanguage", a.language);
        if (!a.tags.empty()) {
            json.array("tag");
            for (const std::string& tag : a.tags) json.text(tag);
            json.end();
        }
        if (!a.other_identifiers.empty()) {
            json.array("otherIdentifier");
            for (const auto& [scheme, value] : a.other_identifiers)
                json.object()
                    .member("type", "IdentifierEntry")
                    .member("identifier", value)
                    .member("identifierType", extension_term(scheme))
                    .end();
            json.end();
        }
    }
    const OrganizationModel& creator = d != nullptr         ? d->creator
                                       : !a.creator.empty() ? a.creator
                                       : entry.transfer     ? entry.organization
                                                            : a.creator;
    if (creator.empty())
        json.object("creator")
            .member("id", institution_.id)
            .strings("type", {"Profile"})
            .member("name", institution_.display_name())
            .end();
    else
        json.raw("creator", profile_of(institution_, creator));
    if (!item.descriptions.empty()) {
        json.array("resultDescription");
        for (const Description& description : item.descriptions)
            achievement_description_json(json, institution_, description.id, description.shape);
        json.end();
    }
    achievement_alignments(json, institution_, d != nullptr ? d->alignments : a.alignments);
    json.end();
    return json.take();
}

void AchievementBook::collect_edges() {
    std::set<Edge> seen;
    const auto add = [&](const std::string& type, const std::string& source, const std::string& target) {
        if (target.empty() || target == source) {
            ++dropped_;
            return;
        }
        Edge edge{type, source, target};
        if (seen.insert(edge).second) edges_.push_back(std::move(edge));
    };
    for (std::size_t i = 0; i < record_.entries.size(); ++i)
        for (const LinkModel& link : record_.entries[i].achievement.associations)
            add(link.type, ids_[i], id_of_target(record_.entries[i].statement, link.target));
    for (const std::string& id : order_) {
        const DefinitionModel* definition = items_.at(id).definition;
        if (definition == nullptr) continue;
        // What a definition names but this record does not hold is no loss: it is not about this learner.
        const auto known = [&](const std::string& key) { return id_of_target({}, key); };
        for (const std::string& key : definition->outcomes)
            if (const std::string target = known(key); !target.empty()) add("isChildOf", target, id);
        for (const std::string& key : definition->parts)
            if (const std::string target = known(key); !target.empty()) add("isPartOf", target, id);
        for (const LinkModel& link : definition->associations)
            if (const std::string target = known(link.target); !target.empty()) add(link.type, id, target);
    }
}

std::vector<AchievementBook::Edge> AchievementBook::edges() const {
    return edges_;
}

}  // namespace clrbus::clr
