#include "clr/zone.hpp"

#include <gtest/gtest.h>

namespace clrbus::clr {
namespace {

using std::chrono::sys_days;

sys_days zone_day(int y, unsigned m, unsigned d) {
    return std::chrono::year(y) / std::chrono::month(m) / std::chrono::day(d);
}

TEST(StartOfDay, KnowsWinterAndSummerNowAndFarAhead) {
    const Zone chicago = Zone::load("America/Chicago");
    EXPECT_EQ(start_of_day(chicago, zone_day(2024, 1, 15)), "2024-01-15T00:00:00-06:00");
    EXPECT_EQ(start_of_day(chicago, zone_day(2024, 5, 17)), "2024-05-17T00:00:00-05:00");
    EXPECT_EQ(start_of_day(chicago, zone_day(2060, 1, 15)), "2060-01-15T00:00:00-06:00");
    EXPECT_EQ(start_of_day(chicago, zone_day(2060, 7, 15)), "2060-07-15T00:00:00-05:00");
    EXPECT_EQ(start_of_day(chicago, zone_day(1950, 1, 15)), "1950-01-15T00:00:00-06:00");
    const Zone sydney = Zone::load("Australia/Sydney");
    EXPECT_EQ(start_of_day(sydney, zone_day(2055, 1, 15)), "2055-01-15T00:00:00+11:00");
    EXPECT_EQ(start_of_day(sydney, zone_day(2055, 7, 15)), "2055-07-15T00:00:00+10:00");
    EXPECT_EQ(start_of_day(Zone::load("Asia/Kolkata"), zone_day(2024, 5, 17)), "2024-05-17T00:00:00+05:30");
}

TEST(StartOfDay, TakesOffsetsAndUtc) {
    EXPECT_EQ(start_of_day(Zone(), zone_day(2024, 5, 17)), "2024-05-17T00:00:00Z");
    EXPECT_EQ(start_of_day(Zone::load("Z"), zone_day(2024, 5, 17)), "2024-05-17T00:00:00Z");
    EXPECT_EQ(start_of_day(Zone::load("-08:30"), zone_day(2024, 5, 17)), "2024-05-17T00:00:00-08:30");
}

TEST(StartOfDay, TheDayOfAChangeHasTheOffsetOfItsMidnight) {
    const Zone chicago = Zone::load("America/Chicago");
    EXPECT_EQ(start_of_day(chicago, zone_day(2024, 3, 10)), "2024-03-10T00:00:00-06:00");
    EXPECT_EQ(start_of_day(chicago, zone_day(2024, 3, 11)), "2024-03-11T00:00:00-05:00");
    EXPECT_EQ(start_of_day(chicago, zone_day(2024, 11, 3)), "2024-11-03T00:00:00-05:00");
    EXPECT_EQ(start_of_day(chicago, zone_day(2024, 11, 4)), "2024-11-04T00:00:00-06:00");
}

}  // namespace
}  // namespace clrbus::clr
