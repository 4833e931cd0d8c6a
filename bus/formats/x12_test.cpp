#include "formats/x12.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "formats/splitter_testing.hpp"

namespace clrbus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kX12Source = CLRBUS_SOURCE_DIR;

std::string x12_sample(const std::string& name) {
    std::ifstream in(kX12Source + "/bus/formats/testdata/x12/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

X12Options x12_options() {
    static const auto tables = X12Tables::load({kX12Source + "/xsd/x12/004010.xml"}, kX12Source + "/xsd/x12/table.xsd");
    X12Options out;
    out.tables = tables;
    out.file = "in.edi";
    return out;
}

std::string x12_replaced(std::string text, const std::string& what, const std::string& with) {
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

template <typename Call>
Error x12_error(const Call& call) {
    try {
        call();
    } catch (const Error& e) {
        return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(Fault::kConfig, "NONE", "", "");
}

Error x12_refused(const std::string& bytes, const X12Options& options = x12_options()) {
    return x12_error([&] { (void)parse_x12(bytes, options); });
}

// 130.edi with one change, refused with that code at that path.
void expect_refused(const std::string& what, const std::string& with, const std::string& code, const std::string& path,
                    const std::string& expected) {
    const Error error = x12_refused(x12_replaced(x12_sample("130.edi"), what, with));
    EXPECT_EQ(error.code(), code) << with << ": " << error.what();
    EXPECT_EQ(error.where().path, path) << with << ": " << error.what();
    EXPECT_THAT(error.expected(), HasSubstr(expected)) << with << ": " << error.what();
    EXPECT_EQ(error.where().file, "in.edi");
    EXPECT_GE(error.where().offset, 0);
    EXPECT_EQ(error.fault(), Fault::kPoison);
}

TEST(X12, RefusesWhatIsNoInterchange) {
    EXPECT_EQ(x12_refused("").code(), "X12-003");
    EXPECT_EQ(x12_refused("\r\n  ").code(), "X12-003");
    EXPECT_EQ(x12_refused("<xml/>").code(), "X12-001");
    EXPECT_EQ(x12_refused("ISA*00*").code(), "X12-003");
    EXPECT_EQ(x12_refused(std::string(1000, '\0')).code(), "X12-001");
    const std::string good = x12_sample("130.edi");
    EXPECT_EQ(x12_refused(good.substr(0, 105)).code(), "X12-003");
    EXPECT_EQ(x12_refused(x12_replaced(good, "*22*", "*2*")).code(), "X12-001");
    EXPECT_EQ(x12_refused(x12_replaced(good, "*T*>~", "*T*A~")).code(), "X12-002");
    EXPECT_EQ(x12_refused(x12_replaced(good, "*T*>~", "*T*~~")).code(), "X12-002");
    EXPECT_EQ(x12_refused(x12_replaced(good, "*T*>~", "*T**~")).code(), "X12-002");
    EXPECT_EQ(x12_refused(x12_replaced(good, "*U*", "*>*")).code(), "X12-002");
}

TEST(X12, RefusesEnvelopesThatDoNotCloseOrCount) {
    const std::string good = x12_sample("130.edi");
    EXPECT_EQ(x12_refused(good.substr(0, good.size() - 3)).code(), "X12-003");
    EXPECT_EQ(x12_refused(good.substr(0, good.find("IEA"))).code(), "X12-003");
    EXPECT_EQ(x12_refused(good.substr(0, good.find("SUM*"))).code(), "X12-003");
    EXPECT_EQ(x12_refused(good + good).code(), "X12-003");
    EXPECT_EQ(x12_refused(good + "GARBAGE").code(), "X12-001");
    expect_refused("IEA*1*", "IEA*2*", "X12-008", "/interchange/IEA/IEA01", "1");
    expect_refused("IEA*1*000000001", "IEA*1*000000002", "X12-007", "/interchange/IEA/IEA02", "ISA13");
    expect_refused("GE*1*45", "GE*2*45", "X12-008", "/interchange/group/GE/GE01", "1");
    expect_refused("GE*1*45", "GE*1*46", "X12-007", "/interchange/group/GE/GE02", "GS06");
    expect_refused("GE*1*45", "GE*x*45", "X12-008", "/interchange/group/GE/GE01", "1");
    expect_refused("GE*1*45~\n", "", "X12-006", "/interchange/group", "GE");
    expect_refused("SE*35*0001", "SE*34*0001", "X12-008", "/interchange/group/transaction/SE/SE01", "35");
    expect_refused("SE*35*0001", "SE*35*0002", "X12-007", "/interchange/group/transaction/SE/SE02", "ST02");
    expect_refused("SE*35*0001~\n", "", "X12-006", "/interchange/group/transaction", "SE");
    expect_refused("ST*130*0001~\n", "", "X12-006", "/interchange/group/transaction/BGN", "ST or GE");
    expect_refused("GS*ED*", "GX*ED*", "X12-006", "/interchange", "GS or IEA");
    expect_refused("GS*ED*", "GS**", "X12-014", "/interchange/group/GS/GS01", "");
    expect_refused("ST*130*0001", "ST*130*1", "X12-015", "/interchange/group/transaction/ST/ST02", "4 to 9");
}

TEST(X12, RefusesAnElementWithItsPlaceAndWhatWasExpected) {
    const std::string set = "/interchange/group/transaction";
    const std::string course = set + "/LX-loop/SES-loop/CRS-loop";
    expect_refused("CRS*R*S*3*3*25*A*Y", "CRS*R*S*3*3*25*A MINUS*Y", "X12-015", course + "/CRS/CRS06", "1 to 3 characters");
    expect_refused("CRS*R*S*3*3*25*A*Y", "CRS*Q*S*3*3*25*A*Y", "X12-017", course + "/CRS/CRS01", "one of A B C");
    expect_refused("CRS*R*S*3*3*25*A*Y", "CRS**S*3*3*25*A*Y", "X12-014", course + "/CRS/CRS01", "Basis");
    expect_refused("CRS*R*S*3*3*25*A*Y", "CRS*R*S*3,5*3*25*A*Y", "X12-016", course + "/CRS/CRS03", "a number");
    expect_refused("RAP*050*CORE CURRICULUM*COMMUNICATION*R*Y", "RAP", "X12-014", course + "[2]/RAP/RAP01", "Requirement");
    expect_refused("*TELECOMMUNICATIONS", "*TELECOM*****X", "X12-018", course + "/CRS", "at most 20");
    expect_refused("*TELECOMMUNICATIONS", "*TELE>COM", "X12-018", course + "/CRS/CRS16", "one value");
    expect_refused("BGN*00*T20240601-1*20240601", "BGN*00*T20240601-1*20240631", "X12-016", set + "/BGN/BGN03", "a date");
    expect_refused("*0930*CT", "*2430*CT", "X12-016", set + "/BGN/BGN04", "a time");
    expect_refused("BGN*00", "BGN*11111", "X12-017", set + "/BGN/BGN01", "one of 00 05 07");
    expect_refused("ERP*PS", "ERP*XX", "X12-017", set + "/ERP/ERP01", "DD DP PS");
    expect_refused("NTE**Example only", "NTE**" + std::string(81, 'x'), "X12-015", set + "/NTE/NTE02", "1 to 80");
    expect_refused("NTE**Example only", "NTE**Example\ttab", "X12-009", set + "/NTE", "printable");
    expect_refused("NTE**Example only", "NTE**Example\nline", "X12-009", set + "/NTE", "printable");
    expect_refused("NTE**Example only", "NTE**Example\x01", "X12-009", "", "printable");
    expect_refused("NTE**Example only", "NTE**Example\xE9", "X12-009", "", "windows-1252");
}

TEST(X12, RefusesASegmentThatStandsWhereItMustNot) {
    const std::string set = "/interchange/group/transaction";
    expect_refused("BGN*00*T20240601-1*20240601*0930*CT~\n", "", "X12-013", set + "/ERP", "BGN");
    expect_refused("IN2*05*Doe~\nIN2*02*John~\n", "", "X12-013", set + "/IN1-loop/IN1", "IN2");
    expect_refused("ERP*PS*B48", "ZZZ*1", "X12-011", set + "/ZZZ", "ERP");
    expect_refused("DMG*D8", "DMG*D8~\nDMG*D8", "X12-012", set + "/DMG", "LUI, IND");
    expect_refused("DMG*D8", "CRS*R", "X12-011", set + "/CRS", "N1");
    expect_refused("FOS*M", "BGN*M", "X12-011", "/interchange/group/transaction/LX-loop/SES-loop[2]/DEG-loop/BGN", "FOS");
    expect_refused("DMG*D8", "dmg*D8", "X12-005", set, "capital letters");
    expect_refused("ST*130*", "ST*147*", "X12-010", set + "/ST/ST01", "tables");
    expect_refused("GS*ED*", "GS*AK*", "X12-019", set + "/ST/ST01", "GS01 ED");
    const std::string good = x12_sample("130.edi");
    EXPECT_EQ(x12_refused(x12_replaced(good, "004010ED0040", "003041ED0020")).code(), "X12-010");
    // N1 may stand twice.
    EXPECT_EQ(x12_refused(x12_replaced(good, "IN1*1*04*S2", "N1*AT*THIRD~\nIN1*1*04*S2")).code(), "X12-012");
}

TEST(X12, AnErrorNamesTheSegmentAndNoValue) {
    const Error error = x12_refused(x12_replaced(x12_sample("130.edi"), "*25*A*Y", "*25*A MINUS*Y"));
    EXPECT_THAT(error.why(), HasSubstr("segment 27 (CRS)"));
    EXPECT_THAT(error.what(), Not(HasSubstr("MINUS")));
    EXPECT_THAT(error.why(), HasSubstr("element 1258, Academic Grade"));
    EXPECT_EQ(error.where().line, 29u);
    EXPECT_EQ(error.where().offset, static_cast<std::int64_t>(x12_sample("130.edi").find("CRS*")));
}

TEST(X12, ReadsLoopsByTheTable) {
    const Document document = parse_x12(x12_sample("130-two-pipe.edi"), x12_options());
    const Node root = document.root();
    EXPECT_EQ(root.attribute("element"), "|");
    EXPECT_EQ(root.attribute("segment"), "!");
    EXPECT_EQ(root.child("ISA").child_text("ISA06"), "009999");
    EXPECT_EQ(root.child("ISA").child_text("ISA16"), "^");
    const auto sets = root.child("group").children("transaction");
    ASSERT_EQ(sets.size(), 2u);
    EXPECT_EQ(sets[0].attribute("set"), "130");
    EXPECT_EQ(sets[0].child("BGN").child_text("BGN02"), "T20240601-1");
    const Node sessions = sets[0].child("LX-loop").child("SES-loop");
    EXPECT_EQ(sessions.children("CRS-loop").size(), 2u);
    EXPECT_EQ(sessions.children("CRS-loop")[1].child("RAP").child_text("RAP02"), "CORE CURRICULUM");
    EXPECT_EQ(sessions.next().child("DEG-loop").child("FOS").child_text("FOS03"), "110701");
    EXPECT_EQ(sets[0].child("SUM-loop").child("NTE").child_text("NTE02"), "End of record");
    const Document answer = parse_x12(x12_sample("997.edi"), x12_options());
    const Node answered = answer.root().child("group").child("transaction").child("AK2-loop");
    EXPECT_EQ(answered.child("AK3-loop").child("AK4").child("AK401").child_text("AK401-1"), "6");
    EXPECT_EQ(answered.next().child("AK5").child_text("AK501"), "A");
}

TEST(X12, WritesBackEachByte) {
    for (const char* name : {"130.edi", "130-two-pipe.edi", "130-newline.edi", "130-control.edi", "131.edi", "997.edi"}) {
        const std::string bytes = x12_sample(name);
        ASSERT_FALSE(bytes.empty()) << name;
        EXPECT_EQ(write_x12(parse_x12(bytes, x12_options()), x12_options()), bytes) << name;
        const X12Options plain;
        EXPECT_EQ(write_x12(parse_x12(bytes, plain), plain), bytes) << name;
    }
}

TEST(X12, WritesBackEmptyAndRepeatedElementsAndComposites) {
    std::string bytes = x12_sample("130.edi");
    bytes = x12_replaced(bytes, "*U*", "*^*");
    bytes = x12_replaced(bytes, "NTE**Example only", "ZZZ*a^b>c>^*>x**");
    const X12Options plain;
    const Document document = parse_x12(bytes, plain);
    const Node zzz = document.root().child("group").child("transaction").child("ZZZ");
    ASSERT_EQ(zzz.children("ZZZ01").size(), 3u);
    EXPECT_EQ(zzz.children("ZZZ01")[1].child_text("ZZZ01-2"), "c");
    EXPECT_EQ(zzz.child("ZZZ02").child_text("ZZZ02-2"), "x");
    EXPECT_EQ(write_x12(document, plain), bytes);
}

TEST(X12, ReadsAndWritesOtherEncodings) {
    const std::string bytes = x12_replaced(x12_sample("130.edi"), "Example only", "caf\xE9");
    X12Options options = x12_options();
    options.encoding = "windows-1252";
    const Document document = parse_x12(bytes, options);
    EXPECT_EQ(document.root().child("group").child("transaction").child("NTE").child_text("NTE02"), "caf\xC3\xA9");
    EXPECT_EQ(write_x12(document, options), bytes);
    options.encoding = "ascii";
    EXPECT_EQ(x12_error([&] { (void)write_x12(document, options); }).code(), "X12-021");
    options.encoding = "utf-99";
    EXPECT_EQ(x12_error([&] { (void)parse_x12(bytes, options); }).fault(), Fault::kConfig);
}

// A tree as a stylesheet makes it: no trailers, no counts.
TEST(X12, WritesTrailersAndCounts) {
    TreeBuilder b;
    const auto segment = [&b](const std::string& id, const std::vector<std::string>& elements) {
        b.start(id);
        for (std::size_t i = 0; i < elements.size(); ++i) {
            b.start(id + (i < 9 ? "0" : "") + std::to_string(i + 1));
            b.text(elements[i]);
            b.end();
        }
        b.end();
    };
    b.start("interchange");
    segment("ISA", {"00", "", "00", "", "22", "009998", "22", "009999", "240602", "0800", "U", "00401", "7", "0", "T", ">"});
    b.start("group");
    segment("GS", {"FA", "009998", "009999", "20240602", "0800", "7", "X", "004010"});
    b.start("transaction");
    segment("ST", {"997", "0001"});
    segment("AK1", {"ED", "45"});
    segment("AK9", {"A", "1", "1", "1"});
    b.end();
    b.end();
    b.end();
    const Document document = b.finish();
    const std::string out = write_x12(document, x12_options());
    EXPECT_EQ(
        out,
        "ISA*00*          *00*          *22*009998         *22*009999         *240602*0800*U*00401*000000007*0*T*>~"
        "GS*FA*009998*009999*20240602*0800*7*X*004010~ST*997*0001~AK1*ED*45~AK9*A*1*1*1~SE*4*0001~GE*1*7~IEA*1*000000007~");
    EXPECT_EQ(out.find('~'), 105u);
}

TEST(X12, RefusesToWriteADelimiterInText) {
    const std::string bytes = x12_sample("130-two-pipe.edi");  // * and ~ are text here
    std::string changed = x12_replaced(bytes, "Example only", "a*b~c");
    Document document = parse_x12(changed, x12_options());
    EXPECT_EQ(write_x12(document, x12_options()), changed);
    TreeBuilder b;
    for (const char* bad : {"a*b", "a~b", "a>b", "a\nb"}) {
        b.start("interchange");
        b.start("ISA");
        const std::vector<std::string> isa{"00",     "",     "00", "",      "22", "1", "22", "2",
                                           "240602", "0800", "U",  "00401", "7",  "0", "T",  ">"};
        for (std::size_t i = 0; i < isa.size(); ++i) {
            b.start(std::string("ISA") + (i < 9 ? "0" : "") + std::to_string(i + 1));
            b.text(isa[i]);
            b.end();
        }
        b.end();
        b.start("group");
        b.start("GS");
        b.start("GS01");
        b.text(bad);
        b.end();
        b.end();
        b.end();
        b.end();
        const Error error = x12_error([&] { (void)write_x12(b.finish(), X12Options{}); });
        EXPECT_EQ(error.code(), "X12-021") << bad;
        EXPECT_EQ(error.where().path, "/interchange/group/GS/GS01");
    }
}

TEST(X12, RefusesToWriteATreeThatIsNotOfTheMapping) {
    TreeBuilder b;
    b.start("json");
    b.end();
    EXPECT_EQ(x12_error([&] { (void)write_x12(b.finish(), X12Options{}); }).code(), "X12-020");
    EXPECT_EQ(x12_error([&] { (void)write_x12(Document(), X12Options{}); }).code(), "X12-020");
    b.start("interchange");
    b.end();
    EXPECT_EQ(x12_error([&] { (void)write_x12(b.finish(), X12Options{}); }).code(), "X12-020");
    // With tables the result is held to them, too.
    const Document good = parse_x12(x12_replaced(x12_sample("130.edi"), "ERP*PS", "ERP*XX"), X12Options{});
    EXPECT_EQ(x12_error([&] { (void)write_x12(good, x12_options()); }).code(), "X12-017");
}

MakeSplitter x12_splitter(const X12Options& options = x12_options()) {
    return [options](RecordHandlers handlers) { return make_x12_splitter(options, std::move(handlers)); };
}

TEST(X12Split, GivesEachSetInEnvelopesOfItsOwn) {
    const std::string bytes = x12_sample("130-two-pipe.edi");
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{10'000}}) {
        const Split out = split(x12_splitter(), bytes, chunk);
        EXPECT_EQ(out.stream_error, "");
        EXPECT_THAT(out.broken, IsEmpty());
        ASSERT_THAT(out.numbers, ElementsAre(1, 2));
        for (std::size_t i = 0; i < 2; ++i) {
            const Split alone = split(x12_splitter(), out.raw[i], 10'000);
            ASSERT_EQ(alone.documents.size(), 1u);
            EXPECT_EQ(alone.documents[0], out.documents[i]);
            (void)parse_x12(out.raw[i], x12_options());
        }
        EXPECT_EQ(out.offsets[1], bytes.find("ST|130|0002"));
    }
}

// Three interchanges with other delimiters in one file, as a mailbox delivers them.
std::string x12_mailbox() {
    return x12_sample("130.edi") + "\r\n" + x12_sample("130-two-pipe.edi") + x12_sample("130-newline.edi") + "\x1A";
}

TEST(X12Split, ReadsSeveralInterchanges) {
    const Split out = split(x12_splitter(), x12_mailbox(), 5);
    EXPECT_EQ(out.stream_error, "");
    EXPECT_THAT(out.numbers, ElementsAre(1, 2, 3, 4));
}

TEST(X12Split, ResumesAtEverySet) {
    expect_resumes(x12_splitter(), x12_mailbox(), 4);
}

TEST(X12Split, ABrokenSetLeavesTheOthersAlone) {
    const std::string bytes = x12_sample("130-two-pipe.edi");
    for (const auto& [what, with, code] :
         std::vector<std::array<std::string, 3>>{{"CRS|R|S|3|3|25|A|Y", "CRS|R|S|3|3|25|A MINUS|Y", "X12-015"},
                                                 {"SE|35|0001", "SE|34|0001", "X12-008"},
                                                 {"SE|35|0001!", "", "X12-006"},
                                                 {"ST|130|0001!", "", "X12-006"},
                                                 {"FOS|M|81", "\x01\x02", "X12-009"},
                                                 {"NTE||Example only", "NTE||" + std::string(100'000, 'x'), "X12-004"}}) {
        const std::string changed = x12_replaced(bytes, what, with);
        for (const std::size_t chunk : {std::size_t{3}, std::size_t{1'000'000}}) {
            const Split out = split(x12_splitter(), changed, chunk);
            EXPECT_EQ(out.stream_error, "") << with;
            EXPECT_THAT(out.numbers, ElementsAre(2)) << code;
            ASSERT_THAT(out.broken_numbers, ElementsAre(1)) << code;
            EXPECT_EQ(out.broken[0].code(), code) << out.broken[0].what();
            EXPECT_EQ(out.broken[0].where().row, 1u);
            EXPECT_EQ(out.broken_raw[0].empty(), code == "X12-004");
        }
    }
}

TEST(X12Split, ABrokenEnvelopeStopsAfterItsSets) {
    const std::string bytes = x12_sample("130-two-pipe.edi");
    for (const auto& [what, with, code] : std::vector<std::array<std::string, 3>>{{"GE|2|45", "GE|3|45", "X12-008"},
                                                                                  {"GE|2|45!", "", "X12-006"},
                                                                                  {"IEA|1|", "IEA|9|", "X12-008"},
                                                                                  {"IEA|1|000000001!", "", "X12-003"},
                                                                                  {"000000001!", "000000001", "X12-003"}}) {
        const Split out = split(x12_splitter(), x12_replaced(bytes, what, with), 10);
        EXPECT_EQ(out.stream_error, code);
        EXPECT_EQ(out.numbers.size(), 2u);
    }
}

TEST(X12Split, MemoryIsBoundedByASet) {
    const std::string whole = x12_sample("130-two-pipe.edi");
    const std::size_t first = whole.find("ST|"), last = whole.find("!GE|") + 1;
    const std::string sets = whole.substr(first, last - first);
    std::uint64_t made = 0;
    const auto count = [&made](std::uint64_t, std::uint64_t, std::string_view, const Document&) { ++made; };
    const auto none = [](std::uint64_t, std::uint64_t, std::string_view, const Error& e) { FAIL() << e.what(); };
    const auto splitter = make_x12_splitter(x12_options(), {count, none});
    splitter->write(whole.substr(0, first));
    expect_bounded(
        *splitter, [&](std::uint64_t) { return sets; }, 20u << 20);
    EXPECT_GT(made, 1000u);
}

TEST(X12Split, ASegmentWithoutEndIsBounded) {
    const std::string whole = x12_sample("130-two-pipe.edi");
    std::vector<std::string> broken;
    const auto splitter = make_x12_splitter(
        x12_options(), {[](std::uint64_t, std::uint64_t, std::string_view, const Document&) {},
                        [&](std::uint64_t, std::uint64_t, std::string_view, const Error& e) { broken.push_back(e.code()); }});
    splitter->write(whole.substr(0, whole.find("CRS|")));
    const std::string filler(1u << 20, 'x');
    expect_bounded(
        *splitter, [&](std::uint64_t) { return filler; }, 1u << 30);
    splitter->write("!SE|1|0001!GE|1|45!IEA|1|000000001!");
    splitter->finish();
    EXPECT_THAT(broken, ElementsAre("X12-004"));
}

TEST(X12Split, SurvivesDamage) {
    expect_survives(x12_splitter(), x12_sample("130-two-pipe.edi"));
    expect_survives(x12_splitter(X12Options{}), x12_sample("997.edi"));
}

}  // namespace
}  // namespace clrbus
