#include <gmock/gmock.h>

#include "routing/hand_over.hpp"
#include "routing/steps/step_fixture.hpp"

namespace clrbus {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RoutingSlipStep : public StepTest {
protected:
    // Each stop marks the message and sends it on.
    void stop(const std::string& id) {
        route(id, "<set-header name=\"seen-" + id +
                      R"(" value="yes"/><routing-slip allowed="a b c end"/><to><route id="end"/></to>)");
    }
    RoutingSlipStep() { stop("a"), stop("b"), stop("c"), sink("end"); }
};

TEST_F(RoutingSlipStep, RefusesWhatDoesNotCompile) {
    EXPECT_THAT(error_of(R"(<routing-slip allowed="a"/>)"), HasSubstr("ROUTE-017"));
    EXPECT_THAT(error_of(R"(<routing-slip allowed="zz"/><to><records/></to>)"), HasSubstr("ROUTE-026"));
    EXPECT_THAT(error_of(R"(<routing-slip header="clrbus-hops" allowed="a"/><to><records/></to>)"), HasSubstr("ROUTE-021"));
}

TEST_F(RoutingSlipStep, VisitsOneAfterTheOtherAndThenGoesOn) {
    route("r", R"(<set-header name="routing-slip" value="b, a b"/><routing-slip allowed="a b"/><to><records/></to>)");
    start();
    put("r", "any bytes");
    settle_all({"r", "b", "a", "b", "end"});
    ASSERT_THAT(bodies("end"), ElementsAre("any bytes"));
    const Headers headers = got("end")[0].headers;
    EXPECT_EQ(headers.get("seen-a"), "yes");
    EXPECT_EQ(headers.get("seen-b"), "yes");
    EXPECT_FALSE(headers.has("seen-c"));
    EXPECT_FALSE(headers.has("routing-slip"));
    EXPECT_EQ(headers.get(kHops), "4");
    EXPECT_EQ(line("b").sum(Outcome::kAccepted), 2);
}

TEST_F(RoutingSlipStep, RefusesAHostileSlipBeforeItsFirstHop) {
    route("r", R"(<set-header name="routing-slip" select="/m"/><routing-slip allowed="a b"/><to><route id="end"/></to>)");
    start();
    std::string long_one;
    for (int i = 0; i < 65; ++i) long_one += "a ";
    for (const std::string& slip : {std::string("a c"), std::string("dead/a"), std::string("a ../b"), long_one})
        put("r", "<m>" + slip + "</m>");
    settle_all({"r"});
    EXPECT_EQ(in("dead/r").size(), 4U);
    for (const auto& one : in("dead/r"))
        EXPECT_THAT(std::string(one.headers.get(header::kDeadCode)), testing::MatchesRegex("ROUTE-12[13]"));
    EXPECT_EQ(line("a").sum(Outcome::kAccepted), 0);
    put("r", "<m/>");
    settle_all({"r", "end"});
    EXPECT_EQ(got("end").size(), 1U) << "an empty slip is one that is used up";
}

TEST_F(RoutingSlipStep, ASlipThatIsWrittenAgainAndAgainEndsAfterThirtyTwoRoutes) {
    route("r", R"(<set-header name="routing-slip" value="r"/><routing-slip allowed="r"/><to><records/></to>)");
    start();
    put("r", "round and round");
    until("dead", [this] { return in("dead/r").size() == 1; });
    settle_all({"r"});
    const Headers dead = in("dead/r")[0].headers;
    EXPECT_EQ(dead.get(header::kDeadCode), "ROUTE-120");
    EXPECT_EQ(dead.get(kHops), "32");
    EXPECT_EQ(line("r").sum(Outcome::kAccepted), 33);
}

class RouteGraph : public StepTest {};

TEST_F(RouteGraph, FindsRoutesThatSendToEachOther) {
    route("a", R"(<to><route id="b"/></to>)");
    route(
        "b",
        R"(<choose><when test="/x"><multicast><to><route id="c"/></to></multicast></when><otherwise><to><records/></to></otherwise></choose>)");
    route("c", R"(<wire-tap><to><route id="a"/></to></wire-tap><to><records/></to>)");
    route("self", R"(<recipient-list select="/x" allowed="self d"/>)");
    route("d", "<to><records/></to>");
    const LoadedRoutes loaded = load();
    ASSERT_EQ(loaded.errors.size(), 2U);
    EXPECT_THAT(loaded.errors[0].what(), AllOf(HasSubstr("'a' to 'b' to 'c' to 'a'"), HasSubstr("c/routes.xml:3")));
    EXPECT_THAT(loaded.errors[1].what(), AllOf(HasSubstr("'self' to 'self'"), HasSubstr("routes.xml:3")));
    std::vector<std::string> left;
    for (const auto& one : loaded.routes) left.push_back(one->id());
    EXPECT_THAT(left, ElementsAre("a", "b", "d")) << "the others start";
}

TEST_F(RouteGraph, ATargetThatDoesNotCompileKeepsWhatIsSentToIt) {
    route("r", R"(<to><route id="broken"/></to>)");
    route("broken", "<log text=\"ends nowhere\"/>");
    EXPECT_EQ(load().errors.size(), 1U);
    route("broken", "<to><records/></to>");
    open();  // the queues are there, and the route is mended while nothing runs
    EXPECT_TRUE(queues_->exists("in/broken"));
}

}  // namespace
}  // namespace clrbus
