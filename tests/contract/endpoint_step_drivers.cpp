// Steps that reach a far side: StepWorld plays it.
#include "contract/step_driver.hpp"

namespace clrbus::contract {
namespace {

std::string endpoint_note(int i) {
    return "<note><who>w" + std::to_string(i) + "</who><n>" + std::to_string(i) + "</n></note>";
}

}  // namespace

std::vector<StepDriver> endpoint_step_drivers() {
    StepDriver enrich;
    enrich.step = "enrich";
    enrich.steps =
        R"(<enrich name="people" stylesheet="merge.xsl"><c:get xmlns:c="urn:contract"/><value name="id" select="/note/who"/></enrich><to><route id="a"/></to>)";
    enrich.body = endpoint_note;
    enrich.outputs = {{"in/a", 1}};
    enrich.poison = "<note><who>poison</who></note>";
    enrich.dead_step = "1 enrich";
    enrich.away = [](StepWorld& world) { world.far_side_away(true); };
    enrich.back = [](StepWorld& world) { world.far_side_away(false); };

    StepDriver reply;
    reply.step = "request-reply";
    reply.steps = R"(<request-reply name="judge"><c:post xmlns:c="urn:contract"/></request-reply><to><route id="a"/></to>)";
    reply.body = endpoint_note;
    reply.outputs = {{"in/a", 1}};
    reply.away = enrich.away;
    reply.back = enrich.back;

    StepDriver to;
    to.step = "to";
    to.steps = R"(<to><c:post xmlns:c="urn:contract"/></to>)";
    to.body = endpoint_note;
    to.outputs = {{"out/r/post", 1}};
    return {enrich, reply, to};
}

}  // namespace clrbus::contract
