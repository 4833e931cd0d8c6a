// Steps that reach a far side: StepWorld plays it.
#include "contract/step_driver.hpp"

#include <stdexcept>

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

    // The route responder runs too, and replies.
    StepDriver asked;
    asked.step = "request-reply";
    asked.steps =
        R"(<request-reply name="judge" timeout="PT10M"><route id="responder"/></request-reply><to><route id="a"/></to>)";
    asked.body = endpoint_note;
    asked.outputs = {{"in/a", 1}};
    asked.prepare = [](StepWorld& world) {
        world.write("routes/responder/routes.xml",
                    R"(<routes xmlns="urn:clrbus:routes:1"><route id="responder" system="contract"><reply/></route></routes>)");
    };
    asked.finished = [](StepWorld& world) { return world.nothing_waits() && world.line("responder").waiting == 0; };
    asked.check = [](StepWorld& world, int) {
        if (!world.line("responder").balanced()) throw std::runtime_error("the responder's account does not add up");
    };
    StepDriver answers = asked;
    answers.step = "reply";

    // Nobody replies.
    StepDriver unanswered;
    unanswered.step = "request-reply";
    unanswered.steps =
        R"(<request-reply name="judge" timeout="PT1S"><route id="b"/><no-reply><to><route id="a"/></to></no-reply></request-reply>
<to><records/></to>)";
    unanswered.body = endpoint_note;
    unanswered.outputs = {{"in/a", 1}, {"in/b", 1}};

    StepDriver to;
    to.step = "to";
    to.steps = R"(<to><c:post xmlns:c="urn:contract"/></to>)";
    to.body = endpoint_note;
    to.outputs = {{"out/r/post", 1}};
    return {enrich, reply, asked, answers, unanswered, to};
}

}  // namespace clrbus::contract
