// DIR/alerts.json. For alerts/ alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "alerts/condition.hpp"
#include "alerts/tracker.hpp"

namespace clrbus::alerts {

struct AlertState {
    std::uint64_t number = 0;  // of the last event
    std::vector<OpenAlert> open;
    struct Pending {
        std::vector<Event> events;
        std::uint64_t left_out = 0;
    };
    std::map<std::string, Pending> pending;  // by channel
};

// An empty state when there is no file. Throws Error(kConfig, "ALERT-040") for one that cannot be read.
AlertState read_alert_state(const std::filesystem::path& file);
// Whole or not at all, synced. Throws Error(kAway, "DISK-…").
void write_alert_state(const std::filesystem::path& file, const AlertState& state);

}  // namespace clrbus::alerts
