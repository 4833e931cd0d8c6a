#include "adapters_http_poll/place.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace clrbus::adapters::http_poll {
namespace {

TEST(Place, IsTheSameAfterItWasKept) {
    Place place;
    place.since = "2026-01-02T03:04:05.000Z";
    place.begin(from_rfc3339("2026-02-01T00:00:00Z"), from_rfc3339("2026-02-01T00:00:01Z"));
    place.next = "a \"cursor\"\n\\ with all";
    place.high = "2026-01-03T00:00:00.000Z";
    place.etag = "W/\"x\"";
    place.pages = 7;
    EXPECT_EQ(Place::decode(place.encode()).encode(), place.encode());
    EXPECT_EQ(Place::decode(place.encode()).next, place.next);
    for (const char* nonsense : {"", "{", "[]", "{\"since\":3}", "null"})
        EXPECT_EQ(Place::decode(nonsense).since, "") << nonsense;
}

TEST(Place, KeepsTheRunThatIsInHand) {
    Place place;
    place.begin(from_rfc3339("2026-02-01T00:00:00Z"), from_rfc3339("2026-02-01T00:00:01Z"));
    place.next = "2";
    const std::string run = place.run;
    place.begin(from_rfc3339("2026-02-09T00:00:00Z"), from_rfc3339("2026-02-09T00:00:01Z"));
    EXPECT_EQ(place.run, run);
    EXPECT_EQ(place.next, "2");
}

TEST(Place, NeverMovesItsMarkBackNorAheadOfTheRun) {
    const auto run = [](const char* since, const char* high) {
        Place place;
        place.since = since;
        place.begin(from_rfc3339("2026-02-01T00:00:00Z"), from_rfc3339("2026-02-01T00:00:01Z"));
        place.high = high;
        place.end(MarkType::kTime);
        return place.since;
    };
    EXPECT_EQ(run("2026-01-02T00:00:00.000Z", "2026-01-01T00:00:00.000Z"), "2026-01-02T00:00:00.000Z");
    EXPECT_EQ(run("2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"), "2026-01-03T00:00:00.000Z");
    EXPECT_EQ(run("2026-01-02T00:00:00.000Z", "2099-01-01T00:00:00.000Z"), "2026-02-01T00:00:01.000Z");
    EXPECT_EQ(run("2026-03-02T00:00:00.000Z", "2099-01-01T00:00:00.000Z"), "2026-03-02T00:00:00.000Z")
        << "the clock was set back";
    EXPECT_EQ(run("2026-01-02T00:00:00.000Z", ""), "2026-01-02T00:00:00.000Z");
}

TEST(Mark, ReadsTheTimesThatSystemsWrite) {
    for (const char* text :
         {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "2026-01-02 03:04:05", "2026-01-02T03:04:05.000+0000",
          "2026-01-01T21:04:05-06:00", "2026-01-01T21:04:05.000-0600", "1767323045", "1767323045000"})
        EXPECT_EQ(read_mark(MarkType::kTime, text), "2026-01-02T03:04:05.000Z") << text;
    EXPECT_EQ(read_mark(MarkType::kTime, "2026-01-02"), "2026-01-02T00:00:00.000Z");
    for (const char* text : {"yesterday", "", "12", "2026-13-02", "2026-01-02T25:00:00Z"})
        EXPECT_THROW(read_mark(MarkType::kTime, text), Error) << text;
}

TEST(Mark, ComparesNumbersAsNumbers) {
    EXPECT_EQ(read_mark(MarkType::kNumber, "00012"), "12");
    EXPECT_EQ(read_mark(MarkType::kNumber, "0"), "0");
    EXPECT_EQ(later_mark(MarkType::kNumber, "9", "10"), "10");
    EXPECT_EQ(later_mark(MarkType::kNumber, "21070000000000012", "21070000000000009"), "21070000000000012");
    EXPECT_EQ(later_mark(MarkType::kText, "b", "a"), "a");
    EXPECT_THROW(read_mark(MarkType::kNumber, "-1"), Error);
    EXPECT_THROW(read_mark(MarkType::kNumber, "1e3"), Error);
}

}  // namespace
}  // namespace clrbus::adapters::http_poll
