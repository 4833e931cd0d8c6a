// What workers in other processes need to know of routes and messages. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "broker/queues.hpp"
#include "routing/route.hpp"

namespace clrbus {

// Names of the notes that whoever works on this message may ask for.
std::vector<std::string> notes_of_message(const TakenMessage& message);

// The step of the route that keeps its state in one process, or the route itself where it says order="key": such a route runs
// where the books are kept. Nothing: it may run anywhere.
Config keeps_state(const CompiledRoute& route);

}  // namespace clrbus
