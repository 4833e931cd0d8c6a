// A learner's record as plain values, read from the canonical messages once; the credential and the page are both written from
// it. Value types; any thread.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "clr/learner_view.hpp"

namespace clrbus::clr {

struct OrganizationModel {
    std::string name, id, country;
    std::vector<std::pair<std::string, std::string>> codes;  // scheme, value
    bool empty() const { return name.empty() && id.empty() && codes.empty(); }
};
struct AuthorityModel {
    std::string name, unit, url;
};
struct LevelModel {
    std::string key, name, points, description;
};
struct AlignmentModel {
    std::string name, url, code, framework, type, description;
};
// "title (detail)", or the title alone.
std::string with_detail(std::string title, const std::string& detail);

struct ResultModel {
    std::string type, name, value, status, scale, min, max, required, achieved_level, date, rater;
    bool excluded_from_gpa = false;
    std::vector<LevelModel> levels;
    std::vector<AlignmentModel> alignments;
};
struct EvidenceModel {
    std::string name, url, description, genre, media_type, size, sha256, narrative;
};
struct LinkModel {
    std::string type, target;  // an association; target: an achievement key of the statement, or of a definition
};
struct SessionModel {
    std::string designator, name, type, school_year, begin, end;
    std::string title() const { return !name.empty() ? name : !designator.empty() ? designator : school_year; }
};
struct ProgramModel {
    std::string type, name, code;
};
struct AchievementModel {
    std::string key, type, component, level, status, begin, end, awarded, valid_until;
    bool official = true;
    std::string name, code, description, criteria, definition;
    OrganizationModel creator, source_organization;
    SessionModel session;
    std::string credits_available, credits_earned, credits_attempted, credit_units;
    std::vector<ProgramModel> programs;
    std::string field_of_study, specialization, role, narrative, license_number, location, hours, language;
    std::vector<std::string> instructors, tags, notes;
    std::vector<std::pair<std::string, std::string>> honors;             // title, level
    std::vector<std::pair<std::string, std::string>> other_identifiers;  // scheme, value
    std::vector<ResultModel> results;
    std::vector<EvidenceModel> evidence;
    std::vector<AlignmentModel> alignments;
    std::vector<LinkModel> associations;
};
struct DefinitionModel {
    std::string key, type, component, catalogue_year;
    std::string name, code, description, criteria, assessment, credits, field_of_study;
    AuthorityModel authority;
    OrganizationModel creator;
    std::vector<ResultModel> scales;
    std::vector<std::string> outcomes, parts;
    std::vector<AlignmentModel> alignments;
    std::vector<LinkModel> associations;
};

// One achievement as one source states it.
struct Entry {
    AchievementModel achievement;
    std::string statement;  // StatementView::id
    Source source;
    AuthorityModel authority;        // of the statement, else the steward's unit
    OrganizationModel organization;  // that speaks
    bool transfer = false;           // another school's word that the institution certifies
    std::string name, description;   // the definition's when there is one: events often know only a number
};

struct RecordModel {
    std::string learner, name;
    std::uint64_t version = 0;
    Time changed{}, created{};
    bool partial = false;
    std::vector<IdentifierView> identifiers;
    std::vector<Entry> entries;                          // in the order of the statements
    std::map<std::string, DefinitionModel> definitions;  // by key
};

AchievementModel read_achievement(Node achievement);
DefinitionModel read_definition(Node definition);
RecordModel model_of(const LearnerView& view);

// A date as exact as the source gave it. Instants without a day's meaning keep their text.
struct PartialDate {
    std::chrono::sys_days first{}, last{};  // of the period that it names
    bool exact = false;                     // a day or an instant
    std::string instant;                    // the text itself when it is an instant
};
std::optional<PartialDate> read_date(std::string_view text);
std::string date_title(std::string_view text);  // "17 May 2024", "May 2024", "2024"

}  // namespace clrbus::clr
