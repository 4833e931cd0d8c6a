#include "clr/assembler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "clr/achievement_json.hpp"
#include "clr/json_text.hpp"
#include "clr/record_view.hpp"
#include "clr/terms.hpp"
#include "clr/test_record.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"

namespace clrbus::clr {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

RecordModel assembled_model(const records::LearnerRecord& record) {
    RecordReader reader([](std::string_view key) -> std::optional<records::DefinitionRecord> {
        test::FakeRecords records;
        return records.definition(key);
    });
    return model_of(reader.view(record));
}

class Assembling : public testing::Test {
protected:
    void run(const records::LearnerRecord& record, const Institution& institution = test::institution()) {
        AssembleOptions options;
        options.reader = "Ada's wallet";
        options.status = AssembleOptions::Status{0, 4711};
        assembled_ = assemble(assembled_model(record), institution, options);
        document_ = json::parse(assembled_.json);
    }
    const json::object& subject() const { return document_.at("credentialSubject").as_object(); }
    const json::object& credential(std::string_view name) const {
        for (const auto& each : subject().at("verifiableCredential").as_array())
            if (std::string_view(each.at("name").as_string()) == name) return each.as_object();
        throw std::runtime_error("no credential " + std::string(name));
    }
    static std::string text(const json::value& value) { return json::serialize(value); }

    Assembled assembled_;
    json::value document_;
};

void no_nulls_and_empty_arrays(const json::value& value, const std::string& path) {
    ASSERT_FALSE(value.is_null()) << path;
    if (const auto* array = value.if_array()) {
        ASSERT_FALSE(array->empty()) << path;
        for (std::size_t i = 0; i < array->size(); ++i) no_nulls_and_empty_arrays(array->at(i), path + "/" + std::to_string(i));
    } else if (const auto* object = value.if_object()) {
        for (const auto& member : *object) no_nulls_and_empty_arrays(member.value(), path + "/" + std::string(member.key()));
    } else if (value.is_string()) {
        ASSERT_FALSE(value.as_string().empty()) << path;
    }
}

TEST_F(Assembling, ARecordWithoutAchievementsHasNoCredential) {
    records::LearnerRecord record = test::record();
    record.statements.clear();
    EXPECT_THROW(run(record), Error);
}

TEST_F(Assembling, HasTheContextsInOrder) {
    run(test::record());
    EXPECT_EQ(
        text(document_.at("@context")),
        R"(["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json","https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"])");
    for (const auto& each : subject().at("verifiableCredential").as_array())
        EXPECT_EQ(
            text(each.at("@context")),
            R"(["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json","https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"])");
    no_nulls_and_empty_arrays(document_, "");
}

TEST_F(Assembling, IsTheSameBytesEachTime) {
    run(test::record());
    const std::string first = assembled_.json;
    run(test::record());
    EXPECT_EQ(assembled_.json, first);
}

TEST_F(Assembling, KeepsIdsWhenTheRecordGrows) {
    run(test::record());
    const std::string id = text(document_.at("id"));
    const std::string course = text(credential("Calculus I").at("id"));
    const std::string achievement = text(credential("Calculus I").at("credentialSubject").at("achievement").at("id"));
    records::LearnerRecord record = test::record();
    record.version = 13;
    record.changed += std::chrono::hours(5);
    record.statements.erase(record.statements.begin());
    run(record);
    EXPECT_EQ(text(document_.at("id")), id);
    EXPECT_EQ(text(credential("Calculus I").at("id")), course);
    EXPECT_EQ(text(credential("Calculus I").at("credentialSubject").at("achievement").at("id")), achievement);
    EXPECT_EQ(text(document_.at("validFrom")), "\"2026-02-20T13:30:00Z\"");
    EXPECT_EQ(text(document_.at("awardedDate")), "\"2025-07-01T08:00:00Z\"");
    EXPECT_NE(credential_id(test::institution(), test::kLearner, "a"), credential_id(test::institution(), test::kLearner, "b"));
}

TEST_F(Assembling, ClaimsEqualTheMembers) {
    run(test::record());
    const auto read = credentials::claims_of(assembled_.json);
    EXPECT_EQ(read.issuer, assembled_.claims.issuer);
    EXPECT_EQ(read.id, assembled_.claims.id);
    EXPECT_EQ(read.subject, assembled_.claims.subject);
    EXPECT_EQ(read.not_before, assembled_.claims.not_before);
    EXPECT_FALSE(read.expires);
}

TEST_F(Assembling, LeavesOutWhatIsNotInForce) {
    run(test::record());
    EXPECT_EQ(assembled_.achievements, 11u);
    EXPECT_THAT(assembled_.json, Not(HasSubstr("Replaced elsewhere")));
}

TEST_F(Assembling, WritesACourseAsItsSourceHasIt) {
    run(test::record());
    const auto& course = credential("Algorithms & \"Data\" <Structures>");
    const auto& of = course.at("credentialSubject").as_object();
    EXPECT_EQ(text(of.at("creditsEarned")), text(json::parse("4.0")));
    EXPECT_THAT(assembled_.json, HasSubstr("\"creditsEarned\":121.00,"));
    EXPECT_THAT(assembled_.json, HasSubstr("\"creditsAvailable\":3.50,")) << "xs:decimal 03.50 is no JSON number";
    EXPECT_EQ(text(of.at("term")), "\"Spring 2024\"");
    EXPECT_EQ(text(of.at("activityStartDate")), "\"2024-01-16T00:00:00-06:00\"");
    EXPECT_EQ(text(of.at("activityEndDate")), "\"2024-05-10T00:00:00-05:00\"");
    EXPECT_EQ(text(course.at("validFrom")), "\"2024-05-10T00:00:00-05:00\"");
    EXPECT_EQ(text(of.at("achievement").at("achievementType")), "\"Course\"");
    EXPECT_EQ(text(of.at("achievement").at("humanCode")), "\"CS 210\"");
    EXPECT_EQ(of.at("result").as_array().size(), 1u) << "completed needs no status";
    EXPECT_EQ(text(of.at("result").at(0).at("value")), "\"A\"");
    EXPECT_EQ(text(of.at("source").at("name")), "\"Office of the Registrar\"");
}

TEST_F(Assembling, SaysWhatIsNotCompleted) {
    run(test::record());
    const auto& running = credential("Compilers \xf0\x9f\x9a\x80");
    EXPECT_EQ(text(running.at("credentialSubject").at("result").at(0).at("status")), "\"InProgress\"");
    EXPECT_EQ(text(running.at("validFrom")), "\"2026-02-03T04:05:06Z\"") << "its end lies ahead: valid since we took it";
    EXPECT_EQ(text(credential("Music").at("credentialSubject").at("result").at(0).at("status")), "\"Withdrew\"");
}

TEST_F(Assembling, KeepsDatesAsExactAsTheyAre) {
    run(test::record());
    const auto& award = credential("Dean's List");
    EXPECT_EQ(award.find("awardedDate"), award.end()) << "a month is no day";
    EXPECT_EQ(text(award.at("validFrom")), "\"2024-06-30T00:00:00-05:00\"");
    EXPECT_EQ(text(credential("On engines: a thesis").at("awardedDate")), "\"2025-05-20T12:30:00-05:00\"");
    EXPECT_EQ(text(credential("Registered Nurse").at("validUntil")), "\"2028-01-31T00:00:00-06:00\"");
    EXPECT_EQ(text(credential("Music").at("credentialSubject").at("activityStartDate")), "\"2023-08-01T00:00:00-05:00\"");
    EXPECT_EQ(text(credential("Music").at("credentialSubject").at("activityEndDate")), "\"2024-12-31T00:00:00-06:00\"");
}

TEST_F(Assembling, TransferCreditNamesTheSchoolAsSource) {
    run(test::record());
    const auto& course = credential("Calculus I");
    EXPECT_EQ(text(course.at("credentialSubject").at("source").at("name")), "\"North Valley College\"");
    EXPECT_EQ(text(course.at("issuer").at("id")), "\"https://registrar.example.edu/issuers/1\"");
    EXPECT_EQ(text(course.at("credentialSubject").at("achievement").at("creator").at("name")), "\"North Valley College\"");
}

TEST_F(Assembling, AScoreOfTheLearningPlatformIsNoCourse) {
    run(test::record());
    const auto& score = credential("Algorithms (not an official result)");
    EXPECT_EQ(text(score.at("credentialSubject").at("achievement").at("achievementType")), "\"Assessment\"");
    AchievementModel a;
    a.official = false;
    a.type = "BachelorDegree";
    EXPECT_EQ(shown_type(a), "Achievement");
}

TEST_F(Assembling, AnOutcomeHasTheScaleOfItsDefinitionAndTheLevelReached) {
    run(test::record());
    const auto& of = credential("Written argument").at("credentialSubject").as_object();
    const auto& achievement = of.at("achievement").as_object();
    const auto& description = achievement.at("resultDescription").at(0).as_object();
    EXPECT_EQ(achievement.at("resultDescription").as_array().size(), 1u);
    EXPECT_EQ(description.at("rubricCriterionLevel").as_array().size(), 3u)
        << "below and meets of the definition, exceeds of the result";
    const auto& result = of.at("result").at(0).as_object();
    EXPECT_EQ(result.at("resultDescription"), description.at("id"));
    std::set<std::string> levels;
    for (const auto& level : description.at("rubricCriterionLevel").as_array()) levels.insert(text(level.at("id")));
    EXPECT_TRUE(levels.contains(text(result.at("achievedLevel"))));
    EXPECT_TRUE(levels.contains(text(description.at("requiredLevel"))));
    EXPECT_EQ(text(achievement.at("criteria").at("narrative")), "\"By rubric.\"");
}

TEST_F(Assembling, TheSameIdHasTheSameContentAndEveryReferenceResolves) {
    run(test::record());
    std::map<std::string, std::string> known;
    for (const auto& achievement : subject().at("achievement").as_array())
        EXPECT_TRUE(known.emplace(text(achievement.at("id")), text(achievement)).second) << "listed twice";
    for (const auto& each : subject().at("verifiableCredential").as_array()) {
        const auto& achievement = each.at("credentialSubject").at("achievement").as_object();
        EXPECT_EQ(known[text(achievement.at("id"))], text(achievement));
        std::set<std::string> descriptions;
        if (achievement.contains("resultDescription"))
            for (const auto& description : achievement.at("resultDescription").as_array())
                descriptions.insert(text(description.at("id")));
        const auto& of = each.at("credentialSubject").as_object();
        if (of.contains("result")) {
            for (const auto& result : of.at("result").as_array())
                EXPECT_TRUE(descriptions.contains(text(result.at("resultDescription"))));
        }
        EXPECT_TRUE(achievement.at("criteria").at("narrative").is_string());
    }
    for (const auto& edge : subject().at("association").as_array()) {
        EXPECT_TRUE(known.contains(text(edge.at("sourceId")))) << text(edge);
        EXPECT_TRUE(known.contains(text(edge.at("targetId")))) << text(edge);
    }
    EXPECT_EQ(assembled_.dropped_associations, 1u);
    EXPECT_EQ(subject().at("association").as_array().size(), 4u);
}

TEST_F(Assembling, ShowsNoIdentifierInTheClear) {
    run(test::record());
    for (const auto* value : {"S0012345", "a@example.com", "ssn-secret", "4711-x", "\"4711\",\"identityType"})
        EXPECT_THAT(assembled_.json, Not(HasSubstr(value)));
    const auto& identifiers = subject().at("identifier").as_array();
    ASSERT_EQ(identifiers.size(), 3u);
    EXPECT_EQ(text(identifiers[0].at("identityHash")), "\"Ada Lovelace\"");
    const std::string salt(identifiers[2].at("salt").as_string());
    EXPECT_EQ(std::string(identifiers[2].at("identityHash").as_string()),
              "sha256$" + crypto::sha256_hex("a@example.com" + salt));
    EXPECT_EQ(text(identifiers[2].at("identityType")), "\"emailAddress\"");
}

TEST_F(Assembling, NamesStatusAndSources) {
    run(test::record());
    const auto& status = document_.at("credentialStatus").as_object();
    EXPECT_EQ(text(status.at("statusListIndex")), "\"4711\"");
    EXPECT_EQ(text(status.at("statusListCredential")), "\"https://clr.example.edu/ims/clr/v2p0/status/0\"");
    EXPECT_NE(status.at("id"), status.at("statusListCredential"));
    EXPECT_THAT(assembled_.json,
                HasSubstr("Recorded from hr by Human Resources, received 2026-02-03T04:05:06Z, document SHA-256 aaaa"));
    EXPECT_THAT(assembled_.json, Not(HasSubstr("corrected by hand")));
    records::LearnerRecord mended = test::record();
    for (auto& one : mended.statements)
        one.provenance.correction = {"ada", "2026-05-03T10:00:00Z", "for staff alone", "hr/12", one.provenance.original};
    run(mended);
    EXPECT_THAT(assembled_.json, HasSubstr("; corrected by hand by ada on 2026-05-03T10:00:00Z."));
    EXPECT_THAT(assembled_.json, Not(HasSubstr("for staff alone")));
    run(test::record());
    EXPECT_EQ(text(credential("Library Systems Assistant").at("credentialSubject").at("source").at("name")),
              "\"University Library\"");
}

TEST_F(Assembling, ATestInstanceSaysSoEverywhere) {
    Institution institution = test::institution();
    institution.test = true;
    run(test::record(), institution);
    EXPECT_EQ(text(document_.at("name")), "\"TEST record of Ada Lovelace\"");
    EXPECT_EQ(text(document_.at("issuer").at("name")), "\"TEST Example University\"");
    for (const auto& each : subject().at("verifiableCredential").as_array())
        EXPECT_EQ(text(each.at("issuer").at("name")), "\"TEST Example University\"");
}

TEST(JsonTextTest, WritesDecimalsAsNumbers) {
    const std::pair<const char*, const char*> cases[] = {{"3", "3"},  {"+03.50", "3.50"}, {"-0.5", "-0.5"}, {".5", "0.5"},
                                                         {"4.", "4"}, {"000", "0"},       {"", ""},         {".", ""},
                                                         {"1e5", ""}, {"x", ""},          {"--1", ""},      {"1 2", ""}};
    for (const auto& [in, out] : cases) EXPECT_EQ(json_decimal(in), out) << in;
}

TEST(JsonTextTest, EscapesAndRefuses) {
    JsonText out;
    out.object()
        .member("a", "q\"\\\n\t\x01é")
        .array("b")
        .text("x")
        .object()
        .flag("c", true)
        .end()
        .end()
        .optional("d", "")
        .end();
    EXPECT_EQ(out.take(), "{\"a\":\"q\\\"\\\\\\n\\t\\u0001é\",\"b\":[\"x\",{\"c\":true}]}");
    EXPECT_THROW(JsonText().object().member("a", "\xff"), Error);
}

TEST(Terms, KeepTheVocabularies) {
    EXPECT_EQ(achievement_type("Course"), "Course");
    EXPECT_EQ(achievement_type("ext:Employment"), "ext:Employment");
    EXPECT_EQ(achievement_type("Employment"), "ext:Employment");
    EXPECT_EQ(extension_term("FICE code!"), "ext:FICE-code-");
    EXPECT_EQ(alignment_type("CFItem"), "CFItem");
    EXPECT_EQ(alignment_type(""), "");
    EXPECT_TRUE(is_language("en"));
    EXPECT_TRUE(is_language("en-US"));
    EXPECT_TRUE(is_language("zh-Hant-TW"));
    EXPECT_TRUE(is_language("zh-Hant"));
    for (const auto* bad : {"", "e", "english", "EN", "en-us", "en-", "en-USA", "x-klingon"})
        EXPECT_FALSE(is_language(bad)) << bad;
    EXPECT_TRUE(is_uri("https://a.example/b"));
    EXPECT_TRUE(is_uri("urn:uuid:1"));
    for (const auto* bad : {"", "a", ":a", "http:", "1a:b", "https://a b", "https://a\"b"}) EXPECT_FALSE(is_uri(bad)) << bad;
    EXPECT_EQ(slug("Final grade!"), "final-grade");
    EXPECT_NE(slug("é"), slug("è"));
    EXPECT_FALSE(slug("").empty());
}

TEST(Dates, AreAsExactAsTheSource) {
    EXPECT_FALSE(read_date(""));
    for (const auto* bad : {"24", "2024-13", "2024-02-30", "2024-5", "x", "2024-05-17T25:00:00Z", "2024-05-17T10:00:00"})
        EXPECT_FALSE(read_date(bad)) << bad;
    EXPECT_EQ(date_title("2024-05-17"), "17 May 2024");
    EXPECT_EQ(date_title("2024-05"), "May 2024");
    EXPECT_EQ(date_title("2024"), "2024");
    EXPECT_EQ(date_title("2024-05-17T10:00:00Z"), "17 May 2024");
    EXPECT_EQ(date_title("soon"), "soon");
}

}  // namespace
}  // namespace clrbus::clr
