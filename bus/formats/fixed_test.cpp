#include "formats/fixed.hpp"

#include <gmock/gmock.h>

#include "formats/splitter_testing.hpp"
#include "support/test_directory.hpp"

namespace clrbus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kFixedSource = CLRBUS_SOURCE_DIR;

std::shared_ptr<const FixedLayout> fixed_layout(const std::string& text) {
    const TestDirectory folder;
    std::ofstream(folder.path() + "/layout.xml") << text;
    return FixedLayout::load(folder.path() + "/layout.xml", kFixedSource + "/xsd/fixed/layout.xsd");
}

FixedOptions fixed_options() {
    static const auto layout =
        FixedLayout::load(kFixedSource + "/bus/formats/testdata/fixed/jobs.xml", kFixedSource + "/xsd/fixed/layout.xsd");
    FixedOptions out;
    out.layout = layout;
    out.file = "jobs.txt";
    return out;
}

std::string fixed_line(std::string text) {
    text.resize(60, ' ');
    return text + "\r\n";
}

// Two jobs, the first one with two duties.
std::string fixed_sample() {
    return fixed_line("H20240601") + fixed_line("J000000017Roe            09-01-23000012550FT") +
           fixed_line("D  walks the dogs              001{") + fixed_line("D feeds the caf\xE9               000K") +
           fixed_line("JA00000018Doe            00-00-00-00000005PT") + fixed_line("T000002     4000000012545");
}

std::string fixed_replaced(std::string text, const std::string& what, const std::string& with) {
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

template <typename Call>
Error fixed_error(const Call& call) {
    try {
        call();
    } catch (const Error& e) {
        return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(Fault::kConfig, "NONE", "", "");
}

Error fixed_refused(const std::string& bytes) {
    return fixed_error([&] { (void)parse_fixed(bytes, fixed_options()); });
}

TEST(FixedLayout, RefusesALayoutThatCannotBe) {
    const auto refused = [](const std::string& records, const std::string& attributes = "") {
        return fixed_error(
            [&] { (void)fixed_layout("<layout xmlns='urn:clrbus:fixed:1' " + attributes + ">" + records + "</layout>"); });
    };
    const std::string field = "<field name='a' from='1' length='3'/>";
    EXPECT_EQ(refused("").code(), "FIX-009");
    EXPECT_EQ(refused("<record name='r'/>").code(), "FIX-009");
    EXPECT_EQ(refused("<record name='r'>" + field + field + "</record>").code(), "FIX-009");
    EXPECT_EQ(refused("<record name='r'>" + field + "</record><record name='r'>" + field + "</record>").code(), "FIX-009");
    EXPECT_EQ(refused("<record name='r' in='x'>" + field + "</record>").code(), "FIX-009");
    EXPECT_EQ(refused("<record name='r'>" + field + "</record>", "length='2'").code(), "FIX-009");
    EXPECT_EQ(refused("<record name='r'>" + field + "</record>", "line-end='none'").code(), "FIX-009");
    EXPECT_EQ(refused("<record name='r'>" + field + "</record>", "encoding='utf-99'").code(), "FIX-010");
    EXPECT_EQ(refused("<record name='r'>" + field + "</record>", "encoding='ibm037'").code(), "FIX-009");
    for (const char* bad :
         {"type='date'", "type='date' pattern='yyyy'", "type='date' pattern='MMM'", "pattern='yyyyMMdd'", "decimals='2'",
          "overpunch='true'", "empty='1234'", "type='integer' pad='0' align='left'", "pad='&#233;'"}) {
        const Error error = refused(std::string("<record name='r'><field name='a' from='1' length='3' ") + bad + "/></record>");
        EXPECT_EQ(error.code(), "FIX-009") << bad;
        EXPECT_EQ(error.fault(), Fault::kConfig);
        EXPECT_NE(error.where().line, 0u);
    }
    const std::string total = "<record name='t' at='last'><field name='n' from='1' length='3' type='integer'/>";
    EXPECT_EQ(refused("<record name='r'>" + field + "</record>" + total + "<total field='x' of='r'/></record>").code(),
              "FIX-009");
    EXPECT_EQ(refused("<record name='r'>" + field + "</record>" + total + "<total field='n' of='x'/></record>").code(),
              "FIX-009");
    EXPECT_EQ(refused("<record name='r'>" + field + "</record>" + total + "<total field='n' of='r' sum='a'/></record>").code(),
              "FIX-009");
}

TEST(Fixed, RefusesALineWithItsPlace) {
    const auto expect = [](const std::string& what, const std::string& with, const std::string& code, const std::string& path,
                           std::uint64_t line, std::uint64_t column) {
        const Error error = fixed_refused(fixed_replaced(fixed_sample(), what, with));
        EXPECT_EQ(error.code(), code) << with << ": " << error.what();
        EXPECT_EQ(error.where().path, path) << with << ": " << error.what();
        EXPECT_EQ(error.where().line, line) << with << ": " << error.what();
        EXPECT_EQ(error.where().column, column) << with << ": " << error.what();
        EXPECT_EQ(error.where().file, "jobs.txt");
        EXPECT_EQ(error.fault(), Fault::kPoison);
    };
    expect("H20240601", "H20240631", "FIX-004", "/file/header/made", 1, 2);
    expect("H2", "X2", "FIX-006", "", 1, 0);
    expect("000000017", "         ", "FIX-003", "/file/job/person", 2, 2);
    expect("09-01-23", "09-31-23", "FIX-004", "/file/job/begin", 2, 26);
    expect("000012550FT", "00001.550FT", "FIX-004", "/file/job/pay", 2, 34);
    expect("000012550FT", "000012550XX", "FIX-012", "/file/job/kind", 2, 43);
    expect("D  walks", "E  walks", "FIX-002", "", 3, 0);
    expect("001{", "001!", "FIX-004", "/file/job/duty/share", 3, 32);
    expect("D  walks", "D \x01walks", "FIX-005", "", 3, 3);
    expect("caf\xE9", "caf\x81", "FIX-005", "", 4, 16);
    expect("T000002", "T000003", "FIX-008", "/file/trailer/jobs", 6, 2);
    expect("     4", "     5", "FIX-008", "/file/trailer/all", 6, 8);
    expect("000000012545", "000000012546", "FIX-008", "/file/trailer/pay", 6, 14);
}

TEST(Fixed, RefusesFilesThatAreNotWhole) {
    const std::string sample = fixed_sample();
    EXPECT_EQ(fixed_refused("").code(), "FIX-011");
    EXPECT_EQ(fixed_refused("\r\n\r\n").code(), "FIX-011");
    EXPECT_EQ(fixed_refused(sample.substr(0, sample.find("T000002"))).code(), "FIX-006");
    EXPECT_EQ(fixed_refused(sample + fixed_line("J000000019")).code(), "FIX-006");
    EXPECT_EQ(fixed_refused(fixed_line("H20240601") + fixed_line("D x")).code(), "FIX-006");
    EXPECT_EQ(fixed_refused(fixed_line("H20240601") + fixed_line("H20240601")).code(), "FIX-006");
    EXPECT_EQ(fixed_refused(fixed_replaced(sample, "FT ", "FT                  ")).code(), "FIX-001");
    EXPECT_EQ(fixed_refused(std::string(1000, '\0')).code(), "FIX-005");
}

TEST(Fixed, ReadsFieldsAndWhatBelongsTogether) {
    const Document document = parse_fixed(fixed_sample(), fixed_options());
    EXPECT_EQ(
        document.write(),
        "<file line-end=\"crlf\"><header><made>2024-06-01</made></header>"
        "<job><person>000000017</person><family-name>Roe</family-name><begin>2023-09-01</begin><pay>125.50</pay><kind>FT</kind>"
        "<duty><text>  walks the dogs              </text><share>10</share></duty>"
        "<duty><text> feeds the caf\xC3\xA9               </text><share>-2</share></duty></job>"
        "<job><person>A00000018</person><family-name>Doe</family-name><begin/><pay>-0.05</pay><kind>PT</kind></job>"
        "<trailer><jobs>2</jobs><all>4</all><pay>125.45</pay></trailer></file>");
    EXPECT_EQ(document.root().child("job").line(), 2u);
}

TEST(Fixed, WritesBackEachByte) {
    std::string sample = fixed_sample();
    EXPECT_EQ(write_fixed(parse_fixed(sample, fixed_options()), fixed_options()), sample);
    sample.resize(sample.size() - 2);
    EXPECT_EQ(write_fixed(parse_fixed(sample, fixed_options()), fixed_options()), sample);
    std::string lines = fixed_sample();
    std::erase(lines, '\r');
    EXPECT_EQ(write_fixed(parse_fixed(lines, fixed_options()), fixed_options()), lines);
}

TEST(Fixed, PadsShortLinesUnlessTheLayoutRefusesThem) {
    const std::string layout =
        "<layout xmlns='urn:clrbus:fixed:1' SHORT><record name='r'><field name='a' from='1' length='3'/><field name='b' "
        "from='4' length='3'/></record></layout>";
    FixedOptions options;
    options.layout = fixed_layout(fixed_replaced(layout, "SHORT", ""));
    EXPECT_EQ(parse_fixed("ab\nabcd\n", options).write(),
              "<file line-end=\"lf\"><r><a>ab</a><b/></r><r><a>abc</a><b>d</b></r></file>");
    EXPECT_EQ(fixed_error([&] { (void)parse_fixed("abcdefg\n", options); }).code(), "FIX-001");
    EXPECT_EQ(parse_fixed("\xEF\xBB\xBF"
                          "abcd    \n",
                          options)
                  .write(),
              "<file line-end=\"lf\"><r><a>abc</a><b>d</b></r></file>");
    // Columns are characters.
    EXPECT_EQ(parse_fixed("\xC3\xA9\xC3\xA9\xC3\xA9x\n", options).root().first_child().child_text("b"), "x");
    options.layout = fixed_layout(fixed_replaced(layout, "SHORT", "short='refuse'"));
    EXPECT_EQ(fixed_error([&] { (void)parse_fixed("abcd\n", options); }).code(), "FIX-001");
}

TEST(Fixed, ReadsAndWritesEbcdic) {
    FixedOptions options;
    options.layout = fixed_layout(
        "<layout xmlns='urn:clrbus:fixed:1' encoding='ibm037' line-end='none' length='8'><record name='r'><match from='1' "
        "value='J'/>"
        "<field name='a' from='2' length='4'/><field name='n' from='6' length='3' type='integer' overpunch='true' "
        "pad='0'/></record></layout>");
    const std::string bytes = "\xD1\xC1\x82\x40\x40\xF0\xF1\xD2\xD1\xE9\x40\x40\x40\xF0\xF0\xC3";  // JAb  01K JZ   00C
    const Document document = parse_fixed(bytes, options);
    EXPECT_EQ(document.write(), "<file><r><a>Ab</a><n>-12</n></r><r><a>Z</a><n>3</n></r></file>");
    EXPECT_EQ(write_fixed(document, options), bytes);
    EXPECT_EQ(fixed_error([&] { (void)parse_fixed(bytes.substr(0, 12), options); }).code(), "FIX-001");
}

TEST(Fixed, RefusesToWriteWhatDoesNotFit) {
    const auto refused = [](const std::string& what, const std::string& with) {
        // A tree from other text: each field as wide as it comes.
        TreeBuilder b;
        b.start("file");
        b.start("header");
        b.start("made");
        b.text(what == "made" ? with : "2024-06-01");
        b.end();
        b.end();
        b.start("job");
        for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
                 {"person", "1"}, {"family-name", "x"}, {"begin", "2023-09-01"}, {"pay", "1.00"}, {"kind", "FT"}}) {
            b.start(name);
            b.text(name == what ? with : value);
            b.end();
        }
        if (what == "element") {
            b.start(with);
            b.end();
        }
        b.end();
        b.end();
        const Document document = b.finish();
        return fixed_error([&] { (void)write_fixed(document, fixed_options()); }).code();
    };
    EXPECT_EQ(refused("person", "1234567890"), "FIX-021");
    EXPECT_EQ(refused("person", ""), "FIX-003");
    EXPECT_EQ(refused("family-name", "a\nb"), "FIX-021");
    EXPECT_EQ(refused("family-name", "\xE2\x98\x83"), "FIX-021");
    EXPECT_EQ(refused("pay", "1.005"), "FIX-004");
    EXPECT_EQ(refused("pay", "12345678.00"), "FIX-021");
    EXPECT_EQ(refused("pay", "1,00"), "FIX-004");
    EXPECT_EQ(refused("begin", "1949-01-01"), "FIX-004");
    EXPECT_EQ(refused("begin", "2023-02-30"), "FIX-004");
    EXPECT_EQ(refused("begin", "2023-09-01T10:00:00"), "FIX-004");
    EXPECT_EQ(refused("kind", "XX"), "FIX-012");
    EXPECT_EQ(refused("element", "salary"), "FIX-020");
    EXPECT_EQ(fixed_error([] { (void)write_fixed(Document(), fixed_options()); }).code(), "FIX-020");
}

TEST(Fixed, MakesTheTrailerAndItsTotals) {
    const Document whole = parse_fixed(fixed_sample(), fixed_options());
    Document document = Document::copy(whole.root());
    document.remove({document.root().child("trailer")});
    std::string written = write_fixed(document, fixed_options());
    EXPECT_EQ(written, fixed_sample());
}

MakeSplitter fixed_splitter() {
    return [](RecordHandlers handlers) { return make_fixed_splitter(fixed_options(), std::move(handlers)); };
}

TEST(FixedSplit, GivesEachRecordWithTheHeaderAndWhatBelongsToIt) {
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{61}, std::size_t{10'000}}) {
        const Split out = split(fixed_splitter(), fixed_sample(), chunk);
        EXPECT_EQ(out.stream_error, "");
        ASSERT_THAT(out.numbers, ElementsAre(1, 2));
        EXPECT_THAT(out.broken, IsEmpty());
        EXPECT_THAT(out.offsets, ElementsAre(62, 62 * 4));
        EXPECT_THAT(out.documents[0], HasSubstr("<file><header><made>2024-06-01</made></header><job><person>000000017"));
        EXPECT_THAT(out.documents[0], HasSubstr("<share>-2</share>"));
        for (std::size_t i = 0; i < 2; ++i) {
            const Document alone = parse_fixed_record(out.raw[i], fixed_options());
            EXPECT_EQ(fixed_replaced(alone.write(), " line-end=\"lf\"", ""), out.documents[i]);
        }
    }
}

TEST(FixedSplit, ResumesAtEveryRecord) {
    expect_resumes(fixed_splitter(), fixed_sample(), 2);
    expect_resumes(fixed_splitter(), fixed_replaced(fixed_sample(), "FT", "XX"), 2);
}

TEST(FixedSplit, ABrokenLineLeavesTheOthersAlone) {
    for (const auto& [what, with, code] : std::vector<std::array<std::string, 3>>{
             {"09-01-23", "09-31-23", "FIX-004"}, {"J0", "Z0", "FIX-002"}, {"FT ", "FT\x01", "FIX-005"}}) {
        const Split out = split(fixed_splitter(), fixed_replaced(fixed_sample(), what, with), 50);
        EXPECT_EQ(out.stream_error, "") << with;
        ASSERT_FALSE(out.broken.empty());
        EXPECT_EQ(out.broken[0].code(), code);
        EXPECT_EQ(out.broken[0].where().row, 1u);
        EXPECT_THAT(out.broken_raw[0], HasSubstr("Roe"));
        EXPECT_THAT(out.broken_raw[0], HasSubstr("H20240601"));
        ASSERT_EQ(out.documents.size(), 1u);
        EXPECT_THAT(out.documents[0], HasSubstr("A00000018"));
    }
}

TEST(FixedSplit, TotalsAndTrailerStopAtTheEnd) {
    for (const auto& [what, with, code] :
         std::vector<std::array<std::string, 3>>{{"T000002", "T000003", "FIX-008"}, {"T000002", "J000002", "FIX-006"}}) {
        const Split out = split(fixed_splitter(), fixed_replaced(fixed_sample(), what, with), 7);
        EXPECT_EQ(out.stream_error, code);
        EXPECT_GE(out.documents.size(), 2u);
    }
}

TEST(FixedSplit, MemoryIsBoundedByARecord) {
    std::uint64_t made = 0;
    const auto splitter = make_fixed_splitter(
        fixed_options(), {[&made](std::uint64_t, std::uint64_t, std::string_view, const Document&) { ++made; },
                          [](std::uint64_t, std::uint64_t, std::string_view, const Error& e) { FAIL() << e.what(); }});
    splitter->write(fixed_line("H20240601"));
    const std::string jobs = fixed_sample().substr(62, 248);
    expect_bounded(
        *splitter, [&](std::uint64_t) { return jobs; }, 20u << 20);
    EXPECT_GT(made, 100'000u);
    std::vector<std::string> broken;
    const auto endless = make_fixed_splitter(
        fixed_options(), {[](std::uint64_t, std::uint64_t, std::string_view, const Document&) {},
                          [&](std::uint64_t, std::uint64_t, std::string_view, const Error& e) { broken.push_back(e.code()); }});
    endless->write(fixed_line("H20240601"));
    const std::string filler(1u << 20, 'x');
    expect_bounded(
        *endless, [&](std::uint64_t) { return filler; }, 200u << 20);
    endless->write("\r\n" + fixed_line("J1"));
    const std::string duty = fixed_line("D more");
    expect_bounded(
        *endless, [&](std::uint64_t) { return duty; }, 20u << 20);
    endless->write(fixed_line("T"));
    EXPECT_THAT(broken, ElementsAre("FIX-007", "FIX-007"));
}

TEST(FixedSplit, SurvivesDamage) {
    expect_survives(fixed_splitter(), fixed_sample());
}

}  // namespace
}  // namespace clrbus
