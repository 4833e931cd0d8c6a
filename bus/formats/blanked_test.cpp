// X12 elements and fixed-width fields that are left out at the door; what is not as tables or layout say lets nothing through.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "core/error.hpp"
#include "formats/fixed_reducer.hpp"
#include "formats/x12_reducer.hpp"
#include "support/test_directory.hpp"

namespace clrbus {
namespace {

const std::string kBlankedSource = CLRBUS_SOURCE_DIR;

std::string blanked_file(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string blanked_replaced(std::string text, const std::string& what, const std::string& with) {
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

class Blanked : public testing::Test {
protected:
    template <typename Reduce>
    std::string reduced(const std::string& text, const Reduce& reduce) {
        const std::filesystem::path root = directory_.path();
        std::ofstream(root / "in", std::ios::binary) << text;
        try {
            reduce(root / "in", root / "out");
        } catch (const Error& e) {
            EXPECT_EQ(std::string(e.what()).find("99900"), std::string::npos) << "no value in an error";
            return e.code();
        }
        return blanked_file(root / "out");
    }
    std::string x12(const std::string& text, const std::vector<std::string>& drop) {
        X12Reduction reduction;
        reduction.x12.tables = X12Tables::load({kBlankedSource + "/xsd/x12/004010.xml"}, kBlankedSource + "/xsd/x12/table.xsd");
        for (const std::string& one : drop) {
            const auto read = X12Drop::read(one);
            EXPECT_TRUE(read) << one;
            if (read) reduction.drop.push_back(*read);
        }
        return reduced(text, [&](const auto& in, const auto& out) { reduce_x12_file(reduction, in, out); });
    }
    static FixedReduction fixed(const std::vector<std::string>& drop, const std::string& layout = "") {
        static const auto jobs = FixedLayout::load(kBlankedSource + "/bus/formats/testdata/fixed/jobs.xml",
                                                   kBlankedSource + "/xsd/fixed/layout.xsd");
        FixedReduction out;
        out.fixed.layout = jobs;
        out.drop = drop;
        if (layout.empty()) return out;
        const TestDirectory folder;
        std::ofstream(folder.path() + "/layout.xml") << layout;
        out.fixed.layout = FixedLayout::load(folder.path() + "/layout.xml", kBlankedSource + "/xsd/fixed/layout.xsd");
        return out;
    }
    std::string fixed_out(const std::string& text, const FixedReduction& reduction) {
        return reduced(text, [&](const auto& in, const auto& out) { unreadable_ = reduce_fixed_file(reduction, in, out); });
    }
    TestDirectory directory_;
    std::size_t unreadable_ = 0;
};

TEST_F(Blanked, X12ElementsGoAndNothingElse) {
    const std::string sample = blanked_file(kBlankedSource + "/bus/formats/testdata/x12/130.edi");
    EXPECT_EQ(x12(sample, {"REF02[REF01=SY]"}), blanked_replaced(sample, "REF*SY*999000001~", "REF*SY~"));
    std::string out = x12(sample, {"DMG02", "REF02"});
    EXPECT_EQ(out, blanked_replaced(blanked_replaced(blanked_replaced(sample, "REF*SY*999000001~", "REF*SY~"),
                                                     "REF*LR*A00012345~", "REF*LR~"),
                                    "DMG*D8*20010305*M~", "DMG*D8**M~"));
    EXPECT_EQ(x12(sample, {"REF02[REF01=XX]", "REF09", "ZZ01"}), sample);
    const std::string two = blanked_file(kBlankedSource + "/bus/formats/testdata/x12/130-two-pipe.edi");
    out = x12(two + sample, {"REF02[REF01=SY]"});
    EXPECT_EQ(out.find("SY*9"), std::string::npos) << "other delimiters in each interchange";
    EXPECT_EQ(out.find("SY|9"), std::string::npos);
}

TEST_F(Blanked, X12ThatTheTablesDoNotHoldForRightIsRefusedWhole) {
    const std::string sample = blanked_file(kBlankedSource + "/bus/formats/testdata/x12/130.edi");
    const std::pair<const char*, const char*> broken[] = {
        {"B48~\nREF*SY", "B48\nREF*SY"},  // a terminator that is missing
        {"B48~\nREF*SY", "B48REF*SY"},   {"REF*SY*", "REX*SY*"}, {"REF*SY*999000001~", "REF*SY*999000001*a*b*c*d*e~"},
        {"SE*35*0001~", "SE*34*0001~"},  {"GE*1*45~", ""},       {"ISA*", "IXA*"},
        {"IEA*1*000000001~\n", ""}};
    for (const auto& [what, with] : broken)
        EXPECT_EQ(x12(blanked_replaced(sample, what, with), {"REF02[REF01=SY]"}).rfind("X12-0", 0), 0U) << with;
    for (const char* none : {"", "REF", "REF2", "REF00", "ISA06", "ST02", "SE01", "REF02[", "REF02[REF01]", "REF02[N101=SY]",
                             "REF02[REF02=1]", "ref02", "REF02[REF01=]", "REF02]"})
        EXPECT_FALSE(X12Drop::read(none)) << none;
}

TEST_F(Blanked, FixedFieldsAreBlank) {
    std::string job = "J000000017Roe            09-01-23000012550FT", head = "H20240601", duty = "D caf\xE9";
    for (std::string* line : {&job, &head, &duty}) line->resize(60, ' ');
    const std::string text = head + "\r\n" + job + "\r\n" + duty + "\r\n";
    std::string without = job;
    without.replace(10, 15, 15, ' ').replace(25, 8, 8, ' ');
    EXPECT_EQ(fixed_out(text, fixed({"job.family-name", "job.begin"})), head + "\n" + without + "\n" + duty + "\n");
    EXPECT_EQ(unreadable_, 0U);
}

TEST_F(Blanked, FixedLinesThatAreNotAsTheLayoutSaysSayNothing) {
    std::string head = "H20240601", job = "J000000017Roe            09-01-23000012550FT";
    head.resize(60, ' ');
    job.resize(60, ' ');
    const auto changed = [&](const std::string& line) {
        const std::string out = fixed_out(head + "\n" + line + "\n" + job + "\n", fixed({"job.family-name"}));
        EXPECT_EQ(out.find("Roe"), std::string::npos) << line;
        EXPECT_EQ(unreadable_, 1U) << line;
        EXPECT_EQ(out.substr(61, 2), "\x01\n") << line;
    };
    changed(job + "x");                          // too long
    changed("X" + job.substr(1));                // no kind
    changed(blanked_replaced(job, "J0", "J"));   // shifted to the left: the date is none
    changed(blanked_replaced(job, "FT", "QQ"));  // not in the list
    changed(blanked_replaced(job, "000012550", "0000x2550"));
    changed(blanked_replaced(job, "Roe",
                             "R\x01"
                             "e"));                            // a control character
    changed(blanked_replaced(job, "000000017", "         "));  // a required field
    changed(std::string(200'000, 'J'));                        // too large
}

TEST_F(Blanked, FixedInUtf8CountsCharacters) {
    const auto reduction = fixed({"row.ssn"}, R"(<layout xmlns="urn:clrbus:fixed:1" encoding="utf-8">
      <record name="row"><field name="name" from="1" length="6"/><field name="ssn" from="7" length="5"/><field name="x" from="12" length="2"/></record></layout>)");
    EXPECT_EQ(fixed_drop_fault(reduction), "");
    EXPECT_EQ(fixed_out("J\xC3\xB6rg  99900ab\nJ\xC3\xB6rg  999\nab\n", reduction),
              "J\xC3\xB6rg       ab\nJ\xC3\xB6rg     \nab\n");
    EXPECT_EQ(fixed_out("J\xC3rg  99900ab\n", reduction), "\x01\n");
}

TEST_F(Blanked, FixedRefusesWhatCannotBeBlank) {
    EXPECT_EQ(fixed_drop_fault(fixed({"job.family-name", "duty.text"})), "");
    for (const char* wrong : {"job.none", "none.text", "text", "job.person", "job.pay", "trailer.jobs"})
        EXPECT_NE(fixed_drop_fault(fixed({wrong})), "") << wrong;
    const auto tells = fixed({"row.kind"}, R"(<layout xmlns="urn:clrbus:fixed:1"><record name="row"><match from="2" value="A"/>
      <field name="kind" from="1" length="3"/></record></layout>)");
    EXPECT_NE(fixed_drop_fault(tells), "");
}

}  // namespace
}  // namespace clrbus
