#include "routing/text_diff.hpp"

#include <gtest/gtest.h>

namespace clrbus {
namespace {

std::string diff_of(std::string_view a, std::string_view b) {
    return unified_diff("f", {a}, {b});
}

TEST(TextDiff, SaysNothingAboutEqualTexts) {
    EXPECT_EQ(diff_of("", ""), "");
    EXPECT_EQ(diff_of("a\nb\n", "a\nb\n"), "");
}

TEST(TextDiff, ShowsAChangedLineWithThreeLinesAround) {
    EXPECT_EQ(diff_of("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
              "--- a/f\n+++ b/f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(TextDiff, TwoChangesFarApartAreTwoHunks) {
    std::string a, b;
    for (int i = 1; i <= 30; ++i) {
        a += std::to_string(i) + "\n";
        b += (i == 3 ? std::string("three") : i == 25 ? std::string("25\nnew") : std::to_string(i)) + "\n";
    }
    EXPECT_EQ(diff_of(a, b),
              "--- a/f\n+++ b/f\n@@ -1,6 +1,6 @@\n 1\n 2\n-3\n+three\n 4\n 5\n 6\n@@ -23,6 +23,7 @@\n 23\n 24\n 25\n+new\n "
              "26\n 27\n 28\n");
}

TEST(TextDiff, AFileThatComesOrGoesOrHasNoLastNewline) {
    EXPECT_EQ(unified_diff("f", {"", false}, {"a\n"}), "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n");
    EXPECT_EQ(unified_diff("f", {"a\n"}, {"", false}), "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n");
    EXPECT_EQ(diff_of("a", "a\n"), "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
    EXPECT_EQ(unified_diff("f", {"", false}, {""}), "--- /dev/null\n+++ b/f\n");
}

TEST(TextDiff, AVeryLargeDifferenceIsShownAsReplaced) {
    std::string a, b;
    for (int i = 0; i < 20'000; ++i) {
        a += "a" + std::to_string(i) + "\n";
        b += "b" + std::to_string(i) + "\n";
    }
    const std::string out = diff_of(a, b);
    EXPECT_EQ(out.substr(0, out.find('\n', 20)), "--- a/f\n+++ b/f\n@@ -1,20000 +1,20000 @@");
}

}  // namespace
}  // namespace clrbus
