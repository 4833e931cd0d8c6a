#include "core/spans.hpp"

#include <gtest/gtest.h>

namespace clrbus {
namespace {

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Spans, RefusesWhatIsNoTraceparent) {
    for (const char* text :
         {"", "00", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
          "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
        EXPECT_FALSE(spans::parse_context(text)) << text;
}
TEST(Spans, AChildKeepsTheTraceAndTheFlag) {
    const auto child = spans::parse_context(spans::child_context(kParent, "m1"));
    ASSERT_TRUE(child);
    EXPECT_EQ(child->trace, "0af7651916cd43dd8448eb211c80319c");
    EXPECT_NE(child->parent, "b7ad6b7169203331");
    EXPECT_TRUE(child->sampled);
    EXPECT_EQ(spans::child_context(kParent, "m1"), spans::child_context(kParent, "m1"));
    EXPECT_NE(spans::child_context(kParent, "m1"), spans::child_context(kParent, "m2"));
    EXPECT_FALSE(
        spans::parse_context(spans::child_context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "m"))->sampled);
    EXPECT_TRUE(spans::parse_context(spans::child_context("nonsense", "m"))->sampled);
}
TEST(Spans, TheRingDropsAndCounts) {
    const std::uint64_t before = spans::dropped();
    spans::enable(2);
    for (const char* name : {"a", "b", "c"}) spans::push({.name = name});
    EXPECT_EQ(spans::dropped() - before, 1U);
    const auto taken = spans::take(10);
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(taken[0].name, "a");
    EXPECT_TRUE(spans::take(10).empty());
    spans::enable(0);
    EXPECT_FALSE(spans::enabled());
}

}  // namespace
}  // namespace clrbus
