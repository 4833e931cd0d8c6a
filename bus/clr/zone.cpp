#include "clr/zone.hpp"

#include <cstdio>

namespace clrbus::clr {

std::string start_of_day(const Zone& zone, std::chrono::sys_days day) {
    const auto offset = std::chrono::duration_cast<std::chrono::minutes>(zone.offset_at_local(day)).count();
    const std::chrono::year_month_day date(day);
    char text[64];
    const int size = std::snprintf(text, sizeof text, "%04d-%02u-%02uT00:00:00", static_cast<int>(date.year()),
                                   static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    std::string out(text, static_cast<std::size_t>(size));
    if (offset == 0) return out + "Z";
    const long minutes = offset < 0 ? -offset : offset;
    std::snprintf(text, sizeof text, "%c%02ld:%02ld", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
    return out + text;
}

}  // namespace clrbus::clr
