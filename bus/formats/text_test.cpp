#include "formats/text.hpp"

#include <gtest/gtest.h>

namespace clrbus {
namespace {

TextFault text_fault(std::string_view bytes) {
    return check_text(bytes).fault;
}

TEST(Text, RefusesWhatIsNotUtf8) {
    for (const std::string_view bad :
         {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF",
          "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "abcdefgh\x92s"}) {
        EXPECT_EQ(text_fault(bad), TextFault::kNotUtf8) << bad;
    }
}

TEST(Text, RefusesWhatXmlCannotCarry) {
    using namespace std::string_view_literals;
    for (const std::string_view bad :
         {"\0"sv, "abcdefghi\0jklmnopqrst"sv, "\x01"sv, "\x1F"sv, "\xEF\xBF\xBE"sv, "\xEF\xBF\xBF"sv}) {
        EXPECT_EQ(text_fault(bad), TextFault::kForbidden) << bad;
    }
}

TEST(Text, SaysWhereTheFirstBadByteIs) {
    EXPECT_EQ(check_text("0123456789\xFF").offset, 10U);
    EXPECT_EQ(check_text("01234567\x01").offset, 8U);
    EXPECT_EQ(check_text("\xC3\xA9\xC3").offset, 2U);
}

TEST(Text, TakesEveryCharacterOfXml) {
    std::string all = "\t\n\r";
    for (std::uint32_t c = 0x20; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 61) {
        if ((c >= 0xD800 && c <= 0xDFFF) || c == 0xFFFE || c == 0xFFFF) continue;
        append_utf8(all, c);
    }
    EXPECT_EQ(text_fault(all), TextFault::kNone);
}

TEST(Text, CountsLinesAndCharacters) {
    TextPlace place;
    place.pass("a\nb\xC3\xA9");
    place.pass("c");
    EXPECT_EQ(place.offset, 6U);
    EXPECT_EQ(place.line, 2U);
    EXPECT_EQ(place.column, 4U);
    std::string text;
    for (int i = 0; i < 40; ++i) text += i % 3 == 0 ? "\xF0\x9F\x8E\x93" : i % 3 == 1 ? "\xC3\xA9" : "x";
    for (std::size_t size = 1; size < 20; ++size) {
        TextPlace whole;
        for (std::size_t i = 0; i < text.size(); i += size) whole.pass(std::string_view(text).substr(i, size));
        EXPECT_EQ(whole.column, 41U) << size;
    }
    EXPECT_EQ(count_lines("\n\na\n"), 3U);
    EXPECT_EQ(count_lines(""), 0U);
}

}  // namespace
}  // namespace clrbus
