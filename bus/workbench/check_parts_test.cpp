#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "workbench/namespaces_met.hpp"
#include "workbench/source_places.hpp"

namespace clrbus::workbench {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SourcePlaces, KnowsElementsAndAttributesByTheirPath) {
    const SourcePlaces places(
        "<?xml version='1.0'?>\n<!-- <a> -->\n<x:a xmlns:x='urn:x'>\n  <b k='1'/>\n  <b\n     k='é' l=\"2 > "
        "1\"><![CDATA[<b>]]></b>\n</x:a>");
    EXPECT_EQ(places.element("/a")->line, 3U);
    EXPECT_EQ(places.element("/a/b[2]")->line, 5U);
    EXPECT_EQ(places.attribute("/a/b[2]", "l")->line, 6U);
    EXPECT_EQ(places.attribute("/a/b[2]", "l")->column, 12U);  // in characters
    EXPECT_EQ(places.in_value("/a/b[2]", "l", 3)->column, 17U);
    EXPECT_EQ(places.path_at(6), "/a/b[2]");
    EXPECT_EQ(places.value_with("/a/b[2]", "> 1")->column, 17U);
    EXPECT_FALSE(places.element("/a/b[3]"));
    EXPECT_FALSE(places.attribute("/a/b[1]", "l"));
}

TEST(SourcePlaces, ReadsWhatIsNoXml) {
    for (const char* broken :
         {"", "<", "<a", "<a b", "<a b=", "<a b='", "<!--", "<![CDATA[", "</", "</a></a></a>", "<a/><", "<a b=c>", "<?"})
        EXPECT_FALSE(SourcePlaces(broken).element("/nothing")) << broken;
    std::string deep;
    for (int i = 0; i < 2000; ++i) deep += "<a>";
    EXPECT_TRUE(SourcePlaces(deep).element("/a"));
}

class NamespacesMet : public testing::Test {
protected:
    void SetUp() override {
        folder_ = std::filesystem::path(testing::TempDir()) / "namespaces-met";
        std::filesystem::create_directories(folder_);
    }
    std::filesystem::path file(const char* name, const std::string& text) {
        std::ofstream(folder_ / name) << text;
        return folder_ / name;
    }
    std::set<std::string> read_by(const std::string& pattern) {
        return namespaces_read({file("a.xsl",
                                     "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform' "
                                     "xmlns:p='urn:p' xmlns:f='urn:f'><xsl:template match=\"" +
                                         pattern + "\"/></xsl:stylesheet>")});
    }
    std::filesystem::path folder_;
};

TEST_F(NamespacesMet, ReadsNameTestsAlone) {
    EXPECT_THAT(read_by("/"), IsEmpty());
    EXPECT_THAT(read_by("@*|node()"), IsEmpty());
    EXPECT_THAT(read_by("*[local-name() = 'a']"), IsEmpty());
    EXPECT_THAT(read_by("/p:a[@b = 'c']"), ElementsAre("urn:p"));
    EXPECT_THAT(read_by("a"), ElementsAre(""));
    EXPECT_THAT(read_by("p:*[f:trim($x) = 1]"), ElementsAre("urn:p"));
    EXPECT_THAT(read_by("p:a[@x or @y and 2 div 1]"), ElementsAre("urn:p"));
    EXPECT_THAT(read_by("p:or/and"), ElementsAre("", "urn:p"));
}

TEST_F(NamespacesMet, KnowsWhereASchemaHasElements) {
    const std::string head = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:p' ";
    const std::string body =
        "><xs:element name='a'><xs:complexType><xs:sequence><xs:element name='b'/></xs:sequence></xs:complexType></xs:element>"
        "</xs:schema>";
    EXPECT_THAT(namespaces_declared({file("q.xsd", head + "elementFormDefault='qualified'" + body)}), ElementsAre("urn:p"));
    EXPECT_THAT(namespaces_declared({file("u.xsd", head + body)}), ElementsAre("", "urn:p"));
}

}  // namespace
}  // namespace clrbus::workbench
