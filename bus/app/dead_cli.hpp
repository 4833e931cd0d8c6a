// The subcommands about dead letters: list, show, replay, edit, discard. One thread.
#pragma once

namespace CLI {
class App;
}

namespace clrbus::app {

// result gets the exit status of the one that runs.
void add_dead_commands(CLI::App& app, int& result);

}  // namespace clrbus::app
