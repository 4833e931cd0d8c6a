// What is read again when a file changes, and what is not.
#include "routing/route_loader.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "routing/engine_fixture.hpp"

namespace clrbus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kLoaderSteps = R"(<validate schema="note.xsd"/><transform stylesheet="note.xsl"/><to><records/></to>)";
constexpr const char* kLoaderCodeSteps =
    R"(<filter test="f:code('terms', /note/n) != ''" reason="no term"/><transform stylesheet="note.xsl"/><to><records/></to>)";

class Loader : public EngineTest {
protected:
    Loader() : assets_({root_ / "xsd", root_ / "transforms", root_ / "codes", {}, "Z"}), loader_(root_ / "routes", assets_) {}

    // Until no file was written to while it was read.
    RouteLoader::Result load_settled() {
        loads_ = 1;
        RouteLoader::Result out = loader_.load();
        while (!out.settled) {
            std::this_thread::yield();
            const auto changed = out.changed;
            out = loader_.load();
            ++loads_;
            out.changed.insert(out.changed.end(), changed.begin(), changed.end());
        }
        return out;
    }
    static std::vector<std::string> ids(const RouteLoader::Result& result) {
        std::vector<std::string> out;
        for (const auto& route : result.routes) out.push_back(route->id());
        return out;
    }
    // A text of another length each time, so that the stamp differs whatever the clock's step is.
    void touch_stylesheet() { write("transforms/note.xsl", file_text("transforms/note.xsl") + "<!-- changed -->"); }
    std::string file_text(const std::string& name) {
        std::ifstream in(root_ / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    RouteAssets assets_;
    RouteLoader loader_;
    std::size_t loads_ = 0;
};

TEST_F(Loader, GivesTheSameObjectsWhileNothingChanged) {
    route("a", kLoaderSteps);
    route("b", kLoaderSteps);
    const auto first = load_settled();
    ASSERT_THAT(ids(first), ElementsAre("a", "b"));
    const std::size_t compiled = loader_.compiled();
    const auto second = load_settled();
    EXPECT_EQ(first.routes, second.routes);
    EXPECT_EQ(loader_.compiled(), compiled);
    EXPECT_THAT(second.changed, IsEmpty());
}

TEST_F(Loader, OneRouteAmongManyCostsThatRoute) {
    for (int i = 0; i < 500; ++i) route("r" + std::to_string(i), kLoaderSteps);
    const auto first = load_settled();
    ASSERT_THAT(first.routes, SizeIs(500));
    const std::size_t compiled = loader_.compiled();
    route("r77", kLoaderSteps, "steward=\"Dean\"");
    const auto second = load_settled();
    EXPECT_LE(loader_.compiled() - compiled, loads_) << "one a load";
    std::size_t others = 0;
    for (std::size_t i = 0; i < 500; ++i) others += first.routes[i] != second.routes[i] ? 1U : 0U;
    EXPECT_EQ(others, 1U);
}

TEST_F(Loader, AChangedStylesheetChangesTheRoutesThatUseIt) {
    route("a", kLoaderSteps);
    route("b", R"(<validate schema="note.xsd"/><to><records/></to>)");
    const auto first = load_settled();
    touch_stylesheet();
    const auto second = load_settled();
    EXPECT_NE(first.routes[0]->hash(), second.routes[0]->hash());
    EXPECT_EQ(first.routes[1], second.routes[1]);
    EXPECT_THAT(second.changed, testing::Contains(root_ / "transforms/note.xsl"));
}

TEST_F(Loader, AnImportAndASchemaAndAnOfficialSchemaAreSeen) {
    write(
        "transforms/lib/who.xsl",
        R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template name="w"/></xsl:stylesheet>)");
    std::string text = file_text("transforms/note.xsl");
    text.insert(text.find("<xsl:param"), "<xsl:import href=\"lib/who.xsl\"/>");
    write("transforms/note.xsl", text);
    route("a", kLoaderSteps);
    std::string hash = load_settled().routes.at(0)->hash();
    const auto differs = [&](const char* what) {
        const auto found = load_settled();
        ASSERT_THAT(found.routes, SizeIs(1)) << what;
        EXPECT_NE(found.routes[0]->hash(), hash) << what;
        hash = found.routes[0]->hash();
    };
    write("transforms/lib/who.xsl", file_text("transforms/lib/who.xsl") + "<!-- 1 -->");
    differs("an import");
    write("xsd/note.xsd", file_text("xsd/note.xsd") + "<!-- 1 -->");
    differs("a schema");
    write("xsd/official/note.xsd", file_text("xsd/note.xsd") + "<!-- official -->");
    differs("the official schema comes");
    std::filesystem::remove(root_ / "xsd/official/note.xsd");
    differs("and goes");
}

TEST_F(Loader, CodeListsTouchTheRoutesThatAskThem) {
    write("codes/terms.csv", "code,name\n1,Spring\n");
    assets_.refresh();
    route("asks", kLoaderCodeSteps);
    std::string file = file_text("routes/asks/routes.xml");
    file.insert(file.find("<routes") + 7, " xmlns:f=\"urn:clrbus:functions:1\"");
    write("routes/asks/routes.xml", file);
    route("does-not", kLoaderSteps);
    const auto first = load_settled();
    ASSERT_THAT(ids(first), ElementsAre("asks", "does-not")) << (first.refused.empty() ? "" : first.refused[0].error.what());
    write("codes/terms.csv", "code,name\n1,Spring\n2,Fall\n");
    const auto second = load_settled();
    EXPECT_NE(first.routes[0]->hash(), second.routes[0]->hash());
    EXPECT_EQ(first.routes[1], second.routes[1]);
    write("codes/levels.csv", "code,name\nU,Undergraduate\n");
    EXPECT_NE(load_settled().routes[0]->hash(), second.routes[0]->hash()) << "a list that comes";
    write("codes/terms.csv", "code,name\n1\n");
    const auto broken = load_settled();
    ASSERT_THAT(broken.refused, SizeIs(1));
    EXPECT_EQ(broken.refused[0].error.code(), "CODE-005");
    EXPECT_EQ(broken.refused[0].error.where().line, 2U);
    EXPECT_THAT(ids(broken), ElementsAre("asks", "does-not"));
}

TEST_F(Loader, WhatIsBrokenIsRefusedWithItsPlaceAndTheOthersAreThere) {
    route("a", kLoaderSteps);
    route("b", kLoaderSteps);
    load_settled();
    write("routes/a/routes.xml", "<routes xmlns=\"urn:clrbus:routes:1\">\n<route id=\"a\" system=\"x\">");  // half a file
    auto broken = load_settled();
    EXPECT_THAT(ids(broken), ElementsAre("b"));
    ASSERT_THAT(broken.refused, SizeIs(1));
    EXPECT_EQ(broken.refused[0].route, "a") << "it held that route when it could be read";
    EXPECT_THAT(std::string(broken.refused[0].error.what()), HasSubstr("routes/a/routes.xml:2:"));
    route("a", R"(<transform stylesheet="none.xsl"/><to><records/></to>)");
    broken = load_settled();
    ASSERT_THAT(broken.refused, SizeIs(1));
    EXPECT_EQ(broken.refused[0].error.code(), "ROUTE-011");
    EXPECT_EQ(broken.refused[0].error.where().line, 3U);
    write("transforms/none.xsl", file_text("transforms/note.xsl"));
    EXPECT_THAT(ids(load_settled()), ElementsAre("a", "b")) << "the file that was missing came";
    std::filesystem::remove_all(root_ / "routes/a");
    EXPECT_THAT(ids(load_settled()), ElementsAre("b"));
}

TEST_F(Loader, AFileWrittenWhileItIsReadIsReadAgain) {
    route("a", kLoaderSteps);
    const auto first = loader_.load();
    EXPECT_FALSE(first.settled) << "it was written just now";
    const auto second = load_settled();
    EXPECT_EQ(first.routes[0]->hash(), second.routes[0]->hash());
}

TEST_F(Loader, ATakenIdIsRefusedInTheLaterFile) {
    route("a", kLoaderSteps);
    write("routes/b/routes.xml", file_text("routes/a/routes.xml"));
    const auto found = load_settled();
    EXPECT_THAT(ids(found), ElementsAre("a"));
    ASSERT_THAT(found.refused, SizeIs(1));
    EXPECT_EQ(found.refused[0].error.code(), "ROUTE-018");
}

}  // namespace
}  // namespace clrbus
