// clrbus messages and clrbus trace.
#pragma once

namespace CLI {
class App;
}

namespace clrbus::app {

// result: the exit status of the command that ran.
void add_messages_commands(CLI::App& app, int& result);

}  // namespace clrbus::app
