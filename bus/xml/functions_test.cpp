#include <gmock/gmock.h>

#include "xml/functions/calendar.hpp"
#include "xml/functions/dates.hpp"
#include "xml/functions/words.hpp"
#include "xml/test_support.hpp"

namespace clrbus::xml_functions {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using xml_test::error_of;

TEST(ParseDate, RefusesWhatDoesNotFitAndKeepsTheValueToItself) {
    const std::pair<const char*, const char*> cases[] = {
        {"SECRET", "yyyy-MM-dd"},
        {"2024-02-30", "yyyy-MM-dd"},
        {"2024-2-3", "yyyy-MM-dd"},
        {"2024-02-03x", "yyyy-MM-dd"},
        {"13/01/2024", "MM/dd/yyyy"},
        {"Foo 1, 2024", "MMM d, yyyy"},
        {"25:00 2024-01-01", "HH:mm yyyy-MM-dd"},
        {"13:00 PM 2024-01-01", "hh:mm a yyyy-MM-dd"},
        {"0000-01-01", "yyyy-MM-dd"},
        {"2024", "MM"},
    };
    for (const auto& [text, pattern] : cases) {
        const Error error = error_of([&text = text, &pattern = pattern] { parse_date(text, pattern); });
        EXPECT_EQ(error.code(), "FUN-001") << text;
        EXPECT_EQ(error.fault(), Fault::kPoison);
        EXPECT_THAT(error.what(), HasSubstr(pattern));
        EXPECT_THAT(error.what(), Not(HasSubstr(text)));
    }
    for (const char* pattern : {"", "yyy", "qq", "'open", "MMMMM", "yyyyMMddX"}) {
        EXPECT_EQ(error_of([&] { parse_date("2024", pattern); }).code(), "FUN-002") << pattern;
    }
}

TEST(ParseDate, ReadsThePatternsOfTheField) {
    EXPECT_EQ(parse_date("", "yyyy"), "");
    EXPECT_EQ(parse_date("  ", "yyyy"), "");
    EXPECT_EQ(parse_date("03/07/2024", "MM/dd/yyyy"), "2024-03-07");
    EXPECT_EQ(parse_date(" 3/7/24 ", "M/d/yy"), "2024-03-07");
    EXPECT_EQ(parse_date("3/7/69", "M/d/yy"), "1969-03-07");
    EXPECT_EQ(parse_date("20240307", "yyyyMMdd"), "2024-03-07");
    EXPECT_EQ(parse_date("7 mar 2024", "d MMM yyyy"), "2024-03-07");
    EXPECT_EQ(parse_date("March 7, 2024", "MMMM d, yyyy"), "2024-03-07");
    EXPECT_EQ(parse_date("07-MAR-24", "dd-MMM-yy"), "2024-03-07");
    EXPECT_EQ(parse_date("2024-03-07 at 12:05:09 AM", "yyyy-MM-dd 'at' hh:mm:ss a"), "2024-03-07T00:05:09");
    EXPECT_EQ(parse_date("2024-03-07 1:05 pm", "yyyy-MM-dd h:mm a"), "2024-03-07T13:05:00");
    EXPECT_EQ(parse_date("2024-02-29 23:59", "yyyy-MM-dd HH:mm"), "2024-02-29T23:59:00");
    EXPECT_EQ(parse_date("09/2024", "MM/yyyy"), "2024-09");
    EXPECT_EQ(parse_date("2024", "yyyy"), "2024");
    EXPECT_EQ(parse_date("it's 2024", "'it''s' yyyy").size(), 4u);
}

TEST(ParseDate, ReadsAndWritesZones) {
    EXPECT_EQ(parse_date("2024-03-07 10:00 -0600", "yyyy-MM-dd HH:mm XX"), "2024-03-07T10:00:00-06:00");
    EXPECT_EQ(parse_date("2024-03-07 10:00+05:30", "yyyy-MM-dd HH:mmXXX"), "2024-03-07T10:00:00+05:30");
    EXPECT_EQ(parse_date("2024-03-07 10:00Z", "yyyy-MM-dd HH:mmXX"), "2024-03-07T10:00:00Z");
    for (const char* text : {"2024-03-07 10:00", "2024-03-07 10:00+15:00", "2024-03-07 10:00+0530", "2024-03-07 10:00+05:60"})
        EXPECT_EQ(error_of([&] { parse_date(text, "yyyy-MM-dd HH:mmXXX"); }).code(), "FUN-001") << text;
    EXPECT_EQ(error_of([] { parse_date("2024", "yyyyX"); }).code(), "FUN-002");
    EXPECT_EQ(format_date("2024-03-07T10:00:00-06:00", "HH:mm XX"), "10:00 -0600");
    EXPECT_EQ(format_date("2024-03-07T10:00:00+05:30", "HH:mm XXX"), "10:00 +05:30");
    EXPECT_EQ(format_date("2024-03-07T10:00:00Z", "HHXXX"), "10Z");
    EXPECT_EQ(error_of([] { format_date("2024-03-07T10:00:00", "HHXXX"); }).code(), "FUN-005");
}

TEST(InZone, ShowsTheSameMomentOnOtherClocks) {
    EXPECT_EQ(in_zone("", "Z"), "");
    EXPECT_EQ(in_zone("2024-07-01T12:00:00Z", "America/Chicago"), "2024-07-01T07:00:00-05:00");
    EXPECT_EQ(in_zone("2024-01-01T00:30:00+01:00", "America/Chicago"), "2023-12-31T17:30:00-06:00");
    EXPECT_EQ(in_zone("2024-07-01T12:00:00-05:00", "+05:30"), "2024-07-01T22:30:00+05:30");
    // Before and behind the hour that is left out, and in the one that stands twice.
    EXPECT_EQ(in_zone("2024-03-10T07:59:00Z", "America/Chicago"), "2024-03-10T01:59:00-06:00");
    EXPECT_EQ(in_zone("2024-03-10T08:00:00Z", "America/Chicago"), "2024-03-10T03:00:00-05:00");
    EXPECT_EQ(in_zone("2024-11-03T06:30:00Z", "America/Chicago"), "2024-11-03T01:30:00-05:00");
    EXPECT_EQ(in_zone("2024-11-03T07:30:00Z", "America/Chicago"), "2024-11-03T01:30:00-06:00");
    EXPECT_EQ(in_zone("2024-11-03T08:30:00Z", "America/Chicago"), "2024-11-03T02:30:00-06:00");
    EXPECT_EQ(in_zone("2024-07-01T00:00:00Z", "Pacific/Kiritimati"), "2024-07-01T14:00:00+14:00");
    EXPECT_EQ(error_of([] { in_zone("2024-07-01T12:00:00", "Z"); }).code(), "FUN-005");
    EXPECT_EQ(error_of([] { in_zone("2024-07-01T12:00:00Z", "Moon"); }).code(), "FUN-004");
}

TEST(FormatDate, WritesWhatItReads) {
    EXPECT_EQ(format_date("", "yyyy"), "");
    EXPECT_EQ(format_date("2024-03-07", "MMMM d, yyyy"), "March 7, 2024");
    EXPECT_EQ(format_date("2024-03-07", "dd MMM yy"), "07 Mar 24");
    EXPECT_EQ(format_date("2024-03-07T00:05:09Z", "h:mm:ss a 'o''clock'"), "12:05:09 AM o'clock");
    EXPECT_EQ(format_date("2024-03-07T13:05:09.5+01:00", "HH:mm"), "13:05");
    EXPECT_EQ(error_of([] { format_date("7 March", "yyyy"); }).code(), "FUN-003");
}

TEST(DateTime, AddsTheZoneThatIsMissing) {
    EXPECT_EQ(date_time("", "Z"), "");
    EXPECT_EQ(date_time("2024-07-01", "Europe/Berlin"), "2024-07-01T00:00:00+02:00");
    EXPECT_EQ(date_time("2024-01-01", "Europe/Berlin"), "2024-01-01T00:00:00+01:00");
    EXPECT_EQ(date_time("2024-07-01T10:00", "America/New_York"), "2024-07-01T10:00:00-04:00");
    EXPECT_EQ(date_time("2024-07-01T10:00:00.125Z", "America/New_York"), "2024-07-01T10:00:00.125Z");
    EXPECT_EQ(date_time("2024-07-01 10:00:00-05:00", "Z"), "2024-07-01T10:00:00-05:00");
    EXPECT_EQ(date_time("2024-07-01", "+05:30"), "2024-07-01T00:00:00+05:30");
    EXPECT_EQ(date_time("2024-07-01", "Z"), "2024-07-01T00:00:00Z");
    EXPECT_EQ(date_time("2024-12-31T24:00:00", "Z"), "2025-01-01T00:00:00Z");
    EXPECT_EQ(date_time("1990-07-01", "America/Los_Angeles"), "1990-07-01T00:00:00-07:00");
    EXPECT_EQ(date_time("2060-07-01", "Europe/Berlin"), "2060-07-01T00:00:00+02:00");  // behind the table of transitions
    EXPECT_EQ(date_time("2060-01-01", "America/New_York"), "2060-01-01T00:00:00-05:00");
    EXPECT_EQ(date_time("2060-01-01", "Australia/Sydney"), "2060-01-01T00:00:00+11:00");
    // The hour that stands twice, and the one that is left out.
    EXPECT_EQ(date_time("2024-10-27T02:30:00", "Europe/Berlin"), "2024-10-27T02:30:00+02:00");
    EXPECT_EQ(date_time("2024-03-31T02:30:00", "Europe/Berlin"), "2024-03-31T02:30:00+01:00");
}

TEST(DateTime, RefusesZonesThatAreNone) {
    for (const char* zone :
         {"", "Mars/Base", "../etc/passwd", "/etc/passwd", "+25:00", "Europe", "tzdata.zi", "Europe/Berlin\n"}) {
        EXPECT_EQ(error_of([&] { date_time("2024-07-01", zone); }).code(), "FUN-004") << zone;
    }
    EXPECT_EQ(error_of([] { date_time("yesterday", "Z"); }).code(), "FUN-003");
}

TEST(Utc, GivesTheSameMoment) {
    EXPECT_EQ(utc(""), "");
    EXPECT_EQ(utc("2024-07-01T00:30:00+02:00"), "2024-06-30T22:30:00Z");
    EXPECT_EQ(utc("2024-12-31T23:30:00-05:00"), "2025-01-01T04:30:00Z");
    EXPECT_EQ(utc("2024-07-01T00:30:00.1234567Z"), "2024-07-01T00:30:00.123Z");
    EXPECT_EQ(utc("2024-07-01T00:30:00.5Z"), "2024-07-01T00:30:00.500Z");
    EXPECT_EQ(error_of([] { utc("2024-07-01T00:30:00"); }).code(), "FUN-005");
    EXPECT_EQ(error_of([] { utc("2024-07-01"); }).code(), "FUN-005");
}

TEST(IsDate, KnowsTheCalendar) {
    EXPECT_TRUE(is_date("2024-02-29"));
    EXPECT_FALSE(is_date("2023-02-29"));
    EXPECT_FALSE(is_date("2024-2-9"));
    EXPECT_FALSE(is_date("2024-02-29T00:00:00"));
    EXPECT_FALSE(is_date(""));
    for (std::int64_t day = -800'000; day < 800'000; day += 997) {
        int y = 0, m = 0, d = 0;
        date_from_days(day, y, m, d);
        EXPECT_EQ(days_from_date(y, m, d), day);
    }
}

TEST(Words, Slug) {
    EXPECT_EQ(slug("  Hello,  World! "), "hello-world");
    EXPECT_EQ(slug("Zo\xC3\xAB \xC3\x85ngstr\xC3\xB6m"), "zoe-angstrom");
    EXPECT_EQ(slug("Stra\xC3\x9F"
                   "e \xC5\x81\xC3\xB3"
                   "d\xC5\xBA"),
              "strasse-lodz");
    EXPECT_EQ(slug("e\xCC\x81tude"), "etude");  // the mark as a character of its own
    EXPECT_EQ(slug("Nguy\xE1\xBB\x85n"), "nguyen");
    EXPECT_EQ(slug("Student's C++ 101"), "students-c-101");
    EXPECT_EQ(slug("\xE6\x97\xA5\xE6\x9C\xAC"), "");
    EXPECT_EQ(slug(""), "");
}

TEST(Words, TrimUpperLower) {
    EXPECT_EQ(trimmed(" \t\xC2\xA0"
                      "a b\r\n\xC2\xA0"),
              "a b");
    EXPECT_EQ(trimmed(" "), "");
    EXPECT_EQ(upper("stra\xC3\xB6\xC3\xA9 x1"), "STRA\xC3\x96\xC3\x89 X1");
    EXPECT_EQ(lower("\xC3\x84\xCE\xA9\xD0\x96 X"), "\xC3\xA4\xCF\x89\xD0\xB6 x");
}

TEST(Words, Number) {
    const std::pair<const char*, const char*> cases[] = {
        {"3.50", "3.5"}, {" 007 ", "7"},   {"-0.0", "0"},  {"+1.", "1"},
        {".5", "0.5"},   {"-.50", "-0.5"}, {"100", "100"}, {"", ""},
        {"1e3", ""},     {"1,000", ""},    {".", ""},      {"-", ""},
        {"NaN", ""},     {"1.2.3", ""},    {"0.000", "0"}, {"12345678901234567890.10", "12345678901234567890.1"}};
    for (const auto& [text, expected] : cases) EXPECT_EQ(number(text), expected) << text;
}

TEST(Regex, RefusesWhatWouldCostTooMuch) {
    EXPECT_EQ(error_of([] { matches(std::string(65'537, 'a'), "a"); }).code(), "FUN-020");
    EXPECT_EQ(error_of([] { matches(std::string(5'000, 'a') + "!", "^(a+)+$"); }).code(), "FUN-021");
    EXPECT_EQ(error_of([] { matches("a", "("); }).code(), "FUN-022");
    EXPECT_EQ(error_of([] { matches("a", std::string(1001, 'a')); }).code(), "FUN-022");
    EXPECT_EQ(error_of([] { replace(std::string(60'000, 'a'), "a", std::string(500, 'b')); }).code(), "FUN-020");
    EXPECT_NO_THROW(matches(std::string(65'536, 'a'), "^a*$"));  // no recursion, no deep stack
    EXPECT_NO_THROW(matches(std::string(5'000, 'a'), "^(a|b)*$"));
}

TEST(Regex, MatchesReplacesAndGroups) {
    EXPECT_TRUE(matches("MATH 101", "[0-9]+"));
    EXPECT_FALSE(matches("MATH 101", "^[0-9]+$"));
    EXPECT_TRUE(matches("\xC3\xA9", "^.$"));  // a character, not bytes
    EXPECT_EQ(replace("MATH101 and PHYS202", "([A-Z]+)([0-9]+)", "$2-$1$$"), "101-MATH$ and 202-PHYS$");
    EXPECT_EQ(replace("abc", "", "-"), "-a-b-c-");
    EXPECT_EQ(replace("abc", "x", "y"), "abc");
    EXPECT_EQ(replace("a", "(a)|(b)", "[$2]"), "[]");
    EXPECT_EQ(group("MATH101", "([A-Z]+)([0-9]+)", 2), "101");
    EXPECT_EQ(group("MATH101", "([A-Z]+)([0-9]+)", 0), "MATH101");
    EXPECT_EQ(group("MATH101", "([A-Z]+)", 5), "");
    EXPECT_EQ(group("x", "[0-9]", 0), "");
}

}  // namespace
}  // namespace clrbus::xml_functions
