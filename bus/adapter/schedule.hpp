// When something is to run: a cron line or an ISO 8601 repetition, in a time zone. Pure: no clock, no I/O but the zone file.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/zone.hpp"

namespace clrbus {

// Immutable; any thread. A wall-clock time that a change of the clock skips runs at the first moment after the gap, once; one
// that comes twice runs the first time.
class Schedule {
public:
    // cron: five fields (minute, hour, day of month, month, day of week) with names, ranges, steps and lists, or @hourly,
    // @daily,
    // @weekly, @monthly, @yearly. Both day fields restricted: either is enough.
    // ISO 8601: R/START/PERIOD, Rn/START/PERIOD (n runs, the first at START) or PERIOD alone (R/1970-01-01T00:00:00/PERIOD in
    // the zone). Years to days of a PERIOD are counted on the calendar of the zone, hours to seconds by the second; the 31st of
    // a month that has none is its last day. START without an offset is a time of the zone.
    // Throws Error(kConfig, "ADAPT-002"): text is neither, or names a date that never comes.
    static Schedule parse(std::string_view text, const Zone& zone = {});

    // The first run strictly after a moment; nothing when there is none (any more, or within 50 years).
    std::optional<Time> next_run(Time after) const;

    struct Plan;

private:
    explicit Schedule(std::shared_ptr<const Plan> plan);
    std::shared_ptr<const Plan> plan_;  // shared by the copies
};

// The runs in (after, until], the newest `most` of them, oldest first.
std::vector<Time> missed_runs(const Schedule& schedule, Time after, Time until, std::size_t most);

}  // namespace clrbus
