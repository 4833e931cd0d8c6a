#include <gmock/gmock.h>

#include "routing/steps/step_fixture.hpp"

namespace clrbus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kMulticastNote = "<note><who>ada</who><n>1</n></note>";

class MulticastStep : public StepTest {};

TEST_F(MulticastStep, RefusesABranchThatEndsNowhere) {
    sink("a");
    EXPECT_THAT(error_of(R"(<multicast><branch><log text="x"/></branch><to><route id="a"/></to></multicast>)"),
                HasSubstr("ROUTE-017"));
    EXPECT_THAT(error_of(R"(<multicast><to><route id="a"/></to></multicast><log text="x"/>)"), HasSubstr("ROUTE-025"));
    EXPECT_THAT(error_of("<multicast/>"), HasSubstr("routes.xml:3"));
    EXPECT_THAT(error_of(R"(<multicast><to><route id="nowhere"/></to></multicast>)"), HasSubstr("ROUTE-026"));
}

TEST_F(MulticastStep, GivesEachBranchItsOwnDocumentAndHeaders) {
    sink("a"), sink("b"), sink("c");
    route("r", R"(<set-header name="way" value="all"/><multicast>
        <branch><set-header name="way" value="first"/><transform stylesheet="note.xsl"/><to><route id="a"/></to></branch>
        <to><route id="b"/></to>
        <branch><filter test="/note/n = 1" reason="changed"/><to><route id="c"/></to></branch></multicast>)");
    start();
    put("r", incoming(kMulticastNote, {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}));
    settle_all({"r", "a", "b", "c"});
    ASSERT_EQ(got("a").size(), 1U);
    EXPECT_THAT(got("a")[0].message.body(), HasSubstr("statement"));
    EXPECT_THAT(bodies("b"), ElementsAre(kMulticastNote));
    EXPECT_THAT(bodies("c"), ElementsAre(kMulticastNote));
    EXPECT_EQ(got("a")[0].headers.get("way"), "first");
    EXPECT_EQ(got("b")[0].headers.get("way"), "all");
    EXPECT_EQ(got("c")[0].headers.get("traceparent"), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    EXPECT_NE(got("a")[0].message.message_id(), got("b")[0].message.message_id());
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 1) << "one message came, whatever it became";
}

TEST_F(MulticastStep, SendsNothingWhenOneBranchFails) {
    sink("a"), sink("b");
    route("r", R"(<multicast><to><route id="a"/></to>
        <branch><validate schema="note.xsd"/><to><route id="b"/></to></branch><to><route id="a"/></to></multicast>)");
    start();
    put("r", "<note><who>ada</who><n>many</n></note>");
    settle_all({"r"});
    ASSERT_EQ(in("dead/r").size(), 1U);
    EXPECT_EQ(in("dead/r")[0].headers.get(header::kDeadStep), "1.2.1 validate");
    EXPECT_EQ(line("a").sum(Outcome::kAccepted) + line("b").sum(Outcome::kAccepted), 0);
    put("r", kMulticastNote);
    settle_all({"r", "a", "b"});
    EXPECT_EQ(got("a").size(), 2U);
    EXPECT_EQ(got("b").size(), 1U);
}

TEST_F(MulticastStep, FiltersOnlyWhatAllBranchesFilter) {
    sink("a");
    route("r", R"(<multicast><branch><filter test="/note/n = 1" reason="not one"/><to><route id="a"/></to></branch>
        <branch><filter test="/note/n = 2" reason="not two"/><to><route id="a"/></to></branch></multicast>)");
    start();
    for (const char* n : {"1", "2", "3"}) put("r", std::string("<note><n>") + n + "</n></note>");
    settle_all({"r", "a"});
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 2);
    EXPECT_EQ(line("r").sum(Outcome::kFiltered), 1);
    EXPECT_EQ(got("a").size(), 2U);
}

TEST_F(MulticastStep, HandsOnBytesThatNothingHasRead) {
    sink("a");
    route("r", R"(<multicast><to><route id="a"/></to><branch><parse format="json"/><filter test="/json/n = 1" reason="n"/>
        <to><route id="a"/></to></branch></multicast>)");
    start();
    put("r", R"({"n":1})");
    settle_all({"r", "a"});
    EXPECT_THAT(bodies("a"), testing::UnorderedElementsAre(R"({"n":1})", HasSubstr("1</n></json>")));
}

}  // namespace
}  // namespace clrbus
