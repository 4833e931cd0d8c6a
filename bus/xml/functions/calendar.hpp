// Days, moments in ISO form and zones. Pure but for the zone files, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace clrbus::xml_functions {

std::int64_t days_from_date(int year, int month, int day);  // from 1970-01-01
void date_from_days(std::int64_t days, int& year, int& month, int& day);
bool exists(int year, int month, int day);

struct Moment {
    int year = 0, month = 1, day = 1;
    bool has_time = false;
    int hour = 0, minute = 0, second = 0;
    std::string fraction;               // digits behind the point
    std::optional<int> offset_seconds;  // east of UTC

    std::int64_t seconds() const;  // from 1970 as if it were UTC
    void set_seconds(std::int64_t seconds);
};

// yyyy-MM-dd with an optional zone, or a date-time with optional seconds, fraction and zone.
std::optional<Moment> parse_iso(std::string_view text);
std::string to_iso(const Moment& moment);  // with what it has

// Seconds east of UTC at a local time: 'Z', '+01:00' or a name of the zone data base. In the hour that stands twice the first
// one counts; in the hour that is left out, the offset before it. nullopt: no such zone.
std::optional<int> zone_offset(std::string_view zone, std::int64_t local_seconds);
// The same at a moment: seconds from 1970 in UTC.
std::optional<int> zone_offset_at(std::string_view zone, std::int64_t utc_seconds);

}  // namespace clrbus::xml_functions
