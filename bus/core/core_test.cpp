#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "core/clock.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/executor.hpp"
#include "core/headers.hpp"
#include "core/ids.hpp"

namespace clrbus {
namespace {

using ::testing::HasSubstr;

TEST(Error, SaysDoingPlaceWhyAndExpected) {
    Error e(Fault::kPoison, "X-1", "reading enrollment", Where{"a.xml", "/enrollments/enrollment[104]", 7, 3, 0, -1},
            "no <term>");
    e.expected("a term code");
    e.within("route 'banner-courses'");
    EXPECT_STREQ(e.what(),
                 "route 'banner-courses': reading enrollment: a.xml:7:3: /enrollments/enrollment[104]: no <term> (expected a "
                 "term code)");
}

TEST(Headers, KeepOneValueAName) {
    Headers h;
    h.set("b", "1");
    h.set("a", "2");
    h.set("b", "3");
    EXPECT_EQ(h.get("b"), "3");
    EXPECT_EQ(h.entries().size(), 2U);
    EXPECT_EQ(Headers::decode(h.encode()), h);
    h.remove("a");
    EXPECT_FALSE(h.has("a"));
}

TEST(Headers, RefuseBytesThatAreCutOrLie) {
    Headers h;
    h.set("name", "value");
    const std::string good = h.encode();
    for (std::size_t cut = 1; cut < good.size(); ++cut) EXPECT_THROW(Headers::decode(good.substr(0, cut)), Error) << cut;
    std::string lying = good;
    lying[0] = '\xff';
    EXPECT_THROW(Headers::decode(lying), Error);
    EXPECT_THROW(Headers::decode(std::string(1U << 20, '\0')), Error);
}

TEST(Clock, WritesAndReadsRfc3339) {
    const Time t = from_rfc3339("2024-02-29T23:59:58.5+01:30");
    EXPECT_EQ(to_rfc3339(t), "2024-02-29T22:29:58.500Z");
    for (const char* bad : {"", "2024-02-30T00:00:00Z", "2024-02-29T00:00:00", "2024-02-29", "2024-02-29T24:00:00Z",
                            "2024-02-29T00:00:00Zx", "2024-02-29T00:00:00.Z", "2024-13-01T00:00:00Z"}) {
        EXPECT_THROW(from_rfc3339(bad), Error) << bad;
    }
}

TEST(Clock, ReadsIsoDurations) {
    EXPECT_EQ(from_iso_duration("PT2S"), std::chrono::seconds(2));
    EXPECT_EQ(from_iso_duration("P1DT1H1M"), std::chrono::minutes(25 * 60 + 1));
    EXPECT_EQ(from_iso_duration("P7Y"), std::chrono::hours(24 * 365 * 7));
    for (const char* bad : {"", "P", "PT", "2S", "PT2", "P2S", "PTS", "PT-2S", "soon", "PT99999999999S"})
        EXPECT_THROW(from_iso_duration(bad), Error) << bad;
}

TEST(Ids, NameUuidFollowsTheRfc) {
    EXPECT_EQ(name_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "python.org"), "886313e1-3b8a-5372-9b90-0c9aee199e5d");
    EXPECT_THROW(name_uuid("6ba7b810", "x"), Error);
    EXPECT_NE(new_uuid(), new_uuid());
    EXPECT_LT(new_ordered_uuid().substr(0, 8), "ffffffff");
    EXPECT_EQ(new_ordered_uuid()[14], '7');
}

TEST(Ids, NamesOfRoutesAndQueues) {
    for (const char* good : {"a", "pesc", "hr-csv", "x.1_y"}) EXPECT_TRUE(is_valid_name(good)) << good;
    for (const char* bad : {"", "-a", "A", "a/b", "..", "ä", " "}) EXPECT_FALSE(is_valid_name(bad)) << bad;
    EXPECT_FALSE(is_valid_name(std::string(65, 'a')));
}

TEST(Counters, AreOneByName) {
    counter("test_total").add(2);
    counter("test_total").add(3);
    EXPECT_EQ(all_counters().at("test_total"), 5);
}

TEST(ThreadPool, RunsWhatWasPostedBeforeItGoes) {
    std::atomic<int> ran{0};
    {
        ThreadPool pool(2, "test");
        for (int i = 0; i < 1000; ++i) pool.post([&ran] { ++ran; });
    }
    EXPECT_EQ(ran, 1000);
}

}  // namespace
}  // namespace clrbus
