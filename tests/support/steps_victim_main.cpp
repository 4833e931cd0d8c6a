// steps_victim DIR FD: works on the messages of the route r in a StepWorld until it is killed, or until nothing waits. A line
// on FD each time more of them are done: how many; "all" at the end.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "contract/step_driver.hpp"

namespace {

void say(int report, const std::string& word) {
    const std::string line = word + "\n";
    if (::write(report, line.data(), line.size()) < 0) ::_exit(1);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) return 2;
    const int report = std::atoi(arguments[2]);
    try {
        clrbus::contract::StepWorld world(arguments[1]);
        world.open();
        world.start();
        for (std::int64_t done = -1; !world.nothing_waits();) {
            const auto state = world.route_state();
            if (state.paused) return say(report, state.reason), 1;
            if (state.done != done) say(report, std::to_string(done = state.done));
            std::this_thread::yield();
        }
        world.close();
        say(report, "all");
        return 0;
    } catch (const std::exception& e) {
        say(report, e.what());
        return 1;
    }
}
