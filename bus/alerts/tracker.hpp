// Which conditions are alerts: one begins when it has held long enough and ends when it has been gone long enough. Pure: no
// clock, no I/O. One thread.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "alerts/condition.hpp"

namespace clrbus::alerts {

struct OpenAlert {
    Condition condition;         // as it was last seen
    Time began{};                // when the alert did
    std::optional<Time> gone{};  // not seen since
};

class Tracker {
public:
    // After a restart: what had begun is not begun again.
    void restore(std::vector<OpenAlert> open);

    // What this look begins and ends; numbers go on behind `number`. quiet: how long a condition must be gone before its alert
    // ends, so that one that comes and goes is one alert. may_end: false while it is too early to miss anything.
    std::vector<Event> look(Time now, const std::vector<Condition>& conditions, std::chrono::milliseconds quiet, bool may_end,
                            std::uint64_t& number);

    const std::map<std::string, OpenAlert>& open() const { return open_; }

private:
    std::map<std::string, OpenAlert> open_;   // by key
    std::map<std::string, Time> first_seen_;  // of conditions that have not held long enough yet
};

}  // namespace clrbus::alerts
