#include "records/standing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace clrbus::records {
namespace {

Word word(std::int64_t id, WordKind kind, std::string business, std::uint64_t number, std::vector<std::string> parts = {}) {
    Word made;
    made.id = id;
    made.kind = kind;
    made.version = {std::move(business), number, 0, 1};
    made.content = std::to_string(id);
    made.parts = std::move(parts);
    return made;
}

TEST(BusinessVersion, ComparesNumbersAsNumbersAndTimesAsText) {
    EXPECT_TRUE(compare_business("", "0") < 0);
    EXPECT_TRUE(compare_business("9", "10") < 0);
    EXPECT_TRUE(compare_business("007", "7") == 0);
    EXPECT_TRUE(compare_business("999999999999999999", "2026-01-01T00:00:00Z") < 0);
    EXPECT_TRUE(compare_business("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z") < 0);
    EXPECT_TRUE(compare_business("", "") == 0);
}

TEST(WordVersion, IsComparedLeftToRight) {
    EXPECT_TRUE(compare({"", 5, 0, 1}, {"", 6, 0, 0}) < 0);
    EXPECT_TRUE(compare({"2", 1, 0, 0}, {"1", 9, 9, 9}) > 0);
    EXPECT_TRUE(compare({"", 5, 7, 9}, {"", 5, 8, 1}) < 0);  // a later row of the same file
    EXPECT_TRUE(compare({"", 5, 7, 1}, {"", 5, 7, 2}) < 0);  // a replay on a newer route
}

TEST(Standing, ANewerWholeReplacesOlderPartsAndANewerPartOverridesIt) {
    std::vector<Word> words{word(1, WordKind::kPart, "", 1, {"a"}), word(2, WordKind::kAll, "", 2),
                            word(3, WordKind::kPart, "", 3, {"b"}), word(4, WordKind::kRetractPart, "", 4, {"c"})};
    EXPECT_EQ(standing(words), (std::vector<bool>{false, true, true, true}));
    EXPECT_TRUE(stands_for(words, words[1], "a"));
    EXPECT_FALSE(stands_for(words, words[1], "b"));
    EXPECT_FALSE(stands_for(words, words[1], "c"));
    words.push_back(word(5, WordKind::kRetractAll, "", 5));
    EXPECT_EQ(standing(words), (std::vector<bool>{false, false, false, false, true}));
}

TEST(Standing, APartStandsAsLongAsItIsTheNewestAboutOneThing) {
    std::vector<Word> words{word(1, WordKind::kPart, "", 1, {"a", "b"}), word(2, WordKind::kPart, "", 2, {"b"})};
    EXPECT_EQ(standing(words), (std::vector<bool>{true, true}));
    words.push_back(word(3, WordKind::kPart, "", 3, {"a"}));
    EXPECT_EQ(standing(words), (std::vector<bool>{false, true, true}));
}

TEST(Standing, WhatIsExcludedReplacesNothing) {
    std::vector<Word> words{word(1, WordKind::kAll, "", 1), word(2, WordKind::kAll, "", 2)};
    words[1].excluded = true;
    EXPECT_EQ(standing(words), (std::vector<bool>{true, false}));
}

TEST(Standing, TheSameVersionTwiceIsDecidedByContentInAnyOrder) {
    std::vector<Word> words{word(1, WordKind::kAll, "", 1), word(2, WordKind::kAll, "", 1)};
    EXPECT_EQ(standing(words), (std::vector<bool>{false, true}));
    std::swap(words[0], words[1]);
    EXPECT_EQ(standing(words), (std::vector<bool>{true, false}));
}

TEST(Standing, IsTheSameForEveryOrder) {
    const std::vector<Word> words{word(1, WordKind::kAll, "3", 1),
                                  word(2, WordKind::kPart, "4", 2, {"a", "b"}),
                                  word(3, WordKind::kRetractAll, "2", 3),
                                  word(4, WordKind::kPart, "5", 4, {"b"}),
                                  word(5, WordKind::kRetractPart, "6", 5, {"c"}),
                                  word(6, WordKind::kPart, "1", 6, {"c"})};
    std::vector<std::size_t> order(words.size());
    std::iota(order.begin(), order.end(), 0U);
    do {
        std::vector<Word> shuffled;
        shuffled.reserve(order.size());
        for (const std::size_t i : order) shuffled.push_back(words[i]);
        const std::vector<bool> result = standing(shuffled);
        for (std::size_t i = 0; i < shuffled.size(); ++i) {
            const std::int64_t id = shuffled[i].id;
            ASSERT_EQ(result[i], id == 1 || id == 2 || id == 4 || id == 5) << id;
        }
    } while (std::next_permutation(order.begin(), order.end()));
}

}  // namespace
}  // namespace clrbus::records
