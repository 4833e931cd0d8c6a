#include "core/text.hpp"

#include <gtest/gtest.h>

namespace clrbus {
namespace {

TEST(TextTest, TrimsBothEndsAndNothingBetween) {
    EXPECT_EQ(trimmed(""), "");
    EXPECT_EQ(trimmed(" \t\r\n"), "");
    EXPECT_EQ(trimmed("\n a \t b\r\n"), "a \t b");
    EXPECT_EQ(trimmed("\xC2\xA0"), "\xC2\xA0") << "a non-breaking blank is no white space of XML";
}

TEST(TextTest, EscapesForContentAndAttributes) {
    EXPECT_EQ(xml_escaped("a<b>&\"c\"'d'"), "a&lt;b&gt;&amp;&quot;c&quot;'d'");
    EXPECT_EQ(xml_escaped("1\t2\n3\r4"), "1&#9;2&#10;3&#13;4") << "an attribute would make blanks of them";
    EXPECT_EQ(xml_escaped("D\xC3\xBCrer"), "D\xC3\xBCrer");
}

}  // namespace
}  // namespace clrbus
