#include "xml/parser.hpp"

#include <gmock/gmock.h>

#include "xml/test_support.hpp"

namespace clrbus {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace xml_test;

class Parser : public ::testing::Test {
protected:
    static void SetUpTestSuite() { schemas_ = Schemas::load({testdata("record.xsd"), testdata("job.xsd")}); }
    static void TearDownTestSuite() { schemas_.reset(); }

    const std::string good_ = slurp(testdata("good-record.xml"));
    XmlParser parser_{schemas_};
    static std::shared_ptr<const Schemas> schemas_;

    std::string code(const std::string& bytes) {
        return error_of([&] { parser_.parse(bytes, "f.xml"); }).code();
    }
    // The first violation of a document that must be refused.
    Violation refused(const std::string& bytes) {
        try {
            parser_.parse(bytes, "f.xml");
        } catch (const ValidationError& e) {
            EXPECT_EQ(e.code(), e.violations().front().code);
            return e.violations().front();
        } catch (const Error& e) {
            ADD_FAILURE() << "not a ValidationError: " << e.what();
            return {};
        }
        ADD_FAILURE() << "accepted: " << bytes;
        return {};
    }
};
std::shared_ptr<const Schemas> Parser::schemas_;

TEST_F(Parser, RefusesWhatIsNotXml) {
    EXPECT_EQ(code(""), "XML-010");
    EXPECT_EQ(code("  \n "), "XML-001");
    EXPECT_EQ(code("{\"a\": 1}"), "XML-001");
    EXPECT_EQ(code("<a>"), "XML-011");
    EXPECT_THAT(code("<a"), AnyOf("XML-001", "XML-011"));
    EXPECT_EQ(error_of([] { XmlParser().parse("<a><b></a>"); }).code(), "XML-001");
    EXPECT_EQ(error_of([] { XmlParser().parse("<a/><b/>"); }).code(), "XML-001");
    EXPECT_EQ(error_of([] { XmlParser().parse("<a b='1' b='2'/>"); }).code(), "XML-001");
    EXPECT_EQ(error_of([] { XmlParser().parse("<a>&undefined;</a>"); }).code(), "XML-005");
    EXPECT_EQ(error_of([] { XmlParser().parse("<p:a/>"); }).code(), "XML-001");
    EXPECT_EQ(error_of([] { XmlParser().parse("<a>\x01</a>"); }).code(), "XML-001");
    EXPECT_EQ(error_of([] { XmlParser().parse("<a>&#0;</a>"); }).code(), "XML-001");
}

TEST_F(Parser, NamesThePlaceOfWhatIsNotWellFormed) {
    const Error error = error_of([] { XmlParser().parse("<a>\n <b>\n  <c x=1/>\n </b>\n</a>", "in.xml"); });
    EXPECT_EQ(error.where().file, "in.xml");
    EXPECT_EQ(error.where().line, 3u);
    EXPECT_EQ(error.where().path, "/a/b");
    EXPECT_THAT(error.what(), HasSubstr("in.xml:3:"));
}

TEST_F(Parser, RefusesABadByteAtItsTrueOffset) {
    std::string bytes = good_;
    const std::size_t at = bytes.find("PHIL");
    bytes[at] = '\xE9';
    const Error error = error_of([&] { parser_.parse(bytes, "f.xml"); });
    EXPECT_EQ(error.code(), "XML-002");
    EXPECT_EQ(error.where().offset, static_cast<std::int64_t>(at));
    EXPECT_EQ(error.where().line, 13u);
    EXPECT_EQ(error.where().column, 13u);
    const Error cut = error_of([&] { XmlParser().parse("<a>\xC3", "f.xml"); });
    EXPECT_EQ(cut.code(), "XML-002");
    EXPECT_THAT(cut.why(), HasSubstr("ends inside a character"));
}

TEST_F(Parser, RefusesBrokenUtf16) {
    std::string bytes = to_utf16_bytes("<a>\nx</a>", false, true);
    bytes[10] = '\0';
    bytes[11] = '\xD8';  // half a pair in place of x
    const Error half = error_of([&] { XmlParser().parse(bytes); });
    EXPECT_EQ(half.code(), "XML-002");
    EXPECT_EQ(half.where().offset, 10);
    EXPECT_EQ(half.where().line, 2u);
    EXPECT_EQ(error_of([&] { XmlParser().parse(to_utf16_bytes("<a/>", false, true) + "x"); }).code(), "XML-002");
}

TEST_F(Parser, RefusesEncodingsThatItDoesNotKnow) {
    EXPECT_EQ(code("<?xml version='1.0' encoding='EBCDIC-CP-US'?><a/>"), "XML-003");
    EXPECT_EQ(code(std::string("\xFF\xFE\0\0<\0\0\0", 8)), "XML-003");
}

TEST_F(Parser, RefusesEveryDoctypeWithItsLine) {
    for (const char* doctype :
         {"<!DOCTYPE a>", "<!DOCTYPE a [<!ENTITY x 'y'>]>", "<!DOCTYPE a SYSTEM 'http://example.org/a.dtd'>"}) {
        for (XmlParser* parser : {&parser_}) {
            const Error error =
                error_of([&] { parser->parse(std::string("<?xml version='1.0'?>\n<!-- c -->\n") + doctype + "<a/>"); });
            EXPECT_EQ(error.code(), "XML-004") << doctype;
            EXPECT_EQ(error.where().line, 3u);
        }
        EXPECT_EQ(error_of([&] { XmlParser().parse(std::string(doctype) + "<a/>"); }).code(), "XML-004");
        EXPECT_EQ(error_of([&] { XmlParser().parse(to_utf16_bytes(std::string(doctype) + "<a/>", true, true)); }).code(),
                  "XML-004");
    }
}

TEST_F(Parser, KeepsItsLimits) {
    XmlParser small(nullptr, XmlLimits{.bytes = 1000, .depth = 4, .attributes = 3, .text = 20, .nodes = 12});
    const auto refused_by = [&](const std::string& bytes) { return error_of([&] { small.parse(bytes, "f"); }); };
    EXPECT_EQ(refused_by(std::string(1001, ' ')).code(), "XML-020");
    const Error deep = refused_by("<a>\n<b>\n<c>\n<d>\n<e/></d></c></b></a>");
    EXPECT_EQ(deep.code(), "XML-022");
    EXPECT_EQ(deep.where().line, 5u);
    EXPECT_EQ(deep.where().path, "/a/b/c/d");
    EXPECT_EQ(refused_by("<a a='1' b='2' c='3' d='4'/>").code(), "XML-023");
    EXPECT_EQ(refused_by("<a xmlns:a='1' xmlns:b='2' xmlns:c='3' xmlns:d='4'/>").code(), "XML-023");
    EXPECT_EQ(refused_by("<a>" + std::string(21, 'x') + "</a>").code(), "XML-024");
    EXPECT_EQ(refused_by("<a>0123456789<!-- -->0123456789<![CDATA[x]]></a>").code(), "XML-024");
    EXPECT_EQ(refused_by("<a b='" + std::string(21, 'x') + "'/>").code(), "XML-024");
    EXPECT_EQ(refused_by("<a><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/></a>").code(), "XML-025");
    EXPECT_EQ(small.parse("<a><b><c>ok</c></b></a>").root().text(), "ok");
}

TEST_F(Parser, RefusesARootThatNoSchemaKnows) {
    const Violation v = refused("<x:Other xmlns:x='urn:other'/>");
    EXPECT_EQ(v.code, "XSD-001");
    EXPECT_THAT(v.what, HasSubstr("'Other' of namespace 'urn:other'"));
    EXPECT_THAT(v.expected, HasSubstr("urn:test:record"));
    EXPECT_THAT(v.expected, HasSubstr("no namespace"));
    EXPECT_EQ(v.where.path, "/Other");
    const Violation wrong = refused("<r:Other xmlns:r='urn:test:record'/>");
    EXPECT_EQ(wrong.code, "XSD-001");
    EXPECT_THAT(wrong.expected, HasSubstr("Record"));
    EXPECT_THAT(refused("<employee/>").expected, HasSubstr("job"));
}

TEST_F(Parser, PointsAtTheWrongChildAndSaysWhatWasExpected) {
    const Violation v = refused(replaced(good_, "<Credit>3.50</Credit>", "<Credits>3.50</Credits>"));
    EXPECT_EQ(v.code, "XSD-003");
    EXPECT_EQ(v.where.line, 7u);
    EXPECT_EQ(v.where.path, "/Record/Course[1]/Credits");
    EXPECT_EQ(v.what, "element 'Credits' is not allowed here");
    EXPECT_THAT(v.expected, HasSubstr("one of Credit, Grade, Begin"));
    const Violation missing = refused(replaced(good_, "    <Number>PHIL200</Number>\n", ""));
    EXPECT_EQ(missing.where.path, "/Record/Course[2]/Note[1]");
    EXPECT_EQ(missing.expected, "Number");
    const Violation early = refused("<r:Record xmlns:r='urn:test:record'>\n<Name>x</Name>\n</r:Record>");
    EXPECT_EQ(early.code, "XSD-002");
    EXPECT_EQ(early.where.path, "/Record");
    EXPECT_EQ(early.expected, "Course");
}

TEST_F(Parser, NamesTheKindOfEachViolationAndNoValue) {
    struct Case {
        const char *from, *to, *code, *path, *expected;
    };
    const Case cases[] = {
        {"<Grade>A</Grade>", "<Grade>SECRET</Grade>", "XSD-004", "/Record/Course[1]/Grade", "one of 'A', 'B', 'C'"},
        {"3.50", "SECRET", "XSD-004", "/Record/Course[1]/Credit", "the type that the schema gives it"},
        {"3.50", "99", "XSD-004", "/Record/Course[1]/Credit", "at most 60"},
        {"3.50", "-1", "XSD-004", "/Record/Course[1]/Credit", "at least 0"},
        {"3.50", "3.501", "XSD-004", "/Record/Course[1]/Credit", "2 digits"},
        {" MATH101 ", "SECRET", "XSD-004", "/Record/Course[1]/Number", "[A-Z]{2,4}[0-9]{3}"},
        {"2024-09-01", "SECRET", "XSD-004", "/Record/Course[1]/Begin", "xs:date"},
        {"2024-09-01", "2024-02-30", "XSD-004", "/Record/Course[1]/Begin", "xs:date"},
        {"Algebra &amp; more", "SECRETSECRETSECRETSECRET", "XSD-004", "/Record/Course[1]/Title", "20"},
        {"status=\"draft\"", "status=\"SECRET\"", "XSD-004", "/Record/Course[2]/@status", "'final', 'draft'"},
        {"status=\"draft\"", "state=\"SECRET\"", "XSD-005", "/Record/Course[2]", ""},
        {" id=\"c1\"", "", "XSD-006", "/Record/Course[1]", ""},
        {"id=\"c2\"", "id=\"c1\"", "XSD-008", "/Record/Course[2]", "one-course-per-id"},
        {"<Course id=\"c1\">", "<Course id=\"c1\">SECRET", "XSD-007", "/Record/Course[1]", ""},
        {"<Email>x@example.org</Email>", "<Phone>SECRET</Phone>", "XSD-004", "/Record/Phone", "integer"},
        {"<b>and</b>", "<i>SECRET</i>", "XSD-003", "/Record/Comment/i", "b"},
        {"<e:any xmlns:e=\"urn:test:other\" e:k=\"v\"><e:thing/></e:any>", "<any/>", "XSD-003", "/Record/Extension/any", ""},
        {"<Grade>A</Grade>", "<Grade>A<x/></Grade>", "XSD-003", "/Record/Course[1]/Grade", ""},
    };
    for (const Case& c : cases) {
        const Violation v = refused(replaced(good_, c.from, c.to));
        EXPECT_EQ(v.code, c.code) << c.to << ": " << v.what;
        EXPECT_EQ(v.where.path, c.path) << c.to;
        EXPECT_THAT(v.expected, HasSubstr(c.expected)) << c.to;
        EXPECT_THAT(v.what + v.expected, Not(HasSubstr("SECRET"))) << c.to;
        EXPECT_GT(v.where.line, 0u) << c.to;
        EXPECT_NO_THROW(parser_.parse(good_)) << c.to;
    }
}

TEST_F(Parser, ReportsAllViolationsButNotMoreThanFifty) {
    std::string bytes = "<r:Record xmlns:r='urn:test:record'>\n<Name>x</Name>\n";
    for (int i = 0; i < 5000; ++i)
        bytes += "<Course id='c" + std::to_string(i) + "'><Title>t</Title><Number>bad</Number></Course>\n";
    bytes += "</r:Record>";
    try {
        parser_.parse(bytes, "f.xml");
        FAIL() << "accepted";
    } catch (const ValidationError& e) {
        EXPECT_EQ(e.violations().size(), 50u);
        EXPECT_EQ(e.violations()[49].where.line, 52u);
        EXPECT_EQ(e.where().line, 3u);
        EXPECT_EQ(e.where().file, "f.xml");
    }
}

TEST_F(Parser, DoesNotFollowASchemaHint) {
    std::string bytes = replaced(good_, "xmlns:r=",
                                 "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' "
                                 "xsi:schemaLocation='urn:test:record http://127.0.0.1:9/none.xsd' xmlns:r=");
    EXPECT_NO_THROW(parser_.parse(bytes));
    const Violation v = refused(replaced(bytes, "3.50", "x"));
    EXPECT_EQ(v.code, "XSD-004");
    EXPECT_NO_THROW(parser_.parse(replaced(bytes, "urn:test:record http://127.0.0.1:9/none.xsd", "no-pair.xsd")));
    EXPECT_EQ(error_of([&] {
                  parser_.parse(
                      "<o:x xmlns:o='urn:o' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='urn:o " +
                      testdata("record.xsd").string() + "'/>");
              }).code(),
              "XSD-001");
}

TEST_F(Parser, BuildsTheTreeThatWasValidated) {
    const Document document = parser_.parse(good_, "f.xml");
    const Node root = document.root();
    EXPECT_EQ(root.name(), "Record");
    EXPECT_EQ(root.namespace_uri(), "urn:test:record");
    EXPECT_EQ(root.child("Name").namespace_uri(), "");
    EXPECT_EQ(root.child_text("Name"), "Zo\xC3\xAB \xC3\x85ngstr\xC3\xB6m");
    const std::vector<Node> courses = root.children("Course");
    ASSERT_EQ(courses.size(), 2u);
    EXPECT_EQ(courses[0].child_text("Title"), "Algebra & more");
    EXPECT_EQ(courses[0].child_text("Number"), "MATH101");  // white space as the type says
    EXPECT_EQ(courses[0].attribute("status"), "final");     // the schema's default
    EXPECT_EQ(courses[1].child_text("Title"), "<Logic>");
    EXPECT_EQ(courses[1].line(), 11u);
    EXPECT_EQ(courses[1].children("Note")[1].text(), "second part");
    EXPECT_EQ(root.child_text("Comment"), "good and kind");  // mixed content keeps its white space
    EXPECT_EQ(root.child("Extension").first_child().namespace_uri(), "urn:test:other");
    EXPECT_THAT(document.write(), HasSubstr("<r:Record xmlns:r=\"urn:test:record\"><Name>Zo"));  // none between elements
    EXPECT_THAT(document.write(), HasSubstr("<e:any xmlns:e=\"urn:test:other\" e:k=\"v\"><e:thing/></e:any>"));
}

TEST_F(Parser, WithoutSchemasReadsWhatIsWellFormed) {
    XmlParser parser;
    EXPECT_EQ(parser.parse("<a xml:lang='en'> <b/> </a>").write(), "<a xml:lang=\"en\"> <b/> </a>");
    EXPECT_EQ(parser.parse("<a xmlns='urn:x'><b xmlns=''/></a>").write(), "<a xmlns=\"urn:x\"><b xmlns=\"\"/></a>");
    EXPECT_EQ(parser.parse("<a>&lt;&#x1F600;&amp;</a>").root().text(), "<\xF0\x9F\x98\x80&");
}

TEST_F(Parser, ReadsEveryEncodingThatItKnows) {
    for (const bool big : {false, true}) {
        for (const bool mark : {false, true}) {
            const std::string body = "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\n<job><title>t</title><hours>7</hours></job>";
            EXPECT_EQ(parser_.parse(to_utf16_bytes(body, big, mark)).root().child_text("hours"), "7") << big << mark;
        }
    }
    EXPECT_EQ(XmlParser().parse("\xEF\xBB\xBF<a>\xC3\xA9</a>").root().text(), "\xC3\xA9");
    EXPECT_EQ(XmlParser().parse("<?xml version='1.0' encoding='UTF-16'?><a>\xC3\xA9</a>").root().text(), "\xC3\xA9");
    EXPECT_EQ(XmlParser().parse("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xE9</a>").root().text(), "\xC3\xA9");
    EXPECT_EQ(XmlParser().parse("<?xml version='1.0' encoding='windows-1252'?><a>\x80</a>").root().text(), "\xE2\x82\xAC");
}

TEST_F(Parser, KeepsLinesBeyondSixteenBits) {
    const Document document = XmlParser().parse("<a>" + std::string(70'000, '\n') + "<b/></a>");
    EXPECT_EQ(document.root().child("b").line(), 70'001u);
    const Violation v = refused("<job>" + std::string(70'000, '\n') + "<wrong/></job>");
    EXPECT_EQ(v.where.line, 70'001u);
}

TEST_F(Parser, KeepsLongTextsWholeWhereBuffersEnd) {
    std::string text;
    while (text.size() < 3'000'000) text += "x\xF0\x9F\x98\x80\xC3\xA9";
    EXPECT_EQ(XmlParser().parse("<a>" + text + "</a>").root().text(), text);
    EXPECT_EQ(XmlParser().parse("<a b='" + text + "'/>").root().attribute("b"), text);
}

TEST_F(Parser, CountsNoHonestReferenceAsABomb) {
    std::string title = "<job><title>";
    for (int i = 0; i < 200'000; ++i) title += "&amp;";
    EXPECT_EQ(parser_.parse(title + "</title><hours>1</hours></job>").root().child_text("title").size(), 200'000u);
}

TEST_F(Parser, ChoosesTheSchemaByTheRootEachTime) {
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(parser_.parse(good_).root().name(), "Record");
        EXPECT_EQ(parser_.parse("<job><title>t</title><hours>1</hours></job>").root().name(), "job");
        EXPECT_EQ(refused("<job><title>t</title><hours>-1</hours></job>").where.path, "/job/hours");
    }
}

TEST_F(Parser, MovesAsAValue) {
    XmlParser other = std::move(parser_);
    EXPECT_NO_THROW(other.parse(good_));
}

}  // namespace
}  // namespace clrbus
