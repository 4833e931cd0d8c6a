// Days without a time zone become instants in the institution's zone. Immutable; any thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace clrbus::clr {

class Zone {
public:
    Zone();  // UTC
    // "Z", an offset (+02:00), or an IANA name of the system's zone files. Throws Error(kConfig, "CLR-001").
    static Zone load(std::string_view name);

    // Seconds east of UTC at a local wall-clock time (as if it were UTC). In a gap: the offset before it; twice: the first.
    std::chrono::seconds offset_at_local(std::chrono::sys_seconds local) const;
    std::chrono::seconds offset_at(std::chrono::sys_seconds instant) const;
    // 2024-05-17T00:00:00-05:00
    std::string start_of_day(std::chrono::sys_days day) const;

    struct Impl;

private:
    std::shared_ptr<const Impl> impl_;  // shared by the copies; null: UTC
};

}  // namespace clrbus::clr
