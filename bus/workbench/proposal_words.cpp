#include "workbench/proposal_words.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "workbench/shapes.hpp"

namespace clrbus::workbench {
namespace {

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

bool has_words(const std::string& name, const char* words) {
    const std::string padded = " " + name + " ";
    return padded.find(std::string(" ") + words + " ") != std::string::npos;
}

}  // namespace

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

extern const std::vector<const char*> kRecordIds{"id",
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
extern const std::vector<const char*> kVersions{
    "updated at",  "last modified", "modified",           "modified at",   "last updated",
    "updated",     "changed at",    "last modified date", "date modified", "modification date",
    "last update", "timestamp",     "update date",        "as of",         "last changed"};

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

bool is_unwanted(const Field& field) {
    const std::string name = spoken(field.name);
    if (name == "pay period" || has_words(name, "valid") || has_words(name, "email")) return false;
    return std::any_of(kUnwanted.begin(), kUnwanted.end(), [&](const char* words) {
        return has_words(name, words) || (std::string_view(words).size() > 4 && name.find(words) != std::string::npos);
    });
}

bool of_person(const Field& field) {
    const std::string name = spoken(field.name);
    const char* const words[] = {"person", "first",   "last", "given",     "family",
                                 "middle", "display", "user", "preferred", "full"};
    return std::any_of(std::begin(words), std::end(words), [&](const char* word) { return has_words(name, word); });
}

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
            if (std::any_of(words.begin(), words.end(), [&value = value](const char* w) { return spoken(value) == w; }) &&
                value.find_first_of(";=") == std::string::npos) {
                out += (out.empty() ? "" : ";") + value + "=" + meaning;
            }
        }
    }
    return out;
}

}  // namespace clrbus::workbench
