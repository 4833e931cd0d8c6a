// The inventory as CSV and as a page.
#include <algorithm>

#include "core/text.hpp"
#include "workbench/inventory.hpp"

namespace clrbus::workbench {
namespace {

std::string inventory_field(const std::string& text) {
    // A cell that a spreadsheet would run is made text.
    const std::string safe = !text.empty() && std::string("=+-@").find(text[0]) != std::string::npos ? "'" + text : text;
    if (safe.find_first_of(",\"\r\n") == std::string::npos) return safe;
    std::string out = "\"";
    for (const char c : safe) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + "\"";
}

const char* const kStyle =
    "body{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:0 auto;max-width:80rem;padding:1rem}"
    "h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2rem}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%}caption{text-align:left;color:#444;padding:.25rem 0}"
    "th,td{border:1px solid #bbb;padding:.3rem .5rem;text-align:left;vertical-align:top;font-size:.9rem}thead "
    "th{background:#f0f0f0}"
    "td.fed{background:#dff3e1}td.planned{background:#fff3cd}td.not{background:#f8dede}.none{color:#444}"
    "tbody th{min-width:11rem;max-width:24rem;overflow-wrap:anywhere;font-weight:600}td{overflow-wrap:anywhere;min-width:6rem}"
    "@media print{.wide{overflow:visible}}";

void matrix(std::string& out, const Inventory& inventory) {
    out +=
        "<h2>Which system feeds which part of the record</h2>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"Matrix of components and "
        "systems\"><table>\n<caption>Fed, planned or not collected, with the unit that answers for it. An empty cell: nothing "
        "is known.</caption>\n"
        "<thead><tr><th scope=\"col\">Component</th>";
    for (const std::string& system : inventory.systems) out += "<th scope=\"col\">" + xml_escaped(system) + "</th>";
    out += "</tr></thead>\n<tbody>\n";
    for (const std::string& component : inventory.components) {
        out += "<tr><th scope=\"row\">" + xml_escaped(component) + "</th>";
        for (const std::string& system : inventory.systems) {
            const auto cell = std::find_if(inventory.cells.begin(), inventory.cells.end(), [&](const InventoryCell& c) {
                return c.component == component && c.system == system;
            });
            if (cell == inventory.cells.end()) {
                out += "<td></td>";
                continue;
            }
            out += "<td class=\"" + cell->state.substr(0, cell->state.find(' ')) + "\">" + xml_escaped(cell->state) +
                   (cell->owner.empty() ? "" : "<br>" + xml_escaped(cell->owner)) + "</td>";
        }
        out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
}

void system_table(std::string& out, const Inventory& inventory, const std::string& system) {
    out += "<h2>" + xml_escaped(system) + "</h2>\n";
    const auto first =
        std::find_if(inventory.rows.begin(), inventory.rows.end(), [&](const InventoryRow& r) { return r.system == system; });
    const auto said = [](const std::string& text) {
        return text.empty() ? std::string("<span class=\"none\">not said</span>") : xml_escaped(text);
    };
    out += "<p>Answers for it: " + said(first->steward) + ". Updated every: " + said(first->refresh) +
           ". How it is got at: " + said(first->access) + ". Form: " + said(first->form) +
           ".</p>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Elements of " + xml_escaped(system) +
           "\"><table>\n<caption>Its elements, and what becomes of each</caption>\n<thead><tr><th "
           "scope=\"col\">Element</th><th scope=\"col\">Route</th>"
           "<th scope=\"col\">Structure</th><th scope=\"col\">Becomes</th><th scope=\"col\">Sources</th><th "
           "scope=\"col\">Note</th></tr></thead>\n<tbody>\n";
    for (const InventoryRow& row : inventory.rows) {
        if (row.system != system) continue;
        out += "<tr><th scope=\"row\">" + xml_escaped(row.element.empty() ? "(the whole)" : row.element) + "</th><td>" +
               xml_escaped(row.route) + "</td><td>" + xml_escaped(row.structure) + "</td><td>" + xml_escaped(row.mapped) +
               "</td><td>" + xml_escaped(row.normalized) + "</td><td>" + xml_escaped(row.note) + "</td></tr>\n";
    }
    out += "</tbody></table></div>\n";
}

}  // namespace

std::string inventory_csv(const Inventory& inventory) {
    std::string out = "system,route,component,element,steward,refresh,access,form,structure,normalized,mapped,state,note\n";
    for (const InventoryRow& row : inventory.rows) {
        bool first = true;
        for (const std::string* text :
             {&row.system, &row.route, &row.component, &row.element, &row.steward, &row.refresh, &row.access, &row.form,
              &row.structure, &row.normalized, &row.mapped, &row.state, &row.note}) {
            if (!first) out += ',';
            first = false;
            out += inventory_field(*text);
        }
        out += '\n';
    }
    return out;
}

std::string page_html(const std::string& title, const std::string& body) {
    return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
           "content=\"width=device-width, initial-scale=1\">"
           "<title>" +
           xml_escaped(title) + "</title><style>" + kStyle + "</style></head>\n<body><main>\n<h1>" + xml_escaped(title) +
           "</h1>\n" + body + "</main></body></html>\n";
}

std::string inventory_sections(const Inventory& inventory) {
    std::string out;
    matrix(out, inventory);
    for (const std::string& system : inventory.systems) system_table(out, inventory, system);
    return out;
}

std::string inventory_html(const Inventory& inventory, const std::string& title) {
    return page_html(
        "Data inventory, " + title,
        "<p>What each source holds, who answers for it, and what of it enters the learner record. What becomes of an "
        "element was found by changing it in the route's own cases and looking at what comes out.</p>\n" +
            inventory_sections(inventory));
}

}  // namespace clrbus::workbench
