#include <gtest/gtest.h>

#include <filesystem>

#include "contract/step_driver.hpp"
#include "core/counters.hpp"

namespace clrbus::contract {
namespace {

std::string waiting_body(int i) {
    return "<note><who>w" + std::to_string(i) + "</who><n>" + std::to_string(i) + "</n></note>";
}
// Sequences of five, each from its last number to its first: four wait until the gap before them is closed.
std::string backward_body(int i) {
    return "<note><who>w" + std::to_string(i / 5) + "</who><n>" + std::to_string(4 - i % 5) + "</n></note>";
}
void forward_in_a(StepWorld& world, int n) {
    if (n != 5) return;  // of a sequence that is not whole the gap is given up
    int number = 0;
    for (const BrowsedMessage& one : world.in("in/a")) {
        const std::string wanted = "<n>" + std::to_string(number++) + "</n>";
        EXPECT_NE(std::string(one.message.body()).find(wanted), std::string::npos) << wanted;
    }
}

constexpr const char* kShyOpened = R"(clrbus_circuit_breaker_total{route="r",step="circuit-breaker-1",event="opened"})";
std::string shy_body(int i) {
    return "<note><who>shy" + std::to_string(i) + "</who><n>" + std::to_string(i) + "</n></note>";
}

constexpr const char* kNoKey = "<note><n>1</n></note>";
constexpr const char* kStatefulToA = R"(<to><route id="a"/></to>)";

}  // namespace

std::vector<StepDriver> stateful_step_drivers() {
    std::vector<StepDriver> out;
    const auto add = [&out](const std::string& step, const std::string& steps, std::optional<std::string> poison,
                            const std::string& dead) {
        StepDriver driver;
        driver.step = step;
        driver.steps = steps + kStatefulToA;
        driver.body = waiting_body;
        driver.outputs = {{"in/a", 1}};
        driver.poison = std::move(poison);
        driver.dead_step = dead;
        out.push_back(std::move(driver));
    };
    add("aggregate", R"(<aggregate correlation="/note/who" count="1"/>)", kNoKey, "1 aggregate");
    add("resequence", R"(<resequence correlation="/note/who" number="/note/n" start="0" gap="PT0S"/>)",
        "<note><who>w</who></note>", "1 resequence");
    add("deduplicate", R"(<deduplicate key="/note/who"/>)", kNoKey, "1 deduplicate");
    add("throttle", R"(<throttle rate="1000"/>)", std::nullopt, "");
    add("delay", R"(<delay for="PT1S"/>)", std::nullopt, "");
    add("circuit-breaker", R"(<circuit-breaker><validate schema="note.xsd"/></circuit-breaker>)",
        "<note><who>w</who><n>many</n></note>", "1.1.1 validate");

    add("resequence", R"(<resequence correlation="/note/who" number="/note/n" start="0" gap="PT5S" late="pass"/>)",
        std::nullopt, "");
    out.back().body = backward_body;
    out.back().check = forward_in_a;
    // The first question of each process opens it; what comes meanwhile waits for the probe.
    add("circuit-breaker",
        R"(<circuit-breaker faults="1" open-for="PT1S"><enrich name="people" stylesheet="merge.xsl"><c:get xmlns:c="urn:contract"/><value name="id" select="/note/who"/></enrich></circuit-breaker>)",
        std::nullopt, "");
    out.back().body = shy_body;
    out.back().prepare = [](StepWorld&) { counter(kShyOpened).set(0); };
    out.back().check = [](StepWorld& world, int n) {
        EXPECT_TRUE(std::filesystem::exists(world.root() / kShyFile)) << "nobody asked";
        // Of another process it is not known here.
        EXPECT_EQ(counter(kShyOpened).value(), n < 10 ? 1 : 0) << "it opens once";
    };
    return out;
}

}  // namespace clrbus::contract
