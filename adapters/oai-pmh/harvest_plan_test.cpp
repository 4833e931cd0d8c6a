#include "adapters_oai_pmh/harvest_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "adapters_oai_pmh/oai_answer.hpp"
#include "config/element.hpp"
#include "support/fake_inbox.hpp"

namespace clrbus::adapters::oai_pmh {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string oai(const std::string& inside, const std::string& at = "2026-02-03T04:05:06Z") {
    return "<OAI-PMH xmlns=\"http://www.openarchives.org/OAI/2.0/\"><responseDate>" + at +
           "</responseDate><request>x</request>" + inside + "</OAI-PMH>";
}
std::string oai_error(const std::string& code) {
    return oai("<error code=\"" + code + "\">s3cret</error>");
}
std::string record(const std::string& id, const std::string& stamp, const std::string& rest = "<metadata><a/></metadata>") {
    return "<record><header><identifier>" + id + "</identifier><datestamp>" + stamp + "</datestamp></header>" + rest +
           "</record>";
}
std::string list(const std::string& records, const std::string& token = "") {
    return oai(
        "<ListRecords>" + records +
        (token.empty() ? "" : "<resumptionToken expirationDate=\"2026-02-03T05:00:00Z\">" + token + "</resumptionToken>") +
        "</ListRecords>");
}
std::string identify(const std::string& granularity, const std::string& at = "2026-02-03T04:05:06Z") {
    return oai("<Identify><granularity>" + granularity + "</granularity><deletedRecord>transient</deletedRecord></Identify>",
               at);
}

class Harvest : public testing::Test {
protected:
    Harvest() { element->attributes = {{"url", "https://repository.example.edu/oai"}}; }
    void make() {
        AdapterContext context;
        context.config = Config{element};
        context.clock = &system_clock();
        plan = std::make_unique<HarvestPlan>(HarvestConfig(context));
        place = plan->begin(place, from_rfc3339("2026-02-03T04:00:00Z"), {});
    }
    std::string query() {
        return plan->request(place).url.substr(std::string("https://repository.example.edu/oai?verb=").size());
    }
    PagePlan::Page take(const std::string& body) {
        HttpAnswer answer;
        answer.status = 200;
        answer.body = body;
        answer.origin = "https://repository.example.edu:443";
        PagePlan::Page page = plan->read(place, answer);
        if (!page.lost) place = page.place;
        return page;
    }
    std::string code_of(const std::string& body) {
        try {
            take(body);
            return "taken";
        } catch (const Error& error) {
            EXPECT_EQ(error.fault(), Fault::kAway);
            EXPECT_THAT(error.what(), testing::Not(HasSubstr("s3cret")));
            return error.code();
        }
    }

    std::shared_ptr<Config::Element> element = std::make_shared<Config::Element>();
    std::unique_ptr<HarvestPlan> plan;
    std::string place;
};

TEST_F(Harvest, ListsEachFormatAndSetToItsEnd) {
    element->attributes.insert({{"formats", "oai_dc etdms"}, {"sets", "publication:theses b"}, {"from", "2024-01-01"}});
    make();
    EXPECT_EQ(query(), "Identify");
    EXPECT_FALSE(take(identify("YYYY-MM-DDThh:mm:ssZ")).next.empty());
    EXPECT_EQ(query(), "ListRecords&metadataPrefix=oai_dc&set=publication%3Atheses&from=2024-01-01T00%3A00%3A00Z");
    EXPECT_EQ(
        take(list(record("a", "2026-01-01T00:00:00Z") + record("b", "2026-01-01T00:00:00Z"), " t&amp;k 1/ ")).items.size(), 2U);
    EXPECT_EQ(query(), "ListRecords&resumptionToken=t%26k%201%2F") << "it stands alone";
    EXPECT_FALSE(take(list(record("c", "2026-01-01T00:00:00Z"), " ")).next.empty());
    EXPECT_EQ(query(), "ListRecords&metadataPrefix=oai_dc&set=b&from=2024-01-01T00%3A00%3A00Z");
    EXPECT_TRUE(take(oai_error("noRecordsMatch")).items.empty());
    EXPECT_THAT(query(), HasSubstr("metadataPrefix=etdms&set=publication%3Atheses"));
    take(list(record("a", "2026-01-01T00:00:00Z")));
    EXPECT_THAT(query(), HasSubstr("metadataPrefix=etdms&set=b"));
    EXPECT_TRUE(take(oai_error("noRecordsMatch")).next.empty());
    // The next harvest begins where this one did, by the repository's clock, and an hour before.
    place = plan->begin(place, from_rfc3339("2026-02-04T04:00:00Z"), {});
    take(identify("YYYY-MM-DDThh:mm:ssZ", "2026-02-04T04:05:06Z"));
    EXPECT_THAT(query(), HasSubstr("from=2026-02-03T03%3A05%3A06Z"));
}

TEST_F(Harvest, AsksInTheGranularityOfTheRepository) {
    element->attributes.insert({{"until", "2030-12-31T00:00:00Z"}, {"overlap", "P2D"}});
    make();
    take(identify("YYYY-MM-DD"));
    EXPECT_EQ(query(), "ListRecords&metadataPrefix=oai_dc&until=2030-12-31");
    take(list(record("a", "2026-01-01")));
    place = plan->begin(place, from_rfc3339("2026-02-04T04:00:00Z"), {});
    take(identify("YYYY-MM-DD", "2026-02-01T00:00:00Z"));
    EXPECT_EQ(query(), "ListRecords&metadataPrefix=oai_dc&from=2026-02-01&until=2030-12-31");
    take(oai_error("noRecordsMatch"));
    place = plan->begin(place, from_rfc3339("2026-02-05T04:00:00Z"), {});
    take(identify("YYYY-MM-DD", "2026-02-05T00:00:00Z"));
    EXPECT_THAT(query(), HasSubstr("from=2026-02-01")) << "a clock there that was set back moves nothing back";
}

TEST_F(Harvest, BeginsAListAgainWhenItsTokenHasExpired) {
    element->attributes["formats"] = "oai_dc etdms";
    make();
    take(identify("YYYY-MM-DD"));
    take(list(record("a", "2026-01-01")));
    take(list(record("b", "2026-01-01"), "old"));
    EXPECT_TRUE(take(oai_error("badResumptionToken")).lost);
    const auto again = plan->anew(place);
    ASSERT_TRUE(again);
    place = *again;
    EXPECT_THAT(query(), HasSubstr("metadataPrefix=etdms")) << "not the lists before it";
    EXPECT_FALSE(plan->anew(place));
}

TEST_F(Harvest, DeliversADeletedRecordAndAChangedOneOfTheSameDay) {
    make();
    take(identify("YYYY-MM-DD"));
    const std::string deleted =
        "<record><header status=\"deleted\"><identifier>a</identifier><datestamp>2026-01-01</datestamp></header></record>";
    const auto page =
        take(list(record("a", "2026-01-01") + record("a", "2026-01-01", "<metadata><b/></metadata>") + deleted + deleted, "t"));
    std::set<std::string> keys;
    for (const PolledItem& item : page.items) keys.insert(item.key);
    EXPECT_EQ(page.items.size(), 4U);
    EXPECT_EQ(keys.size(), 3U) << "only the same thing twice is the same";
    EXPECT_THAT(page.items.back().body, HasSubstr("<GetRecord><record"));
    EXPECT_THAT(page.items.back().body, HasSubstr("status=\"deleted\""));
}

TEST_F(Harvest, StandsStillAtWhatIsNoAnswer) {
    make();
    for (const char* body : {"", "<html>s3cret", "{}", "<OAI-PMH/>", "<a xmlns=\"http://www.openarchives.org/OAI/2.0/\"/>"})
        EXPECT_EQ(code_of(body), "HARV-012") << body;
    EXPECT_EQ(code_of(oai("<ListRecords/>")), "HARV-012") << "another verb";
    EXPECT_EQ(code_of(oai("<Identify/>", "yesterday")), "HARV-012");
    EXPECT_EQ(code_of(oai_error("badVerb")), "HARV-013");
    take(identify("YYYY-MM-DD"));
    for (const char* code : {"badArgument", "cannotDisseminateFormat", "noSetHierarchy", "s3cret"})
        EXPECT_EQ(code_of(oai_error(code)), "HARV-013") << code;
    EXPECT_EQ(code_of(list("<record><header><identifier>a</identifier></header></record>")), "HARV-012");
    EXPECT_EQ(code_of(list("<record/>")), "HARV-012");
    EXPECT_EQ(code_of(list(record("a", "2026-01-01", "<metadata><a>&nbsp;</a></metadata>"))), "HARV-012");
    EXPECT_EQ(code_of(list(record("a", "2026-01-01", "<metadata><a>\x01</a></metadata>"))), "HARV-012");
}

TEST_F(Harvest, RepairsControlCharactersWhereItMay) {
    element->attributes["repair"] = "yes";
    make();
    take(identify("YYYY-MM-DD"));
    const auto page =
        take(list(record("a", "2026-01-01", "<metadata><a>x\x0b&#11;&#x1F;&#xFFFF;y&amp;\t&#10;</a></metadata>")));
    ASSERT_EQ(page.items.size(), 1U);
    EXPECT_THAT(page.items[0].body, HasSubstr("<a>xy&amp;\t\n</a>"));
    std::size_t changed = 0;
    EXPECT_EQ(without_control_characters("&#x;&#;&#99999999999;&#65;&#", changed), "&#x;&#;&#99999999999;&#65;&#");
    EXPECT_EQ(changed, 0U);
}

TEST_F(Harvest, ReadsRealRepositories) {
    const char* const shared = std::getenv("CLRBUS_SHARED");
    const std::filesystem::path folder =
        (shared != nullptr ? std::filesystem::path(shared) : std::filesystem::path(CLRBUS_SOURCE_DIR) / "../shared") /
        "samples/oai-pmh";
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no real pages beside the project";
    for (const char* name :
         {"tethys-list-records-1.xml", "tethys-list-records-2.xml", "tethys-list-records-3.xml", "ListRecords.xml"}) {
        SCOPED_TRACE(name);
        const std::string text = support::file_text(folder / name);
        // Counted another way.
        std::size_t records = 0;
        for (std::size_t at = 0; (at = text.find("<record>", at)) != std::string::npos; ++at) ++records;
        const OaiAnswer answer = read_oai_answer(text, "ListRecords", false);
        EXPECT_GT(records, 0U);
        EXPECT_EQ(answer.records.size(), records);
        for (const OaiRecord& one : answer.records) EXPECT_EQ(one.identifier.rfind("oai:", 0), 0U);
    }
    EXPECT_FALSE(read_oai_answer(support::file_text(folder / "Identify.xml"), "Identify", false).granularity.empty());
    EXPECT_EQ(read_oai_answer(support::file_text(folder / "badResumptionToken.xml"), "ListRecords", false).error,
              "badResumptionToken");
    EXPECT_EQ(read_oai_answer(support::file_text(folder / "noRecordsMatch.xml"), "ListRecords", false).error, "noRecordsMatch");
    EXPECT_THROW(read_oai_answer(support::file_text(folder / "badArgument.xml"), "ListRecords", false), Error);
}

}  // namespace
}  // namespace clrbus::adapters::oai_pmh
