#include "contract/step_driver.hpp"

namespace clrbus::contract {
namespace {

std::string waiting_body(int i) {
    return "<note><who>w" + std::to_string(i) + "</who><n>" + std::to_string(i) + "</n></note>";
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
    return out;
}

}  // namespace clrbus::contract
