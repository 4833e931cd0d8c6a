// The command line. CLI11 is included here alone: it costs more to compile than the rest of the folder.
#include <CLI/CLI.hpp>
#include <iostream>

#include "app/cli.hpp"
#include "app/dead_cli.hpp"
#include "app/explain.hpp"
#include "app/messages_cli.hpp"
#include "app/settings.hpp"
#include "app/wire_cli.hpp"
#include "app/worker_bus.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace {

using clrbus::app::Ask;

constexpr const char* kFooter =
    "Exit status: 0 held, 1 did not hold (invalid, not found, not balanced, stuck), 2 wrong use, 3 configuration error,\n"
    "4 the bus or another far side is away. Every command prints one JSON document with --json.";

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"clrbus: the campus message bus that ends in one signed learner record", "clrbus"};
    app.footer(kFooter);
    app.require_subcommand(1);
    app.set_version_flag("--version", CLRBUS_VERSION);
    std::string config = "conf/clrbus.xml", overlay, state = "var/clrbus";
    bool json = false;
    int result = 0;
    const auto with_config = [&](CLI::App* c) {
        c->add_option("--config", config, "configuration file")->capture_default_str();
        c->add_option("--overlay", overlay, "configuration of one environment, laid over it");
    };
    const auto with_state = [&](CLI::App* c) {
        c->add_option("--state", state, "state directory of the bus")->envname("CLRBUS_STATE")->capture_default_str();
        c->add_flag("--json", json, "one JSON document on standard output");
    };
    Ask question;
    const auto answer = [&] {
        question.state = state;
        question.json = json;
        result = clrbus::app::ask(question);
    };
    const auto simple = [&](CLI::App& parent, const char* name, const char* text, const char* command, const char* example) {
        CLI::App* c = parent.add_subcommand(name, text);
        with_state(c);
        c->footer(std::string("Example: ") + example);
        c->callback([&, command] {
            question.command = command;
            answer();
        });
        return c;
    };

    CLI::App* run = app.add_subcommand("run", "run the bus until SIGTERM");
    with_config(run);
    std::string role = "all";
    run->add_option("--state", state, "state directory, made when it is not there")
        ->envname("CLRBUS_STATE")
        ->capture_default_str();
    run->add_option("--role", role,
                    "all: everything. With <broker url>: records keeps the books, doors and records, and runs no route but "
                    "those that keep state; "
                    "worker runs routes, as many processes as you like")
        ->check(CLI::IsMember({"all", "records", "worker"}))
        ->capture_default_str();
    run->footer(
        "Example: clrbus run --config conf/clrbus.xml --state var/clrbus\nThe ports are in var/clrbus/ports.json when all of "
        "them answer.");
    run->callback([&] { result = clrbus::app::run_bus(config, overlay, state, role); });

    CLI::App* check = app.add_subcommand("check", "check the configuration and every route, before it is deployed");
    with_config(check);
    check->add_flag("--json", json, "one JSON document on standard output");
    clrbus::app::CheckOptions to_check;
    check->add_flag("--broker", to_check.broker,
                    "also connect to the broker of <broker url> and name the queues that are missing");
    check->add_flag("--strict", to_check.strict, "warnings count too");
    check->footer(
        "Example: clrbus check --config conf/clrbus.xml\nAll findings in one go, each as FILE:LINE:COLUMN: error|warning: "
        "CODE: "
        "what; expected: what would be right.\nStatus 3 when there is an error (with --strict: or a warning).");
    check->callback([&] {
        to_check.config = config;
        to_check.overlay = overlay;
        to_check.json = json;
        result = clrbus::app::check(to_check);
    });

    CLI::App* test = app.add_subcommand("test", "run the cases of the routes through their steps, without a broker");
    std::string route;
    with_config(test);
    test->add_option("route", route, "one route; all without it");
    test->add_flag("--json", json, "one JSON document on standard output");
    test->footer("Example: clrbus test people");
    test->callback([&] { result = clrbus::app::run_cases(config, overlay, route, json); });

    clrbus::app::add_wire_commands(app, result);

    simple(app, "status", "what stands still, since when, and what to do; status 1 when something does", "status",
           "clrbus status");
    simple(app, "queues", "depth, bytes and oldest message of every queue", "queues", "clrbus queues --json");
    simple(app, "ledger", "every message accounted for; status 1 when the sums do not add up", "ledger", "clrbus ledger");

    CLI::App* explain = app.add_subcommand("explain", "what an error code means and what to do");
    std::string code;
    explain->add_option("code", code, "the code, as messages and dead letters show it")->required();
    explain->add_flag("--json", json, "one JSON document on standard output");
    explain->footer("Example: clrbus explain STILL-003");
    explain->callback([&] { result = clrbus::app::explain(code, json); });

    CLI::App* alerts = app.add_subcommand("alerts", "who is told what, and whether it arrives");
    alerts->require_subcommand(1);
    simple(*alerts, "list", "what is open, and every channel: what waits for it, since when it fails", "alerts",
           "clrbus alerts list");
    CLI::App* alerts_try = simple(*alerts, "test", "send a test notice every way, now; status 1 when one does not arrive",
                                  "alerts-test", "clrbus alerts test 'mail ops'");
    alerts_try->add_option_function<std::string>(
        "channel", [&](const std::string& v) { question.text.emplace_back("channel", v); },
        "one channel, as the list names it; all without it");

    CLI::App* backup =
        simple(app, "backup", "one consistent set of queues, records, originals and keys, while the bus runs", "backup",
               "clrbus backup /srv/backup/2026-11-24\nIt holds the keys: keep it as you keep the state directory.");
    backup
        ->add_option_function<std::string>(
            "target",
            [&](const std::string& v) { question.text.emplace_back("target", std::filesystem::absolute(v).string()); },
            "a folder that is empty or not there, outside of the state directory")
        ->required();

    CLI::App* restore = app.add_subcommand("restore", "a state directory from a backup; the bus that used it does not run");
    std::string from_backup;
    bool only_check = false;
    with_state(restore);
    restore->add_option("backup", from_backup, "the backup")->required()->check(CLI::ExistingDirectory);
    restore->add_flag("--check", only_check, "only check that every file is there and as it was written");
    restore->footer("Example: clrbus restore /srv/backup/2026-11-24 --state /var/lib/clrbus");
    restore->callback([&] { result = clrbus::app::restore(from_backup, state, only_check, json); });

    CLI::App* resume = simple(app, "resume", "let a paused route run again", "resume", "clrbus resume pesc");
    resume
        ->add_option_function<std::string>(
            "route", [&](const std::string& v) { question.text.emplace_back("route", v); }, "the route")
        ->required();

    CLI::App* routes = app.add_subcommand("route", "the routes that run, their generations, and the way back");
    routes->require_subcommand(1);
    const auto of_route = [&](CLI::App* c) {
        c->add_option_function<std::string>(
             "route", [&](const std::string& v) { question.text.emplace_back("route", v); }, "the route")
            ->required();
        return c;
    };
    const auto generation_option = [&](CLI::App* c, const char* name, const char* member, const char* text) {
        c->add_option_function<long long>(
             name, [&, member](const long long& v) { question.numbers.emplace_back(member, v); }, text)
            ->check(CLI::PositiveNumber);
    };
    simple(*routes, "list", "all routes: generation, pinned, refused changes; status 1 when one does not run as its files say",
           "route-list", "clrbus route list");
    of_route(simple(*routes, "show", "one route: generation, files, what was refused and where", "route-show",
                    "clrbus route show pesc"));
    of_route(simple(*routes, "history", "its generations: when, by whom, why", "route-history", "clrbus route history pesc"));
    CLI::App* route_diff = of_route(simple(*routes, "diff", "what a generation changed, as a unified diff", "route-diff",
                                           "clrbus route diff pesc 4 --from 2"));
    generation_option(route_diff, "generation", "generation", "the generation; the one that runs without it");
    generation_option(route_diff, "--from", "from", "compared with this one; the one before without it");
    simple(*routes, "reload", "take changed routes, stylesheets, schemas and code lists now; status 1 when a change is refused",
           "route-reload", "clrbus route reload");
    generation_option(
        of_route(simple(*routes, "rollback", "back to an earlier generation; it stays until unpin, or until the files change",
                        "route-rollback", "clrbus route rollback pesc 3")),
        "generation", "generation", "the generation to go back to; the one before without it");
    of_route(
        simple(*routes, "unpin", "run what the files say again, after a rollback", "route-unpin", "clrbus route unpin pesc"));

    clrbus::app::add_pack_commands(*routes, result);

    CLI::App* approve = of_route(simple(
        app, "approve", "the steward's word for a generation of a route: its claims may enter signed records", "route-approve",
        "clrbus approve people --steward 'Office of the Registrar' --why 'compared with 20 transcripts'\n"
        "Where <records approval=\"required\"/> or the route asks for it, what an unapproved generation says is stored and "
        "waits;\n"
        "the last approved word stays meanwhile, a retraction counts at once. 'clrbus approvals' lists who approved what."));
    generation_option(approve, "--generation", "generation", "the generation; the one that runs without it");
    approve->add_option_function<std::string>(
        "--steward", [&](const std::string& v) { question.text.emplace_back("steward", v); }, "who answers for what it says");
    approve
        ->add_option_function<std::string>(
            "--why", [&](const std::string& v) { question.text.emplace_back("why", v); }, "the reason, for those who ask later")
        ->required();
    approve->add_flag_callback(
        "--withdraw", [&] { question.text.emplace_back("withdraw", "yes"); }, "take the word back");
    simple(app, "approvals", "which generations are approved, by whom and why", "route-approvals", "clrbus approvals people")
        ->add_option_function<std::string>(
            "route", [&](const std::string& v) { question.text.emplace_back("route", v); }, "of one route");

    CLI::App* reconcile = simple(
        app, "reconcile", "a source's control totals against the records; status 1 when they differ", "reconcile",
        "clrbus reconcile totals.csv --source pesc\n"
        "CSV with the header term,courses,credits,learners,learner (the last three may be missing). A row without a learner is "
        "the\n"
        "total of the term (the session's designator); one with SCHEME:ISSUER:VALUE is of one learner. An empty number is not\n"
        "compared. Where a term has rows of learners, who has courses in the records and no row is named too.");
    reconcile
        ->add_option_function<std::string>(
            "file", [&](const std::string& v) { question.text.emplace_back("file", std::filesystem::absolute(v).string()); },
            "the totals, a file on the machine of the bus")
        ->required()
        ->check(CLI::ExistingFile);
    reconcile
        ->add_option_function<std::string>(
            "--source", [&](const std::string& v) { question.text.emplace_back("source", v); },
            "the source that counted, as 'learner' shows it")
        ->required();

    CLI::App* publish = app.add_subcommand("publish", "send files to a route over AMQP, each confirmed when it is on disk");
    clrbus::app::Publish what;
    std::vector<std::string> files;
    with_state(publish);
    publish->add_option("route", what.route, "the route")->required();
    publish->add_option("files", files, "files")->required()->check(CLI::ExistingFile);
    publish->add_option("--url", what.url, "amqp://HOST:PORT; the state directory's bus without it");
    publish->add_option("--user", what.user, "user; from the state directory without it");
    publish->add_option("--password-file", what.password_file, "file that holds the password");
    publish->add_option("--content-type", what.content_type, "media type of the files");
    publish->footer("Example: clrbus publish pesc transcripts/*.xml");
    publish->callback([&] {
        what.state = state;
        what.json = json;
        what.files.assign(files.begin(), files.end());
        result = clrbus::app::publish(what);
    });

    clrbus::app::add_dead_commands(app, result);
    clrbus::app::add_messages_commands(app, result);

    const auto number_option = [&](CLI::App* c, bool required) {
        auto* o = c->add_option_function<long long>(
            "number", [&](const long long& v) { question.numbers.emplace_back("number", v); },
            "its number, as the list shows it");
        if (required) o->required();
    };
    const auto text_option = [&](CLI::App* c, const char* flag, const char* name, const char* help, bool required) {
        auto* o = c->add_option_function<std::string>(
            flag, [&, name](const std::string& v) { question.text.emplace_back(name, v); }, help);
        if (required) o->required();
    };
    CLI::App* waiting = app.add_subcommand("waiting", "what belongs to nobody yet, for a person to decide");
    waiting->require_subcommand(1);
    simple(*waiting, "list", "list it", "waiting-list", "clrbus waiting list");
    number_option(simple(*waiting, "show", "one of them with its identifiers (a line goes into the disclosure log)",
                         "waiting-show", "clrbus waiting show 12"),
                  true);
    CLI::App* attach = simple(*waiting, "attach", "it is this learner's", "waiting-attach",
                              "clrbus waiting attach 12 LEARNER --why 'asked the department'");
    number_option(attach, true);
    attach->add_option_function<std::string>(
        "learner", [&](const std::string& v) { question.text.emplace_back("learner", v); }, "our id of the learner");
    text_option(attach, "--by", "by", "the learner by SCHEME:ISSUER:VALUE instead", false);
    text_option(attach, "--why", "why", "the reason, for the log", true);
    CLI::App* reject = simple(*waiting, "reject", "it is nobody's", "waiting-reject",
                              "clrbus waiting reject 12 --why 'not a student of ours'");
    number_option(reject, true);
    text_option(reject, "--why", "why", "the reason, for the log", true);

    simple(app, "learners", "the learners by our ids", "learners", "clrbus learners");
    const auto learner_option = [&](CLI::App* c) {
        c->add_option_function<std::string>(
            "learner", [&](const std::string& v) { question.text.emplace_back("learner", v); }, "our id of the learner");
        text_option(c, "--by", "by", "the learner by SCHEME:ISSUER:VALUE instead", false);
        text_option(c, "--purpose", "purpose", "why you look, for the disclosure log", false);
    };
    learner_option(simple(app, "learner",
                          "one learner: names, identifiers, what is known (a line goes into the disclosure log)", "learner",
                          "clrbus learner --by institution-id:example.edu:S0012345 --purpose 'asked at the desk'"));
    CLI::App* why = simple(app, "why", "where one claim came from: statement, route generation, original", "why",
                           "clrbus why LEARNER --achievement KEY");
    learner_option(why);
    text_option(why, "--achievement", "achievement", "key of the achievement, as 'learner' lists it", true);

    CLI::App* clr = app.add_subcommand("clr", "the signed record of a learner (a line goes into the disclosure log)");
    std::string out;
    bool credential = false;
    with_state(clr);
    learner_option(clr);
    text_option(clr, "--alg", "alg", "ES256 (default) or RS256", false);
    clr->add_option("--out", out, "file to write; standard output without it");
    clr->add_flag("--credential", credential, "the credential as JSON instead of the signed token");
    clr->footer("Example: clrbus clr LEARNER --out ada.jwt && clrbus verify ada.jwt");
    clr->callback([&] {
        question.state = state;
        question.json = json;
        question.command = "clr";
        result = clrbus::app::ask_clr(question, out, credential);
    });

    CLI::App* reader = simple(app, "reader", "a token with which one reader reads one learner's record; shown once", "reader",
                              "clrbus reader LEARNER --why 'signed release of 3 May'");
    learner_option(reader);
    text_option(reader, "--why", "why", "the reason, for the disclosure log", true);

    CLI::App* verify = app.add_subcommand("verify", "check a signed record: form, signature, claims, dates");
    std::string file, jwks;
    with_state(verify);
    verify->add_option("file", file, "the signed record")->required()->check(CLI::ExistingFile);
    verify->add_option("--jwks", jwks, "the issuer's key set; the running bus's own without it")->check(CLI::ExistingFile);
    verify->footer("Example: clrbus verify ada.jwt --jwks keys.json");
    verify->callback([&] { result = clrbus::app::verify_file(file, jwks, state, json); });

    CLI::App* keys = app.add_subcommand("keys", "the keys that sign");
    keys->require_subcommand(1);
    simple(*keys, "list", "all keys that ever signed", "keys", "clrbus keys list");
    text_option(
        simple(*keys, "rotate", "a new key; the old one stays published", "keys-rotate", "clrbus keys rotate --alg ES256"),
        "--alg", "alg", "ES256, RS256 or EdDSA", false);

    CLI::App* disclosures = simple(app, "disclosures", "who was told what, and whether the log is whole", "disclosures",
                                   "clrbus disclosures LEARNER");
    disclosures->add_option_function<std::string>(
        "learner", [&](const std::string& v) { question.text.emplace_back("learner", v); }, "of one learner");

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    } catch (const clrbus::Error& e) {
        std::cerr << "clrbus: " << e.code() << ": " << e.what() << '\n';
        return e.fault() == clrbus::Fault::kConfig ? 3 : e.fault() == clrbus::Fault::kAway ? 4 : 1;
    } catch (const std::exception& e) {
        std::cerr << "clrbus: " << e.what() << '\n';
        return 1;
    }
    return result;
}
