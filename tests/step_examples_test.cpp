// The examples of xsd/routes.xsd: each step has one, it holds the step, and it compiles as a route does. Files below example/
// are made up here; all else that an example names is the project's own.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

#include "config/loader.hpp"
#include "routing/assets.hpp"
#include "routing/route.hpp"
#include "support/test_directory.hpp"

namespace clrbus {
namespace {

namespace fs = std::filesystem;

const fs::path kExampleProject = CLRBUS_SOURCE_DIR;

void write_file(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
}

class ExampleFolder {
public:
    ExampleFolder() : root_(directory_.path()) {
        for (const char* name : {"xsd", "transforms", "conf/programs", "adapters"}) {
            fs::create_directories((root_ / name).parent_path());
            fs::copy(kExampleProject / name, root_ / name, fs::copy_options::recursive);
        }
        // Programs may be written to by their owner alone, whatever the checkout says.
        for (const auto& one : fs::recursive_directory_iterator(root_ / "conf/programs")) only_owner(one.path());
        only_owner(root_ / "conf/programs");
    }
    // "compiles", or the error.
    std::string compiled(const std::string& steps) {
        static const std::regex made(R"(example/[a-z]+\.(xsl|xsd))");
        for (std::sregex_iterator one(steps.begin(), steps.end(), made), end; one != end; ++one) {
            const bool sheet = (*one)[1] == "xsl";
            write_file(root_ / (sheet ? "transforms" : "xsd") / one->str(),
                       sheet
                           ? R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>)"
                           : R"(<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="row"/></xs:schema>)");
        }
        fs::remove_all(root_ / "routes");
        write_file(
            root_ / "routes/example/routes.xml",
            R"(<routes xmlns="urn:clrbus:routes:1" xmlns:http="urn:clrbus:adapter:http-call:1"><route id="example" system="example">)" +
                steps + "</route>" + others() + "</routes>");
        RouteAssetFolders folders{.schemas = root_ / "xsd",
                                  .transforms = root_ / "transforms",
                                  .codes = kExampleProject / "conf/codes",
                                  .adapter_schemas = {},
                                  .zone = "America/Chicago"};
        folders.programs = root_ / "conf/programs";
        for (const auto& adapter : fs::directory_iterator(root_ / "adapters")) {
            if (fs::exists(adapter.path() / "config.xsd")) folders.adapter_schemas.push_back(adapter.path() / "config.xsd");
        }
        RouteAssets assets(std::move(folders));
        const LoadedRoutes loaded = load_routes(root_ / "routes", assets);
        if (!loaded.errors.empty()) return loaded.errors.front().what();
        return loaded.routes.empty() ? "no route" : "compiles";
    }

private:
    // Whom examples send to.
    static std::string others() {
        std::string out;
        for (const char* id : {"next", "audit", "archive", "advising", "registrar", "physics", "history", "by-hand"})
            out += "<route id=\"" + std::string(id) + "\" system=\"example\"><to><records/></to></route>";
        return out;
    }
    static void only_owner(const fs::path& path) {
        fs::permissions(path, fs::perms::group_write | fs::perms::others_write, fs::perm_options::remove);
    }
    TestDirectory directory_;
    const fs::path root_;
};

TEST(StepExamples, EachStepHasOneThatCompiles) {
    const Config schema = ConfigLoader(nullptr).load(kExampleProject / "xsd/routes.xsd");
    std::map<std::string, std::string> examples;  // by type
    for (const Config& type : schema.children("complexType")) {
        for (const Config& info : type.child("annotation").children("appinfo")) {
            if (info.get("source") == "example") examples[type.get("name")] = info.text();
        }
    }
    ExampleFolder folder;
    std::size_t steps = 0;
    for (const Config& group : schema.children("group")) {
        for (const Config& step : group.child("choice").children("element")) {
            ++steps;
            const std::string& example = examples[step.get("type")];
            EXPECT_NE(example.find("<" + step.get("name")), std::string::npos) << step.get("name") << " has no example";
            EXPECT_EQ(folder.compiled(example), "compiles") << step.get("name");
        }
    }
    EXPECT_GE(steps, 25U);
    EXPECT_NE(folder.compiled("<filter test=\"/a[\" reason=\"broken\"/>"), "compiles") << "it would say so";
}

}  // namespace
}  // namespace clrbus
