// Generated from the Unicode character data: base letters of Latin letters with marks.
#include <array>

#include "xml/functions/words.hpp"

namespace clrbus::xml_functions {

namespace {

constexpr std::array<std::string_view, 400> kFoldLatin = {
    "A",  "A",  "A",  "A",  "A",  "A",  "AE", "C",  "E",  "E", "E",  "E",  "I", "I", "I",  "I",  "D", "N", "O",  "O",
    "O",  "O",  "O",  "",   "O",  "U",  "U",  "U",  "U",  "Y", "Th", "ss", "a", "a", "a",  "a",  "a", "a", "ae", "c",
    "e",  "e",  "e",  "e",  "i",  "i",  "i",  "i",  "d",  "n", "o",  "o",  "o", "o", "o",  "",   "o", "u", "u",  "u",
    "u",  "y",  "th", "y",  "A",  "a",  "A",  "a",  "A",  "a", "C",  "c",  "C", "c", "C",  "c",  "C", "c", "D",  "d",
    "D",  "d",  "E",  "e",  "E",  "e",  "E",  "e",  "E",  "e", "E",  "e",  "G", "g", "G",  "g",  "G", "g", "G",  "g",
    "H",  "h",  "H",  "h",  "I",  "i",  "I",  "i",  "I",  "i", "I",  "i",  "I", "i", "IJ", "ij", "J", "j", "K",  "k",
    "k",  "L",  "l",  "L",  "l",  "L",  "l",  "L",  "l",  "L", "l",  "N",  "n", "N", "n",  "N",  "n", "n", "N",  "n",
    "O",  "o",  "O",  "o",  "O",  "o",  "OE", "oe", "R",  "r", "R",  "r",  "R", "r", "S",  "s",  "S", "s", "S",  "s",
    "S",  "s",  "T",  "t",  "T",  "t",  "T",  "t",  "U",  "u", "U",  "u",  "U", "u", "U",  "u",  "U", "u", "U",  "u",
    "W",  "w",  "Y",  "y",  "Y",  "Z",  "z",  "Z",  "z",  "Z", "z",  "s",  "b", "",  "",   "",   "",  "",  "",   "",
    "",   "",   "",   "",   "",   "",   "",   "",   "",   "",  "",   "",   "",  "",  "",   "I",  "",  "",  "l",  "",
    "",   "",   "",   "",   "O",  "o",  "",   "",   "",   "",  "",   "",   "",  "",  "",   "",   "",  "",  "",   "U",
    "u",  "",   "",   "",   "",   "Z",  "z",  "",   "",   "",  "",   "",   "",  "",  "",   "",   "",  "",  "",   "",
    "DZ", "Dz", "dz", "LJ", "Lj", "lj", "NJ", "Nj", "nj", "A", "a",  "I",  "i", "O", "o",  "U",  "u", "U", "u",  "U",
    "u",  "U",  "u",  "U",  "u",  "",   "A",  "a",  "A",  "a", "",   "",   "G", "g", "G",  "g",  "K", "k", "O",  "o",
    "O",  "o",  "",   "",   "j",  "DZ", "Dz", "dz", "G",  "g", "",   "",   "N", "n", "A",  "a",  "",  "",  "",   "",
    "A",  "a",  "A",  "a",  "E",  "e",  "E",  "e",  "I",  "i", "I",  "i",  "O", "o", "O",  "o",  "R", "r", "R",  "r",
    "U",  "u",  "U",  "u",  "S",  "s",  "T",  "t",  "",   "",  "H",  "h",  "",  "",  "",   "",   "",  "",  "A",  "a",
    "E",  "e",  "O",  "o",  "O",  "o",  "O",  "o",  "O",  "o", "Y",  "y",  "",  "",  "",   "",   "",  "",  "A",  "C",
    "c",  "L",  "T",  "",   "",   "",   "",   "B",  "U",  "",  "E",  "e",  "J", "j", "",   "",   "R", "r", "Y",  "y"};

constexpr std::array<std::string_view, 256> kFoldAdditional = {
    "A", "a", "B", "b", "B", "b", "B", "b", "C", "c", "D", "d", "D", "d", "D",  "d", "D", "d", "D", "d", "E", "e", "E", "e",
    "E", "e", "E", "e", "E", "e", "F", "f", "G", "g", "H", "h", "H", "h", "H",  "h", "H", "h", "H", "h", "I", "i", "I", "i",
    "K", "k", "K", "k", "K", "k", "L", "l", "L", "l", "L", "l", "L", "l", "M",  "m", "M", "m", "M", "m", "N", "n", "N", "n",
    "N", "n", "N", "n", "O", "o", "O", "o", "O", "o", "O", "o", "P", "p", "P",  "p", "R", "r", "R", "r", "R", "r", "R", "r",
    "S", "s", "S", "s", "S", "s", "S", "s", "S", "s", "T", "t", "T", "t", "T",  "t", "T", "t", "U", "u", "U", "u", "U", "u",
    "U", "u", "U", "u", "V", "v", "V", "v", "W", "w", "W", "w", "W", "w", "W",  "w", "W", "w", "X", "x", "X", "x", "Y", "y",
    "Z", "z", "Z", "z", "Z", "z", "h", "t", "w", "y", "",  "s", "",  "",  "SS", "",  "A", "a", "A", "a", "A", "a", "A", "a",
    "A", "a", "A", "a", "A", "a", "A", "a", "A", "a", "A", "a", "A", "a", "A",  "a", "E", "e", "E", "e", "E", "e", "E", "e",
    "E", "e", "E", "e", "E", "e", "E", "e", "I", "i", "I", "i", "O", "o", "O",  "o", "O", "o", "O", "o", "O", "o", "O", "o",
    "O", "o", "O", "o", "O", "o", "O", "o", "O", "o", "O", "o", "U", "u", "U",  "u", "U", "u", "U", "u", "U", "u", "U", "u",
    "U", "u", "Y", "y", "Y", "y", "Y", "y", "Y", "y", "",  "",  "",  "",  "",   ""};

}  // namespace

std::string_view folded(char32_t c) {
    if (c >= 0xC0 && c < 0x250) return kFoldLatin[c - 0xC0];
    if (c >= 0x1E00 && c < 0x1F00) return kFoldAdditional[c - 0x1E00];
    return {};
}

}  // namespace clrbus::xml_functions
