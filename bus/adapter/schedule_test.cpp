#include "adapter/schedule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/error.hpp"

namespace clrbus {
namespace {

struct ScheduleRow {
    const char *text, *zone, *after, *runs;  // runs: the next ones, blank between
};

std::string next_runs(const ScheduleRow& row, int count) {
    const Schedule schedule = Schedule::parse(row.text, Zone::load(row.zone));
    std::string text;
    std::optional<Time> at = from_rfc3339(row.after);
    for (int i = 0; i < count && at; ++i) {
        at = schedule.next_run(*at);
        text += (text.empty() ? "" : " ") + (at ? to_rfc3339(*at).substr(0, 16) : std::string("none"));
    }
    return text;
}

TEST(ScheduleText, RefusesWhatIsNoSchedule) {
    for (const char* text : {"",
                             " ",
                             "soon",
                             "* * * *",
                             "* * * * * *",
                             "60 * * * *",
                             "* 24 * * *",
                             "0 0 0 * *",
                             "0 0 32 * *",
                             "0 0 * 13 *",
                             "0 0 * * 8",
                             "0 0 30 2 *",
                             "0 0 31 4,6 *",
                             "*/0 * * * *",
                             "5/10 * * * *",
                             "9-5 * * * *",
                             "1,,2 * * * *",
                             "-1 * * * *",
                             "0 0 * foo *",
                             "mon 0 * * *",
                             "@often",
                             "@",
                             "P",
                             "PT",
                             "PT0S",
                             "P1DT",
                             "PT1D",
                             "P1H",
                             "PT1M1H",
                             "P-1D",
                             "P101Y",
                             "PT99999999999999999999S",
                             "R",
                             "R/",
                             "R//",
                             "R0/2026-01-01T00:00:00/P1D",
                             "R-1/2026-01-01T00:00:00/P1D",
                             "R/2026-02-30T00:00:00/P1D",
                             "R/2026-01-01/P1D",
                             "R/2026-01-01T00:00:00/",
                             "R/2026-01-01T00:00:00/P1D/x"}) {
        try {
            Schedule::parse(text);
            ADD_FAILURE() << "accepted: '" << text << "'";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), "ADAPT-002") << text;
            EXPECT_EQ(error.fault(), Fault::kConfig);
        }
    }
    EXPECT_THROW(Schedule::parse(std::string(201, '1')), Error);
    EXPECT_THROW(Zone::load("America/Nowhere"), Error);
    EXPECT_THROW(Zone::load("../etc/passwd"), Error);
}

TEST(ScheduleNext, FollowsTheTable) {
    const ScheduleRow rows[] = {
        {"*/20 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:20 2026-01-01T00:40 2026-01-01T01:00"},
        {"0 0 * * *", "UTC", "2026-12-31T00:00:00Z", "2027-01-01T00:00 2027-01-02T00:00 2027-01-03T00:00"},
        {"59 23 31 12 *", "UTC", "2026-12-31T23:59:00Z", "2027-12-31T23:59 2028-12-31T23:59 2029-12-31T23:59"},
        {"0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00 2032-02-29T00:00 2036-02-29T00:00"},
        {"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00 2108-02-29T00:00 2112-02-29T00:00"},
        {"0 6 31 * *", "UTC", "2026-01-31T06:00:00Z", "2026-03-31T06:00 2026-05-31T06:00 2026-07-31T06:00"},
        // Both days restricted: either; one of them with '*': both.
        {"0 0 13 * FRI", "UTC", "2026-02-10T00:00:00Z", "2026-02-13T00:00 2026-02-20T00:00 2026-02-27T00:00"},
        {"0 0 */2 * 1", "UTC", "2026-02-01T00:00:00Z", "2026-02-09T00:00 2026-02-23T00:00 2026-03-09T00:00"},
        {"0 9-17/4 * jan-Feb mon,WED", "UTC", "2026-01-05T13:00:00Z", "2026-01-05T17:00 2026-01-07T09:00 2026-01-07T13:00"},
        {"0 0 * * 7", "UTC", "2026-02-01T00:00:00Z", "2026-02-08T00:00 2026-02-15T00:00 2026-02-22T00:00"},
        {"0 0 * * sat-sun", "UTC", "2026-02-01T00:00:00Z", "2026-02-07T00:00 2026-02-08T00:00 2026-02-14T00:00"},
        {"@hourly", "UTC", "2026-02-01T00:00:00Z", "2026-02-01T01:00 2026-02-01T02:00 2026-02-01T03:00"},
        {"@weekly", "UTC", "2026-02-01T00:00:00Z", "2026-02-08T00:00 2026-02-15T00:00 2026-02-22T00:00"},
        {"@monthly", "America/Chicago", "2026-02-01T06:00:00Z", "2026-03-01T06:00 2026-04-01T05:00 2026-05-01T05:00"},
        // Spring: 02:00 to 03:00 is not there on 8 March 2026 in Chicago.
        {"30 2 * * *", "America/Chicago", "2026-03-07T09:00:00Z", "2026-03-08T08:00 2026-03-09T07:30 2026-03-10T07:30"},
        {"*/20 2-3 * * *", "America/Chicago", "2026-03-08T07:00:00Z", "2026-03-08T08:00 2026-03-08T08:20 2026-03-08T08:40"},
        // Autumn: 01:00 to 02:00 comes twice on 1 November 2026.
        {"30 1 * * *", "America/Chicago", "2026-10-31T12:00:00Z", "2026-11-01T06:30 2026-11-02T07:30 2026-11-03T07:30"},
        {"*/30 0-2 * * *", "America/Chicago", "2026-11-01T06:00:00Z", "2026-11-01T06:30 2026-11-01T08:00 2026-11-01T08:30"},
        {"30 1 * * *", "America/Chicago", "2026-11-01T07:10:00Z", "2026-11-02T07:30 2026-11-03T07:30 2026-11-04T07:30"},
        // The southern half, half an hour, and by the rule behind the stored changes.
        {"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-03T15:30 2026-10-04T15:15 2026-10-05T15:15"},
        {"30 2 * * *", "Europe/Berlin", "2060-03-27T12:00:00Z", "2060-03-28T01:00 2060-03-29T00:30 2060-03-30T00:30"},
        {"0 12 30 12 *", "Pacific/Apia", "2011-01-01T00:00:00Z", "2011-12-30T10:00 2012-12-29T22:00 2013-12-29T22:00"},
        // ISO 8601.
        {"PT24H", "UTC", "2026-03-07T09:00:00Z", "2026-03-08T00:00 2026-03-09T00:00 2026-03-10T00:00"},
        {"P1D", "America/Chicago", "2026-03-07T09:00:00Z", "2026-03-08T06:00 2026-03-09T05:00 2026-03-10T05:00"},
        {"R/2026-03-07T02:30:00/P1D", "America/Chicago", "2026-03-01T00:00:00Z",
         "2026-03-07T08:30 2026-03-08T08:00 2026-03-09T07:30"},
        {"R/2026-03-07T02:30:00/PT24H", "America/Chicago", "2026-03-01T00:00:00Z",
         "2026-03-07T08:30 2026-03-08T08:30 2026-03-09T08:30"},
        {"R2/2026-01-31T00:00:00+02:00/P1M", "UTC", "2026-01-01T00:00:00Z", "2026-01-30T22:00 2026-02-28T22:00 none"},
        {"R/2026-01-31T00:00:00/P1M", "UTC", "2026-01-01T00:00:00Z", "2026-01-31T00:00 2026-02-28T00:00 2026-03-31T00:00"},
        {"R/2024-02-29T00:00:00/P1Y", "UTC", "2027-01-01T00:00:00Z", "2027-02-28T00:00 2028-02-29T00:00 2029-02-28T00:00"},
        {"R1/2026-01-31T00:00:00Z/P1W", "UTC", "2026-01-31T00:00:00Z", "none"},
        {"R/9998-01-01T00:00:00Z/P1Y", "UTC", "9998-01-01T00:00:00Z", "9999-01-01T00:00 none"},
    };
    for (const ScheduleRow& row : rows) EXPECT_EQ(next_runs(row, 3), row.runs) << row.text << " in " << row.zone;
}

TEST(ScheduleMissed, GivesTheNewestAndIsQuickAfterTenYears) {
    const Schedule schedule = Schedule::parse("PT1S");
    const Time until = from_rfc3339("2026-01-01T00:00:00Z");
    EXPECT_THAT(missed_runs(schedule, until - std::chrono::hours(87'600), until, 2),
                testing::ElementsAre(until - std::chrono::seconds(1), until));
    EXPECT_THAT(missed_runs(schedule, until, until, 2), testing::IsEmpty());
    EXPECT_THAT(missed_runs(schedule, until - std::chrono::seconds(1), until, 9), testing::ElementsAre(until));
    EXPECT_THAT(missed_runs(Schedule::parse("0 0 29 2 *"), from_rfc3339("2020-01-01T00:00:00Z"), until, 9),
                testing::ElementsAre(from_rfc3339("2020-02-29T00:00:00Z"), from_rfc3339("2024-02-29T00:00:00Z")));
}

}  // namespace
}  // namespace clrbus
