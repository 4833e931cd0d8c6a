#include <gmock/gmock.h>

#include "routing/steps/step_fixture.hpp"

namespace clrbus {
namespace {

using ::testing::HasSubstr;

class RecipientListStep : public StepTest {
protected:
    RecipientListStep() { sink("a"), sink("b"), sink("c"); }
};

TEST_F(RecipientListStep, RefusesWhatDoesNotCompile) {
    EXPECT_THAT(error_of(R"(<recipient-list allowed="a"/>)"), HasSubstr("ROUTE-020"));
    EXPECT_THAT(error_of(R"(<recipient-list select="/x" header="h" allowed="a"/>)"), HasSubstr("ROUTE-020"));
    EXPECT_THAT(error_of(R"(<recipient-list select="/x" allowed="a zz"/>)"), HasSubstr("ROUTE-026"));
    EXPECT_THAT(error_of(R"(<recipient-list select="/x" allowed="in/../a"/>)"), HasSubstr("routes.xml:3"));
    EXPECT_THAT(error_of(R"(<recipient-list select="/x" allowed=""/>)"), HasSubstr("routes.xml:3"));
}

TEST_F(RecipientListStep, SendsOnceToEachOfTheNamed) {
    route("r", R"(<recipient-list select="/m/to" allowed="a b c"/>)");
    start();
    put("r", "<m><to>a, c</to><to>c a</to></m>");
    settle_all({"r", "a", "b", "c"});
    EXPECT_EQ(got("a").size(), 1U);
    EXPECT_EQ(got("b").size(), 0U);
    EXPECT_EQ(got("c").size(), 1U);
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 1);
}

TEST_F(RecipientListStep, DeadLettersHostileLists) {
    route("r", R"(<recipient-list select="/m/to" allowed="a b"/>)");
    start();
    std::string many, names;
    for (int i = 0; i < 100; ++i) many += "n" + std::to_string(i) + " ";
    for (int i = 0; i < 65; ++i) names += "a ";
    for (const std::string& list : {std::string("a c"), std::string("dead/a"), std::string("../a"), std::string("A"),
                                    std::string(5000, 'a'), many, names, std::string(), std::string("a b dead/r")})
        put("r", "<m><to>" + list + "</to></m>");
    put("r", "<m/>");
    settle_all({"r", "a", "b"});
    EXPECT_EQ(in("dead/r").size(), 10U);
    std::set<std::string> codes;
    for (const auto& one : in("dead/r")) {
        codes.emplace(one.headers.get(header::kDeadCode));
        EXPECT_EQ(std::string(one.headers.get(header::kDeadReason)).find("n99"), std::string::npos);
    }
    EXPECT_EQ(codes, (std::set<std::string>{"ROUTE-121", "ROUTE-122", "ROUTE-123"}));
    EXPECT_EQ(line("a").sum(Outcome::kAccepted), 0) << "a list that is half right sends nothing";
}

TEST_F(RecipientListStep, SkipsWhatItDoesNotKnowWhenAsked) {
    route("r", R"(<recipient-list select="/m/to" allowed="a b" unknown="skip"/>)");
    start();
    put("r", "<m><to>a x y</to></m>");
    put("r", "<m><to>x</to></m>");
    settle_all({"r", "a", "b"});
    EXPECT_EQ(got("a").size(), 1U);
    EXPECT_EQ(line("r").sum(Outcome::kFiltered), 1);
}

TEST_F(RecipientListStep, AHeaderNeedsNoDocument) {
    route("r", R"(<set-header name="copies" value="a b"/><recipient-list header="copies" allowed="a b c"/>)");
    start();
    put("r", std::string("\x00\xff any bytes", 12));
    settle_all({"r", "a", "b"});
    EXPECT_THAT(bodies("a"), testing::ElementsAre(std::string("\x00\xff any bytes", 12)));
    EXPECT_EQ(bodies("b"), bodies("a"));
}

}  // namespace
}  // namespace clrbus
