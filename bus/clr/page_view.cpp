#include <algorithm>
#include <cctype>
#include <map>
#include <tuple>

#include "clr/achievement_json.hpp"
#include "clr/json_text.hpp"
#include "clr/page.hpp"
#include "clr/terms.hpp"

namespace clrbus::clr {

namespace {

struct PageGroup {
    int order;
    const char* id;
    const char* title;
};
constexpr PageGroup kPageGroups[] = {{0, "degrees", "Degrees and programs"},
                                     {1, "honors", "Honors and awards"},
                                     {2, "courses", "Courses"},
                                     {3, "outcomes", "Learning outcomes"},
                                     {4, "assessments", "Assignments and assessments"},
                                     {5, "employment", "Employment"},
                                     {6, "internships", "Internships and fieldwork"},
                                     {7, "works", "Works and research"},
                                     {8, "activities", "Activities and service"},
                                     {9, "licences", "Licences and certifications"},
                                     {10, "abroad", "Study abroad"},
                                     {11, "other", "Other achievements"}};

const PageGroup& page_group(std::string_view id) {
    for (const PageGroup& group : kPageGroups)
        if (id == group.id) return group;
    return kPageGroups[11];
}

// A term as a whole: its courses stand below it, so on the page it is their heading.
bool page_is_session(const AchievementModel& a) {
    return a.type == "ext:AcademicSession";
}

// By what it is, then by the part of the record that it belongs to.
const PageGroup& page_group(const AchievementModel& a) {
    const std::string type = shown_type(a);
    const auto is = [&](std::initializer_list<std::string_view> types) {
        return std::find(types.begin(), types.end(), type) != types.end();
    };
    if (is({"Award"})) return page_group("honors");
    if (page_is_session(a)) return page_group("courses");
    if (is({"Course"})) return page_group(a.component == "study-abroad" ? "abroad" : "courses");
    if (is({"Competency"})) return page_group("outcomes");
    if (is({"Assignment", "Assessment"})) return page_group("assessments");
    if (is({"License", "Certification"})) return page_group("licences");
    if (type.find("Degree") != type.npos || type.find("Doctorate") != type.npos ||
        is({"Diploma", "Certificate", "LearningProgram", "CertificateOfCompletion", "MasterCertificate", "MicroCredential",
            "SecondarySchoolDiploma"}))
        return page_group("degrees");
    static const std::map<std::string, std::string_view, std::less<>> by_component{
        {"employment", "employment"}, {"internships", "internships"}, {"artifacts", "works"},    {"research", "works"},
        {"portfolios", "works"},      {"activities", "activities"},   {"service", "activities"}, {"volunteering", "activities"},
        {"licensures", "licences"},   {"study-abroad", "abroad"},     {"outcomes", "outcomes"},  {"programs", "degrees"}};
    const auto known = by_component.find(a.component);
    return page_group(known == by_component.end() ? std::string_view("other") : known->second);
}

std::string page_word(std::string_view text) {
    // The standard's words have no spaces: InProgress.
    std::string out;
    for (const char c : text) {
        if (std::isupper(static_cast<unsigned char>(c)) != 0 && !out.empty()) {
            out += ' ';
            out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        } else {
            out += c;
        }
    }
    return out;
}

std::string page_period(const std::string& begin, const std::string& end) {
    if (begin.empty() && end.empty()) return {};
    if (begin.empty()) return "until " + date_title(end);
    if (end.empty()) return "since " + date_title(begin);
    return begin == end ? date_title(begin) : date_title(begin) + " – " + date_title(end);
}

std::string page_day(Time time, const Zone& zone) {
    const auto instant = std::chrono::floor<std::chrono::seconds>(time);
    const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(instant + zone.offset_at(instant)));
    char text[32];
    std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                  static_cast<unsigned>(day.day()));
    return date_title(text);
}

class PageWriter {
public:
    PageWriter(const RecordModel& record, const Institution& institution) : record_(record), institution_(institution) {}

    Document run() {
        out_.start("page");
        attribute("test", institution_.test ? "true" : "");
        attribute("learner", record_.name.empty() ? "Name not known" : record_.name);
        attribute("institution", institution_.display_name());
        attribute("url", is_uri(institution_.url) && institution_.url.starts_with("http") ? institution_.url : "");
        attribute("email", is_email(institution_.email) ? institution_.email : "");
        attribute("date", page_day(record_.changed, institution_.zone));
        attribute("record", record_.learner);
        attribute("version", std::to_string(record_.version));
        attribute("partial", record_.partial ? "true" : "");
        for (const IdentifierView& identifier : record_.identifiers) {
            if (identifier.scheme != "institution-id" && identifier.scheme != "sis-id" && identifier.scheme != "orcid")
                continue;
            element("identifier", identifier.value,
                    identifier.scheme == "orcid"    ? "ORCID"
                    : identifier.scheme == "sis-id" ? "SIS number"
                                                    : "Institution number");
        }
        groups();
        out_.end();
        return out_.finish();
    }

private:
    using Key = std::tuple<int, std::string, std::string>;  // group, when (newest first by inversion), session

    void attribute(std::string_view name, std::string_view value) {
        if (!value.empty()) out_.attribute(name, value);
    }

    void element(std::string_view name, std::string_view text, std::string_view label = {}) {
        if (text.empty()) return;
        out_.start(name);
        attribute("label", label);
        out_.text(text);
        out_.end();
    }

    // Sorts as text from the newest to the oldest.
    static std::string newest_first(const std::string& date) {
        std::string out = date.substr(0, 10);
        out.resize(10, '0');
        for (char& c : out)
            if (c >= '0' && c <= '9') c = static_cast<char>('0' + '9' - c);
        return date.empty() ? std::string(10, 'z') : out;
    }

    void groups() {
        std::map<Key, std::vector<const Entry*>> sorted;
        std::map<Key, std::vector<const Entry*>> sessions_of;  // a session's own results stand above its courses
        for (const Entry& entry : record_.entries) {
            const AchievementModel& a = entry.achievement;
            const PageGroup& group = page_group(a);
            const bool sessions = group.id == std::string_view("courses");
            const std::string title = sessions ? a.session.title() : std::string();
            const std::string when =
                sessions ? (a.session.begin.empty() ? a.session.designator : a.session.begin) : std::string();
            const Key key{group.order, newest_first(when), title};
            auto& entries = sorted[key];
            (page_is_session(a) ? sessions_of[key] : entries).push_back(&entry);
        }
        int open = -1;
        for (auto& [key, entries] : sorted) {
            if (std::get<0>(key) != open) {
                if (open >= 0) out_.end();
                open = std::get<0>(key);
                out_.start("group");
                out_.attribute("id", kPageGroups[open].id);
                out_.attribute("title", kPageGroups[open].title);
            }
            section(std::get<2>(key), entries, sessions_of[key]);
        }
        if (open >= 0) out_.end();
    }

    void section(const std::string& title, std::vector<const Entry*>& entries,
                 const std::vector<const Entry*>& session_entries) {
        std::stable_sort(entries.begin(), entries.end(), [](const Entry* x, const Entry* y) {
            const AchievementModel &a = x->achievement, &b = y->achievement;
            const auto when = [](const AchievementModel& e) {
                return newest_first(!e.awarded.empty() ? e.awarded : !e.end.empty() ? e.end : e.begin);
            };
            return std::tuple(page_group(a).order == 2 ? std::string() : when(a), a.code, a.name) <
                   std::tuple(page_group(b).order == 2 ? std::string() : when(b), b.code, b.name);
        });
        out_.start("section");
        const AchievementModel& first = (entries.empty() ? session_entries : entries).front()->achievement;
        if (page_group(first).order == 2) {
            out_.attribute("title", title.empty() ? "Session not stated" : title);
            attribute("period", page_period(first.session.begin, first.session.end));
        }
        for (const Entry* entry : session_entries) results(entry->achievement);
        for (const Entry* entry : entries) write(*entry);
        out_.end();
    }

    void write(const Entry& entry) {
        const AchievementModel& a = entry.achievement;
        const std::string status = a.status == "Completed" ? std::string() : page_word(a.status);
        out_.start("entry");
        out_.attribute("name", shown_name(entry));
        attribute("code", a.code);
        attribute("type", type_title(shown_type(a)));
        attribute("status", status);
        attribute("official", a.official ? "" : "false");
        attribute("transfer", entry.transfer ? (entry.organization.name.empty() ? "another school" : entry.organization.name)
                                             : std::string());
        attribute("credits", credits(a));
        attribute("grade", grade(a));
        results(a);
        facts(entry);
        for (const auto& [title, level] : a.honors) element("fact", with_detail(title, level), "Honors");
        element("text", entry.description);
        element("text", a.narrative);
        for (const std::string& note : a.notes) element("text", note);
        for (const EvidenceModel& item : a.evidence) {
            out_.start("evidence");
            attribute("url", item.url.starts_with("https://") || item.url.starts_with("http://") ? item.url : std::string());
            attribute("kind", !item.genre.empty() ? item.genre : item.media_type);
            out_.text(item.name);
            out_.end();
        }
        for (const AlignmentModel& alignment : a.alignments) element("alignment", alignment.name, alignment.framework);
        source(entry);
        out_.end();
    }

    static std::string credits(const AchievementModel& a) {
        return json_decimal(a.credits_earned.empty() ? a.credits_available : a.credits_earned);
    }

    // A course's final grade: the letter or number that its source calls so. A learning platform's score is none.
    static std::string grade(const AchievementModel& a) {
        if (!a.official || shown_type(a) != "Course") return {};
        for (const ResultModel& result : a.results)
            if (result.type == "LetterGrade" && !result.value.empty()) return result.value;
        for (const ResultModel& result : a.results)
            if (!result.value.empty() && result.type != "Status") return result.value;
        return {};
    }

    // Named once when one person rated everything.
    static std::string common_rater(const AchievementModel& a) {
        if (a.results.size() < 2) return {};
        const std::string& rater = a.results.front().rater;
        const bool same =
            std::all_of(a.results.begin(), a.results.end(), [&](const ResultModel& result) { return result.rater == rater; });
        return same ? rater : std::string();
    }

    void results(const AchievementModel& a) {
        const std::string rater = common_rater(a);
        const std::string final_grade = grade(a);
        bool shown = false;
        for (const ResultModel& result : a.results) {
            std::string value = result.value;
            for (const LevelModel& level : result.levels)
                if (level.key == result.achieved_level && !level.name.empty() && level.name != value)
                    value = with_detail(level.name, value);
            if (value.empty()) value = !result.achieved_level.empty() ? result.achieved_level : page_word(result.status);
            if (value.empty()) continue;
            if (!shown && !final_grade.empty() && result.value == final_grade) {
                shown = true;  // it stands in the grade's column
                continue;
            }
            if (!result.max.empty() &&
                (result.type == "RawScore" || result.type == "ScaledScore" || result.type == "GradePointAverage"))
                value += " of " + result.max;
            if (result.type == "Percent" && !value.ends_with('%')) value += " %";
            if (!result.rater.empty() && rater.empty()) value += ", rated by " + result.rater;
            // Plain counts (credit hours attempted) are facts; what was reached stands out.
            element(result.type == "Result" ? "fact" : "result", value, result.name);
        }
    }

    void facts(const Entry& entry) {
        const AchievementModel& a = entry.achievement;
        element("fact", common_rater(a), "Rated by");
        if (a.role != a.name) element("fact", a.role, "Role");
        element("fact", a.level.find(' ') == a.level.npos ? page_word(a.level) : a.level, "Level");
        element("fact", a.source_organization.name, "Where");
        element("fact", a.location, "Place");
        const bool as_session = a.begin == a.session.begin && a.end == a.session.end;
        if (!as_session) element("fact", page_period(a.begin, a.end), "When");
        element("fact", date_title(a.awarded), "Awarded");
        element("fact", date_title(a.valid_until), "Valid until");
        element("fact", a.license_number, "Number");
        element("fact", a.hours, "Hours");
        element("fact", a.field_of_study, "Field of study");
        element("fact", a.specialization, "Specialization");
        for (const std::string& person : a.instructors)
            element("fact", person, shown_type(a) == "Course" ? "Instructor" : "Advisor");
        for (const ProgramModel& program : a.programs)
            element("fact", program.name, program.type.empty() ? "Program" : page_word(program.type));
        if (shown_type(a) != "Course" && !credits(a).empty()) element("fact", credits(a), "Credits");
        if (shown_type(a) != "Course") element("fact", a.session.title(), "Session");
    }

    void source(const Entry& entry) {
        out_.start("source");
        attribute("authority",
                  entry.authority.unit.empty() ? entry.authority.name : entry.authority.name + ", " + entry.authority.unit);
        attribute("organization", entry.organization.name);
        out_.attribute("system", entry.source.system);
        if (entry.source.accepted != Time{}) out_.attribute("date", page_day(entry.source.accepted, institution_.zone));
        if (!entry.source.corrected_by.empty()) {
            out_.attribute("corrected-by", entry.source.corrected_by);
            out_.attribute("corrected", page_day(entry.source.corrected_at, institution_.zone));
        }
        out_.end();
    }

    const RecordModel& record_;
    const Institution& institution_;
    TreeBuilder out_;
};

}  // namespace

Document page_view(const RecordModel& record, const Institution& institution) {
    return PageWriter(record, institution).run();
}

}  // namespace clrbus::clr
