// <alerts> of the configuration: limits, and the channels made from it. Value types.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alerts/alerts.hpp"
#include "config/config.hpp"

namespace clrbus {
class HttpClient;
}

namespace clrbus::alerts {

// From when on a fact is an alert.
struct Limits {
    std::uint64_t dead_letters = 1;
    std::chrono::milliseconds oldest = std::chrono::minutes(15);
    std::chrono::milliseconds away = std::chrono::minutes(5);
    std::optional<std::chrono::milliseconds> late_by;  // beyond a source's refresh; a tenth of it without
    std::uint64_t free_bytes = 0;
    std::int64_t expiry_days = 21;
};

struct AlertSettings {
    AlertOptions options;  // file, clock and instance are the caller's
    Limits limits;
};

// element may be empty: the defaults. free_bytes: for a configuration that says none.
AlertSettings read_alert_settings(const Config& element, std::uint64_t free_bytes);

struct ChannelParts {
    HttpClient& client;  // outlives the channels
    const Clock& clock;
    std::function<std::string(std::string_view name)> secret;
    std::filesystem::path folder;  // relative paths mean: in it
};
// Throws Error(kConfig): ALERT-001 a password without TLS, -002 a program, -003 a kind or address that is none, two channels of
// one name; and what secret throws for a name that is not there.
std::vector<std::unique_ptr<Channel>> make_channels(const Config& element, const ChannelParts& parts);

}  // namespace clrbus::alerts
