#include "formats/xml_reducer.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace clrbus {
namespace {

std::string reduced_xml(const std::string& in, std::size_t chunk = 1) {
    std::string out;
    XmlReducer reducer({"SSN", "Birth"}, [&out](std::string_view bytes) { out += bytes; });
    for (std::size_t at = 0; at < in.size(); at += chunk) reducer.write(std::string_view(in).substr(at, chunk));
    reducer.finish();
    return out;
}

std::string reducer_utf16(const std::string& text, bool big, bool mark) {
    std::string out = !mark ? "" : big ? "\xfe\xff" : "\xff\xfe";
    for (const char c : text) {
        if (big) out += '\0';
        out += c;
        if (!big) out += '\0';
    }
    return out;
}

TEST(XmlReducer, DropsElementsWhateverTheirPrefixAndContent) {
    const std::string in =
        "<a><b>x</b><SSN>123</SSN><p:SSN "
        "q='>'>1<![CDATA[</x>]]><y>2</y></p:SSN><Birth><BirthDate>1990-01-01</BirthDate></Birth><SSN/><SSN "
        "/><SSNx>k</SSNx></a>";
    for (const std::size_t chunk : {1U, 2U, 3U, 7U, 1000U})
        EXPECT_EQ(reduced_xml(in, chunk), "<a><b>x</b><SSNx>k</SSNx></a>") << chunk;
}

TEST(XmlReducer, KeepsEveryOtherByteAndTheLines) {
    const std::string in = "<?xml version='1.0'?>\r\n<!-- <b> -->\n<a x=\"<\">1 &lt; 2 \xc3\xa4\n<SSN>\n1\n</SSN>\n</a>\n";
    EXPECT_EQ(reduced_xml(in), "<?xml version='1.0'?>\r\n<!-- <b> -->\n<a x=\"<\">1 &lt; 2 \xc3\xa4\n\n\n\n</a>\n");
}

TEST(XmlReducer, ReducesWhatIsBroken) {
    EXPECT_EQ(reduced_xml("<a><SSN>123456789"), "<a>");
    EXPECT_EQ(reduced_xml("<a><SSN>1</SS"), "<a>");
    EXPECT_EQ(reduced_xml("<a><SSN x='"), "<a>");
    EXPECT_EQ(reduced_xml("<a><SS"), "<a><SS");
    EXPECT_EQ(reduced_xml("<a><SSN>1</b></SSN>2</a"), "<a>2</a");
    EXPECT_EQ(reduced_xml("not xml < at all <"), "not xml < at all <");
    EXPECT_EQ(reduced_xml(""), "");
    EXPECT_EQ(reduced_xml("<" + std::string(100'000, 'x')).size(), 100'001U);
}

TEST(XmlReducer, DropsInsideCommentsToo) {
    EXPECT_EQ(reduced_xml("<a><!-- <SSN>1</SSN> --></a>"), "<a><!--  --></a>");
}

TEST(XmlReducer, DropsElementsThatHoldADroppedNumber) {
    const std::string in =
        "<a><id x='1'>123-45-6789</id><n>1234567890</n><SSN> 123456789 </SSN><id> 123456789\n</id><t>123456789 "
        "x</t><e><f/></e></a>";
    for (const std::size_t chunk : {1U, 5U, 1000U}) {
        XmlReducer look({"SSN"}, [](std::string_view) {});
        for (std::size_t at = 0; at < in.size(); at += chunk) look.write(std::string_view(in).substr(at, chunk));
        look.finish();
        EXPECT_EQ(look.numbers(), XmlReducer::Numbers{"123456789"});
        std::string out;
        XmlReducer reducer(
            {"SSN"}, [&out](std::string_view bytes) { out += bytes; }, look.numbers());
        for (std::size_t at = 0; at < in.size(); at += chunk) reducer.write(std::string_view(in).substr(at, chunk));
        reducer.finish();
        EXPECT_EQ(out, "<a><n>1234567890</n><t>123456789 x</t><e><f/></e></a>");
    }
}

// UTF-16 is looked at unit by unit, UTF-8 in as large steps as there are: both must judge any damaged document alike.
TEST(XmlReducer, LargeStepsAndSingleUnitsReduceAlike) {
    const std::string whole =
        "<a><id x='1'>123-45-6789</id><n>1234567890</n><p:SSN> 123456789 </p:SSN><id> 123456789\n</id><!-- <SSN>1</SSN> -->"
        "<t>123456789 x</t><SSN/><Birth q='>'><BirthDate>1990</BirthDate></Birth><e><f/></e><SSNx>987654321</SSNx></a>";
    std::uint64_t random = 7;
    const auto next = [&random] { return (random = random * 6364136223846793005U + 1442695040888963407U) >> 33; };
    const auto reduce = [](std::string_view in, std::size_t chunk, const XmlReducer::Numbers& known) {
        std::pair<std::string, XmlReducer::Numbers> out;
        XmlReducer reducer(
            {"SSN", "Birth"}, [&out](std::string_view bytes) { out.first += bytes; }, known);
        for (std::size_t at = 0; at < in.size(); at += chunk) reducer.write(in.substr(at, chunk));
        reducer.finish();
        out.second = reducer.numbers();
        return out;
    };
    constexpr std::string_view kLikely = "<>/!?'\" \n0a";
    for (int i = 0; i < 5000; ++i) {
        std::string damaged = whole;
        for (std::uint64_t n = next() % 4; n > 0; --n) {
            const std::size_t at = 1 + next() % (damaged.size() - 1);
            if (next() % 2 == 0) {
                damaged[at] = kLikely[next() % kLikely.size()];
            } else {
                damaged.erase(at, next() % 4 + 1);
            }
        }
        const std::string wide = reducer_utf16(damaged, false, true);
        for (const XmlReducer::Numbers& known : {XmlReducer::Numbers{}, XmlReducer::Numbers{"123456789", "987654321"}}) {
            const auto [expected, numbers] = reduce(wide, wide.size(), known);
            for (const std::size_t chunk : {std::size_t{1}, std::size_t{next() % 9 + 2}, damaged.size()}) {
                const auto [out, seen] = reduce(damaged, chunk, known);
                ASSERT_EQ(reducer_utf16(out, false, true), expected) << damaged << " in steps of " << chunk;
                ASSERT_EQ(seen, numbers) << damaged;
            }
        }
    }
}

TEST(XmlReducer, ReadsUtf16) {
    for (const bool big : {false, true}) {
        for (const bool mark : {false, true}) {
            EXPECT_EQ(reduced_xml(reducer_utf16("<a><SSN>1</SSN>b</a>", big, mark), 3), reducer_utf16("<a>b</a>", big, mark));
        }
    }
}

TEST(XmlReducer, RefusesEncodingsThatItCannotRead) {
    EXPECT_THROW(reduced_xml(std::string("\0\0\0<", 4)), Error);
    EXPECT_THROW(reduced_xml(std::string("<\0\0\0", 4)), Error);
    EXPECT_THROW(reduced_xml(std::string("\xff\xfe\0\0", 4)), Error);
    EXPECT_THROW(reduced_xml("\x4c\x6f\xa7\x94"), Error);
}

}  // namespace
}  // namespace clrbus
