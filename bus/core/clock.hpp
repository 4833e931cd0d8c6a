// Time as the product sees it. Everything that needs "now" takes a Clock, so that tests fix it. Any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace clrbus {

using Time = std::chrono::sys_time<std::chrono::milliseconds>;

class Clock {
public:
    virtual ~Clock() = default;
    virtual Time now() const = 0;                                      // wall clock
    virtual std::chrono::steady_clock::time_point steady() const = 0;  // for deadlines
};

Clock& system_clock();

// RFC 3339 in UTC with milliseconds: 2026-11-24T12:30:46.123Z
std::string to_rfc3339(Time time);
// Reads RFC 3339 with zone. Throws Error(kPoison, "CORE-003").
Time from_rfc3339(std::string_view text);

// ISO 8601 duration of configuration values: PT2S, PT24H, P7D, P7Y (a year is 365 days). Throws Error(kConfig, "CORE-004").
std::chrono::milliseconds from_iso_duration(std::string_view text);

}  // namespace clrbus
