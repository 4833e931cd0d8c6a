// The subcommands for those who wire: new, mapping. One thread.
#pragma once

namespace CLI {
class App;
}

namespace clrbus::app {

// result gets the exit status of the one that runs.
void add_wire_commands(CLI::App& app, int& result);
// export and import, below `clrbus route`.
void add_pack_commands(CLI::App& routes, int& result);

}  // namespace clrbus::app
