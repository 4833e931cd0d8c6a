// A learner's record as the store answers with it, for tests: every kind of source, invented.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "clr/institution.hpp"
#include "clr/record_source.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"

namespace clrbus::clr::test {

inline constexpr const char* kLearner = "7d7c9f8e-3c2b-4f0e-9c1a-0a1b2c3d4e5f";
inline constexpr const char* kHead = "<statement xmlns='urn:clrbus:learner-record:1' covers='all' ";

struct FixedClock : Clock {
    Time time = from_rfc3339("2026-03-01T10:00:00Z");
    Time now() const override { return time; }
    std::chrono::steady_clock::time_point steady() const override {
        return std::chrono::steady_clock::time_point(std::chrono::milliseconds(time.time_since_epoch().count()));
    }
};

inline Institution institution() {
    Institution out;
    out.id = "https://registrar.example.edu/issuers/1";
    out.name = "Example University";
    out.url = "https://registrar.example.edu";
    out.email = "registrar@example.edu";
    out.zone = Zone::load("America/Chicago");
    out.codes = {{"FICE", "003658"}};
    out.public_url = "https://clr.example.edu";
    return out;
}

inline records::StatementInForce statement(std::string source, std::string authority, bool own, std::string xml,
                                           std::vector<std::string> keys) {
    records::StatementInForce out;
    out.key = source + " key";
    out.own = own;
    out.provenance.source = std::move(source);
    out.provenance.authority = std::move(authority);
    out.provenance.route = out.provenance.source;
    out.provenance.accepted = from_rfc3339("2026-02-03T04:05:06Z");
    out.provenance.original = "sha256:" + std::string(64, 'a');
    out.xml = std::move(xml);
    out.achievements = std::move(keys);
    return out;
}

inline std::string own_transcript() {
    return std::string(kHead) +
           "source='pesc' key='FICE:003658|S1|UG'>"
           "<learner><name full='Ada Lovelace'/></learner><authority name='Office of the Registrar'/>"
           "<organization name='Example University'><code scheme='FICE' value='003658'/></organization>"
           "<achievement key='degree' type='BachelorDegree' component='academic-record' awarded='2025-06-01'>"
           "<name>Bachelor of Science in Computer Science</name><code>BS-CS</code><criteria>120 semester credits.</criteria>"
           "<credits earned='121.00'/><program type='Major' name='Computer Science'/><program type='Concentration' "
           "name='Theory'/>"
           "<honors title='magna cum laude'/>"
           "<result type='GradePointAverage' name='Cumulative GPA' value='3.870' min='0' max='4.0'/></achievement>"
           "<achievement key='cs210' type='Course' component='academic-record' status='Completed'>"
           "<name>Algorithms &amp; \"Data\" &lt;Structures&gt;</name><code>CS 210</code>"
           "<session name='Spring 2024' designator='2024-01' begin='2024-01-16' end='2024-05-10'/>"
           "<credits available='4' earned='4.0' units='Semester'/>"
           "<result type='LetterGrade' name='Final grade' value='A' scale='47'/>"
           "<association type='isPartOf' target='degree'/><association type='isPartOf' target='nowhere'/></achievement>"
           "<achievement key='cs310' type='Course' component='academic-record' status='InProgress'>"
           "<name>Compilers \xf0\x9f\x9a\x80</name><code>CS 310</code>"
           "<session name='Spring 2026' begin='2026-01-12' end='2026-05-15'/><credits available='03.50'/>"
           "<association type='precedes' target='cs210'/></achievement>"
           "<achievement key='ms101' type='Course' component='academic-record' status='Withdrew'>"
           "<name>Music</name><session school-year='2023-2024' begin='2023-08' end='2024'/></achievement>"
           "<achievement key='dean' type='Award' component='academic-record' awarded='2024-06'><name>Dean's List</name>"
           "<association type='isRelatedTo' target='degree'/></achievement>"
           "<achievement key='old' type='Course' component='academic-record'><name>Replaced "
           "elsewhere</name></achievement></statement>";
}

inline std::string transfer_transcript() {
    return std::string(kHead) +
           "source='pesc' key='FICE:001002|77|UG'>"
           "<learner/><organization name='North Valley College'><code scheme='FICE' value='001002'/></organization>"
           "<achievement key='math151' type='Course' component='academic-record'><name>Calculus I</name><code>MATH 151</code>"
           "<session name='Fall 2022' begin='2022-08-22' end='2022-12-16'/><credits available='5' earned='5'/>"
           "<result type='LetterGrade' name='Final grade' value='B+'/></achievement></statement>";
}

inline std::string learning_platform() {
    return std::string(kHead) +
           "source='canvas' key='outcome 9'><learner/><authority name='Learning Technologies' unit='Canvas'/>"
           "<achievement key='o9' type='Competency' component='outcomes'><name>Written argument</name><definition "
           "key='outcome:9'/>"
           "<result type='RubricCriterionLevel' name='Mastery' value='4' min='0' max='5' achieved-level='exceeds' rater='J. "
           "Reader'>"
           "<level key='meets' name='Meets' points='3'/><level key='exceeds' name='Exceeds' points='4' description='More than "
           "asked'/>"
           "<alignment name='Writes clearly' framework='Campus outcomes'/></result>"
           "<association type='isChildOf' target='course:eng1'/></achievement>"
           "<achievement key='score' type='Course' component='academic-record' official='false'><name>Algorithms</name>"
           "<result type='Percent' name='Current score' value='91.5'/></achievement></statement>";
}

inline std::string employment() {
    return std::string(kHead) +
           "source='hr' key='P123'><learner/><authority name='Human Resources'/>"
           "<achievement key='P123' type='ext:Employment' component='employment' begin='2024-09-01' end='2025-05-31'>"
           "<name>Library Systems Assistant</name><source-organization name='University Library'/>"
           "<role>Student assistant</role><narrative>Kept the \"reserve\" desk.</narrative><location>Main "
           "Library</location><hours>400</hours>"
           "<result type='RubricCriterion' name='Customer focus' value='4' min='1' max='5'/>"
           "<alignment name='Customer focus' framework='Workplace outcomes' type='Workplace' "
           "url='https://www.example.edu/outcomes/customer-focus'/>"
           "</achievement></statement>";
}

inline std::string repository() {
    return std::string(kHead) +
           "source='oai-pmh' key='oai:repo:1'><learner/><authority name='University Library'/>"
           "<achievement key='oai:repo:1' type='Achievement' component='artifacts' awarded='2025-05-20T12:30:00-05:00'>"
           "<name>On engines: a thesis</name><description>A thesis.</description><language>en</language><tag>engines</tag>"
           "<other-identifier scheme='doi' issuer='*' value='10.1000/xyz'/>"
           "<evidence name='On engines' url='https://hdl.handle.net/1/2' genre='Thesis' media-type='application/pdf' sha256='" +
           std::string(64, 'b') +
           "'/><evidence name='Draft' url='javascript:alert(1)'/></achievement>"
           "<achievement key='rn' type='License' component='licensures' awarded='2024-01-01' valid-until='2028-01-31'>"
           "<name>Registered Nurse</name><license-number>RN-1</license-number></achievement></statement>";
}

inline std::map<std::string, std::string> definitions() {
    const std::string head = "<definition xmlns='urn:clrbus:learner-record:1' source='canvas' ";
    return {
        {"outcome:9",
         head + "key='outcome:9' type='Competency' component='outcomes' catalogue-year='2024'><name>Written argument</name>"
                "<description>Argues in writing.</description><assessment>By rubric.</assessment>"
                "<scale type='RubricCriterionLevel' name='Mastery' min='0' max='5' required='meets'>"
                "<level key='below' name='Below' points='1'/><level key='meets' name='Meets' points='3'/></scale>"
                "<alignment name='Argument' url='https://case.example.edu/CFItems/1' type='CFItem' code='1'/></definition>"},
        {"course:eng1",
         head + "key='course:eng1' type='Course' component='academic-record'><name>Composition</name><code>ENG 1</code>"
                "<criteria>Pass.</criteria><credits available='3'/><outcome key='outcome:9'/><outcome "
                "key='outcome:404'/></definition>"}};
}

inline records::LearnerRecord record() {
    records::LearnerRecord out;
    out.id = kLearner;
    out.version = 12;
    out.created = from_rfc3339("2025-07-01T08:00:00.250Z");
    out.changed = from_rfc3339("2026-02-20T08:30:00.750Z");
    out.names = {{"people", "Ada", "Lovelace", "Ada Lovelace"}};
    out.identifiers = {{"people", "institution-id", "FICE:003658", "S0012345"},
                       {"people", "email", "*", "a@example.com"},
                       {"people", "ssn-keyed", "*", "ssn-secret"},
                       {"people", "canvas-id", "canvas.example.edu", "4711"}};
    out.statements.push_back(
        statement("pesc", "Registrar", true, own_transcript(), {"degree", "cs210", "cs310", "ms101", "dean"}));
    out.statements.push_back(statement("pesc", "Registrar", false, transfer_transcript(), {"math151"}));
    out.statements.back().key = "other school";
    out.statements.push_back(statement("canvas", "Learning Technologies", false, learning_platform(), {"o9", "score"}));
    out.statements.push_back(statement("hr", "Human Resources", false, employment(), {"P123"}));
    out.statements.push_back(statement("oai-pmh", "University Library", false, repository(), {"oai:repo:1", "rn"}));
    return out;
}

// Holds one record and says what was asked.
struct FakeRecords : RecordSource {
    records::LearnerRecord held = record();
    std::map<std::string, std::string> catalogue = definitions();
    std::vector<std::string> log;
    bool away = false;
    std::mutex mutex;  // guards log

    records::Release decide(const records::Reader& reader, const std::string& learner) const {
        if (learner != held.id) return records::Release::kUnknown;
        if (reader.kind == records::Reader::Kind::kNobody) return records::Release::kDenied;
        if (reader.kind == records::Reader::Kind::kLearner && reader.learner != learner) return records::Release::kDenied;
        if (held.blocked && reader.kind != records::Reader::Kind::kStaff) return records::Release::kBlocked;
        return records::Release::kReleased;
    }
    records::ReadAnswer read(const records::Reader& reader, const std::string& learner, std::string_view purpose) override {
        if (away) throw Error(Fault::kAway, "REC-001", "reading", "the disk is away");
        const auto release = decide(reader, learner);
        const std::scoped_lock lock(mutex);
        log.push_back("read " + std::string(purpose));
        return {release, release == records::Release::kReleased ? held : records::LearnerRecord{}};
    }
    std::optional<records::LearnerLine> line(const std::string& learner) override {
        if (learner != held.id) return std::nullopt;
        records::LearnerLine out;
        out.id = held.id;
        out.version = held.version;
        out.blocked = held.blocked;
        return out;
    }
    records::Release disclose(const records::Reader& reader, const std::string& learner, std::string_view purpose,
                              std::string_view) override {
        const std::scoped_lock lock(mutex);
        log.push_back("disclose " + std::string(purpose));
        return decide(reader, learner);
    }
    std::optional<records::DefinitionRecord> definition(std::string_view key) override {
        const auto found = catalogue.find(std::string(key));
        if (found == catalogue.end()) return std::nullopt;
        records::DefinitionRecord out;
        out.key = found->first;
        out.xml = found->second;
        return out;
    }
};

}  // namespace clrbus::clr::test
