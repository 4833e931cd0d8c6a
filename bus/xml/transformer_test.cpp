#include "xml/transformer.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <thread>

#include "xml/parser.hpp"
#include "xml/test_support.hpp"

namespace clrbus {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace xml_test;

class Transform : public ::testing::Test {
protected:
    Transform() { std::filesystem::create_directories(folder_ / "root/lib"); }
    ~Transform() override { std::filesystem::remove_all(folder_); }

    std::filesystem::path file(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name, std::ios::binary) << text;
        return folder_ / name;
    }
    static std::string sheet(const std::string& body) {
        return "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform' "
               "xmlns:f='urn:clrbus:functions:1'\n"
               " xmlns:exsl='http://exslt.org/common' xmlns:date='http://exslt.org/dates-and-times' "
               "xmlns:math='http://exslt.org/math'\n"
               " xmlns:str='http://exslt.org/strings' xmlns:func='http://exslt.org/functions' xmlns:my='urn:my'\n"
               " extension-element-prefixes='exsl func' exclude-result-prefixes='f exsl date math str func my'>\n" +
               body + "</xsl:stylesheet>";
    }
    std::shared_ptr<const Transformer> compile(const std::string& body, const Transformer::Limits& limits = {}) {
        return Transformer::compile(file("root/sheet.xsl", sheet(body)), folder_ / "root", nullptr, limits);
    }
    std::string run(const std::string& body, const std::string& input = "<a/>",
                    const std::map<std::string, std::string>& parameters = {}) {
        return compile(body)->transform(XmlParser().parse(input), parameters).write();
    }
    Error refused(const std::string& body) {
        const Error error = error_of([&] { compile(body); });
        EXPECT_EQ(error.fault(), Fault::kConfig) << body;
        return error;
    }
    Error failed(const std::string& body, const std::string& input = "<a/>", const Transformer::Limits& limits = {}) {
        const auto transformer = compile(body, limits);
        const Document document = XmlParser().parse(input);
        const Error error = error_of([&] { transformer->transform(document, {}); });
        EXPECT_EQ(error.fault(), Fault::kPoison) << body;
        return error;
    }

    const std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() /
        ("clrbus-xsl-" + std::to_string(::getpid()) + "-" + ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(Transform, RefusesWhatIsNoStylesheetWithFileAndLine) {
    EXPECT_EQ(error_of([&] { Transformer::compile(folder_ / "root/none.xsl", folder_ / "root"); }).code(), "XSL-001");
    const Error broken = error_of([&] { Transformer::compile(file("root/a.xsl", "<a>\n<b></a>"), folder_ / "root"); });
    EXPECT_EQ(broken.code(), "XSL-002");
    EXPECT_EQ(broken.where().line, 2u);
    EXPECT_EQ(error_of([&] {
                  Transformer::compile(file("root/b.xsl", "<!DOCTYPE a [<!ENTITY x SYSTEM '/etc/passwd'>]><a>&x;</a>"),
                                       folder_ / "root");
              }).code(),
              "XSL-002");
    const Error expression = refused("<xsl:template match='/'>\n<xsl:value-of select='a['/></xsl:template>");
    EXPECT_EQ(expression.code(), "XSL-002");
    EXPECT_EQ(expression.where().line, 6u);
    EXPECT_THAT(expression.where().file, HasSubstr("sheet.xsl"));
    EXPECT_EQ(refused("<xsl:template match='/'><xsl:nothing/></xsl:template>").code(), "XSL-002");
    EXPECT_EQ(refused("<xsl:template/>").code(), "XSL-002");
}

TEST_F(Transform, RefusesWhatIsNotPure) {
    for (const char* call : {"document('x.xml')", "generate-id(.)", "date:date-time()", "date:year()", "date:seconds( )",
                             "math:random()", "concat('a', document(''))", "key('a', generate-id())"}) {
        const Error error =
            refused(std::string("<xsl:template match='/'>\n<xsl:value-of select=\"") + call + "\"/></xsl:template>");
        EXPECT_EQ(error.code(), "XSL-004") << call;
        EXPECT_EQ(error.where().line, 6u);
    }
    EXPECT_EQ(refused("<xsl:template match='/'><a b='{document(1)}'/></xsl:template>").code(), "XSL-004");
    EXPECT_EQ(refused("<xsl:template match='/'><exsl:document href='/tmp/x'/></xsl:template>").code(), "XSL-004");
    EXPECT_NO_THROW(
        compile("<xsl:template match='document'><a b='document(1) {{document(1)}}' c=\"{'document(1)'}\"/></xsl:template>"));
    EXPECT_NO_THROW(compile("<xsl:template match='/'><xsl:value-of select=\"date:year('2024-01-01')\"/></xsl:template>"));
}

TEST_F(Transform, RefusesFunctionsThatDoNotExist) {
    for (const char* call : {"f:nothing(1)", "nothing(1)", "str:nothing(1)", "my:own(1)", "gone:f(1)"}) {
        EXPECT_EQ(refused(std::string("<xsl:template match='/'><xsl:value-of select=\"") + call + "\"/></xsl:template>").code(),
                  "XSL-003")
            << call;
    }
    EXPECT_EQ(refused("<xsl:template match='/'><xsl:value-of select='f:trim()'/></xsl:template>").code(), "XSL-005");
    EXPECT_EQ(refused("<xsl:template match='/'><xsl:value-of select=\"f:code('gone', .)\"/></xsl:template>").code(), "XSL-006");
    EXPECT_EQ(run("<func:function name='my:own'><xsl:param name='x'/><func:result select='$x * 2'/></func:function>"
                  "<xsl:template match='/'><r><xsl:value-of select='my:own(21)'/></r></xsl:template>"),
              "<r>42</r>");
}

TEST_F(Transform, ConfinesImportsToItsRoot) {
    file("root/lib/common.xsl", sheet("<xsl:template name='hello'><h/></xsl:template>"));
    file("outside.xsl", sheet("<xsl:template name='hello'><h/></xsl:template>"));
    const auto good =
        compile("<xsl:import href='lib/common.xsl'/><xsl:template match='/'><xsl:call-template name='hello'/></xsl:template>");
    EXPECT_EQ(good->transform(XmlParser().parse("<a/>"), {}).write(), "<h/>");
    ASSERT_EQ(good->all_files().size(), 2u);
    EXPECT_EQ(good->all_files()[1].filename(), "common.xsl");
    for (const std::string& href : std::initializer_list<std::string>{"../outside.xsl", "lib/none.xsl",
                                                                      "http://127.0.0.1:9/x.xsl", "file:///etc/passwd"}) {
        EXPECT_EQ(refused("<xsl:import href='" + href + "'/>").code(), "XSL-002") << href;
        EXPECT_EQ(refused("<xsl:include href='" + href + "'/>").code(), "XSL-002") << href;
    }
    std::filesystem::create_symlink(folder_ / "outside.xsl", folder_ / "root/link.xsl");
    EXPECT_EQ(refused("<xsl:include href='link.xsl'/>").code(), "XSL-002");
    file("root/lib/bad.xsl", sheet("\n<xsl:template match='x'><xsl:value-of select='document(1)'/></xsl:template>"));
    const Error inside = refused("<xsl:include href='lib/bad.xsl'/>");
    EXPECT_EQ(inside.code(), "XSL-004");
    EXPECT_THAT(inside.where().file, HasSubstr("lib/bad.xsl"));
    EXPECT_EQ(inside.where().line, 6u);
}

TEST_F(Transform, StopsEndlessWork) {
    const Error deep = failed(
        "<xsl:template match='/'><xsl:call-template name='t'/></xsl:template>"
        "<xsl:template name='t'><xsl:call-template name='t'/></xsl:template>");
    EXPECT_EQ(deep.code(), "XSL-103");
    const std::string twice =
        "<xsl:template match='/'><xsl:call-template name='t'><xsl:with-param name='n' "
        "select='60'/></xsl:call-template></xsl:template>"
        "<xsl:template name='t'><xsl:param name='n'/><xsl:if test='$n &gt; 0'>"
        "<xsl:call-template name='t'><xsl:with-param name='n' select='$n - 1'/></xsl:call-template>"
        "<xsl:call-template name='t'><xsl:with-param name='n' select='$n - 1'/></xsl:call-template></xsl:if></xsl:template>";
    const Error wide = failed(twice, "<a/>", Transformer::Limits{.template_depth = 500, .operations = 100'000});
    EXPECT_EQ(wide.code(), "XSL-104");
    EXPECT_THAT(wide.what(), HasSubstr("sheet.xsl:"));
    std::string input = "<a>";
    for (int i = 0; i < 1000; ++i) input += "<b/>";
    EXPECT_EQ(
        failed(
            "<xsl:template match='/'><xsl:value-of select='count(//b[count(//b[count(//b) &gt; 0]) &gt; 0])'/></xsl:template>",
            input + "</a>", Transformer::Limits{.template_depth = 500, .operations = 100'000})
            .code(),
        "XSL-104");
}

TEST_F(Transform, FailsWithThePlaceInDocumentAndStylesheet) {
    const Error error = failed(
        "<xsl:template match='/'><xsl:apply-templates select='//d'/></xsl:template>\n"
        "<xsl:template match='d'>\n<x y=\"{f:parse-date(., 'yyyy-MM-dd')}\"/></xsl:template>",
        "<a>\n<d>2024-01-01</d>\n<d>SECRET</d></a>");
    EXPECT_EQ(error.code(), "FUN-001");
    EXPECT_EQ(error.where().path, "/a/d[2]");
    EXPECT_EQ(error.where().line, 3u);
    EXPECT_THAT(error.what(), Not(HasSubstr("SECRET")));
    const Error variable = failed("<xsl:template match='/'>\n<xsl:value-of select='$gone'/></xsl:template>");
    EXPECT_EQ(variable.code(), "XSL-101");
    EXPECT_THAT(variable.what(), HasSubstr("gone"));
    EXPECT_THAT(variable.what(), HasSubstr("sheet.xsl:6"));
    const Error name = failed("<xsl:template match='/'><xsl:element name='{a}'/></xsl:template>", "<a>SECRET word</a>");
    EXPECT_EQ(name.code(), "XSL-101");
    EXPECT_THAT(name.what(), Not(HasSubstr("SECRET")));
    EXPECT_EQ(error_of([&] { compile("")->transform(Document(), {}); }).code(), "XSL-105");
}

TEST_F(Transform, RaisesWarningsAndTerminates) {
    const auto transformer = compile(
        "<xsl:template match='/'><xsl:message>CRS-007|warning|/a/b[2]|no | grade</xsl:message>"
        "<xsl:message>plain text</xsl:message>"
        "<xsl:if test='a/stop'><xsl:message terminate='yes'>CRS-009|error|/a/stop|not "
        "allowed</xsl:message></xsl:if><ok/></xsl:template>");
    std::vector<TransformMessage> messages;
    EXPECT_EQ(transformer->transform(XmlParser().parse("<a/>"), {}, &messages).write(), "<ok/>");
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(messages[0].code, "CRS-007");
    EXPECT_EQ(messages[0].severity, "warning");
    EXPECT_EQ(messages[0].path, "/a/b[2]");
    EXPECT_EQ(messages[0].text, "no | grade");
    EXPECT_EQ(messages[1].code, "XSL-110");
    EXPECT_EQ(messages[1].text, "plain text");
    const Error error = error_of([&] { transformer->transform(XmlParser().parse("<a><stop/></a>"), {}); });
    EXPECT_EQ(error.code(), "CRS-009");
    EXPECT_EQ(error.fault(), Fault::kPoison);
    EXPECT_EQ(error.where().path, "/a/stop");
    EXPECT_EQ(error.why(), "not allowed");
}

TEST_F(Transform, TakesParametersAsStringsOnly) {
    const std::string body = "<xsl:param name='p'/><xsl:template match='/'><r><xsl:value-of select='$p'/></r></xsl:template>";
    EXPECT_EQ(run(body, "<a/>", {{"p", "/a"}}), "<r>/a</r>");
    EXPECT_EQ(run(body, "<a/>", {{"p", "it's \"1 + 1\" & <"}}), "<r>it's \"1 + 1\" &amp; &lt;</r>");
    EXPECT_EQ(run(body), "<r/>");
}

TEST_F(Transform, LeavesItsInputAsItWas) {
    const auto transformer =
        compile("<xsl:strip-space elements='*'/><xsl:template match='/'><r><xsl:copy-of select='a/*'/></r></xsl:template>");
    const Document input = XmlParser().parse("<a> <b> </b> </a>");
    EXPECT_EQ(transformer->transform(input, {}).write(), "<r><b/></r>");
    EXPECT_EQ(input.write(), "<a> <b> </b> </a>");
}

TEST_F(Transform, HasExtensionsAndFunctions) {
    EXPECT_EQ(run("<xsl:variable name='t'><x>1</x><x>2</x></xsl:variable>"
                  "<xsl:key name='k' match='b' use='@i'/>"
                  "<xsl:template match='/'><r a='{sum(exsl:node-set($t)/x)}' b=\"{key('k', '2')}\" c=\"{f:slug('A B')}\">"
                  "<xsl:for-each select=\"f:split('x;y', ';')\"><p><xsl:value-of select='.'/></p></xsl:for-each>"
                  "<xsl:value-of select=\"str:replace('aXb', 'X', '-')\"/>"
                  "<xsl:value-of select=\"f:join(a/b, '+')\"/></r></xsl:template>",
                  "<a><b i='1'>one</b><b i='2'>two</b></a>"),
              "<r a=\"3\" b=\"two\" c=\"a-b\"><p>x</p><p>y</p>a-bone+two</r>");
}

TEST_F(Transform, WritesHtmlAndTextAsTheOutputSays) {
    EXPECT_EQ(compile("<xsl:output method='text'/><xsl:template match='/'>a &lt; <xsl:value-of select='a'/></xsl:template>")
                  ->transform_to_text(XmlParser().parse("<a>\xC3\xA9</a>"), {}),
              "a < \xC3\xA9");
    const std::string html = compile(
                                 "<xsl:output method='html' encoding='UTF-8' indent='no'/><xsl:template "
                                 "match='/'><html><head/><body><br/><xsl:value-of select='a'/></body></html></xsl:template>")
                                 ->transform_to_text(XmlParser().parse("<a>&lt;script&gt;\xC3\xA9</a>"), {});
    EXPECT_THAT(html, HasSubstr("<br>&lt;script&gt;\xC3\xA9"));
}

TEST_F(Transform, ItsResultOutlivesIt) {
    Document result;
    {
        const Document input = XmlParser().parse("<a><b>x</b></a>");
        result = compile("<xsl:template match='/'><xsl:copy-of select='a'/></xsl:template>")->transform(input, {});
    }
    EXPECT_EQ(result.write(), "<a><b>x</b></a>");
}

TEST_F(Transform, IsSharedByThreads) {
    const auto transformer = compile(
        "<xsl:key name='k' match='b' use='@i'/><xsl:template match='/'><r>"
        "<xsl:for-each select='a/b'><xsl:sort select='.'/><p d=\"{f:parse-date(., 'yyyyMMdd')}\"><xsl:value-of "
        "select=\"key('k', @i)\"/></p></xsl:for-each>"
        "</r></xsl:template>");
    const std::string input = "<a><b i='1'>20240102</b><b i='2'>20240101</b></a>";
    const std::string expected = "<r><p d=\"2024-01-01\">20240101</p><p d=\"2024-01-02\">20240102</p></r>";
    std::atomic<int> right{0};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                XmlParser parser;
                for (int i = 0; i < 200; ++i) {
                    right += transformer->transform(parser.parse(input), {}).write() == expected;
                    right += error_of([&] { transformer->transform(parser.parse("<a><b>x</b></a>"), {}); }).code() == "FUN-001";
                }
            });
        }
    }
    EXPECT_EQ(right, 1600);
}

}  // namespace
}  // namespace clrbus
