// Zones by name, read once each and kept.
#include "core/zone.hpp"

#include <map>
#include <mutex>
#include <shared_mutex>

#include "core/error.hpp"
#include "xml/functions/calendar.hpp"

namespace clrbus::xml_functions {

namespace {

std::chrono::sys_seconds zone_moment(std::int64_t seconds) {
    return std::chrono::sys_seconds(std::chrono::seconds(seconds));
}

std::optional<Zone> zone_of(std::string_view name) {
    if (name.empty()) return std::nullopt;
    static std::shared_mutex mutex;
    static std::map<std::string, Zone, std::less<>> zones;  // under mutex; only zones that exist
    {
        const std::shared_lock lock(mutex);
        const auto known = zones.find(name);
        if (known != zones.end()) return known->second;
    }
    try {
        const Zone zone = Zone::load(name);
        const std::unique_lock lock(mutex);
        return zones.emplace(name, zone).first->second;
    } catch (const Error&) {
        return std::nullopt;
    }
}

}  // namespace

std::optional<int> zone_offset(std::string_view zone, std::int64_t local) {
    const std::optional<Zone> named = zone_of(zone);
    if (!named) return std::nullopt;
    return static_cast<int>(named->offset_at_local(zone_moment(local)).count());
}

std::optional<int> zone_offset_at(std::string_view zone, std::int64_t utc) {
    const std::optional<Zone> named = zone_of(zone);
    if (!named) return std::nullopt;
    return static_cast<int>(named->offset_at(zone_moment(utc)).count());
}

}  // namespace clrbus::xml_functions
