// A route file: what compiles, and what each mistake says.
#include "routing/route.hpp"

#include <gmock/gmock.h>

#include "routing/engine_fixture.hpp"

namespace clrbus {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RouteFile : public EngineTest {
protected:
    // The one error of a route made of these steps.
    std::string error_of(const std::string& steps, const std::string& attributes = "") {
        route("bad", steps, attributes);
        const LoadedRoutes loaded = load();
        if (loaded.errors.empty()) return "compiles";
        EXPECT_EQ(loaded.errors.front().fault(), Fault::kConfig);
        return loaded.errors.front().code() + " " + loaded.errors.front().what();
    }
};

constexpr const char* kTo = "<to><records/></to>";

TEST_F(RouteFile, CompilesAndKnowsWhatItIs) {
    route("good", std::string("<validate schema=\"note.xsd\"/><transform stylesheet=\"note.xsl\"/>") + kTo,
          R"(steward="Registrar" identity="authority" match="sis-id orcid")");
    const LoadedRoutes loaded = load();
    ASSERT_EQ(loaded.routes.size(), 1U);
    EXPECT_EQ(loaded.routes[0]->id(), "good");
    EXPECT_TRUE(loaded.routes[0]->identity_authority());
    EXPECT_EQ(loaded.routes[0]->match().size(), 2U);
    EXPECT_EQ(loaded.routes[0]->steps().size(), 3U) << "validate is fused into the parse";
}

TEST_F(RouteFile, SaysFileLineAndWhatWasExpected) {
    EXPECT_THAT(error_of("<log text=\"x\"/>"), AllOf(HasSubstr("ROUTE-017"), HasSubstr("routes.xml:2")));
    EXPECT_THAT(error_of("<frobnicate/>"), AllOf(HasSubstr("routes.xml:3"), HasSubstr("frobnicate")));
    EXPECT_THAT(error_of(std::string("<validate schema=\"none.xsd\"/>") + kTo),
                AllOf(HasSubstr("ROUTE-011"), HasSubstr("routes.xml:3"), HasSubstr("none.xsd")));
    EXPECT_THAT(error_of(std::string("<transform stylesheet=\"none.xsl\"/>") + kTo), HasSubstr("ROUTE-011"));
    EXPECT_THAT(error_of(std::string("<filter test=\"a[\" reason=\"r\"/>") + kTo),
                AllOf(HasSubstr("XPATH-001"), HasSubstr("routes.xml:3")));
    EXPECT_THAT(error_of(std::string("<parse format=\"xml\"/><parse format=\"json\"/>") + kTo), HasSubstr("ROUTE-014"));
    EXPECT_THAT(error_of(std::string("<parse format=\"json-lines\"/>") + kTo), HasSubstr("ROUTE-019"));
    EXPECT_THAT(error_of(std::string("<log text=\"x\"/><split format=\"csv\"/>") + kTo), HasSubstr("ROUTE-012"));
    EXPECT_THAT(error_of(std::string("<split format=\"xml\"/>") + kTo), HasSubstr("ROUTE-015"));
    EXPECT_THAT(error_of(std::string("<set-header name=\"clrbus-x\" value=\"1\"/>") + kTo), HasSubstr("ROUTE-021"));
    EXPECT_THAT(error_of(std::string("<set-header name=\"x\"/>") + kTo), HasSubstr("ROUTE-020"));
    EXPECT_THAT(error_of(std::string(kTo) + "\n<log text=\"x\"/>"), AllOf(HasSubstr("ROUTE-025"), HasSubstr("routes.xml:4")));
}

TEST_F(RouteFile, OneThatDoesNotCompileLeavesTheOthers) {
    route("bad", "<log text=\"x\"/>");
    route("good", kTo);
    const LoadedRoutes loaded = load();
    ASSERT_EQ(loaded.routes.size(), 1U);
    EXPECT_EQ(loaded.routes[0]->id(), "good");
    EXPECT_EQ(loaded.errors.size(), 1U);
}

TEST_F(RouteFile, TwoOfOneNameAreRefused) {
    write("routes/a/routes.xml",
          R"(<routes xmlns="urn:clrbus:routes:1"><route id="x" system="s"><to><records/></to></route></routes>)");
    write("routes/b/routes.xml",
          R"(<routes xmlns="urn:clrbus:routes:1"><route id="x" system="s"><to><records/></to></route></routes>)");
    const LoadedRoutes loaded = load();
    EXPECT_EQ(loaded.routes.size(), 1U);
    ASSERT_EQ(loaded.errors.size(), 1U);
    EXPECT_EQ(loaded.errors[0].code(), "ROUTE-018");
}

TEST_F(RouteFile, TheHashChangesWithWhatTheRouteIsMadeOf) {
    const auto hash = [this] { return load().routes.at(0)->hash(); };
    route("r", std::string("<transform stylesheet=\"note.xsl\"/>") + kTo);
    const std::string first = hash();
    EXPECT_EQ(hash(), first);
    write("transforms/note.xsl", R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>)");
    const std::string second = hash();
    EXPECT_NE(second, first);
    route("r", std::string("<log text=\"new\"/><transform stylesheet=\"note.xsl\"/>") + kTo);
    EXPECT_NE(hash(), second);
}

TEST_F(RouteFile, APropertyIsPartOfTheRoutesThatNameIt) {
    route("r", std::string("<filter test=\"/n = $property-campus\" reason=\"other\"/>") + kTo);
    route("s", kTo);
    const auto hashes = [this](const std::string& value) {
        RouteAssetFolders folders{root_ / "xsd", root_ / "transforms", root_ / "codes", {}, "Z"};
        folders.properties = {{"campus", value}};
        RouteAssets assets(folders);
        const LoadedRoutes loaded = load_routes(root_ / "routes", assets);
        EXPECT_TRUE(loaded.errors.empty());
        return std::pair(loaded.routes.at(0)->hash(), loaded.routes.at(1)->hash());
    };
    const auto north = hashes("North"), south = hashes("South");
    EXPECT_NE(north.first, south.first);
    EXPECT_EQ(north.second, south.second);
    ASSERT_EQ(load().errors.size(), 1U) << "without the property";
    EXPECT_EQ(load().errors[0].code(), "XPATH-002");
}

TEST_F(RouteFile, AnOfficialSchemaTakesOver) {
    route("r", std::string("<validate schema=\"sub/note.xsd\"/>") + kTo);
    write("xsd/sub/note.xsd",
          R"(<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="note"/></xs:schema>)");
    const std::string own = load().routes.at(0)->hash();
    write("xsd/sub/official/note.xsd",
          R"(<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="note" type="xs:string"/></xs:schema>)");
    EXPECT_NE(load().routes.at(0)->hash(), own);
}

}  // namespace
}  // namespace clrbus
