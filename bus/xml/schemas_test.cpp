#include "xml/schemas.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <thread>

#include "xml/parser.hpp"
#include "xml/test_support.hpp"

namespace clrbus {
namespace {

using ::testing::HasSubstr;
using namespace xml_test;

class SchemaFiles : public ::testing::Test {
protected:
    SchemaFiles() { std::filesystem::create_directories(folder_); }
    ~SchemaFiles() override { std::filesystem::remove_all(folder_); }
    std::filesystem::path file(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name) << text;
        return folder_ / name;
    }
    static std::string schema(const std::string& body, const std::string& attributes = {}) {
        return "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' " + attributes + ">\n" + body + "</xs:schema>";
    }
    Error refused(const std::filesystem::path& file) {
        const Error error = error_of([&] { Schemas::load({file}); });
        EXPECT_EQ(error.fault(), Fault::kConfig);
        return error;
    }
    const std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() /
        ("clrbus-xml-" + std::to_string(::getpid()) + "-" + ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(SchemaFiles, RefusesWhatIsNoSchemaWithFileAndLine) {
    EXPECT_EQ(refused(folder_ / "none.xsd").code(), "XSD-050");
    EXPECT_EQ(refused(folder_).code(), "XSD-050");
    const Error broken = refused(file("a.xsd", "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>\n\n<oops"));
    EXPECT_EQ(broken.code(), "XSD-051");
    EXPECT_EQ(broken.where().line, 3u);
    EXPECT_EQ(refused(file("b.xsd", "<other/>")).code(), "XSD-051");
    EXPECT_EQ(refused(file("c.xsd", "<!DOCTYPE a><a/>")).code(), "XSD-051");
    const Error wrong = refused(file("d.xsd", schema("<xs:element name='a' type='xs:strong'/>\n")));
    EXPECT_EQ(wrong.code(), "XSD-054");
    EXPECT_EQ(wrong.where().line, 2u);
    EXPECT_THAT(wrong.where().file, HasSubstr("d.xsd"));
}

TEST_F(SchemaFiles, RefusesImportsThatAreNotThereOrOnTheNetwork) {
    const Error gone = refused(file("a.xsd", schema("<xs:include schemaLocation='gone.xsd'/>\n")));
    EXPECT_EQ(gone.code(), "XSD-052");
    EXPECT_EQ(gone.where().line, 2u);
    const Error far =
        refused(file("b.xsd", schema("<xs:import namespace='urn:x' schemaLocation='http://127.0.0.1:9/x.xsd'/>\n")));
    EXPECT_EQ(far.code(), "XSD-052");
    EXPECT_THAT(far.expected(), HasSubstr("copy"));
}

TEST_F(SchemaFiles, RefusesTwoFilesOfOneNamespace) {
    const auto a = file("a.xsd", schema("<xs:element name='a'/>\n"));
    const auto b = file("b.xsd", schema("<xs:element name='b'/>\n"));
    EXPECT_EQ(error_of([&] { Schemas::load({a, b}); }).code(), "XSD-056");
}

TEST_F(SchemaFiles, ListsEveryFileThatWasRead) {
    const auto schemas = Schemas::load({testdata("record.xsd"), testdata("job.xsd")});
    EXPECT_EQ(schemas->files().size(), 2u);
    ASSERT_EQ(schemas->all_files().size(), 3u);
    EXPECT_EQ(schemas->all_files()[1].filename(), "record-types.xsd");
    EXPECT_TRUE(schemas->knows("urn:test:record"));
    EXPECT_TRUE(schemas->knows(""));
    EXPECT_FALSE(schemas->knows("urn:test:types"));
}

TEST_F(SchemaFiles, ReadsIncludesThatTakeTheNamespaceOfTheirUser) {
    file("types file.xsd", schema("<xs:element name='a' type='T'/><xs:complexType name='T'><xs:sequence><xs:element name='n' "
                                  "type='xs:int'/></xs:sequence></xs:complexType>\n"));
    const auto root =
        file("root.xsd", schema("<xs:include schemaLocation='types%20file.xsd'/>\n", "targetNamespace='urn:c' xmlns='urn:c'"));
    XmlParser parser(Schemas::load({root}));
    EXPECT_NO_THROW(parser.parse("<c:a xmlns:c='urn:c'><n>1</n></c:a>"));
    EXPECT_EQ(error_of([&] { parser.parse("<c:a xmlns:c='urn:c'><n>x</n></c:a>"); }).code(), "XSD-004");
}

TEST_F(SchemaFiles, OneJudgesWhatStandsInAnother) {
    const auto outer = file(
        "outer.xsd", schema("<xs:element name='o'><xs:complexType><xs:sequence>"
                            "<xs:any namespace='##other' processContents='lax'/></xs:sequence></xs:complexType></xs:element>\n",
                            "targetNamespace='urn:outer'"));
    file("shared.xsd", schema("<xs:simpleType name='Port'><xs:restriction base='xs:int'><xs:maxInclusive "
                              "value='9'/></xs:restriction></xs:simpleType>\n",
                              "targetNamespace='urn:shared'"));
    const std::string import = "<xs:import namespace='urn:shared' schemaLocation='shared.xsd'/>";
    const auto a = file(
        "a & b.xsd", schema(import + "<xs:element name='e' type='s:Port'/>\n", "targetNamespace='urn:a' xmlns:s='urn:shared'"));
    const auto b = file(
        "b.xsd",
        schema(
            import +
                "<xs:element name='e'><xs:complexType><xs:attribute name='p' type='s:Port'/></xs:complexType></xs:element>\n",
            "targetNamespace='urn:b' xmlns:s='urn:shared'"));
    const auto none = file("none.xsd", schema("<xs:element name='e' type='xs:int'/>\n"));
    const auto schemas = Schemas::load({outer, a, b, none, folder_ / "shared.xsd"});
    XmlParser parser(schemas);
    const auto judged = [&](const std::string& bytes) {
        const std::string xerces = error_of([&] { parser.parse(bytes); }).code();
        const Document tree = XmlParser().parse(bytes);
        EXPECT_EQ(error_of([&] { schemas->validate(tree); }).code(), xerces) << bytes;
        return xerces;
    };
    EXPECT_EQ(judged("<o xmlns='urn:outer'><e xmlns='urn:a'>9</e></o>"), "nothing thrown");
    EXPECT_EQ(judged("<o xmlns='urn:outer'><e xmlns='urn:a'>10</e></o>"), "XSD-004");
    EXPECT_EQ(judged("<o xmlns='urn:outer'><e xmlns='urn:b' p='9'/></o>"), "nothing thrown");
    EXPECT_EQ(judged("<o xmlns='urn:outer'><e xmlns='urn:b' p='10'/></o>"), "XSD-004");
    EXPECT_EQ(judged("<o xmlns='urn:outer'><e xmlns='urn:unknown'>x</e></o>"), "nothing thrown");
    EXPECT_EQ(judged("<e>1</e>"), "nothing thrown");
    EXPECT_EQ(judged("<e>x</e>"), "XSD-004");
    EXPECT_EQ(judged("<e xmlns='urn:b' q='1'/>"), "XSD-005");
    EXPECT_EQ(schemas->all_files().size(), 5u);
}

TEST_F(SchemaFiles, TwoVersionsOfOneImportStayApart) {
    for (const std::string& version : std::initializer_list<std::string>{"1", "2"}) {
        file("t" + version + ".xsd", schema("<xs:simpleType name='T'><xs:restriction base='xs:int'><xs:maxInclusive value='" +
                                                version + "'/></xs:restriction></xs:simpleType>\n",
                                            "targetNamespace='urn:t'"));
        file("r" + version + ".xsd",
             schema("<xs:import namespace='urn:t' schemaLocation='t" + version + ".xsd'/><xs:element name='e' type='t:T'/>\n",
                    "xmlns:t='urn:t' targetNamespace='urn:r" + version + "'"));
    }
    XmlParser parser(Schemas::load({folder_ / "r1.xsd", folder_ / "r2.xsd"}));
    EXPECT_EQ(error_of([&] { parser.parse("<e xmlns='urn:r1'>2</e>"); }).code(), "XSD-004");
    EXPECT_NO_THROW(parser.parse("<e xmlns='urn:r2'>2</e>"));
    EXPECT_NO_THROW(parser.parse("<e xmlns='urn:r1'>1</e>"));
}

TEST_F(SchemaFiles, CompilesLargeOnesAtFirstUse) {
    std::string body = "<xs:element name='a' type='xs:strong'/>\n";
    for (int i = 0; i < 6000; ++i)
        body += "<xs:annotation><xs:documentation>" + std::string(40, 'x') + "</xs:documentation></xs:annotation>\n";
    const auto schemas = Schemas::load({file("large.xsd", schema(body))});
    EXPECT_EQ(error_of([&] { schemas->compile_all(); }).code(), "XSD-054");
    EXPECT_EQ(error_of([&] { XmlParser(schemas).parse("<a/>"); }).code(), "XSD-054");
    EXPECT_EQ(error_of([&] { XmlParser(schemas).parse("<a/>"); }).fault(), Fault::kConfig);
}

// Both judges over the same documents. Each case: what to replace in the good one.
struct Disputed {
    const char* from;
    const char* to;
    bool good;
};

void PrintTo(const Disputed& disputed, std::ostream* out) {
    *out << disputed.from << " -> " << disputed.to;
}

class BothJudges : public ::testing::TestWithParam<Disputed> {};

bool accepted(const std::function<void()>& judge) {
    try {
        judge();
        return true;
    } catch (const ValidationError&) {
        return false;
    }
}

TEST_P(BothJudges, Agree) {
    const auto schemas = Schemas::load({testdata("record.xsd")});
    const std::string bytes = replaced(slurp(testdata("good-record.xml")), GetParam().from, GetParam().to);
    const Document tree = XmlParser().parse(bytes);
    EXPECT_EQ(accepted([&] { XmlParser(schemas).parse(bytes); }), GetParam().good) << "Xerces, " << GetParam().to;
    EXPECT_EQ(accepted([&] { schemas->validate(tree); }), GetParam().good) << "libxml2, " << GetParam().to;
}

INSTANTIATE_TEST_SUITE_P(
    Documents, BothJudges,
    ::testing::Values(Disputed{"3.50", "3.5", true}, Disputed{"3.50", " 60 ", true}, Disputed{"3.50", "60.01", false},
                      Disputed{"3.50", "1e1", false}, Disputed{"3.50", "", false}, Disputed{"<Grade>A<", "<Grade> A<", false},
                      Disputed{" MATH101 ", "MATH 101", false}, Disputed{"2024-09-01", "2024-02-29", true},
                      Disputed{"2024-09-01", "2023-02-29", false}, Disputed{"2024-09-01", "2024-09-01Z", true},
                      Disputed{"2024-09-01", "2024-13-01", false}, Disputed{"id=\"c1\"", "id=\"c 1\"", false},
                      Disputed{"id=\"c1\"", "id=\"c2\"", false},
                      Disputed{"<Email>x@example.org</Email>", "<Phone>12</Phone>", true},
                      Disputed{"<Email>x@example.org</Email>", "<Phone>+12</Phone>", true},
                      Disputed{"<Email>x@example.org</Email>", "<Phone/>", false},
                      Disputed{"<Email>x@example.org</Email>", "", true}, Disputed{"<Name>", "<Name xml:lang='en'>", false},
                      Disputed{"<Email>x@example.org</Email>", "<r:Email>x</r:Email>", false},
                      Disputed{"<b>and</b>", "<b>and</b>text", true}, Disputed{"<e:any ", "<e:any a='b' ", true},
                      Disputed{"<Begin>2024-09-01</Begin>",
                               "<End xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:nil='true'/>", true},
                      Disputed{"<Begin>2024-09-01</Begin>",
                               "<Begin xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:nil='true'/>", false}));

void compare_judges(XmlParser& parser, const Schemas& schemas, const std::string& name, const std::string& bytes, int& judged,
                    int& valid) {
    Document tree;
    try {
        tree = XmlParser().parse(bytes);
    } catch (const Error&) {
        return;  // not a matter for judges
    }
    if (!schemas.knows(tree.root().namespace_uri())) return;
    const bool xerces = accepted([&] { parser.parse(bytes); });
    const bool other = accepted([&] { schemas.validate(tree); });
    EXPECT_EQ(xerces, other) << name;
    ++judged;
    valid += xerces;
}

TEST(BothJudgesOnOfficialSchemas, AgreeOnRealDocuments) {
    const std::filesystem::path folder = shared_folder("pesc");
    if (folder.empty()) GTEST_SKIP() << "no folder shared/pesc beside the checkout";
    std::vector<std::filesystem::path> files;
    for (const char* name :
         {"CollegeTranscript_v1.3.0", "CollegeTranscript_v1.4.0", "CollegeTranscript_v1.6.0", "CollegeTranscript_v1.8.0",
          "CollegeTranscript_v1.9.0", "HighSchoolTranscript_v1.3.0", "HighSchoolTranscript_v1.7.0", "TranscriptRequest_v1.4.0",
          "AcademicRecordBatch_v2.1.0", "LearningRecord_v1.0.0", "TestScoreReport_v1.1.0"}) {
        files.push_back(folder / "xsd" / (std::string(name) + ".xsd"));
    }
    const auto schemas = Schemas::load(files);
    XmlParser parser(schemas);
    int judged = 0, valid = 0, broken = 0, broken_valid = 0;
    for (const char* sub : {"transcripts", "requests", "other"}) {
        for (const auto& entry : std::filesystem::directory_iterator(folder / "samples" / sub)) {
            const std::string bytes = slurp(entry.path());
            const std::string name = entry.path().filename().string();
            const int before = valid;
            compare_judges(parser, *schemas, name, bytes, judged, valid);
            EXPECT_TRUE(before == valid || name.find("INVALID") == std::string::npos) << name;
            if (bytes.size() > 60'000 || bytes.find('\0') != std::string::npos) continue;
            // Breaks one place after another: a digit becomes a letter, or a text is doubled.
            for (std::size_t at = 300; at < bytes.size(); at += bytes.size() / 7) {
                std::string changed = bytes;
                const std::size_t digit = changed.find_first_of("0123456789", at);
                if (digit == std::string::npos) break;
                changed[digit] = 'x';
                compare_judges(parser, *schemas, name + " at " + std::to_string(digit), changed, broken, broken_valid);
            }
        }
    }
    EXPECT_GE(judged, 10);
    EXPECT_GE(valid, 8);
    EXPECT_GT(broken, broken_valid);
    RecordProperty("judged", judged + broken);
}

TEST(Schemas, ValidatesTreesFromOtherFormatsWithTheirLines) {
    const auto schemas = Schemas::load({testdata("job.xsd")});
    TreeBuilder b;
    b.line(2);
    b.start("job");
    b.line(100'000);
    b.start("title");
    b.end();
    b.start("hours");
    b.text("SECRET");
    b.end();
    b.end();
    const Document document = b.finish();
    try {
        schemas->validate(document, "jobs.csv");
        FAIL() << "accepted";
    } catch (const ValidationError& e) {
        EXPECT_EQ(e.code(), "XSD-004");
        EXPECT_EQ(e.where().line, 100'000u);
        EXPECT_EQ(e.where().path, "/job/hours");
        EXPECT_EQ(e.where().file, "jobs.csv");
        EXPECT_THAT(e.what(), ::testing::Not(HasSubstr("SECRET")));
    }
    EXPECT_EQ(error_of([&] { schemas->validate(Document()); }).code(), "XML-010");
}

TEST(Schemas, AreSharedByThreads) {
    const auto schemas = Schemas::load({testdata("record.xsd"), testdata("job.xsd")});
    const std::string good = slurp(testdata("good-record.xml"));
    const std::string bad = replaced(good, "3.50", "x");
    std::atomic<int> right{0};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                XmlParser parser(schemas);
                for (int i = 0; i < 100; ++i) {
                    const Document document = parser.parse(good);
                    schemas->validate(document);
                    if (error_of([&] { parser.parse(bad); }).code() == "XSD-004") ++right;
                }
            });
        }
    }
    EXPECT_EQ(right, 400);
}

}  // namespace
}  // namespace clrbus
