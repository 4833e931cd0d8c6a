// What binds a route to one process when workers share its inbox: told by the compiled steps, wherever they stand.
#include "routing/remote.hpp"

#include <gmock/gmock.h>

#include "routing/stateful.hpp"
#include "routing/steps/stateful_fixture.hpp"

namespace clrbus {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RemoteTest : public StatefulTest {
protected:
    std::vector<std::string> bound(const std::string& steps, const std::string& attributes = "") {
        route("r", steps, attributes);
        const auto loaded = load();
        EXPECT_TRUE(loaded.errors.empty()) << loaded.errors.at(0).what();
        std::vector<std::string> out;
        for (const BoundHome& one : bound_home(*loaded.routes.at(0))) out.push_back(one.step);
        EXPECT_EQ(runs_at_home(*loaded.routes.at(0)), !out.empty());
        return out;
    }
};

constexpr const char* kOut = R"(<transform stylesheet="note.xsl"/><to><records/></to>)";

TEST_F(RemoteTest, ARouteWithoutStateRunsAnywhere) {
    EXPECT_THAT(bound(std::string(R"(<filter test="/note" reason="x"/><log text="x"/>)") + kOut), IsEmpty());
    EXPECT_THAT(
        bound(
            std::string(R"(<choose><when test="/note"><log text="a"/></when><otherwise><log text="b"/></otherwise></choose>)") +
            kOut),
        IsEmpty());
}

TEST_F(RemoteTest, EachStepThatKeepsStateIsNamedWhereverItStands) {
    const auto two = bound(
        std::string(
            R"(<deduplicate key="/note/who"/><choose><when test="/note"><delay for="PT1H"/></when><otherwise><log text="x"/></otherwise></choose>)") +
        kOut);
    ASSERT_EQ(two.size(), 2U);
    EXPECT_THAT(two[0], ::testing::EndsWith("deduplicate"));
    EXPECT_THAT(two[1], ::testing::EndsWith("delay"));
    for (const char* step : {R"(<throttle rate="1"/>)", R"(<resequence number="/note/n"/>)", R"(<delay for="PT1S"/>)",
                             R"(<wire-tap><delay for="PT1S"/><to><records/></to></wire-tap>)"})
        EXPECT_EQ(bound(std::string(step) + kOut).size(), 1U) << step;
}

// A step that is added later and says so is found without a list of names.
TEST_F(RemoteTest, IsWhatTheCompiledRouteSays) {
    for (const char* step : {"", R"(<delay for="PT1S"/>)", R"(<circuit-breaker><log text="x"/></circuit-breaker>)"}) {
        route("r", std::string(step) + kOut);
        const auto loaded = load();
        ASSERT_EQ(loaded.routes.size(), 1U) << step;
        EXPECT_EQ(runs_at_home(*loaded.routes[0]), loaded.routes[0]->needs_local_state()) << step;
    }
}

TEST_F(RemoteTest, AnOrderByKeyBindsTheRouteItself) {
    EXPECT_THAT(bound(kOut, R"(order="key" order-header="who")"), ElementsAre(""));
}

}  // namespace
}  // namespace clrbus
