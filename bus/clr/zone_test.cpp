#include "clr/zone.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace clrbus::clr {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;

sys_days zone_day(int y, unsigned m, unsigned d) {
    return std::chrono::year(y) / std::chrono::month(m) / std::chrono::day(d);
}

TEST(ZoneTest, RefusesWhatIsNoZone) {
    for (const auto* bad : {"Nowhere/City", "../etc/passwd", "/etc/localtime", "America", "+25:00", "+1:00", "+01:60",
                            "tzdata.zi", "a b", "+0100"})
        EXPECT_THROW(Zone::load(bad), Error) << bad;
}

TEST(ZoneTest, KnowsWinterAndSummerNowAndFarAhead) {
    const Zone chicago = Zone::load("America/Chicago");
    EXPECT_EQ(chicago.start_of_day(zone_day(2024, 1, 15)), "2024-01-15T00:00:00-06:00");
    EXPECT_EQ(chicago.start_of_day(zone_day(2024, 5, 17)), "2024-05-17T00:00:00-05:00");
    EXPECT_EQ(chicago.start_of_day(zone_day(2060, 1, 15)), "2060-01-15T00:00:00-06:00");
    EXPECT_EQ(chicago.start_of_day(zone_day(2060, 7, 15)), "2060-07-15T00:00:00-05:00");
    EXPECT_EQ(chicago.start_of_day(zone_day(1950, 1, 15)), "1950-01-15T00:00:00-06:00");
    const Zone sydney = Zone::load("Australia/Sydney");
    EXPECT_EQ(sydney.start_of_day(zone_day(2055, 1, 15)), "2055-01-15T00:00:00+11:00");
    EXPECT_EQ(sydney.start_of_day(zone_day(2055, 7, 15)), "2055-07-15T00:00:00+10:00");
    EXPECT_EQ(Zone::load("Asia/Kolkata").start_of_day(zone_day(2024, 5, 17)), "2024-05-17T00:00:00+05:30");
}

TEST(ZoneTest, TakesOffsetsAndUtc) {
    EXPECT_EQ(Zone().start_of_day(zone_day(2024, 5, 17)), "2024-05-17T00:00:00Z");
    EXPECT_EQ(Zone::load("Z").start_of_day(zone_day(2024, 5, 17)), "2024-05-17T00:00:00Z");
    EXPECT_EQ(Zone::load("-08:30").start_of_day(zone_day(2024, 5, 17)), "2024-05-17T00:00:00-08:30");
}

TEST(ZoneTest, TheDayOfAChangeHasTheOffsetOfItsMidnight) {
    const Zone chicago = Zone::load("America/Chicago");
    EXPECT_EQ(chicago.start_of_day(zone_day(2024, 3, 10)), "2024-03-10T00:00:00-06:00");
    EXPECT_EQ(chicago.start_of_day(zone_day(2024, 3, 11)), "2024-03-11T00:00:00-05:00");
    EXPECT_EQ(chicago.start_of_day(zone_day(2024, 11, 3)), "2024-11-03T00:00:00-05:00");
    EXPECT_EQ(chicago.start_of_day(zone_day(2024, 11, 4)), "2024-11-04T00:00:00-06:00");
    EXPECT_EQ(chicago.offset_at(zone_day(2024, 7, 1)), -5h);
}

}  // namespace
}  // namespace clrbus::clr
