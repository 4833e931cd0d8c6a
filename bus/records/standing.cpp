#include "records/standing.hpp"

#include <algorithm>
#include <unordered_map>

namespace clrbus::records {
namespace {

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view without_zeros(std::string_view digits) {
    while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
    return digits;
}

// The newest whole word, or null.
const Word* newest_whole(const std::vector<Word>& words) {
    const Word* best = nullptr;
    for (const Word& word : words) {
        if (word.excluded || !is_whole(word.kind)) continue;
        if (best == nullptr || older(*best, word)) best = &word;
    }
    return best;
}

}  // namespace

std::strong_ordering compare_business(std::string_view a, std::string_view b) {
    if (a.empty() || b.empty()) return !a.empty() <=> !b.empty();
    const bool a_digits = all_digits(a);
    const bool b_digits = all_digits(b);
    if (a_digits != b_digits) return b_digits <=> a_digits;
    if (!a_digits) return a.compare(b) <=> 0;
    a = without_zeros(a);
    b = without_zeros(b);
    if (a.size() != b.size()) return a.size() <=> b.size();
    return a.compare(b) <=> 0;
}

std::strong_ordering compare(const WordVersion& a, const WordVersion& b) {
    if (const auto order = compare_business(a.business, b.business); order != 0) return order;
    if (const auto order = a.source_number <=> b.source_number; order != 0) return order;
    if (const auto order = a.position <=> b.position; order != 0) return order;
    return a.generation <=> b.generation;
}

bool older(const Word& a, const Word& b) {
    if (const auto order = compare(a.version, b.version); order != 0) return order < 0;
    if (is_whole(a.kind) != is_whole(b.kind)) return is_whole(a.kind);  // of the same version: the whole first, then its part
    return a.content < b.content;
}

std::vector<bool> standing(const std::vector<Word>& words) {
    std::vector<bool> result(words.size(), false);
    const Word* base = newest_whole(words);
    std::unordered_map<std::string_view, const Word*> parts;
    for (const Word& word : words) {
        if (word.excluded || is_whole(word.kind) || (base != nullptr && older(word, *base))) continue;
        for (const std::string& part : word.parts) {
            const Word*& best = parts[part];
            if (best == nullptr || older(*best, word)) best = &word;
        }
    }
    if (base != nullptr) result[static_cast<std::size_t>(base - words.data())] = true;
    for (const auto& [part, word] : parts) result[static_cast<std::size_t>(word - words.data())] = true;
    return result;
}

bool stands_for(const std::vector<Word>& words, const Word& word, const std::string& part) {
    if (word.excluded) return false;
    return std::none_of(words.begin(), words.end(), [&](const Word& other) {
        if (other.excluded || &other == &word || !older(word, other)) return false;
        return is_whole(other.kind) || std::find(other.parts.begin(), other.parts.end(), part) != other.parts.end();
    });
}

}  // namespace clrbus::records
