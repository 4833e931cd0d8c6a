#include "app/messages_cli.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "app/cli.hpp"
#include "trace/visit.hpp"

namespace clrbus::app {
namespace {

struct MessagesOptions {
    std::string state = "var/clrbus";
    bool json = false, disk = false;
    std::vector<std::string> states;
    std::string route, key, learner, of_state, since, until, id;
    long long most = 100, children = 20;
};

constexpr const char* kMessagesExamples =
    "Keys are what a route declares with <key>; a person's are kept as keyed hashes: found, never shown.\n"
    "Examples:\n"
    "  clrbus messages --route pesc --state dead\n"
    "  clrbus messages --key student=A00123456 --since 2026-05-01\n"
    "  clrbus messages --key A00123456                 whatever the key is called\n"
    "  clrbus messages --learner ID                    all that went into this record\n"
    "  clrbus messages --disk                          what the index takes on disk, by day\n"
    "It works beside a stopped bus too, as of what it wrote last.";

constexpr const char* kTraceExamples =
    "Where it was, when, how long, by which generation, and what it became; what it was made from, and what was made of it.\n"
    "Example: clrbus trace 0f6b3c9e-5a0e-5d0b-9a5e-0c4a1b7d2e10";

CLI::App* messages_command(CLI::App& parent, const char* name, const char* text, const std::shared_ptr<MessagesOptions>& o) {
    CLI::App* c = parent.add_subcommand(name, text);
    c->add_flag("--json", o->json, "one JSON document on standard output");
    return c;
}

}  // namespace

void add_messages_commands(CLI::App& app, int& result) {
    const auto o = std::make_shared<MessagesOptions>();  // shared by the callbacks
    CLI::App* messages = messages_command(app, "messages", "find messages, long after their bodies are gone", o);
    messages->add_option("--route", o->route, "of this route");
    messages->add_option("--key", o->key, "NAME=VALUE, or VALUE under any name");
    messages->add_option("--learner", o->learner, "what went into the record of this learner");
    messages
        ->add_option("--state", o->states,
                     "waiting, delivered, filtered, split, aggregated, duplicate, dead, discarded, expired, parked; of the "
                     "records: applied, unchanged, superseded, held. Anything else is the state directory of the bus, as with "
                     "the other commands: both may be given")
        ->envname("CLRBUS_STATE");
    messages->add_option("--since", o->since, "ended from then on: 2026-05-03 or 2026-05-03T10:00:00Z");
    messages->add_option("--until", o->until, "ended before then");
    messages->add_option("--most", o->most, "so many, the newest")->check(CLI::Range(1, 10000))->capture_default_str();
    messages->add_flag("--disk", o->disk, "what the index takes on disk, by day");
    messages->footer(kMessagesExamples);
    messages->callback([o, &result] {
        for (const std::string& state : o->states) (trace::visit_state(state) ? o->of_state : o->state) = state;
        Ask question{o->state, "messages", {}, {{"most", o->disk ? 1 : o->most}}, o->json};
        for (const auto& [name, text] : {std::pair{"route", &o->route},
                                         {"key", &o->key},
                                         {"learner", &o->learner},
                                         {"state", &o->of_state},
                                         {"since", &o->since},
                                         {"until", &o->until}}) {
            if (!text->empty()) question.text.emplace_back(name, *text);
        }
        if (o->disk) question.shown_as = "messages-disk";
        result = ask(question);
    });

    CLI::App* journey = messages_command(app, "trace", "the journey of one message", o);
    journey->add_option("--state", o->state, "state directory of the bus")->envname("CLRBUS_STATE")->capture_default_str();
    journey->add_option("id", o->id, "its id, as 'messages', 'dead list' or the sender's answer show it")->required();
    journey->add_option("--children", o->children, "so many records of a split")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    journey->footer(kTraceExamples);
    journey->callback([o, &result] {
        result = ask({o->state, "trace", {{"id", o->id}}, {{"children", o->children}}, o->json});
    });
}

}  // namespace clrbus::app
