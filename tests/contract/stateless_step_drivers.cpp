#include "contract/step_driver.hpp"

namespace clrbus::contract {
namespace {

std::string note_body(int i) {
    return "<note><who>w" + std::to_string(i) + "</who><n>" + std::to_string(i) + "</n></note>";
}
std::string json_body(int i) {
    return R"({"n":)" + std::to_string(i) + "}";
}

constexpr const char* kToA = R"(<to><route id="a"/></to>)";

}  // namespace

std::vector<StepDriver> stateless_step_drivers() {
    std::vector<StepDriver> out;
    const auto add = [&out](const std::string& step, const std::string& steps, std::function<std::string(int)> body,
                            std::map<std::string, int> outputs, std::optional<std::string> poison, const std::string& dead) {
        StepDriver driver;
        driver.step = step;
        driver.steps = steps;
        driver.body = std::move(body);
        driver.outputs = std::move(outputs);
        driver.poison = std::move(poison);
        driver.dead_step = dead;
        out.push_back(std::move(driver));
    };
    add("parse", std::string(R"(<parse format="json"/>)") + kToA, json_body, {{"in/a", 1}}, "{\"n\":", "1 parse");
    add("validate", std::string(R"(<validate schema="note.xsd"/>)") + kToA, note_body, {{"in/a", 1}},
        "<note><who>w</who><n>many</n></note>", "1 validate");
    add(
        "split", std::string(R"(<split format="xml" path="notes/*"/><validate schema="note.xsd"/>)") + kToA,
        [](int i) { return "<notes>" + note_body(i) + note_body(i + 1) + "</notes>"; }, {{"in/a", 2}}, "<notes><note>", "");
    add("transform", R"(<transform stylesheet="note.xsl"/><to><records/></to>)", note_body, {{"records", 1}},
        "<note><who>w</who><n>many</n></note>", "1 transform");
    add(
        "marshal", std::string(R"(<parse format="json"/><marshal format="csv"/>)") + kToA,
        [](int i) { return R"([{"n":)" + std::to_string(i) + R"(}])"; }, {{"in/a", 1}}, R"([{"n":{"m":1}}])", "2 marshal");
    add("choose",
        R"(<choose><when test="/note/n mod 2 = 0"><to><route id="a"/></to></when><when test="/note/n mod 2 = 1"><to><route id="a"/></to></when></choose>)",
        note_body, {{"in/a", 1}}, "<note><who>w</who><n>many</n></note>", "1 choose");
    add("filter",
        std::string(
            R"x(<filter test="f:parse-date(/note/d, 'yyyy') != '9999'" reason="none" xmlns:f="urn:clrbus:functions:1"/>)x") +
            kToA,
        note_body, {{"in/a", 1}}, "<note><d>soon</d></note>", "1 filter");
    add("set-header", std::string(R"(<set-header name="n" select="/note/who"/>)") + kToA, note_body, {{"in/a", 1}},
        "<note><who>" + std::string(5000, 'x') + "</who></note>", "1 set-header");
    add("remove-header", std::string(R"(<remove-header name="gone"/>)") + kToA, json_body, {{"in/a", 1}}, std::nullopt, "");
    add("wire-tap", std::string(R"(<wire-tap><to><route id="b"/></to></wire-tap>)") + kToA, json_body,
        {{"in/a", 1}, {"in/b", 1}}, std::nullopt, "");
    add("multicast",
        R"(<multicast><to><route id="a"/></to><branch><validate schema="note.xsd"/><to><route id="b"/></to></branch><to><route id="b"/></to></multicast>)",
        note_body, {{"in/a", 1}, {"in/b", 2}}, "<note/>", "1.2.1 validate");
    add(
        "recipient-list", R"(<recipient-list select="/note/to" allowed="a b"/>)",
        [](int i) { return "<note><n>" + std::to_string(i) + "</n><to>a b</to></note>"; }, {{"in/a", 1}, {"in/b", 1}},
        "<note><to>a records</to></note>", "1 recipient-list");
    add(
        "routing-slip",
        R"(<set-header name="routing-slip" select="/note/to"/><routing-slip allowed="a b"/><to><route id="b"/></to>)",
        [](int i) { return "<note><n>" + std::to_string(i) + "</n><to>a b a</to></note>"; }, {{"in/a", 1}},
        "<note><to>a in/b</to></note>", "2 routing-slip");
    add(
        "claim-check",
        std::string(R"(<claim-check direction="in" select="/m/f"/><claim-check direction="out" select="/m/f"/>)") + kToA,
        [](int i) { return "<m><f>" + std::string(4 * static_cast<std::size_t>(i % 9), 'Q') + "</f></m>"; }, {{"in/a", 1}},
        "<m><f>not base64</f></m>", "1 claim-check");
    add("program", std::string(R"(<program command="pass"/>)") + kToA, note_body, {{"in/a", 1}}, "<note><n>many</n></note>",
        "1 program");
    out.back().away = [](StepWorld& world) { world.write("programs/away", ""); };
    out.back().back = [](StepWorld& world) { std::filesystem::remove(world.root() / "programs/away"); };
    out.back().rounds = 60;  // a process for each
    add("log", std::string(R"(<log text="seen" level="debug"/>)") + kToA, json_body, {{"in/a", 1}}, std::nullopt, "");
    add(
        "to", "<to><records/></to>",
        [](int i) {
            return R"(<statement xmlns="urn:clrbus:learner-record:1" source="s" key="k)" + std::to_string(i) +
                   R"(" covers="all"><learner><identifier scheme="sis-id" issuer="x" value="v"/></learner><achievement key="a" type="Award" component="activities"><name>n</name></achievement></statement>)";
        },
        {{"records", 1}}, "<statement xmlns=\"urn:clrbus:learner-record:1\"/>", "1 to");
    return out;
}

std::vector<StepDriver> step_drivers() {
    auto all = stateless_step_drivers();
    for (StepDriver& driver : stateful_step_drivers()) all.push_back(std::move(driver));
    for (StepDriver& driver : endpoint_step_drivers()) all.push_back(std::move(driver));
    return all;
}

}  // namespace clrbus::contract
