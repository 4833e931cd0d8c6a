// clrbus report: for those who answer for the data, on one page: what stands still or failed, in plain words; how fresh each
// source is; what came and went; what is approved; the inventory. It names no learner.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <iostream>
#include <map>

#include "app/settings.hpp"
#include "app/wire.hpp"
#include "core/clock.hpp"
#include "core/text.hpp"
#include "management/control_socket.hpp"
#include "workbench/inventory.hpp"

namespace clrbus::app {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

object report_ask(const std::filesystem::path& state, const char* command) {
    object answer =
        boost::json::parse(call_control(state / "control.sock", boost::json::serialize(object{{"command", command}})))
            .as_object();
    if (const value* error = answer.if_contains("error")) {
        const object& e = error->as_object();
        throw Error(Fault::kPoison, std::string(std::string_view(e.at("code").as_string())), "asking the bus",
                    std::string(std::string_view(e.at("text").as_string())));
    }
    return answer;
}

std::string report_cell(const object& from, const char* name) {
    const value* v = from.if_contains(name);
    if (v == nullptr || v->is_null()) return {};
    if (!v->is_string()) return boost::json::serialize(*v);
    std::string text(std::string_view(v->get_string()));
    // A moment as people read it.
    if (text.size() >= 20 && text[4] == '-' && text[10] == 'T' && text.back() == 'Z')
        text = text.substr(0, 10) + " " + text.substr(11, 5) + " UTC";
    return text;
}

struct ReportColumn {
    const char* member;
    const char* heading;
};

// The first column names the row. empty: said instead of a table without rows.
std::string report_table(const std::string& heading, const std::string& caption, const array& rows,
                         std::initializer_list<ReportColumn> columns, const char* empty) {
    std::string out = "<h2>" + xml_escaped(heading) + "</h2>\n";
    if (rows.empty()) return out + "<p>" + xml_escaped(empty) + "</p>\n";
    out += "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"" + xml_escaped(heading) + "\"><table>\n<caption>" +
           xml_escaped(caption) + "</caption>\n<thead><tr>";
    for (const ReportColumn& column : columns) out += "<th scope=\"col\">" + xml_escaped(column.heading) + "</th>";
    out += "</tr></thead>\n<tbody>\n";
    for (const value& row : rows) {
        bool first = true;
        out += "<tr>";
        for (const ReportColumn& column : columns) {
            const std::string text = xml_escaped(report_cell(row.as_object(), column.member));
            out += first ? "<th scope=\"row\">" + text + "</th>" : "<td>" + text + "</td>";
            first = false;
        }
        out += "</tr>\n";
    }
    return out + "</tbody></table></div>\n";
}

// Dead letters of one route, code and place are one exception, with how many there are.
array grouped_dead(const array& dead) {
    std::map<std::string, object> groups;
    std::map<std::string, std::int64_t> counts;
    for (const value& v : dead) {
        const object& one = v.as_object();
        const std::string key = report_cell(one, "route") + "\n" + report_cell(one, "code") + "\n" + report_cell(one, "path") +
                                "\n" + report_cell(one, "reason");
        groups.try_emplace(key, object{{"route", report_cell(one, "route")},
                                       {"code", report_cell(one, "code")},
                                       {"path", report_cell(one, "path")},
                                       {"reason", report_cell(one, "reason")},
                                       {"expected", report_cell(one, "expected")}});
        ++counts[key];
    }
    array out;
    for (auto& [key, group] : groups) {
        group["count"] = counts[key];
        out.push_back(std::move(group));
    }
    return out;
}

// One row a route: what its source promised and when it last spoke.
array freshness(const object& status, const LoadedRoutes& loaded) {
    std::map<std::string, object> statistics;
    for (const value& v : status.at("statistics").as_array()) statistics[report_cell(v.as_object(), "route")] = v.as_object();
    array out;
    for (const auto& route : loaded.routes) {
        const object& known = statistics[route->id()];
        const auto said = [](const std::string& text, const char* otherwise) {
            return text.empty() ? std::string(otherwise) : text;
        };
        out.push_back(object{{"route", route->id()},
                             {"system", route->system()},
                             {"steward", said(route->steward(), "not said")},
                             {"refresh", said(route->element().get("refresh"), "not said")},
                             {"last_received", said(report_cell(known, "last_received"), "never")},
                             {"last_success", said(report_cell(known, "last_success"), "never")},
                             {"day", said(report_cell(known, "day"), "0")},
                             {"weekday", said(report_cell(known, "weekday"), "not known yet")}});
    }
    return out;
}

}  // namespace

int report(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::filesystem::path& state,
           const std::filesystem::path& out) {
    const Settings settings = read_settings(config, overlay);
    const object status = report_ask(state, "status"), ledger = report_ask(state, "ledger"),
                 dead = report_ask(state, "dead-list"), approvals = report_ask(state, "route-approvals");
    RouteAssets assets(asset_folders(settings, nullptr));
    const LoadedRoutes loaded = load_routes(settings.routes, assets);
    const auto inventory =
        workbench::make_inventory(loaded.routes, settings.routes, settings.file.parent_path() / "sources.csv");
    const bool ok = status.at("ok").as_bool(), balanced = ledger.at("balanced").as_bool();
    std::string body = "<p>Made " + xml_escaped(to_rfc3339(system_clock().now()).substr(0, 16)) + " UTC by clrbus " +
                       xml_escaped(report_cell(status, "version")) + ". " +
                       (ok ? "Nothing stands still. " : "<strong>Something stands still.</strong> ") +
                       (balanced ? "Every message is accounted for.</p>\n"
                                 : "<strong>The ledger does not balance: a message is not accounted for.</strong></p>\n");
    const object& records = status.at("records").as_object();
    body += "<p>The records hold " + report_cell(records, "learners") + " learners and " + report_cell(records, "statements") +
            " statements; " + report_cell(records, "waiting_for_identity") +
            " wait for a person to say whose they are (<code>clrbus waiting list</code>).</p>\n";
    body +=
        report_table("What stands still", "Each with what to do about it", status.at("problems").as_array(),
                     {{"what", "What"}, {"since", "Since"}, {"do", "What to do"}, {"code", "Code"}}, "Nothing stands still.");
    body += report_table("What needs a look", "It works, and will not for ever", status.at("warnings").as_array(),
                         {{"what", "What"}, {"since", "Since"}, {"do", "What to do"}, {"code", "Code"}}, "Nothing.");
    body += report_table("Messages that could not work",
                         "Dead letters by route, place and reason; " + report_cell(dead, "count") +
                             " in all. At most 1000 of them are looked at here; no values of a message are shown.",
                         grouped_dead(dead.at("dead").as_array()),
                         {{"reason", "What was wrong"},
                          {"count", "How many"},
                          {"route", "Route"},
                          {"path", "Where"},
                          {"expected", "What was expected"},
                          {"code", "Code"}},
                         "There are none.");
    body +=
        report_table("How fresh each source is", "What its steward promised, and when it last spoke", freshness(status, loaded),
                     {{"route", "Route"},
                      {"system", "System"},
                      {"steward", "Answers for it"},
                      {"refresh", "Promised every"},
                      {"last_received", "Last received"},
                      {"last_success", "Last success"},
                      {"day", "In the last 24 hours"},
                      {"weekday", "As usual on this weekday"}},
                     "There is no route.");
    body += report_table("What came and what became of it", "Since the records of this bus began",
                         status.at("statistics").as_array(),
                         {{"route", "Route"},
                          {"received", "Received"},
                          {"made", "Records made"},
                          {"filtered", "Filtered"},
                          {"duplicate", "Duplicates"},
                          {"applied", "Applied"},
                          {"unchanged", "Unchanged"},
                          {"waiting", "Waiting"},
                          {"dead_now", "Dead now"}},
                         "Nothing came yet.");
    body += report_table("Who approved what", "The generation of each route that runs", approvals.at("running").as_array(),
                         {{"route", "Route"}, {"generation", "Generation"}, {"state", "Approval"}}, "No route runs.");
    body += workbench::inventory_sections(inventory);
    const std::string text = workbench::page_html("Report on the learner records, " + settings.issuer_name, body);
    if (out.empty()) {
        std::cout << text;
    } else {
        std::ofstream stream(out, std::ios::binary);
        stream << text;
        stream.close();
        if (!stream) {
            std::cerr << "clrbus: '" << out.string() << "' cannot be written\n";
            return 1;
        }
    }
    return ok && balanced ? 0 : 1;
}

}  // namespace clrbus::app
