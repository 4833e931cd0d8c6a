// Every route of routes/ with its cases, through the real steps; and real transcripts, compared with their source by a reading
// of its own (tests/e2e/pesc_check.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "routing/assets.hpp"
#include "routing/dry_run.hpp"
#include "routing/route.hpp"

namespace clrbus {
namespace {

namespace fs = std::filesystem;

const fs::path kProject = CLRBUS_SOURCE_DIR;

std::vector<std::string> folders_of(const fs::path& folder) {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.is_directory()) out.push_back(entry.path().filename().string());
    }
    std::sort(out.begin(), out.end());
    return out;
}

LoadedRoutes routes_with(const fs::path& schemas) {
    RouteAssetFolders folders{.schemas = schemas,
                              .transforms = kProject / "transforms",
                              .codes = kProject / "conf/codes",
                              .adapter_schemas = {},
                              .zone = "America/Chicago"};
    for (const std::string& adapter : folders_of(kProject / "adapters")) {
        const fs::path schema = kProject / "adapters" / adapter / "config.xsd";
        if (fs::exists(schema)) folders.adapter_schemas.push_back(schema);
    }
    RouteAssets assets(std::move(folders));
    return load_routes(kProject / "routes", assets);
}

const LoadedRoutes& all_routes() {
    static const LoadedRoutes loaded = routes_with(kProject / "xsd");
    return loaded;
}

std::shared_ptr<const CompiledRoute> route_named(const LoadedRoutes& loaded, const std::string& id) {
    const auto found =
        std::find_if(loaded.routes.begin(), loaded.routes.end(), [&](const auto& route) { return route->id() == id; });
    return found == loaded.routes.end() ? nullptr : *found;
}

// Real documents and the official schemas are no part of the project: looked for beside the checkout.
fs::path shared(const std::string& name) {
    fs::path folder = kProject;
    for (int up = 0; up < 3; ++up) {
        folder = folder.parent_path();
        if (fs::is_directory(folder / "shared/pesc" / name)) return folder / "shared/pesc" / name;
    }
    return {};
}

class RouteCases : public ::testing::TestWithParam<std::string> {};

TEST_P(RouteCases, AllHold) {
    for (const Error& error : all_routes().errors) {
        if (std::string(error.what()).find("/" + GetParam() + "/") != std::string::npos) ADD_FAILURE() << error.what();
    }
    const auto results = run_cases(all_routes().routes, kProject / "routes" / GetParam());
    EXPECT_FALSE(results.empty()) << "a route has cases";
    for (const CaseResult& result : results) EXPECT_TRUE(result.held) << result.name << ": " << result.difference;
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
    std::string name = info.param;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Routes, RouteCases, ::testing::ValuesIn(folders_of(kProject / "routes")), test_name);

TEST(RealTranscripts, SayInTheRecordWhatTheDocumentSays) {
    if (shared("samples/transcripts").empty()) GTEST_SKIP() << "no real documents beside the checkout";
    const auto pesc = route_named(all_routes(), "pesc");
    ASSERT_TRUE(pesc);
    const fs::path output = fs::temp_directory_path() / ("pesc-check-" + std::to_string(::getpid()) + ".xml");
    std::size_t recorded = 0, filtered = 0, dead = 0;
    for (const auto& entry : fs::directory_iterator(shared("samples/transcripts"))) {
        const std::string name = entry.path().filename().string();
        if (name.rfind("ct-", 0) != 0) continue;
        SCOPED_TRACE(name);
        const auto results = dry_run(*pesc, entry.path());
        ASSERT_EQ(results.size(), 1U);
        if (results[0].kind == DryResult::Kind::kFiltered) {
            EXPECT_EQ(results[0].reason, "test");
            ++filtered;
            continue;
        }
        if (results[0].kind == DryResult::Kind::kDead) {
            EXPECT_THAT(name, ::testing::HasSubstr("INVALID")) << results[0].error->what();
            ++dead;
            continue;
        }
        EXPECT_THAT(name, ::testing::Not(::testing::HasSubstr("INVALID")));
        std::ofstream(output, std::ios::binary) << results[0].xml;
        const std::string command = "python3 '" + (kProject / "tests/e2e/pesc_check.py").string() + "' '" +
                                    entry.path().string() + "' '" + output.string() + "'";
        EXPECT_EQ(std::system(command.c_str()), 0) << "the output differs from its source";
        ++recorded;
    }
    fs::remove(output);
    EXPECT_GE(recorded, 5U);
    EXPECT_GE(filtered, 1U);
    EXPECT_GE(dead, 1U);
}

// What ours let through because a later version has it, the official schema of the version refuses: so it is the one that
// judges.
TEST(OfficialSchemas, TakeOverWhereTheyLie) {
    if (shared("xsd").empty()) GTEST_SKIP() << "no official schemas beside the checkout";
    const fs::path folder = fs::temp_directory_path() / ("official-" + std::to_string(::getpid()));
    fs::create_directories(folder);
    fs::copy(kProject / "xsd", folder / "xsd", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    std::ifstream in(kProject / "routes/pesc/cases/version-1.8-outcomes/input.xml");
    std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    text.replace(text.find("v1.8.0"), 6, "v1.4.0");
    const fs::path early = folder / "early.xml";
    std::ofstream(early) << text;
    const auto ours = dry_run(*route_named(routes_with(folder / "xsd"), "pesc"), early);
    EXPECT_EQ(ours.at(0).kind, DryResult::Kind::kOutput) << (ours.at(0).error ? ours.at(0).error->what() : "");

    const fs::path official = folder / "xsd/pesc/official";
    fs::create_directories(official);
    fs::copy(shared("xsd") / "CollegeTranscript_v1.4.0.xsd", official / "college-transcript-1.4.xsd");
    fs::copy(shared("xsd") / "AcademicRecord_v1.7.0.xsd", official);
    fs::copy(shared("xsd") / "CoreMain_v1.12.0.xsd", official);
    const LoadedRoutes loaded = routes_with(folder / "xsd");
    const auto theirs = dry_run(*route_named(loaded, "pesc"), early);
    EXPECT_EQ(theirs.at(0).kind, DryResult::Kind::kDead);
    const auto other = dry_run(*route_named(loaded, "pesc"), kProject / "routes/pesc/cases/version-1.8-outcomes/input.xml");
    EXPECT_EQ(other.at(0).kind, DryResult::Kind::kOutput) << "the other versions stay with ours";
    std::error_code ignored;
    fs::remove_all(folder, ignored);
}

// Whatever is valid comes through the stylesheet as a valid message that says the same: blank texts, every optional element
// there or not, texts of the greatest length, signs of markup.
TEST(RandomTranscripts, SayInTheRecordWhatTheDocumentSays) {
    const auto pesc = route_named(all_routes(), "pesc");
    ASSERT_TRUE(pesc);
    const fs::path folder = fs::temp_directory_path() / ("pesc-random-" + std::to_string(::getpid()));
    for (const char* version : {"1.0", "1.6", "1.9", "none"}) {
        const std::string command = "python3 '" + (kProject / "tests/e2e/pesc_random.py").string() + "' " + version +
                                    " 7 30 '" + (folder / "in").string() + "'";
        ASSERT_EQ(std::system(command.c_str()), 0);
    }
    fs::create_directories(folder / "out");
    std::size_t recorded = 0;
    for (const auto& entry : fs::directory_iterator(folder / "in")) {
        SCOPED_TRACE(entry.path().filename());
        const auto results = dry_run(*pesc, entry.path());
        ASSERT_EQ(results.size(), 1U);
        if (results[0].kind == DryResult::Kind::kFiltered) continue;
        ASSERT_EQ(results[0].kind, DryResult::Kind::kOutput) << results[0].error->what();
        std::ofstream(folder / "out" / entry.path().filename(), std::ios::binary) << results[0].xml;
        ++recorded;
    }
    EXPECT_GE(recorded, 60U);
    const std::string command = "python3 '" + (kProject / "tests/e2e/pesc_check.py").string() + "' '" +
                                (folder / "in").string() + "' '" + (folder / "out").string() + "'";
    EXPECT_EQ(std::system(command.c_str()), 0) << "an output differs from its source";
    std::error_code ignored;
    fs::remove_all(folder, ignored);
}

std::string member(const std::string& line, const std::string& name) {
    const auto at = line.find("\"" + name + "\": \"");
    if (at == std::string::npos) return {};
    const auto begin = at + name.size() + 5;
    return line.substr(begin, line.find('"', begin) - begin);
}

// The samples of the tour end as their manifest says, as far as a route decides it.
TEST(Samples, AreJudgedAsTheirManifestSays) {
    const fs::path folder = fs::temp_directory_path() / ("samples-" + std::to_string(::getpid()));
    const std::string command =
        "'" + (kProject / "tools/make-samples").string() + "' '" + folder.string() + "' --learners 12 > /dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    std::ifstream manifest(folder / "manifest.json");
    std::string file, route;
    std::size_t judged = 0;
    for (std::string line; std::getline(manifest, line);) {
        if (!member(line, "file").empty()) file = member(line, "file");
        if (!member(line, "route").empty()) route = member(line, "route");
        const std::string expect = member(line, "expect");
        if (expect.empty()) continue;
        SCOPED_TRACE(::testing::Message() << file << " is to be " << expect);
        const auto judge = route_named(all_routes(), route);
        ASSERT_TRUE(judge);
        const auto results = dry_run(*judge, folder / file);
        ASSERT_FALSE(results.empty());
        const auto count = [&](DryResult::Kind kind) {
            return std::count_if(results.begin(), results.end(), [kind](const auto& result) { return result.kind == kind; });
        };
        if (expect == "split") {
            EXPECT_GE(count(DryResult::Kind::kOutput), 2);
        } else {
            ASSERT_EQ(results.size(), 1U);
            const auto kind = expect == "dead"       ? DryResult::Kind::kDead
                              : expect == "filtered" ? DryResult::Kind::kFiltered
                                                     : DryResult::Kind::kOutput;
            EXPECT_EQ(results[0].kind, kind) << (results[0].error ? results[0].error->what() : results[0].reason);
        }
        for (const auto& result : results) EXPECT_EQ(result.xml.find("7301"), std::string::npos) << "pay reached the record";
        ++judged;
    }
    EXPECT_GE(judged, 40U);
    std::error_code ignored;
    fs::remove_all(folder, ignored);
}

}  // namespace
}  // namespace clrbus
