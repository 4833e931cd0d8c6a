#include "xml/xpath.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "xml/parser.hpp"
#include "xml/test_support.hpp"

namespace clrbus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace xml_test;

const XPath::Namespaces kF = {{"f", "urn:clrbus:functions:1"}, {"r", "urn:r"}};

Document rows() {
    return XmlParser().parse(
        "<r:rows xmlns:r='urn:r'>\n<row n='1'><state> Y </state></row>\n<row n='2'><state>N</state></row>\n</r:rows>");
}

TEST(XPath, SaysWhetherItMayAskForVariables) {
    EXPECT_FALSE(XPath::compile("/a/b = 'x'")->uses_variables());
    EXPECT_TRUE(XPath::compile("/a/b = $x")->uses_variables());
    EXPECT_TRUE(XPath::compile("'$'")->uses_variables());  // may
}

TEST(XPath, RefusesWhatIsNoExpressionWithItsPosition) {
    for (const char* bad : {"", "a[", "a b", "$", "f:nothing(1)", "f:trim()", "f:trim(1, 2)", "x:trim(1)", "unknown(1)",
                            "document('a')", "generate-id()", "current()", "a/@", "'open"}) {
        const Error error = error_of([&] { XPath::compile(bad, kF); });
        EXPECT_EQ(error.code(), "XPATH-001") << bad;
        EXPECT_EQ(error.fault(), Fault::kConfig) << bad;
        EXPECT_GE(error.where().column, 1u) << bad;
    }
    EXPECT_EQ(error_of([] { XPath::compile("a + f:nothing(1)", kF); }).where().column, 5u);
}

TEST(XPath, RefusesAnUnknownVariableAndEndlessWork) {
    const Document document = rows();
    const Error error = error_of([&] { XPath::compile("$gone = 1")->test(document); });
    EXPECT_EQ(error.code(), "XPATH-101");
    EXPECT_THAT(error.what(), HasSubstr("'gone'"));
    std::string wide = "<a>";
    for (int i = 0; i < 2000; ++i) wide += "<b/>";
    const Document big = XmlParser().parse(wide + "</a>");
    EXPECT_EQ(error_of([&] { XPath::compile("count(//b[count(//b[count(//b) > 0]) > 0])")->number(big); }).code(), "XPATH-103");
    EXPECT_EQ(error_of([&] { XPath::compile("1")->nodes(document); }).code(), "XPATH-102");
    EXPECT_EQ(error_of([&] { XPath::compile("count('x')")->number(document); }).code(), "XPATH-102");
    EXPECT_EQ(error_of([&] { XPath::compile("a")->test(Document()); }).code(), "XPATH-104");
    EXPECT_TRUE(XPath::compile("row")->test(document));  // the next one passes
}

TEST(XPath, AnswersFromTheRootElementOrAContext) {
    const Document document = rows();
    EXPECT_TRUE(XPath::compile("row/@n = 2")->test(document));
    EXPECT_FALSE(XPath::compile("row/@n = 3")->test(document));
    EXPECT_TRUE(XPath::compile("/r:rows/row", kF)->test(document));
    EXPECT_EQ(XPath::compile("f:trim(row/state)", kF)->string(document), "Y");
    EXPECT_EQ(XPath::compile("count(row)")->number(document), 2.0);
    EXPECT_TRUE(std::isnan(XPath::compile("number('x')")->number(document)));
    const std::vector<Node> nodes = XPath::compile("row/@n | row/state")->nodes(document);
    ASSERT_EQ(nodes.size(), 4u);
    EXPECT_EQ(nodes[0].path(), "/rows/row[1]/@n");
    EXPECT_EQ(nodes[1].path(), "/rows/row[1]/state");
    EXPECT_EQ(nodes[2].text(), "2");
    EXPECT_EQ(XPath::compile("string(@n)")->string(document, {}, document.root().children("row")[1]), "2");
}

TEST(XPath, KnowsVariablesAsStrings) {
    const Document document = rows();
    const auto xpath = XPath::compile("row[@n = $which]/state");
    EXPECT_EQ(xpath->string(document, {{"which", "2"}}), "N");
    EXPECT_EQ(xpath->string(document, {{"which", "2 or 1 = 1"}}), "");
    EXPECT_EQ(xpath->expression(), "row[@n = $which]/state");
}

TEST(XPath, FunctionsTellThePlaceOfWhatTheyRefuse) {
    const Document document = rows();
    const auto xpath = XPath::compile("row[f:parse-date(state, 'yyyy') = '2024']", kF);
    const Error error = error_of([&] { xpath->test(document); });
    EXPECT_EQ(error.code(), "FUN-001");
    EXPECT_EQ(error.where().path, "/rows/row[1]");
    EXPECT_EQ(error.where().line, 2u);
}

TEST(XPath, HasTheFunctions) {
    const Document document = rows();
    const auto s = [&](const char* expression) { return XPath::compile(expression, kF)->string(document); };
    EXPECT_EQ(s("f:default('', 'b')"), "b");
    EXPECT_EQ(s("f:default('a', 'b')"), "a");
    EXPECT_EQ(s("f:join(row/@n, ', ')"), "1, 2");
    EXPECT_EQ(s("f:join(f:split('a;b;;c', ';'), '|')"), "a|b||c");
    EXPECT_EQ(s("count(f:split('a;b;;c', ';'))"), "4");
    EXPECT_EQ(s("count(f:split('', ';'))"), "0");
    EXPECT_EQ(s("f:split('a;b', ';')[2]"), "b");
    EXPECT_EQ(s("f:upper('x')"), "X");
    EXPECT_EQ(s("f:lower('X')"), "x");
    EXPECT_EQ(s("f:slug('A B')"), "a-b");
    EXPECT_EQ(s("f:number('1.50')"), "1.5");
    EXPECT_EQ(s("f:group('ab12', '([0-9])', 1)"), "1");
    EXPECT_EQ(s("f:replace('ab', '(a)', '$1$1')"), "aab");
    EXPECT_EQ(s("f:matches('ab', 'b$')"), "true");
    EXPECT_EQ(s("f:is-date('2024-02-30')"), "false");
    EXPECT_EQ(s("f:format-date('2024-03-07', 'd.M.yyyy')"), "7.3.2024");
    EXPECT_EQ(s("f:date-time('2024-03-07', 'Z')"), "2024-03-07T00:00:00Z");
    EXPECT_EQ(s("f:utc('2024-03-07T00:00:00+01:00')"), "2024-03-06T23:00:00Z");
    EXPECT_EQ(s("f:sha256('abc')"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(s("f:uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')"), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    EXPECT_EQ(error_of([&] { s("f:uuid5('none', 'x')"); }).code(), "FUN-042");
    EXPECT_EQ(error_of([&] { s("f:join('x', ',')"); }).code(), "FUN-041");
    EXPECT_EQ(error_of([&] { s("f:group('x', 'x', 'first')"); }).code(), "FUN-040");
    EXPECT_EQ(error_of([&] { s("f:code('grades', 'A')"); }).code(), "FUN-030");
    EXPECT_TRUE(XPath::compile("f:split('a', ',')", kF)->nodes(document).empty());  // they do not outlive the evaluation
}

class CodeFiles : public ::testing::Test {
protected:
    CodeFiles() { std::filesystem::create_directories(folder_); }
    ~CodeFiles() override { std::filesystem::remove_all(folder_); }
    void file(const std::string& name, const std::string& text) { std::ofstream(folder_ / name, std::ios::binary) << text; }
    Error refused(const std::string& text) {
        file("bad.csv", text);
        const Error error = error_of([&] { CodeLists::load(folder_); });
        EXPECT_EQ(error.fault(), Fault::kConfig);
        return error;
    }
    const std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() / ("clrbus-codes-" + std::to_string(::getpid()));
};

TEST_F(CodeFiles, RefusesBrokenListsWithFileAndLine) {
    EXPECT_EQ(error_of([&] { CodeLists::load(folder_ / "none"); }).code(), "CODE-001");
    EXPECT_EQ(refused("").code(), "CODE-004");
    EXPECT_EQ(refused("only\n").code(), "CODE-004");
    EXPECT_EQ(refused("a,a\n").code(), "CODE-004");
    const Error ragged = refused("key,value\nA,1\nB\n");
    EXPECT_EQ(ragged.code(), "CODE-005");
    EXPECT_EQ(ragged.where().line, 3u);
    EXPECT_THAT(ragged.where().file, HasSubstr("bad.csv"));
    const Error twice = refused("key,value\nA,1\n\nA,2\n");
    EXPECT_EQ(twice.code(), "CODE-006");
    EXPECT_EQ(twice.where().line, 4u);
    EXPECT_EQ(refused("key,value\nA,\"1\n").code(), "CODE-003");
    EXPECT_EQ(refused("key,value\nA,\"1\"2\n").code(), "CODE-003");
    EXPECT_EQ(refused("key,value\nA,\xFF\n").code(), "CODE-002");
}

TEST_F(CodeFiles, FindValuesByKeyAndColumn) {
    file("grades.csv", "\xEF\xBB\xBFgrade,points,text\r\nA,4.0,\"very, \"\"very\"\" good\"\r\nB,3.0,\n");
    file("notes.txt", "not a list");
    const auto lists = CodeLists::load(folder_);
    EXPECT_EQ(lists->files().size(), 1u);
    EXPECT_TRUE(lists->has("grades"));
    EXPECT_FALSE(lists->has("notes"));
    EXPECT_EQ(lists->find("grades", "A"), "4.0");
    EXPECT_EQ(lists->find("grades", "A", "text"), "very, \"very\" good");
    EXPECT_EQ(lists->find("grades", "A", "grade"), "A");
    EXPECT_EQ(lists->find("grades", "B", "text"), "");
    EXPECT_EQ(lists->find("grades", "A", "none"), std::nullopt);
    EXPECT_EQ(lists->find("grades", "Z"), std::nullopt);
    EXPECT_EQ(lists->find("none", "A"), std::nullopt);
    const Document document = rows();
    EXPECT_EQ(XPath::compile("f:code('grades', 'A')", kF, lists)->string(document), "4.0");
    EXPECT_TRUE(XPath::compile("f:code('grades', 'Z') = ''", kF, lists)->test(document));
    EXPECT_TRUE(XPath::compile("f:trim('') = '' and f:group('a', 'b', 0) = ''", kF, lists)->test(document));
    EXPECT_EQ(XPath::compile("f:code('grades', 'A', 'text')", kF, lists)->string(document), "very, \"very\" good");
    EXPECT_EQ(XPath::compile("f:code('grades', 'Z')", kF, lists)->string(document), "");
    EXPECT_TRUE(XPath::compile("f:code-known('grades', 'B')", kF, lists)->test(document));
    EXPECT_FALSE(XPath::compile("f:code-known('grades', 'Z')", kF, lists)->test(document));
    EXPECT_EQ(error_of([&] { XPath::compile("f:code('none', 'A')", kF, lists)->string(document); }).code(), "FUN-030");
    EXPECT_EQ(XPath::compile("f:code('grades', 'Z', '', '0.0')", kF, lists)->string(document), "0.0");
    EXPECT_EQ(XPath::compile("f:code('grades', 'A', '', '0.0')", kF, lists)->string(document), "4.0");
    EXPECT_EQ(XPath::compile("f:need-code('grades', 'A', 'text')", kF, lists)->string(document), "very, \"very\" good");
    EXPECT_EQ(error_of([&] { XPath::compile("f:code('grades', 'A', 'gone')", kF, lists)->string(document); }).code(),
              "FUN-031");
    const Error missing = error_of([&] { XPath::compile("f:need-code('grades', 'SECRET')", kF, lists)->string(document); });
    EXPECT_EQ(missing.code(), "FUN-032");
    EXPECT_EQ(missing.fault(), Fault::kPoison);
    EXPECT_EQ(missing.why().find("SECRET"), std::string::npos);
}

TEST_F(CodeFiles, KeyedHashesAskForTheSecretByName) {
    int asked = 0;
    const CodeLists::Secret secret = [&asked](std::string_view name) {
        ++asked;
        if (name != "salt") throw Error(Fault::kConfig, "CONF-034", "reading a secret", "there is none");
        return std::string("key");
    };
    const Document document = rows();
    for (const auto& lists : {CodeLists::none(secret), CodeLists::load(folder_, secret)}) {
        // RFC 2104 with SHA-256, the example that everybody has.
        EXPECT_EQ(XPath::compile("f:hmac('The quick brown fox jumps over the lazy dog', 'salt')", kF, lists)->string(document),
                  "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
        const Error none = error_of([&] { XPath::compile("f:hmac('x', 'other')", kF, lists)->string(document); });
        EXPECT_EQ(none.code(), "CONF-034");
        EXPECT_EQ(none.fault(), Fault::kConfig) << "the route pauses: it is not the message's fault";
    }
    EXPECT_EQ(asked, 4);
    EXPECT_EQ(error_of([&] { XPath::compile("f:hmac('x', 'salt')", kF)->string(document); }).code(), "FUN-050");
    EXPECT_EQ(error_of([&] { XPath::compile("f:hmac('x', 'salt')", kF, CodeLists::load(folder_))->string(document); }).code(),
              "FUN-050");
}

TEST(XPath, KnowsThePropertiesOfTheConfiguration) {
    const auto constants = std::make_shared<const XPath::Variables>(XPath::Variables{{"property-campus", "North"}});
    const Document document = rows();
    EXPECT_EQ(XPath::compile("concat($property-campus, $who)", kF, nullptr, constants)->string(document, {{"who", "!"}}),
              "North!");
    EXPECT_EQ(XPath::compile("$property-campus", kF, nullptr, constants)->string(document, {{"property-campus", "header"}}),
              "North")
        << "a header does not take its place";
    EXPECT_EQ(XPath::compile("'$property-none'", kF, nullptr, constants)->string(document), "$property-none");
    const Error gone = error_of([&] { XPath::compile("1 + $property-none", kF, nullptr, constants); });
    EXPECT_EQ(gone.code(), "XPATH-002");
    EXPECT_EQ(gone.where().column, 5u);
    EXPECT_EQ(error_of([&] { XPath::compile("$property-campus"); }).code(), "XPATH-002");
}

TEST(XPath, IsSharedByThreads) {
    const auto xpath = XPath::compile("f:trim(row[@n = $n]/state)", kF);
    std::atomic<int> right{0};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                const Document document = rows();
                for (int i = 0; i < 500; ++i) right += xpath->string(document, {{"n", "1"}}) == "Y";
            });
        }
    }
    EXPECT_EQ(right, 2000);
}

}  // namespace
}  // namespace clrbus
