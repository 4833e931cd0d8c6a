#include "core/zone.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace clrbus {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;

std::chrono::sys_seconds zone_hour(int y, unsigned m, unsigned d, int hour) {
    return sys_days(std::chrono::year(y) / std::chrono::month(m) / std::chrono::day(d)) + std::chrono::hours(hour);
}

TEST(ZoneTest, RefusesWhatIsNoZone) {
    for (const auto* bad : {"Nowhere/City", "../etc/passwd", "/etc/localtime", "America", "+25:00", "+1:00", "+01:60",
                            "tzdata.zi", "a b", "+0100"})
        EXPECT_THROW(Zone::load(bad), Error) << bad;
}

TEST(ZoneTest, KnowsTheOffsetOfAnInstant) {
    const Zone chicago = Zone::load("America/Chicago");
    EXPECT_EQ(chicago.offset_at(zone_hour(2024, 3, 10, 7)), -6h);
    EXPECT_EQ(chicago.offset_at(zone_hour(2024, 3, 10, 8)), -5h);
    EXPECT_EQ(chicago.offset_at(zone_hour(2060, 7, 1, 0)), -5h);
    EXPECT_EQ(Zone().offset_at(zone_hour(2024, 7, 1, 0)), 0h);
}

TEST(ZoneTest, KnowsTheOffsetOfAWallClock) {
    const Zone chicago = Zone::load("America/Chicago");
    EXPECT_EQ(chicago.offset_at_local(zone_hour(2024, 3, 10, 1)), -6h);
    EXPECT_EQ(chicago.offset_at_local(zone_hour(2024, 3, 10, 2)), -6h);  // is left out
    EXPECT_EQ(chicago.offset_at_local(zone_hour(2024, 3, 10, 3)), -5h);
    EXPECT_EQ(chicago.offset_at_local(zone_hour(2024, 11, 3, 1)), -5h);  // comes twice
    EXPECT_EQ(chicago.offset_at_local(zone_hour(2024, 11, 3, 2)), -6h);
    EXPECT_EQ(Zone::load("-08:30").offset_at_local(zone_hour(2024, 3, 10, 2)), -8h - 30min);
}

}  // namespace
}  // namespace clrbus
