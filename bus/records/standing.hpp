// Which of the words under one key stand: a pure function of the set of words, so that no order of arrival matters. Internal to
// records/. Any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::records {

// Business version: empty is older than any, digits compare as a number and are older than any other text, all else bytewise.
std::strong_ordering compare_business(std::string_view a, std::string_view b);

// Compared left to right. The position is the record number within one original: two rows of one file about one key are in the
// order of the file. Generation last, so that a replay of the same input on a newer route replaces what the older one made of
// it.
struct WordVersion {
    std::string business;
    std::uint64_t source_number = 0;
    std::uint64_t position = 0;
    std::uint64_t generation = 0;
};
std::strong_ordering compare(const WordVersion& a, const WordVersion& b);

enum class WordKind : std::uint8_t { kAll, kPart, kRetractAll, kRetractPart };

// A statement or retraction, without its body.
struct Word {
    std::int64_t id = 0;
    WordKind kind = WordKind::kAll;
    WordVersion version;
    std::string content;             // decides between two words of the same version
    std::vector<std::string> parts;  // hashes of the achievements that a part or its retraction names
    bool excluded = false;           // in conflict or rejected: it replaces nothing
};

inline bool is_retraction(WordKind kind) {
    return kind == WordKind::kRetractAll || kind == WordKind::kRetractPart;
}
inline bool is_whole(WordKind kind) {
    return kind == WordKind::kAll || kind == WordKind::kRetractAll;
}

bool older(const Word& a, const Word& b);

// One flag per word: it is the newest about at least one thing. The newest whole word stands; a part stands for each
// achievement that it names when nothing newer names it and no newer whole word came.
std::vector<bool> standing(const std::vector<Word>& words);

// True when the whole word stands for this achievement, that is, no standing part names it.
bool stands_for(const std::vector<Word>& words, const Word& word, const std::string& part);

}  // namespace clrbus::records
