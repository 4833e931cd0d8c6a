// What the contract test needs to know of one step: a route that has it, bodies that pass and one that it refuses. A step of
// the table (routing/step.hpp) without an entry fails the test.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "contract/step_world.hpp"

namespace clrbus::contract {

struct StepDriver {
    std::string step;   // name of the element
    std::string steps;  // of the route r, with a sink: <to><route id="a"/></to>, b, or records
    // The i-th message, from 0; all of them pass.
    std::function<std::string(int)> body;
    // How many messages each of them causes in which queue. Where that is not the same for each of them (aggregate), leave it
    // empty and give check.
    std::map<std::string, int> outputs{};
    // What the step can never use: dead-lettered by it. nullopt for a step that refuses no message.
    std::optional<std::string> poison = std::nullopt;
    std::string dead_step{};  // label of the step that refuses it, as far as it is given: "1 split"; any other one without it

    // More files of the project, a far side, …: before the route compiles. Every run gets its own world.
    std::function<void(StepWorld&)> prepare{};
    // For a step that asks someone: makes the far side be away, and back. A message that comes meanwhile waits.
    std::function<void(StepWorld&)> away{}, back{};
    // When all is done, where "nothing waits in the inbox" does not say it (a group that is completed by time).
    std::function<bool(StepWorld&)> finished{};
    // After n messages all of which passed: throws or adds failures.
    std::function<void(StepWorld&, int n)> check{};
    int rounds = 400;  // messages of the test that kills
};

// All of them. One function for each file of drivers.
std::vector<StepDriver> step_drivers();
std::vector<StepDriver> stateless_step_drivers();
std::vector<StepDriver> stateful_step_drivers();
std::vector<StepDriver> endpoint_step_drivers();

}  // namespace clrbus::contract
