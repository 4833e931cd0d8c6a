#include "xml/document.hpp"

#include <gmock/gmock.h>

#include "core/error.hpp"

namespace clrbus {
namespace {

using ::testing::HasSubstr;

std::string code_of(const std::function<void()>& act) {
    try {
        act();
    } catch (const Error& e) {
        return e.code();
    }
    return "nothing thrown";
}

TEST(TreeBuilder, RefusesNestingBeyondItsLimit) {
    TreeBuilder builder(TreeBuilder::Limits{.depth = 3});
    builder.start("a");
    builder.start("b");
    builder.start("c");
    EXPECT_EQ(code_of([&] { builder.start("d"); }), "XML-022");
}

TEST(TreeBuilder, RefusesTooManyNodes) {
    TreeBuilder builder(TreeBuilder::Limits{.nodes = 10});
    builder.start("a");
    EXPECT_EQ(code_of([&] {
                  for (int i = 0; i < 20; ++i) {
                      builder.start("b");
                      builder.end();
                  }
              }),
              "XML-025");
}

TEST(TreeBuilder, RefusesALongTextHoweverItIsCut) {
    TreeBuilder builder(TreeBuilder::Limits{.text = 100});
    builder.start("a");
    EXPECT_EQ(code_of([&] {
                  for (int i = 0; i < 30; ++i) builder.text("12345");
              }),
              "XML-024");
    builder.clear();
    builder.start("a");
    EXPECT_EQ(code_of([&] { builder.attribute("x", std::string(101, 'x')); }), "XML-024");
}

TEST(TreeBuilder, RefusesTooManyNamesAndWorksAgainAfterClear) {
    TreeBuilder builder(TreeBuilder::Limits{.names = 5});
    builder.start("r");
    EXPECT_EQ(code_of([&] {
                  for (int i = 0; i < 20; ++i) {
                      builder.start("n" + std::to_string(i));
                      builder.end();
                  }
              }),
              "XML-026");
    builder.clear();
    builder.start("other");
    builder.end();
    EXPECT_EQ(builder.finish().root().name(), "other");
}

TEST(TreeBuilder, RefusesWhatXmlCannotCarryAndNamesThePlace) {
    for (const std::string& bad :
         {std::string("a\x01z"), std::string("\xFF"), std::string("\xC0\x80"), std::string("\xED\xA0\x80"),
          std::string("\xEF\xBF\xBE"), std::string("\xE2\x82"), std::string("a\0b", 3)}) {
        TreeBuilder builder;
        builder.line(7);
        builder.start("rows");
        builder.start("row");
        try {
            builder.text(bad);
            ADD_FAILURE() << "accepted";
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), "XML-021");
            EXPECT_EQ(e.where().path, "/rows/row");
            EXPECT_EQ(e.where().line, 7u);
        }
        builder.clear();
        builder.start("rows");
        EXPECT_EQ(code_of([&] { builder.attribute("a", bad); }), "XML-021");
    }
}

TEST(TreeBuilder, RefusesNamesThatAreNone) {
    for (const char* bad : {"", "a b", "1a", "a:b", "-a", "a\x01"}) {
        TreeBuilder builder;
        EXPECT_EQ(code_of([&] { builder.start(bad); }), "XML-027") << bad;
        EXPECT_EQ(code_of([&] { builder.start(bad); }), "XML-027") << bad << " the second time";
    }
}

TEST(TreeBuilder, RefusesAnAttributeTwice) {
    TreeBuilder builder;
    builder.start("a");
    builder.attribute("x", "1");
    EXPECT_EQ(code_of([&] { builder.attribute("x", "2"); }), "XML-028");
}

TEST(TreeBuilder, WrongOrderIsOurOwnBug) {
    TreeBuilder builder;
    EXPECT_THROW(builder.end(), std::logic_error);
    EXPECT_THROW(builder.text("x"), std::logic_error);
    builder.start("a");
    EXPECT_THROW(builder.finish(), std::logic_error);
    builder.text("x");
    EXPECT_THROW(builder.attribute("b", "c"), std::logic_error);
    builder.end();
    EXPECT_THROW(builder.start("second"), std::logic_error);
}

Document enrollments() {
    TreeBuilder b;
    b.line(1);
    b.start("enrollments");
    for (int i = 1; i <= 3; ++i) {
        b.line(static_cast<std::uint64_t>(i) * 70'000);
        b.start("enrollment");
        b.attribute("n", std::to_string(i));
        b.start("term");
        b.text("Fa");
        b.text("ll");
        b.end();
        b.end();
    }
    b.start("note");
    b.end();
    b.end();
    return b.finish();
}

TEST(Node, KnowsNamesTextsLinesAndPaths) {
    const Document document = enrollments();
    const Node second = document.root().children("enrollment").at(1);
    EXPECT_EQ(second.path(), "/enrollments/enrollment[2]");
    EXPECT_EQ(second.child("term").path(), "/enrollments/enrollment[2]/term");
    EXPECT_EQ(document.root().child("note").path(), "/enrollments/note");
    EXPECT_EQ(second.line(), 140'000u);  // beyond the 16 bits of the library
    EXPECT_EQ(second.child_text("term"), "Fall");
    EXPECT_EQ(second.attribute("n"), "2");
    EXPECT_TRUE(second.has_attribute("n"));
    EXPECT_FALSE(second.has_attribute("m"));
    EXPECT_EQ(second.attribute("m"), "");
    EXPECT_EQ(document.root().text(), "FallFallFall");
    EXPECT_EQ(second.parent().name(), "enrollments");
    EXPECT_FALSE(document.root().parent());
    EXPECT_EQ(document.root().children().size(), 4u);
    EXPECT_FALSE(document.root().child("none"));
    EXPECT_EQ(document.root().child_text("none"), "");
}

TEST(Node, OfNothingAnswersEmpty) {
    const Node none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.name(), "");
    EXPECT_EQ(none.text(), "");
    EXPECT_EQ(none.path(), "");
    EXPECT_EQ(none.line(), 0u);
    EXPECT_FALSE(none.first_child());
    EXPECT_FALSE(none.next());
    EXPECT_FALSE(none.parent());
    EXPECT_FALSE(Document().root());
    EXPECT_EQ(Document().write(), "");
    EXPECT_EQ(Document::write(none), "");
}

TEST(Document, WritesEscapedAndSorted) {
    TreeBuilder b;
    b.start("a");
    b.attribute("z", "1<2 \"q\" & \t\n");
    b.attribute("b", "2");
    b.text("x < y & ]]> \r\n\xC3\xA9");
    b.start("empty");
    b.end();
    b.end();
    EXPECT_EQ(b.finish().write(),
              "<a b=\"2\" z=\"1&lt;2 &quot;q&quot; &amp; &#9;&#10;\">x &lt; y &amp; ]]&gt; &#13;\n\xC3\xA9<empty/></a>");
}

TEST(Document, WritesNamespacesWhereTheyAreNeeded) {
    TreeBuilder b;
    b.start("root", "urn:a");
    b.start("same", "urn:a");
    b.end();
    b.start("none");
    b.start("back", "urn:a");
    b.end();
    b.end();
    b.start("other", "urn:b&c");
    b.end();
    b.end();
    const Document document = b.finish();
    EXPECT_EQ(
        document.write(),
        "<root xmlns=\"urn:a\"><same/><none xmlns=\"\"><back xmlns=\"urn:a\"/></none><other xmlns=\"urn:b&amp;c\"/></root>");
    EXPECT_EQ(Document::write(document.root().child("same")), "<same xmlns=\"urn:a\"/>");
    EXPECT_EQ(Document::write(document.root().child("none")), "<none><back xmlns=\"urn:a\"/></none>");
    EXPECT_EQ(document.root().child("other").namespace_uri(), "urn:b&c");
}

TEST(Document, IndentsElementsAndLeavesTextsAlone) {
    const Document document = enrollments();
    EXPECT_THAT(document.write({.declaration = true, .indent = true}),
                HasSubstr("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<enrollments>\n  <enrollment n=\"1\">\n    "
                          "<term>Fall</term>\n  </enrollment>\n"));
}

TEST(Document, CopiesASubtreeWithItsLines) {
    Document copy;
    {
        const Document document = enrollments();
        copy = Document::copy(document.root().children().at(2));
    }
    EXPECT_EQ(copy.write(), "<enrollment n=\"3\"><term>Fall</term></enrollment>");
    EXPECT_EQ(copy.root().line(), 210'000u);
    EXPECT_EQ(copy.root().child("term").path(), "/enrollment/term");
}

TEST(TreeBuilder, IsUsedAgainAfterFinish) {
    TreeBuilder b;
    for (int i = 0; i < 3; ++i) {
        b.start("r");
        b.text(std::to_string(i));
        b.end();
        const Document document = b.finish();
        EXPECT_EQ(document.root().text(), std::to_string(i));
    }
    EXPECT_FALSE(b.finish());
}

TEST(Document, RemovesNodesOnceAndLeavesTheRoot) {
    TreeBuilder b;
    b.start("r");
    for (const char* name : {"a", "b", "a"}) {
        b.start(name);
        b.start("c");
        b.text("a longer text that is not kept inside of the node");
        b.end();
        b.end();
    }
    b.end();
    Document document = b.finish();
    const Node first = document.root().first_child();
    document.remove({first, first.first_child(), first, Node(), document.root()});
    EXPECT_EQ(document.root().children().size(), 2U);
    EXPECT_EQ(document.root().first_child().name(), "b");
}

TEST(XmlName, EscapesAndComesBack) {
    EXPECT_EQ(xml_name("JOB CODE"), "JOB_x0020_CODE");
    EXPECT_EQ(xml_name("2ND"), "_x0032_ND");
    EXPECT_EQ(xml_name("plain-name_1.0"), "plain-name_1.0");
    EXPECT_EQ(xml_name("a:b"), "a_x003A_b");
    for (const std::string text : {"JOB CODE", "2ND", "", "_x0020_", "_x_", "a_x0020_b", "\xF0\x9F\x98\x80", "na\xC3\xAFve",
                                   "@type", "_", "__x0041_", "x\tq", "$ref/{a}", "_x12_"}) {
        const std::string name = xml_name(text);
        EXPECT_EQ(original_name(name), text) << name;
        TreeBuilder b;
        EXPECT_NO_THROW(b.start(name)) << name;
    }
    EXPECT_EQ(xml_name("a\xFFz"), "a_xFFFD_z");
}

}  // namespace
}  // namespace clrbus
