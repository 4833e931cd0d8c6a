// The quick judge against libxml2: what it calls valid is valid, and the trees of the shipped systems are judged by it.
#include "xml/detail/quick_judge.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "xml/detail/judge.hpp"
#include "xml/detail/schema_unit.hpp"
#include "xml/parser.hpp"
#include "xml/schemas.hpp"
#include "xml/test_support.hpp"

namespace clrbus {
namespace {

using namespace xml_test;

struct Judged {
    bool quick = false, whole = false;
};

const xml_detail::SchemaUnit& unit_of(const Schemas& schemas, const Document& document) {
    return *schemas.impl().find(document.root().namespace_uri());
}

Judged judged(const Schemas& schemas, const Document& document) {
    const xml_detail::SchemaUnit& unit = unit_of(schemas, document);
    auto* tree = static_cast<_xmlDoc*>(document.raw());
    return {unit.quick() != nullptr && unit.quick()->holds(tree), xml_detail::judge_tree(unit, tree, {}).empty()};
}

std::string with_schema(const std::string& body, const std::string& attributes = "elementFormDefault='qualified'") {
    return "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' " + attributes + ">" + body + "</xs:schema>";
}

class QuickJudgeFiles : public ::testing::Test {
protected:
    QuickJudgeFiles() { std::filesystem::create_directories(folder_); }
    ~QuickJudgeFiles() override { std::filesystem::remove_all(folder_); }
    std::shared_ptr<const Schemas> schemas(const std::string& text) {
        const auto file = folder_ / ("s" + std::to_string(++files_) + ".xsd");
        std::ofstream(file) << text;
        return Schemas::load({file});
    }
    // What the quick judge says; fails where it calls valid what libxml2 refuses.
    static bool quick(const std::shared_ptr<const Schemas>& schemas, const std::string& xml) {
        const Judged both = judged(*schemas, XmlParser().parse(xml));
        EXPECT_FALSE(both.quick && !both.whole) << xml;
        return both.quick;
    }
    int files_ = 0;
    const std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() /
        ("clrbus-quick-" + std::to_string(::getpid()) + "-" + ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(QuickJudgeFiles, KnowsNothingOfWhatItDoesNotRead) {
    const std::vector<std::string> bodies{
        "<xs:element name='a'><xs:complexType mixed='true'/></xs:element>",
        "<xs:element name='a'><xs:complexType><xs:choice><xs:element name='b'/></xs:choice></xs:complexType></xs:element>",
        "<xs:element name='a' type='xs:string' nillable='true'/>",
        "<xs:element name='a' type='xs:string' fixed='x'/>",
        "<xs:element name='a'><xs:complexType><xs:anyAttribute/></xs:complexType></xs:element>",
        "<xs:element name='a'><xs:simpleType><xs:restriction base='xs:int'><xs:maxInclusive value='5'/>"  // NOLINT(bugprone-suspicious-missing-comma)
        "</xs:restriction></xs:simpleType></xs:element>",
        "<xs:element name='a'><xs:simpleType><xs:list itemType='xs:token'/></xs:simpleType></xs:element>",
    };
    for (const std::string& body : bodies) EXPECT_FALSE(quick(schemas(with_schema(body)), "<a/>")) << body;
    const auto unqualified = schemas(
        with_schema("<xs:element name='a'><xs:complexType><xs:sequence><xs:element name='b' type='xs:string'/></xs:sequence>"
                    "</xs:complexType></xs:element>",
                    "targetNamespace='urn:x'"));
    EXPECT_FALSE(quick(unqualified, "<x:a xmlns:x='urn:x'><b/></x:a>"));
}

TEST_F(QuickJudgeFiles, CountsChildrenAndAttributes) {
    const auto all = schemas(with_schema(
        "<xs:element name='a'><xs:complexType><xs:sequence><xs:element name='b' type='xs:string' minOccurs='2' maxOccurs='3'/>"
        "<xs:element name='c' type='xs:token' minOccurs='0'/></xs:sequence><xs:attribute name='k' type='xs:token' "
        "use='required'/><xs:attribute name='n' type='xs:decimal'/></xs:complexType></xs:element>"));
    EXPECT_TRUE(quick(all, "<a k='1'><b/><b>x</b></a>"));
    EXPECT_TRUE(quick(all, "<a k='1' n='-3.50'>\n <b/><!-- c --><b/><b/> <c>x y</c>\n</a>"));
    for (const char* wrong :
         {"<a><b/><b/></a>", "<a k='1'/>", "<a k='1'><b/></a>", "<a k='1'><b/><b/><b/><b/></a>", "<a k='1'><c/><b/><b/></a>",
          "<a k='1'><b/><b/><c/><c/></a>", "<a k='1'><b/>x<b/></a>", "<a k='1'><b/><b/>x</a>", "<a k='1'>x<b/><b/></a>",
          "<a k='1' n='x'><b/><b/></a>", "<a k='1' n=''><b/><b/></a>", "<a k='1' m='1'><b/><b/></a>",
          "<a k='1'><b><c/></b><b/></a>", "<a k='1'><b m='1'/><b/></a>", "<a k='1'><b/><b xmlns='urn:x'/></a>",
          "<a k='1'><b/><b/><d/></a>"}) {
        EXPECT_FALSE(quick(all, wrong)) << wrong;
    }
}

TEST_F(QuickJudgeFiles, ReadsPlainValues) {
    struct Case {
        const char* type;
        std::vector<const char*> good, bad;
    };
    const std::vector<Case> cases{
        {"xs:date", {"2024-02-28", "2024-02-29", "0001-01-01"}, {"2023-02-29", "2024-13-01", "2024-1-1", "0000-01-01", ""}},
        {"xs:dateTime",
         {"2024-01-02T03:04:05Z", "2024-01-02T03:04:05.123-11:30", "2024-01-02T03:04:05"},
         {"2024-01-02", "2024-01-02T25:00:00Z", "2024-01-02T03:04:05+15:00", "2024-01-02T03:04:05.Z", "2024-01-02T03:60:05Z"}},
        {"xs:gYear", {"2024"}, {"24", "0000", "year"}},
        {"xs:gYearMonth", {"2024-05"}, {"2024-13", "2024"}},
        {"xs:decimal", {"0", "-1.5", "+2.0", "123456789012345678"}, {"", ".", "1e3", "1,5", "-", "--1"}},
        {"xs:boolean", {"true", "false", "0", "1"}, {"TRUE", "yes", ""}},
        {"xs:unsignedLong", {"0", "18446744073709551615"}, {"-1", "18446744073709551616", "1.0", ""}},
        {"xs:integer", {"-5", "12"}, {"1.0", "x"}},
        {"xs:anyURI", {"https://a.example/b?c=d#e", "urn:x:y", ""}, {"http://[x", "%zz", ":"}},
        {"xs:language", {"en", "de-CH"}, {"", "e n", "1"}},
    };
    for (const Case& one : cases) {
        const auto all = schemas(with_schema("<xs:element name='a' type='" + std::string(one.type) + "'/>"));
        for (const char* value : one.good) EXPECT_TRUE(quick(all, "<a>" + std::string(value) + "</a>")) << one.type << value;
        for (const char* value : one.bad) EXPECT_FALSE(quick(all, "<a>" + std::string(value) + "</a>")) << one.type << value;
    }
}

TEST_F(QuickJudgeFiles, KeepsFacetsOfEveryLevelAndRulesOnKeys) {
    const auto all = schemas(with_schema(
        "<xs:element name='a'><xs:complexType><xs:sequence><xs:element name='b' maxOccurs='9'><xs:complexType>"
        "<xs:attribute name='k' type='N' use='required'/></xs:complexType></xs:element></xs:sequence></xs:complexType>"
        "<xs:unique name='u'><xs:selector xpath='b'/><xs:field xpath='@k'/></xs:unique></xs:element>"
        "<xs:simpleType name='N'><xs:restriction base='M'><xs:pattern value='[a-z]+'/><xs:pattern value='é+'/></xs:restriction>"
        "</xs:simpleType><xs:simpleType name='M'><xs:restriction base='xs:token'><xs:minLength value='2'/>"
        "<xs:maxLength value='3'/></xs:restriction></xs:simpleType>"));
    EXPECT_TRUE(quick(all, "<a><b k='ab'/><b k='abc'/><b k='éé'/></a>"));
    EXPECT_FALSE(quick(all, "<a><b k='ab'/><b k='ab'/></a>"));
    for (const char* value : {"a", "abcd", "a1", "é", "éééé", " ab", ""}) {
        EXPECT_FALSE(quick(all, "<a><b k='" + std::string(value) + "'/></a>")) << value;
    }
}

std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder, const std::string& extension) {
    std::vector<std::filesystem::path> out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.path().extension() == extension) out.push_back(entry.path());
    }
    std::sort(out.begin(), out.end());
    return out;
}

TEST(QuickJudge, JudgesEveryExampleOfTheCanonicalMessage) {
    const std::filesystem::path source(CLRBUS_SOURCE_DIR);
    const auto schemas = Schemas::load({source / "xsd/learner-record.xsd"});
    std::size_t valid = 0;
    for (const auto& file : files_below(source / "xsd/examples", ".xml")) {
        const Document document = XmlParser().parse(slurp(file));
        if (!schemas->knows(document.root().namespace_uri())) continue;
        const Judged both = judged(*schemas, document);
        EXPECT_EQ(both.quick, both.whole) << file;
        if (both.quick) ++valid;
    }
    EXPECT_GE(valid, 16u);
}

// One thing of a tree, changed at random: a value, a name, a place, or whether it is there.
std::string changed(std::string text, std::mt19937& random) {
    const auto pick = [&](std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most - 1)(random); };
    static const std::vector<std::string> kValues{"",
                                                  " ",
                                                  "x",
                                                  "true",
                                                  "2024-02-30",
                                                  "2024-01-01",
                                                  "1.5",
                                                  "-1",
                                                  "a  b",
                                                  "é",
                                                  std::string(400, 'k'),
                                                  "Course",
                                                  "2024-13",
                                                  "http://x",
                                                  "2024-01-01T00:00:00Z",
                                                  "\t",
                                                  "99999999999999999999",
                                                  "all",
                                                  "statement"};
    switch (pick(5)) {
        case 0: {  // the value of an attribute
            const std::size_t from = text.find("=\"", pick(text.size()));
            if (from == std::string::npos) return text;
            return text.replace(from + 2, text.find('"', from + 2) - from - 2, kValues[pick(kValues.size())]);
        }
        case 1: {  // a whole attribute
            const std::size_t from = text.find(' ', pick(text.size()));
            const std::size_t mark = from == std::string::npos ? from : text.find("=\"", from);
            if (mark == std::string::npos || text.find_first_of("<>", from) < mark) return text;
            return text.erase(from, text.find('"', mark + 2) + 1 - from);
        }
        case 2: {  // an element without children, gone or twice
            const std::size_t end = text.find("/>", pick(text.size()));
            const std::size_t from = end == std::string::npos ? end : text.rfind('<', end);
            if (from == std::string::npos || from == 0) return text;
            const std::string element = text.substr(from, end + 2 - from);
            return pick(2) == 0 ? text.erase(from, element.size()) : text.insert(from, element);
        }
        case 3: {  // text
            const std::size_t from = text.find('>', pick(text.size()));
            if (from == std::string::npos || from + 1 == text.size()) return text;
            return text.insert(from + 1, kValues[pick(kValues.size())]);
        }
        default: {  // a name
            const std::size_t from = text.find('<', pick(text.size()));
            if (from == std::string::npos || text[from + 1] == '/') return text;
            return text.insert(from + 1, "x");
        }
    }
}

class QuickJudgeMutations : public ::testing::Test {
protected:
    void judge(const std::shared_ptr<const Schemas>& schemas, const std::string& text, int rounds) {
        for (int round = 0; round < rounds; ++round) {
            std::string other = text;
            for (int times = 0; times <= round % 3; ++times) other = changed(other, random_);
            Document document;
            try {
                document = XmlParser().parse(other);
            } catch (const Error&) {
                continue;  // no XML any more
            }
            if (!schemas->knows(document.root().namespace_uri())) continue;
            const Judged both = judged(*schemas, document);
            ASSERT_FALSE(both.quick && !both.whole) << other;
            if (both.quick) ++quick_;
            if (!both.whole) ++refused_;
            if (both.whole && !both.quick) ++not_known_;
        }
    }
    std::mt19937 random_{20260101};
    std::size_t quick_ = 0, refused_ = 0, not_known_ = 0;
};

TEST_F(QuickJudgeMutations, NeverValidWhereLibxml2RefusesACanonicalMessage) {
    const std::filesystem::path source(CLRBUS_SOURCE_DIR);
    const auto schemas = Schemas::load({source / "xsd/learner-record.xsd"});
    for (const auto& file : files_below(source / "xsd/examples", ".xml"))
        judge(schemas, XmlParser().parse(slurp(file)).write(), 150);
    EXPECT_GT(quick_, 200u);
    EXPECT_GT(refused_, 500u);
    EXPECT_LT(not_known_, quick_);
}

TEST_F(QuickJudgeMutations, NeverValidWhereLibxml2RefusesAnOpenTree) {
    const std::filesystem::path source(CLRBUS_SOURCE_DIR);
    const auto schemas = Schemas::load({source / "xsd/canvas/live-event.xsd"});
    judge(
        schemas,
        "<json><metadata><event_name>grade_change</event_name><event_time>2024-05-01T10:00:00.000Z</event_time><other a=\"b\"/>"
        "<root_account_id type=\"number\">12</root_account_id><hostname>a.example.edu</hostname></metadata><body><score "
        "type=\"number\">9.5</score><unknown><user_id>77</user_id><deep><points_possible>10</points_possible></deep></unknown>"
        "<grading_complete type=\"boolean\">true</grading_complete><student_sis_id type=\"null\"/></body><iss/></json>",
        4000);
    EXPECT_GT(quick_, 200u);
    EXPECT_GT(refused_, 500u);
    EXPECT_LT(not_known_, quick_);
}

TEST_F(QuickJudgeMutations, NeverValidWhereLibxml2RefusesInSeveralFilesTogether) {
    const std::filesystem::path source(CLRBUS_SOURCE_DIR);
    const auto schemas = Schemas::load({source / "xsd/canvas/live-event.xsd", source / "xsd/learner-record.xsd"});
    const std::string person = XmlParser().parse(slurp(source / "xsd/examples/person.xml")).write();
    judge(schemas,
          "<json><metadata><event_name>a</event_name><event_time>2024-05-01T10:00:00Z</event_time></metadata><body>" + person +
              "</body></json>",
          2000);
    EXPECT_GT(refused_, 200u);
}

}  // namespace
}  // namespace clrbus
