#include "app/wire_cli.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "app/wire.hpp"

namespace clrbus::app {
namespace {

struct WireOptions {
    std::string config = "conf/clrbus.xml", overlay;
    bool json = false;
    workbench::NewSystem system;
    std::string sample, door = "directory";
    std::string name, out, sheet, kind = "statement";
    bool by_hand = false;
};

void wire_config(CLI::App& command, WireOptions& options) {
    command.add_option("--config", options.config, "configuration file")->capture_default_str();
    command.add_option("--overlay", options.overlay, "configuration of one environment, laid over it");
}

void add_new(CLI::App& app, const std::shared_ptr<WireOptions>& options, int& result) {
    CLI::App* made = app.add_subcommand("new", "make something new");
    made->require_subcommand(1);
    CLI::App* c =
        made->add_subcommand("system", "wire a source system from a sample file: route, schema, mapping, case, README");
    workbench::NewSystem& system = options->system;
    wire_config(*c, *options);
    c->add_option("name", system.name, "its short name: route, folder and source of its claims")->required();
    c->add_option("--sample", options->sample, "a file with a few records, as the system gives them")
        ->required()
        ->check(CLI::ExistingFile);
    c->add_option("--format", system.format, "csv, json, xml; seen from the file without it")
        ->check(CLI::IsMember({"csv", "json", "xml"}));
    c->add_option("--record", system.record, "path of the records in the file; the first repeated element without it");
    c->add_option("--door", options->door, "adapter of the door: directory, http-listen, …")->capture_default_str();
    c->add_option("--kind", system.kind, "what a record becomes")
        ->check(CLI::IsMember({"statement", "definition", "person"}))
        ->capture_default_str();
    c->add_option("--system", system.system, "the system, as people call it");
    c->add_option("--component", system.component, "component of the record: employment, activities, …");
    c->add_option("--type", system.type, "achievement type: Course, Degree, Badge, Membership, ext:…");
    c->add_option("--steward", system.steward, "the unit that answers for the data");
    c->add_option("--refresh", system.refresh, "how often it speaks")->capture_default_str();
    c->add_option("--institution", system.institution,
                  "who gives the ids: FICE:003658; the configuration's first code without it");
    c->add_flag("--keep-values", system.keep_values,
                "the case holds the sample's own values; without it made-up ones of the same shape");
    c->add_flag("--json", options->json, "one JSON document on standard output, and no questions");
    c->footer(
        "Example: clrbus new system student-clubs --sample clubs.csv --component activities --type Membership --steward "
        "'Student Life'\n"
        "It writes routes/NAME/, transforms/NAME.xsl and xsd/NAME/, and says what is still missing and what to do next.");
    c->callback([options, &result] {
        options->system.sample = options->sample;
        result = new_system(options->config, options->overlay, options->system, options->door, options->json);
    });
}

void add_mapping(CLI::App& app, const std::shared_ptr<WireOptions>& options, int& result) {
    CLI::App* mapping = app.add_subcommand("mapping", "the mapping of a system as a table: which field becomes what");
    mapping->require_subcommand(1);
    mapping->footer(
        "Columns: target, source, rule, argument, note. Rules: copy, text, constant, date (argument: pattern), instant, "
        "version, number,\n"
        "lower, upper, code (LIST or LIST:COLUMN of conf/codes), map (A=B;C=D;*=E), join (argument: what stands between), "
        "each, xpath,\n"
        "ignore, missing. 'clrbus mapping targets' lists the targets.");
    CLI::App* show = mapping->add_subcommand("show", "the sheet of a system as CSV");
    wire_config(*show, *options);
    show->add_option("name", options->name, "the system, or a stylesheet below transforms/")->required();
    show->add_option("--out", options->out, "file to write; standard output without it");
    show->footer("Example: clrbus mapping show student-clubs --out student-clubs.csv");
    show->callback(
        [options, &result] { result = mapping_show(options->config, options->overlay, options->name, options->out); });
    CLI::App* write = mapping->add_subcommand("write", "the stylesheet from the sheet; status 1 while something is missing");
    wire_config(*write, *options);
    write->add_option("name", options->name, "the system, or a stylesheet below transforms/")->required();
    write->add_option("sheet", options->sheet, "the sheet")->required()->check(CLI::ExistingFile);
    write->add_flag("--by-hand", options->by_hand, "also over a stylesheet that was edited by hand");
    write->footer("Example: clrbus mapping write student-clubs student-clubs.csv && clrbus test student-clubs");
    write->callback([options, &result] {
        result = mapping_write(options->config, options->overlay, options->name, options->sheet, options->by_hand);
    });
    CLI::App* targets = mapping->add_subcommand("targets", "the places of a canonical message that a sheet may fill");
    targets->add_option("kind", options->kind, "statement, definition, person")
        ->check(CLI::IsMember({"statement", "definition", "person"}))
        ->capture_default_str();
    targets->add_flag("--json", options->json, "one JSON document on standard output");
    targets->footer("Example: clrbus mapping targets person");
    targets->callback([options, &result] { result = mapping_targets(options->kind, options->json); });
}

void add_try(CLI::App& app, int& result) {
    const auto what = std::make_shared<Try>();
    const auto names = std::make_shared<WireOptions>();
    CLI::App* c = app.add_subcommand("try", "a file through a route, step by step: no broker, no effect");
    wire_config(*c, *names);
    c->add_option("route", what->route, "the route")->required();
    c->add_option("file", names->sample, "the file")->required()->check(CLI::ExistingFile);
    c->add_option("--from", what->options.from, "first record of a file of many, from 1")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    c->add_option("--records", what->options.most, "how many records")->capture_default_str()->check(CLI::PositiveNumber);
    c->add_flag("!--no-unread", what->options.unread, "do not look for fields that make no difference");
    c->add_flag("--json", what->json, "one JSON document on standard output");
    c->footer(
        "Example: clrbus try hr-csv routes/hr-csv/cases/rated-and-ended/input.csv\n"
        "It shows what each step made of the document, how long it took, what comes out, and the fields of the input that make "
        "no\n"
        "difference to that. Values are shown: use made-up ones, or a terminal that nobody watches. Status 1: a record was "
        "refused.");
    c->callback([what, names, &result] {
        what->config = names->config;
        what->overlay = names->overlay;
        what->file = names->sample;
        result = try_file(*what);
    });
}

void add_inventory(CLI::App& app, const std::shared_ptr<WireOptions>& options, int& result) {
    CLI::App* c = app.add_subcommand(
        "inventory", "what each source holds, who answers for it, what becomes of each element, what is left out");
    wire_config(*c, *options);
    const auto form = std::make_shared<std::string>();
    c->add_flag_callback(
        "--csv", [form] { *form = "csv"; }, "as CSV");
    c->add_flag_callback(
        "--html", [form] { *form = "html"; }, "as a page that needs nothing else");
    c->add_flag_callback(
        "--json", [form] { *form = "json"; }, "one JSON document");
    c->add_option("--out", options->out, "file to write; standard output without it");
    c->footer(
        "Example: clrbus inventory --html --out inventory.html\n"
        "Routes answer for themselves: their attributes, and their cases, in which each element is changed to see what it "
        "does. Sources\n"
        "without a route are written by hand into sources.csv beside the configuration: "
        "system,component,element,steward,refresh,access,\n"
        "form,state,note; state is planned, not collected or fed.");
    c->callback([options, form, &result] { result = inventory(options->config, options->overlay, *form, options->out); });
}

void add_report(CLI::App& app, const std::shared_ptr<WireOptions>& options, int& result) {
    CLI::App* c = app.add_subcommand(
        "report", "one page for those who answer for the data: exceptions, freshness, statistics, approvals, inventory");
    wire_config(*c, *options);
    const auto state = std::make_shared<std::string>("var/clrbus");
    c->add_option("--state", *state, "state directory of the bus")->envname("CLRBUS_STATE")->capture_default_str();
    c->add_flag_callback(
        "--html", [] {}, "as a page that needs nothing else (the only form)");
    c->add_option("--out", options->out, "file to write; standard output without it");
    c->footer(
        "Example: clrbus report --html --out report.html\n"
        "It names no learner and shows no value of a message. Status 1: something stands still, or the ledger does not "
        "balance.");
    c->callback([options, state, &result] { result = report(options->config, options->overlay, *state, options->out); });
}

void add_pack(CLI::App& routes, const std::shared_ptr<WireOptions>& options, int& result) {
    CLI::App* out = routes.add_subcommand("export", "a route folder with all that it needs as one file; never a secret");
    wire_config(*out, *options);
    out->add_option("name", options->name, "the folder below routes/")->required();
    out->add_option("--out", options->out, "file to write; standard output without it");
    out->footer(
        "Example: clrbus route export hr-csv --out hr-csv.clrbus.json\n"
        "JSON: route file, cases, stylesheets, schemas and code lists with their SHA-256, and the names of the secrets that it "
        "needs.\n"
        "The same files make the same bytes. A secret in clear text, a link, or a file elsewhere is refused.");
    out->callback(
        [options, &result] { result = export_route(options->config, options->overlay, options->name, options->out); });
    CLI::App* in = routes.add_subcommand("import", "install a route from such a file, once it compiles and its cases hold");
    const auto what = std::make_shared<ImportRoute>();
    wire_config(*in, *options);
    in->add_option("file", what->file, "the file")->required()->check(CLI::ExistingFile);
    in->add_flag("--dry-run", what->dry, "check it, install nothing");
    in->add_flag("--other-lib", what->other_lib, "though shared files differ from those it was made with: its cases decide");
    in->add_flag("--json", what->json, "one JSON document on standard output");
    in->footer(
        "Example: clrbus route import hr-csv.clrbus.json --dry-run\n"
        "Nothing that is there is changed: a route, or a file of another content, refuses it. Look at what you import: a route "
        "says\n"
        "who may become a learner, and where data goes.");
    in->callback([what, options, &result] {
        what->config = options->config;
        what->overlay = options->overlay;
        result = import_route(*what);
    });
}

}  // namespace

void add_pack_commands(CLI::App& routes, int& result) {
    add_pack(routes, std::make_shared<WireOptions>(), result);
}

void add_wire_commands(CLI::App& app, int& result) {
    const auto options = std::make_shared<WireOptions>();
    add_new(app, options, result);
    add_mapping(app, options, result);
    add_try(app, result);
    add_inventory(app, options, result);
    add_report(app, options, result);
}

}  // namespace clrbus::app
