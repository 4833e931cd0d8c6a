// The commands for those who wire a system: they read and write files of the configuration and need no running bus.
#pragma once

#include <filesystem>
#include <string>

#include "workbench/new_system.hpp"
#include "workbench/try_route.hpp"

namespace clrbus::app {

// clrbus new system: asks for what was not given when a person is there to answer, writes the system's files, says what is
// still missing and which command comes next. adapter: name of the door's adapter.
int new_system(const std::filesystem::path& config, const std::filesystem::path& overlay, workbench::NewSystem wanted,
               const std::string& adapter, bool json);

// clrbus mapping show: the sheet of a route's stylesheet as CSV. out: "" = standard output.
int mapping_show(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::string& name,
                 const std::filesystem::path& out);
// clrbus mapping write: the stylesheet from a sheet. by_hand: also over one that was edited by hand.
int mapping_write(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::string& name,
                  const std::filesystem::path& sheet, bool by_hand);
// clrbus try: a file through a route, step by step, without any effect. Status 1 when a record is refused.
struct Try {
    std::filesystem::path config, overlay, file;
    std::string route;
    workbench::TryOptions options;
    bool json = false;
};
int try_file(const Try& what);
// clrbus inventory: the data steward's questions answered for each element. form: csv, html, json, "" for a table.
int inventory(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::string& form,
              const std::filesystem::path& out);
// clrbus report --html: of the bus that runs in state. out: "" = standard output. Status 1 when something stands still.
int report(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::filesystem::path& state,
           const std::filesystem::path& out);
// clrbus route export and import (workbench/pack.hpp). out: "" = standard output.
int export_route(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::string& name,
                 const std::filesystem::path& out);
struct ImportRoute {
    std::filesystem::path config, overlay, file;
    bool other_lib = false, dry = false, json = false;
};
int import_route(const ImportRoute& what);
// clrbus mapping targets: the places that a sheet may fill.
int mapping_targets(const std::string& kind, bool json);

}  // namespace clrbus::app
