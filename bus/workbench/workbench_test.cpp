#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "config/loader.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "routing/dry_run.hpp"
#include "workbench/inventory.hpp"
#include "workbench/mapping.hpp"
#include "workbench/new_system.hpp"
#include "workbench/proposal.hpp"
#include "workbench/shapes.hpp"
#include "workbench/try_route.hpp"

namespace clrbus::workbench {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

fs::path workbench_data(const char* name) {
    return fs::path(CLRBUS_SOURCE_DIR) / "bus/workbench/testdata" / name;
}

// A site of its own: the project's schemas, no routes yet.
class Workbench : public ::testing::Test {
protected:
    Workbench() : root_(fs::temp_directory_path() / ("clrbus-workbench-" + new_uuid())) {
        const fs::path project = CLRBUS_SOURCE_DIR;
        for (const char* folder : {"routes", "transforms", "xsd"}) fs::create_directories(root_ / folder);
        for (const char* file : {"learner-record.xsd", "routes.xsd"})
            fs::copy_file(project / "xsd" / file, root_ / "xsd" / file);
        folders_ = {root_ / "xsd",
                    root_ / "transforms",
                    project / "conf/codes",
                    {project / "adapters/directory/config.xsd"},
                    "America/Chicago"};
    }
    ~Workbench() override { fs::remove_all(root_); }

    NewSystem wanted(const char* name, const char* sample, const char* component, const char* type) const {
        NewSystem out;
        out.name = name;
        out.sample = workbench_data(sample);
        out.door = "<directory:pickup xmlns:directory=\"urn:clrbus:adapter:directory:1\" match=\"*\"/>";
        out.component = component;
        out.type = type;
        out.steward = "Student Life";
        out.institution = "FICE:003658";
        return out;
    }
    NewSystemDone make(const NewSystem& what) const { return make_new_system(what, root_ / "routes", folders_); }
    std::vector<DryResult> run(const fs::path& file) const {
        RouteAssets assets(folders_);
        const LoadedRoutes loaded = load_routes(root_ / "routes", assets);
        EXPECT_THAT(loaded.errors, IsEmpty());
        return dry_run(*loaded.routes.at(0), file);
    }
    std::string text(const char* file) const { return read_file(root_ / file); }

    fs::path root_;
    RouteAssetFolders folders_;
};

TEST_F(Workbench, WiresACsvFileInOneGo) {
    const NewSystemDone done = make(wanted("clubs", "clubs.csv", "activities", "Membership"));
    EXPECT_EQ(done.records, 4u);
    EXPECT_THAT(done.dropped, ElementsAre("Date_x0020_of_x0020_Birth"));
    EXPECT_THAT(done.missing, IsEmpty()) << text("transforms/clubs.xsl");
    const auto results = run(workbench_data("clubs.csv"));
    ASSERT_EQ(results.size(), 4u);
    ASSERT_EQ(results[0].kind, DryResult::Kind::kOutput) << results[0].error->what();
    EXPECT_THAT(results[0].xml, HasSubstr("value=\"00184372\""));
    EXPECT_THAT(results[0].xml, HasSubstr("begin=\"2023-09-01\""));
    EXPECT_THAT(results[0].xml, HasSubstr("<role>Treasurer</role>"));
    EXPECT_THAT(results[0].xml, HasSubstr("status=\"Completed\""));
    EXPECT_THAT(results[0].xml, HasSubstr("version=\"2024-06-01T13:00:00Z\""));
    EXPECT_THAT(results[0].xml, Not(HasSubstr("2001-04-05")));
}

TEST_F(Workbench, WiresNestedJsonWithOneAchievementForEachPartOfAList) {
    const NewSystemDone done = make(wanted("volunteers", "volunteers.json", "volunteering", "CommunityService"));
    EXPECT_THAT(done.missing, IsEmpty()) << text("transforms/volunteers.xsl");
    EXPECT_THAT(done.not_dropped, ElementsAre("person/phone"));
    const auto results = run(workbench_data("volunteers.json"));
    ASSERT_EQ(results.size(), 2u);
    ASSERT_EQ(results[0].kind, DryResult::Kind::kOutput) << results[0].error->what();
    EXPECT_THAT(results[0].xml, HasSubstr("<name>Reading tutor</name>"));
    EXPECT_THAT(results[0].xml, HasSubstr("<name>Food bank helper</name>"));
    EXPECT_THAT(results[0].xml, HasSubstr("<hours>42.5</hours>"));
    EXPECT_THAT(results[0].xml, HasSubstr("<tag>teaching</tag><tag>patience</tag>"));
}

TEST_F(Workbench, WiresXmlWithNamespacesAndDropsWhatTheRecordMustNotHold) {
    const NewSystemDone done = make(wanted("licences", "licences.xml", "licensures", "License"));
    EXPECT_THAT(done.missing, IsEmpty()) << text("transforms/licences.xsl");
    EXPECT_THAT(done.dropped, ElementsAre("ssn"));
    const auto results = run(workbench_data("licences.xml"));
    ASSERT_EQ(results.size(), 2u);
    ASSERT_EQ(results[0].kind, DryResult::Kind::kOutput) << results[0].error->what();
    EXPECT_THAT(results[0].xml, HasSubstr("scheme=\"hr-id\" value=\"E200981\""));
    EXPECT_THAT(results[0].xml, HasSubstr("<license-number>EMT-5512</license-number>"));
    EXPECT_THAT(results[0].xml, HasSubstr("valid-until=\"2026-03-01\""));
}

TEST_F(Workbench, MakesACaseThatHoldsAndShowsNobody) {
    make(wanted("clubs", "clubs.csv", "activities", "Membership"));
    RouteAssets assets(folders_);
    const LoadedRoutes loaded = load_routes(root_ / "routes", assets);
    const auto cases = run_cases(loaded.routes, root_ / "routes/clubs");
    ASSERT_EQ(cases.size(), 1u);
    EXPECT_TRUE(cases[0].held) << cases[0].difference;
    const std::string input = text("routes/clubs/cases/sample/input.csv");
    for (const char* real : {"Rivera", "184372", "ana.rivera"}) EXPECT_THAT(input, Not(HasSubstr(real)));
    EXPECT_THAT(input, HasSubstr("Student ID,First Name"));
}

TEST_F(Workbench, TellsRecordsWithoutAnIdApartByWhomAndWhat) {
    make(wanted("clubs", "clubs.csv", "activities", "Membership"));
    EXPECT_THAT(text("transforms/clubs.xsl"),
                HasSubstr("target=\"@key\" source=\"Student_x0020_ID Club_x0020_Code Member_x0020_Since\" rule=\"join\""));
}

TEST_F(Workbench, SaysWhatIsMissingAndRefusesEveryMessageUntilThen) {
    NewSystem what = wanted("clubs", "clubs.csv", "activities", "");
    const NewSystemDone done = make(what);
    EXPECT_THAT(done.missing, ElementsAre("achievement/@type"));
    for (const std::string& outcome : done.outcomes) EXPECT_THAT(outcome, HasSubstr("MAP-002"));
}

TEST_F(Workbench, RefusesANameThatIsTakenOrNoneAndLeavesNothingBehind) {
    make(wanted("clubs", "clubs.csv", "activities", "Membership"));
    EXPECT_THROW(make(wanted("clubs", "clubs.csv", "activities", "Membership")), Error);
    EXPECT_THROW(make(wanted("../x", "clubs.csv", "activities", "Membership")), Error);
    NewSystem broken = wanted("other", "clubs.csv", "activities", "Membership");
    broken.door = "<nothing";
    EXPECT_THROW(make(broken), Error);
    EXPECT_FALSE(fs::exists(root_ / "routes/other"));
    EXPECT_FALSE(fs::exists(root_ / "routes/.new-other"));
    EXPECT_FALSE(fs::exists(root_ / "transforms/other.xsl"));
    EXPECT_FALSE(fs::exists(root_ / "xsd/other"));
}

TEST_F(Workbench, TheSheetComesOutAsItWentIn) {
    make(wanted("volunteers", "volunteers.json", "volunteering", "CommunityService"));
    std::string root;
    bool edited = true;
    const MappingSheet sheet = read_mapping_stylesheet(text("transforms/volunteers.xsl"), "volunteers.xsl", root, edited);
    EXPECT_FALSE(edited);
    const MappingSheet again = read_mapping_csv(write_mapping_csv(sheet), "sheet.csv");
    EXPECT_EQ(write_mapping_stylesheet(again, root), text("transforms/volunteers.xsl"));
    std::string by_hand = text("transforms/volunteers.xsl");
    by_hand.insert(by_hand.find("</xsl:template>"), "<!-- mine -->");
    read_mapping_stylesheet(by_hand, "volunteers.xsl", root, edited);
    EXPECT_TRUE(edited);
}

TEST_F(Workbench, TriesAFileStepByStepAndNamesWhatNobodyReads) {
    make(wanted("clubs", "clubs.csv", "activities", "Membership"));
    RouteAssets assets(folders_);
    const LoadedRoutes loaded = load_routes(root_ / "routes", assets);
    TryOptions options;
    options.from = 2;
    options.most = 2;
    const auto tried = try_route(*loaded.routes.at(0), workbench_data("clubs.csv"), options);
    ASSERT_EQ(tried.size(), 2u);
    EXPECT_EQ(tried[0].number, 2u);
    ASSERT_EQ(tried[0].steps.size(), 3u);
    EXPECT_FALSE(tried[0].steps[0].changed);
    EXPECT_TRUE(tried[0].steps[1].changed);
    EXPECT_THAT(tried[0].steps[1].document, HasSubstr("<role>Member</role>"));
    ASSERT_EQ(tried[0].outputs.size(), 1u);
    EXPECT_THAT(tried[0].unread, IsEmpty());
    // What the stylesheet does not read makes no difference.
    MappingSheet sheet;
    std::string root;
    bool edited = false;
    sheet = read_mapping_stylesheet(text("transforms/clubs.xsl"), "clubs.xsl", root, edited);
    sheet.rows.erase(std::remove_if(sheet.rows.begin(), sheet.rows.end(),
                                    [](const MappingRow& row) { return row.target == "achievement/role"; }),
                     sheet.rows.end());
    std::ofstream(root_ / "transforms/clubs.xsl") << write_mapping_stylesheet(sheet, root);
    RouteAssets again(folders_);
    const LoadedRoutes reloaded = load_routes(root_ / "routes", again);
    EXPECT_THAT(try_route(*reloaded.routes.at(0), workbench_data("clubs.csv"), options)[0].unread, ElementsAre("/row/Role"));
}

TEST_F(Workbench, TakesStockOfEveryElement) {
    make(wanted("clubs", "clubs.csv", "activities", "Membership"));
    std::ofstream(root_ / "sources.csv")
        << "system,component,element,steward,refresh,access,form,state,note\nCareers,internships,,Career Center,,,,planned,\n";
    RouteAssets assets(folders_);
    const LoadedRoutes loaded = load_routes(root_ / "routes", assets);
    const Inventory all = make_inventory(loaded.routes, root_ / "routes", root_ / "sources.csv");
    EXPECT_THAT(all.errors, IsEmpty());
    const auto mapped = [&](const std::string& element) {
        for (const InventoryRow& row : all.rows) {
            if (row.element == element) return row.mapped;
        }
        return std::string("no such element");
    };
    EXPECT_EQ(mapped("/row/Role"), "/statement/achievement/role");
    EXPECT_THAT(mapped("/row/Club_x0020_Code"), HasSubstr("/statement/achievement/code"));
    EXPECT_EQ(mapped("Date of Birth"), "dropped at the door");
    EXPECT_EQ(all.cells.size(), 2u);
    EXPECT_EQ(all.components.size(), 13u);
    EXPECT_THAT(inventory_csv(all), HasSubstr("Careers,,internships,,Career Center,,,,,,,planned,\n"));
    EXPECT_THAT(inventory_html(all, "A <University>"), HasSubstr("A &lt;University&gt;"));
    std::ofstream(root_ / "sources.csv") << "system,component,state\nCareers,internship,planned\n";
    EXPECT_EQ(make_inventory(loaded.routes, root_ / "routes", root_ / "sources.csv").errors.at(0).code(), "WORK-030");
}

TEST(LineDifference, KeepsWhatIsCommon) {
    EXPECT_EQ(line_difference("a\nb\nc\n", "a\nx\nc\n"), "  a\n- b\n+ x\n  c\n");
    EXPECT_EQ(line_difference("a\nb\nc\n", "x\ny\nz\n"), "");
    EXPECT_EQ(line_difference("", "x\n"), "");
}

std::string sheet_error(const std::string& rows) {
    try {
        read_mapping_csv(
            "target,source,rule,argument,note\n,,sheet,kind=statement,\n,,sheet,source=x,\n,,sheet,covers=all,\n" + rows,
            "sheet.csv");
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), "WORK-010");
        return std::to_string(e.where().line) + " " + e.why() + "; " + e.expected();
    }
    return "no error";
}

TEST(MappingSheet, NamesTheLineAndTheNearestWord) {
    EXPECT_THAT(sheet_error("achievement/nam,T,copy,,\n"),
                HasSubstr("5 a statement has no place 'achievement/nam'; is 'achievement/name' meant?"));
    EXPECT_THAT(sheet_error("achievement/name,T,cpy,,\n"), HasSubstr("'cpy' is no rule; is 'copy' meant?"));
    EXPECT_THAT(sheet_error("achievement/name,,copy,,\n"), HasSubstr("needs a source"));
    EXPECT_THAT(sheet_error("achievement/name,T,code,,\n"), HasSubstr("needs an argument"));
    EXPECT_THAT(sheet_error("achievement/@status,T,map,x,\n"), HasSubstr("A=B;C=D"));
    EXPECT_THAT(sheet_error("learner/identifier[sis-id],T,copy,,\n"), HasSubstr("two parts with |"));
    EXPECT_THAT(sheet_error("achievement/name,T,copy,,\nachievement/name,U,copy,,\n"),
                HasSubstr("6 'achievement/name' was filled by line 5 already"));
    EXPECT_THAT(sheet_error("achievement/name,T,each,,\n"), HasSubstr("stands once"));
    EXPECT_THAT(sheet_error("x,T,ignore,,\n"), HasSubstr("has no target"));
    EXPECT_EQ(sheet_error("achievement/name,T,copy,,\n"), "no error");
}

TEST(MappingSheet, HoldsTextThatLooksLikeMarkup) {
    std::string root;
    bool edited = true;
    const MappingSheet sheet = read_mapping_csv(
        "target,source,rule,argument,note\n,,sheet,kind=person,\n,,sheet,source=a&b,\n@key,ID,copy,,\nname/"
        "@full,,constant,{it's} <&>,\n",
        "s.csv");
    const std::string xsl = write_mapping_stylesheet(sheet, "row");
    EXPECT_EQ(read_mapping_stylesheet(xsl, "s.xsl", root, edited).rows.back().argument, "{it's} <&>");
    EXPECT_FALSE(edited);
}

TEST(Shapes, TellDatesNumbersAndIdsApart) {
    std::string pattern;
    EXPECT_EQ(shape_of("2024-02-03", pattern), Shape::kDate);
    EXPECT_EQ(shape_of("2/13/2024", pattern), Shape::kDate);
    EXPECT_EQ(pattern, "M/d/yyyy");
    EXPECT_EQ(shape_of("13/2/2024", pattern), Shape::kDate);
    EXPECT_EQ(pattern, "d/M/yyyy");
    EXPECT_EQ(shape_of("20240203", pattern), Shape::kDate);
    EXPECT_EQ(shape_of("00184372", pattern), Shape::kId);
    EXPECT_EQ(shape_of("42.5", pattern), Shape::kDecimal);
    EXPECT_EQ(shape_of("-3", pattern), Shape::kInteger);
    EXPECT_EQ(shape_of("2024-06-01 08:00:00", pattern), Shape::kInstant);
    EXPECT_EQ(shape_of("a@b.edu", pattern), Shape::kEmail);
    EXPECT_EQ(shape_of("", pattern), Shape::kText);
    EXPECT_EQ(spoken("firstName"), "first name");
    EXPECT_EQ(spoken("SIS_USER_ID"), "sis user id");
    EXPECT_EQ(spoken("XMLHttp"), "xml http");
}

TEST(ReadSample, RefusesWhatIsNoSample) {
    const fs::path file = fs::temp_directory_path() / ("clrbus-sample-" + new_uuid() + ".csv");
    EXPECT_THROW(read_sample(file, "", ""), Error);
    std::ofstream(file) << "a,b\n";
    EXPECT_THROW(read_sample(file, "", ""), Error);
    std::ofstream(file) << "<open>";
    EXPECT_THROW(read_sample(file, "xml", ""), Error);
    std::ofstream(file, std::ios::trunc) << "a@example.edu,2024-01-01\nb@example.edu,2024-01-02\n";
    EXPECT_THROW(read_sample(file, "", ""), Error);
    std::ofstream(file, std::ios::trunc) << std::string(3, '\0');
    EXPECT_THROW(read_sample(file, "", ""), Error);
    fs::remove(file);
}

}  // namespace
}  // namespace clrbus::workbench
