// What workers in other processes need to know of routes and messages. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "broker/queues.hpp"
#include "routing/route.hpp"

namespace clrbus {

// Names of the notes that whoever works on this message may ask for.
std::vector<std::string> notes_of_message(const TakenMessage& message);

// What of a compiled route binds it to the process that keeps the books.
struct BoundHome {
    Config element;
    std::string step;  // its label, as dead letters name it; "" the route itself
    std::string why;
};
// All of it, in the order of the route. Nothing: it may run in any worker.
std::vector<BoundHome> bound_home(const CompiledRoute& route);
bool runs_at_home(const CompiledRoute& route);

}  // namespace clrbus
