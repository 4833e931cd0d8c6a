#include "app/dead_cli.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "app/cli.hpp"
#include "app/hand_edit.hpp"
#include "config/loader.hpp"
#include "core/error.hpp"
#include "crypto/base64.hpp"
#include "routing/dead_edit.hpp"

namespace clrbus::app {
namespace {

struct DeadOptions {
    std::string state = "var/clrbus";
    bool json = false;
    std::string route, code, step, since, only, why, file;
    std::vector<long long> numbers;
    long long most = 0;
    bool values = false, dry = false, yes = false, from_step = false, from_start = false, show = false;
};
using SharedOptions = std::shared_ptr<DeadOptions>;  // of the callbacks

constexpr const char* kReplayExamples =
    "Without numbers it only says what would happen; --yes does it.\n"
    "Examples:\n"
    "  clrbus dead replay pesc 1234                          one, from the start\n"
    "  clrbus dead replay pesc --code XSD-003 --dry-run      those of a code: what would come of it\n"
    "  clrbus dead replay pesc --code XSD-003 --yes          and now do it\n"
    "  clrbus dead replay pesc --since 2026-05-03 --only records --yes\n"
    "                                                        write the records, send nothing outside again\n"
    "  clrbus dead replay pesc 1234 --from-step              from the step that failed, where that is possible\n"
    "A split file goes on where it stopped; --from-start splits it again.";

constexpr const char* kEditExamples =
    "What was refused stays as it was, beside the new one; the record says who corrected it and why.\n"
    "Examples:\n"
    "  clrbus dead edit pesc 1234 --why 'the unit was misspelt'    in $EDITOR\n"
    "  clrbus dead edit pesc 1234 --file new.xml --why 'the unit was misspelt'\n"
    "  clrbus dead edit pesc 1234 --show --values                  who, when, why, and the difference";

constexpr const char* kDeadExamples =
    "Examples:\n"
    "  clrbus dead list pesc --code XSD-003\n"
    "  clrbus dead show pesc 1234\n"
    "  clrbus dead show pesc 1234 --values\n"
    "  clrbus dead replay pesc --code XSD-003 --dry-run\n"
    "  clrbus dead edit pesc 1234 --why 'the unit was misspelt'\n"
    "  clrbus dead discard pesc 1234 --why 'sent twice by mistake'\n"
    "Route 'records': what the learner records could not take.";

CLI::App* dead_command(CLI::App& parent, const char* name, const char* text, const SharedOptions& options) {
    CLI::App* c = parent.add_subcommand(name, text);
    c->add_option("--state", options->state, "state directory of the bus")->envname("CLRBUS_STATE")->capture_default_str();
    c->add_flag("--json", options->json, "one JSON document on standard output");
    return c;
}

void dead_selection(CLI::App& c, const SharedOptions& options) {
    c.add_option("--code", options->code, "only those with this error code");
    c.add_option("--step", options->step, "only those that failed at this step, as the list shows it");
    c.add_option("--since", options->since, "only those that died at or after it: 2026-05-03 or 2026-05-03T10:00:00Z");
    c.add_option("--most", options->most, "at most so many, the oldest first")->check(CLI::PositiveNumber);
}

Ask dead_question(const DeadOptions& options, const char* command) {
    Ask question;
    question.state = options.state;
    question.json = options.json;
    question.command = command;
    const auto add = [&question](const char* name, const std::string& value) {
        if (!value.empty()) question.text.emplace_back(name, value);
    };
    add("route", options.route);
    add("code", options.code);
    add("step", options.step);
    add("since", options.since);
    add("why", options.why);
    add("only", options.only);
    if (options.most != 0) question.numbers.emplace_back("most", options.most);
    question.list = options.numbers;
    return question;
}

void add_replay(CLI::App& dead, const SharedOptions& options, int& result) {
    CLI::App* c = dead_command(dead, "replay", "back into the inbox: some by number, or those that are selected", options);
    c->add_option("route", options->route, "the route")->required();
    c->add_option("numbers", options->numbers, "their numbers, as the list shows them");
    dead_selection(*c, options);
    CLI::Option* step = c->add_flag("--from-step", options->from_step, "from the step that failed");
    c->add_flag("--from-start", options->from_start, "from the start; a split file splits again")->excludes(step);
    c->add_option(
        "--only", options->only,
        "make these outputs alone, the others are counted as suppressed: records, route:ID, out:NAME; commas between");
    CLI::Option* yes = c->add_flag("--yes", options->yes, "do it, for a selection");
    c->add_flag("--dry-run", options->dry, "only say what would happen: records, other outputs, what is done outside")
        ->excludes(yes);
    c->footer(kReplayExamples);
    c->callback([options, &result] {
        Ask question = dead_question(*options, "dead-replay");
        if (options->from_step) question.text.emplace_back("from", "step");
        if (options->from_start) question.text.emplace_back("from", "start");
        if (options->dry || (options->numbers.empty() && !options->yes)) question.text.emplace_back("dry", "true");
        result = ask(question);
    });
}

// What the person makes of it: the file's bytes, or what an editor leaves.
int edit_dead(const DeadOptions& options) {
    Ask question = dead_question(options, "dead-edit");
    if (options.show) {
        question.text.emplace_back("show", "true");
        if (options.values) question.text.emplace_back("values", "true");
        return ask(question);
    }
    check_edit_reason(options.why);
    std::string body;
    if (!options.file.empty()) {
        body = read_file(options.file, kEditMost);
    } else {
        Ask first = question;
        first.text.emplace_back("read", "true");
        std::string encoded;
        if (const int failed = ask_member(first, "body", encoded); failed != 0) return failed;
        const std::string before = crypto::from_base64(encoded).value_or(std::string());
        body = edit_by_hand(before);
        if (body == before) throw Error(Fault::kPoison, "DEAD-011", "correcting a dead letter", "nothing was changed");
    }
    question.text.emplace_back("body", crypto::base64(body));
    return ask(question);
}

void add_edit(CLI::App& dead, const SharedOptions& options, int& result) {
    CLI::App* c = dead_command(dead, "edit", "correct one by hand: it goes into its route with the new content", options);
    c->add_option("route", options->route, "the route")->required();
    c->add_option("number", options->numbers, "its number, as the list shows it")->required()->expected(1);
    CLI::Option* file = c->add_option("--file", options->file, "the new content; $EDITOR opens the old one without it")
                            ->check(CLI::ExistingFile);
    CLI::Option* why = c->add_option("--why", options->why, "the reason, kept with the record; it names no person's data");
    CLI::Option* show = c->add_flag("--show", options->show, "who corrected it, when, why, and what became of it");
    show->excludes(file)->excludes(why);
    c->add_flag("--values", options->values, "with --show: the difference too; a line goes into the disclosure log")
        ->needs(show);
    c->footer(kEditExamples);
    c->callback([options, &result, why] {
        if (!options->show && why->count() == 0) throw CLI::RequiredError("--why");
        result = edit_dead(*options);
    });
}

}  // namespace

void add_dead_commands(CLI::App& app, int& result) {
    const auto options = std::make_shared<DeadOptions>();
    CLI::App* dead = app.add_subcommand("dead", "what could not work: with place and reason");
    dead->require_subcommand(1);
    dead->footer(kDeadExamples);

    CLI::App* list = dead_command(*dead, "list", "list them", options);
    list->add_option("route", options->route, "the route; all without it");
    dead_selection(*list, options);
    list->footer("Example: clrbus dead list pesc");
    list->callback([options, &result] { result = ask(dead_question(*options, "dead-list")); });

    CLI::App* show =
        dead_command(*dead, "show", "one of them: where it came from, what failed, what was done about it", options);
    show->add_option("route", options->route, "the route")->required();
    show->add_option("number", options->numbers, "its number, as the list shows it")->required()->expected(1);
    show->add_flag("--values", options->values, "its content too; a line goes into the disclosure log");
    show->footer("Example: clrbus dead show pesc 1234 --values");
    show->callback([options, &result] {
        Ask question = dead_question(*options, "dead-show");
        if (options->values) question.text.emplace_back("values", "true");
        result = ask(question);
    });

    add_replay(*dead, options, result);
    add_edit(*dead, options, result);

    CLI::App* discard = dead_command(*dead, "discard", "take them away, for good", options);
    discard->add_option("route", options->route, "the route")->required();
    discard->add_option("numbers", options->numbers, "their numbers, as the list shows them");
    dead_selection(*discard, options);
    discard->add_option("--why", options->why, "the reason, for the log")->required();
    discard->footer("Example: clrbus dead discard pesc 1234 --why 'sent twice by mistake'");
    discard->callback([options, &result] { result = ask(dead_question(*options, "dead-discard")); });
}

}  // namespace clrbus::app
