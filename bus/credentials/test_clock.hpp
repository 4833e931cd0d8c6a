// A clock that stands where a test put it.
#pragma once

#include "core/clock.hpp"

namespace clrbus::credentials {

struct TestClock : Clock {
    Time time = from_rfc3339("2026-03-01T10:00:00Z");
    Time now() const override { return time; }
    std::chrono::steady_clock::time_point steady() const override { return {}; }
};

}  // namespace clrbus::credentials
