// The answers to a data steward's questions, element by element: where it is, who answers for it, how often it comes, how it is
// got at, in which form, what becomes of it, and what is left out. From the routes' attributes, their schemas' samples (the
// cases), and what a person wrote down for sources without a route. Pure but for reading files; one thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "routing/route.hpp"

namespace clrbus::workbench {

struct InventoryRow {
    std::string system, route, component, element;
    std::string steward;     // who manages it and answers for it
    std::string refresh;     // how often it is updated: PT24H; "" = not said
    std::string access;      // how it is got at: "extract: directory", "push: http-listen"
    std::string form;        // csv, json, xml, x12, fixed
    std::string structure;   // structured: date, number, id, choice; unstructured: free text
    std::string normalized;  // "one source", or the other routes that fill the same places
    std::string mapped;      // places of the canonical message, "decides", "not mapped", "dropped at the door"
    std::string state;       // fed, planned, not collected
    std::string note;
};

struct InventoryCell {
    std::string component, system, state, owner;
};

struct Inventory {
    std::vector<InventoryRow> rows;
    std::vector<std::string> components, systems;  // of the matrix
    std::vector<InventoryCell> cells;              // those that are not empty
    std::vector<Error> errors;                     // of the list by hand, and of cases that cannot be read
};

// The 13 of the learner record, in order.
const std::vector<std::string>& record_components();

// by_hand: a CSV file system,component,element,steward,refresh,access,form,state,note of sources without a route; may be
// missing. components: the 13 of the learner record, in order.
Inventory make_inventory(const std::vector<std::shared_ptr<const CompiledRoute>>& routes, const std::filesystem::path& folder,
                         const std::filesystem::path& by_hand);

std::string inventory_csv(const Inventory& inventory);
// A page that needs nothing else: the matrix, then a table for each system. title: of the institution.
std::string inventory_html(const Inventory& inventory, const std::string& title);
// Its parts, for a page that says more. Headings from level 2 on.
std::string inventory_sections(const Inventory& inventory);
std::string page_html(const std::string& title, const std::string& body);  // title: text; body: HTML below the level 1 heading

}  // namespace clrbus::workbench
