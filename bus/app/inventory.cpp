// clrbus inventory.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <iostream>

#include "app/settings.hpp"
#include "app/wire.hpp"
#include "routing/assets.hpp"
#include "routing/route.hpp"
#include "workbench/inventory.hpp"

namespace clrbus::app {
namespace {

using boost::json::array;
using boost::json::object;

std::string inventory_json(const workbench::Inventory& all) {
    array rows, cells, errors;
    for (const auto& row : all.rows) {
        rows.push_back(object{{"system", row.system},
                              {"route", row.route},
                              {"component", row.component},
                              {"element", row.element},
                              {"steward", row.steward},
                              {"refresh", row.refresh},
                              {"access", row.access},
                              {"form", row.form},
                              {"structure", row.structure},
                              {"normalized", row.normalized},
                              {"mapped", row.mapped},
                              {"state", row.state},
                              {"note", row.note}});
    }
    for (const auto& cell : all.cells)
        cells.push_back(
            object{{"component", cell.component}, {"system", cell.system}, {"state", cell.state}, {"owner", cell.owner}});
    for (const Error& error : all.errors) errors.emplace_back(std::string(error.what()));
    return boost::json::serialize(
               object{{"rows", std::move(rows)}, {"matrix", std::move(cells)}, {"errors", std::move(errors)}}) +
           "\n";
}

// For a terminal: a line for each system and component, with how many elements it has and how many nobody reads.
std::string inventory_table(const workbench::Inventory& all) {
    std::string out;
    for (const auto& cell : all.cells) {
        std::size_t elements = 0, unread = 0;
        for (const auto& row : all.rows) {
            if (row.system != cell.system || row.component != cell.component) continue;
            ++elements;
            unread += row.mapped == "not mapped" ? 1 : 0;
        }
        std::string line = cell.component;
        line.resize(std::max<std::size_t>(line.size() + 2, 18), ' ');
        line += cell.state;
        line.resize(std::max<std::size_t>(line.size() + 2, 34), ' ');
        line += cell.system + ", " + (cell.owner.empty() ? "owner not said" : cell.owner);
        if (cell.state == "fed")
            line += ": " + std::to_string(elements) + " elements, " + std::to_string(unread) + " not mapped";
        out += line + "\n";
    }
    return out + "Everything: clrbus inventory --csv, --html or --json\n";
}

}  // namespace

int inventory(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::string& form,
              const std::filesystem::path& out) {
    const Settings settings = read_settings(config, overlay);
    RouteAssets assets(asset_folders(settings, nullptr));
    const LoadedRoutes loaded = load_routes(settings.routes, assets);
    for (const Error& e : loaded.errors) std::cerr << "clrbus: " << e.code() << ": " << e.what() << '\n';
    const workbench::Inventory all =
        workbench::make_inventory(loaded.routes, settings.routes, settings.file.parent_path() / "sources.csv");
    for (const Error& e : all.errors) std::cerr << "clrbus: " << e.code() << ": " << e.what() << '\n';
    const std::string text = form == "csv"    ? workbench::inventory_csv(all)
                             : form == "html" ? workbench::inventory_html(all, settings.issuer_name)
                             : form == "json" ? inventory_json(all)
                                              : inventory_table(all);
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
    return loaded.errors.empty() && all.errors.empty() ? 0 : 1;
}

}  // namespace clrbus::app
