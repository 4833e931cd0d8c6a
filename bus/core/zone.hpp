// Time zones from the system's zone files (RFC 8536). Immutable; any thread.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

namespace clrbus {

class Zone {
public:
    Zone();  // UTC
    // "Z", "UTC", an offset (+02:00), or an IANA name of the system's zone files. Throws Error(kConfig, "CORE-006").
    static Zone load(std::string_view name);

    std::chrono::seconds offset_at(std::chrono::sys_seconds instant) const;  // east of UTC
    // At a wall-clock time (as if it were UTC). In a gap: the offset before it; twice: the first.
    std::chrono::seconds offset_at_local(std::chrono::sys_seconds local) const;
    // When the wall clock first shows local (as if it were UTC). In a gap: the first moment after it; twice: the first.
    std::chrono::sys_seconds to_instant(std::chrono::sys_seconds local) const;

    struct Impl;

private:
    std::shared_ptr<const Impl> impl_;  // shared by the copies; null: UTC
};

}  // namespace clrbus
