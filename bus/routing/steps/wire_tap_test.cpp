#include <gmock/gmock.h>

#include "routing/steps/step_fixture.hpp"

namespace clrbus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kTappedNote = "<note><who>ada</who><n>1</n></note>";

class WireTapStep : public StepTest {};

TEST_F(WireTapStep, IsNoEndOfARouteAndHasOneItself) {
    sink("audit");
    EXPECT_THAT(error_of(R"(<wire-tap><to><route id="audit"/></to></wire-tap>)"), HasSubstr("ROUTE-017"));
    EXPECT_THAT(error_of(R"(<wire-tap><log text="x"/></wire-tap><to><records/></to>)"), HasSubstr("ROUTE-017"));
    EXPECT_THAT(error_of(R"(<wire-tap/><to><records/></to>)"), HasSubstr("routes.xml:3"));
}

TEST_F(WireTapStep, CopiesWhileTheMessageGoesOnUnchanged) {
    sink("audit"), sink("next");
    route("r", R"(<wire-tap><set-header name="tapped" value="yes"/><transform stylesheet="note.xsl"/>
        <to><route id="audit"/></to></wire-tap><to><route id="next"/></to>)");
    start();
    put("r", incoming(kTappedNote, {{"traceparent", "t"}}));
    settle_all({"r", "audit", "next"});
    EXPECT_THAT(bodies("next"), ElementsAre(kTappedNote));
    ASSERT_EQ(got("audit").size(), 1U);
    EXPECT_THAT(got("audit")[0].message.body(), HasSubstr("statement"));
    EXPECT_EQ(got("audit")[0].headers.get("tapped"), "yes");
    EXPECT_EQ(got("audit")[0].headers.get("traceparent"), "t");
    EXPECT_FALSE(got("next")[0].headers.has("tapped"));
    EXPECT_FALSE(got("next")[0].headers.has(header::kDeadCode) && got("next")[0].headers.get(header::kDeadCode) != "XPATH-101");
}

TEST_F(WireTapStep, AFailedCopyHarmsNothing) {
    sink("audit"), sink("next");
    route("r", R"(<wire-tap><validate schema="note.xsd"/><to><route id="audit"/></to></wire-tap><to><route id="next"/></to>)");
    start();
    put("r", "not even XML");
    put("r", kTappedNote);
    settle_all({"r", "audit", "next"});
    EXPECT_THAT(bodies("next"), testing::UnorderedElementsAre("not even XML", kTappedNote));
    EXPECT_THAT(bodies("audit"), ElementsAre(kTappedNote));
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 2);
    EXPECT_EQ(line("r").sum(Outcome::kDead), 0);
}

// The copy is part of what the message caused: a message that fails behind the tap sends no copy, and none twice at the replay.
TEST_F(WireTapStep, LeavesWithTheMessageOrNotAtAll) {
    sink("audit"), sink("next");
    route("r", R"(<wire-tap><to><route id="audit"/></to></wire-tap><validate schema="note.xsd"/><to><route id="next"/></to>)");
    start();
    put("r", "<note><n>1</n></note>");
    settle_all({"r"});
    EXPECT_EQ(line("r").sum(Outcome::kDead), 1);
    EXPECT_EQ(line("audit").sum(Outcome::kAccepted), 0);
}

}  // namespace
}  // namespace clrbus
