#include <gtest/gtest.h>

#include "routing/engine_fixture.hpp"

namespace clrbus {
namespace {

class RemoveHeaderStep : public EngineTest {};

TEST_F(RemoveHeaderStep, RefusesWhatIsTheBusOwn) {
    for (const char* name : {"clrbus-original", "traceparent"}) {
        route("r", std::string("<remove-header name=\"") + name + "\"/><to><records/></to>");
        ASSERT_EQ(load().errors.size(), 1U);
        EXPECT_EQ(load().errors[0].code(), "ROUTE-021");
    }
}

// A body that no step reads is handed on byte for byte, whatever it is.
TEST_F(RemoveHeaderStep, LeavesTheBytesAlone) {
    route(
        "r",
        R"(<set-header name="a" value="1"/><set-header name="b" value="2"/><remove-header name="a"/><to><route id="next"/></to>)");
    route("next", R"(<parse format="json"/><choose><when test="/json/n = 1"><set-header name="seen" select="$b"/>
        <filter test="$seen = '2'" reason="no b"/><filter test="$a" reason="a is gone"/><to><records/></to></when></choose>)");
    start();
    put("r", R"({"n": 1})");
    settle("r");
    settle("next");
    const auto dead = in("dead/next");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].headers.get(header::kDeadCode), "XPATH-101") << "the header is still there";
    EXPECT_EQ(dead[0].headers.get(header::kDeadStep), "2.1.3 filter");
    EXPECT_EQ(dead[0].message.body(), R"({"n": 1})");
    EXPECT_EQ(dead[0].headers.get("b"), "2");
}

}  // namespace
}  // namespace clrbus
