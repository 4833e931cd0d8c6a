// Changes that are taken, refused, held back together, gone back from, and found again at the next start.
#include "routing/reloader.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "routing/engine_fixture.hpp"

namespace clrbus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kReloaderSteps = R"(<validate schema="note.xsd"/><transform stylesheet="note.xsl"/><to><records/></to>)";

class FakeFollowers : public RouteFollowers {
public:
    void prepare(const CompiledRoute& route) override {
        if (route.steward() == "no door") throw Error(Fault::kConfig, "TEST-001", "opening a door", "there is none");
    }
    void follow(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) override {
        followed.clear();
        for (const auto& route : routes) followed.push_back(route->id() + " " + std::to_string(route->generation));
    }
    std::vector<std::string> followed;
};

class Reloader : public EngineTest {
protected:
    ~Reloader() override { stop_all(); }
    void begin(bool keep_last_good = false) {
        open_queues();
        assets_ =
            std::make_unique<RouteAssets>(RouteAssetFolders{root_ / "xsd", root_ / "transforms", root_ / "codes", {}, "Z"});
        reloader_ = std::make_unique<RouteReloader>(
            RouteReloader::Parts{*queues_, *workers_, system_clock(), root_, root_ / "routes", *assets_, keep_last_good});
        engine_ = std::make_unique<RouteEngine>(
            RouteEngine::Parts{*queues_, *originals_, *workers_, *splits_, system_clock(), root_, {}}, reloader_->first(),
            reloader_->keeper("start", "start of the bus"));
        engine_->start();
        reloader_->begin(*engine_, followers_);
    }
    void stop_all() {
        if (engine_) engine_->stop();
        reloader_.reset();
        close();
        assets_.reset();
    }
    void again(bool keep_last_good = false) {
        stop_all();
        begin(keep_last_good);
    }
    void steward(const std::string& id, const std::string& name) { route(id, kReloaderSteps, "steward=\"" + name + "\""); }
    std::string file_text(const std::string& name) {
        std::ifstream in(root_ / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::string running(const std::string& id) {
        const auto found = engine_->route(id);
        return found ? found->steward() + " " + std::to_string(found->generation) : "";
    }
    // Both routes import lib/shared.xsl.
    void two_with_shared() {
        write("transforms/lib/shared.xsl", shared("1"));
        std::string text = file_text("transforms/note.xsl");
        text.insert(text.find("<xsl:param"), "<xsl:import href=\"lib/shared.xsl\"/>");
        write("transforms/note.xsl", text);
        steward("a", "x");
        steward("b", "x");
    }
    static std::string shared(const std::string& version) {
        return R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:variable name="v" select=")" +
               version + R"("/></xsl:stylesheet>)";
    }

    FakeFollowers followers_;
    std::unique_ptr<RouteAssets> assets_;
    std::unique_ptr<RouteReloader> reloader_;
};

TEST_F(Reloader, TakesWhatChangedAndKeepsEachGenerationWithTimeCauseAndDifference) {
    steward("a", "one");
    steward("b", "one");
    begin();
    EXPECT_THAT(followers_.followed, ElementsAre("a 1", "b 1"));
    steward("a", "two");
    const auto report = reloader_->reload("ada");
    EXPECT_THAT(report.activated, ElementsAre("a 2"));
    EXPECT_THAT(report.refused, IsEmpty());
    EXPECT_THAT(followers_.followed, ElementsAre("a 2", "b 1"));
    const auto kept = reloader_->kept().list("a");
    ASSERT_THAT(kept, SizeIs(2));
    EXPECT_EQ(kept[1].by, "ada");
    EXPECT_EQ(kept[1].why, "a/routes.xml");
    EXPECT_THAT(reloader_->kept().diff("a", 2), HasSubstr("-<route id=\"a\" system=\"test\" steward=\"one\">\n+<route id"));
    EXPECT_THAT(reloader_->kept().diff("a", 2, 1), HasSubstr("-<route id=\"a\" system=\"test\" steward=\"two\">\n+<route id"));
    EXPECT_THAT(reloader_->reload("ada").activated, IsEmpty());
}

TEST_F(Reloader, ABrokenChangeIsRefusedWithItsPlaceAndWhatRunsStays) {
    steward("a", "one");
    begin();
    route("a", R"(<filter test="(" reason="x"/><to><records/></to>)");
    auto report = reloader_->reload("ada");
    EXPECT_THAT(report.activated, IsEmpty());
    EXPECT_THAT(report.gone, IsEmpty());
    ASSERT_THAT(report.refused, SizeIs(1));
    EXPECT_THAT(report.refused[0].text, HasSubstr("routes/a/routes.xml:3"));
    EXPECT_TRUE(report.refused[0].runs);
    EXPECT_EQ(running("a"), "one 1");
    write("routes/a/routes.xml", "<routes xmlns=\"urn:clrbus:routes:1\"><route");  // nobody knows what it held
    EXPECT_THAT(reloader_->reload("ada").gone, IsEmpty());
    EXPECT_EQ(running("a"), "one 1");
    steward("a", "no door");
    report = reloader_->reload("ada");
    ASSERT_THAT(report.refused, SizeIs(1));
    EXPECT_EQ(report.refused[0].code, "TEST-001");
    EXPECT_EQ(running("a"), "one 1");
    steward("a", "two");
    EXPECT_THAT(reloader_->reload("ada").refused, IsEmpty());
    EXPECT_EQ(running("a"), "two 2");
}

TEST_F(Reloader, ARouteThatIsBrokenAtAStartDoesNotRunUnlessTheLastGoodOneIsWanted) {
    steward("a", "one");
    steward("b", "one");
    begin();
    write("routes/a/routes.xml", "<routes xmlns=\"urn:clrbus:routes:1\"><route");
    again();
    EXPECT_EQ(running("a"), "");
    EXPECT_EQ(running("b"), "one 1");
    EXPECT_THAT(reloader_->refused(), SizeIs(1));
    route("a", "<filter test=\"(\" reason=\"x\"/><to><records/></to>");
    again(true);
    EXPECT_EQ(running("a"), "one 1");
    steward("a", "two");
    reloader_->reload("ada");
    EXPECT_EQ(running("a"), "two 2");
}

TEST_F(Reloader, GoesBackStaysThereThroughAStartAndComesForwardWithTheNextChange) {
    steward("a", "one");
    begin();
    steward("a", "two");
    reloader_->reload("ada");
    const auto report = reloader_->rollback("a", std::nullopt, "ada");
    EXPECT_THAT(report.activated, ElementsAre("a 3"));
    EXPECT_EQ(running("a"), "one 3") << "a new number, so that its word counts as later than that of generation 2";
    EXPECT_EQ(reloader_->kept().find("a", 3).why, "rollback to 1");
    EXPECT_EQ(reloader_->kept().find("a", 3).hash, reloader_->kept().find("a", 1).hash);
    EXPECT_THAT(reloader_->reload("ada").pinned, ElementsAre("a"));
    again();
    EXPECT_EQ(running("a"), "one 3");
    write("routes/a/routes.xml", "<routes>");
    again();
    EXPECT_EQ(running("a"), "") << "nobody knows which routes that file holds";
    steward("a", "two");
    again();
    EXPECT_EQ(running("a"), "one 3");
    EXPECT_THAT(reloader_->unpin("a", "ada").activated, ElementsAre("a 4"));
    EXPECT_EQ(running("a"), "two 4");
    reloader_->rollback("a", 1, "ada");
    EXPECT_EQ(running("a"), "one 5");
    steward("a", "three");
    EXPECT_THAT(reloader_->reload("ada").activated, ElementsAre("a 6"));
    EXPECT_FALSE(reloader_->list()[0].pinned);
    EXPECT_THROW(reloader_->rollback("a", 99, "ada"), Error);
    EXPECT_THROW(reloader_->unpin("a", "ada"), Error);
}

TEST_F(Reloader, DamagedBytesOfAGenerationAreSaid) {
    steward("a", "one");
    begin();
    steward("a", "two");
    reloader_->reload("ada");
    const std::string sha = reloader_->kept().find("a", 1).files.front().sha256;
    write("generations/.objects/" + sha.substr(0, 2) + "/" + sha, "something else");
    try {
        reloader_->rollback("a", 1, "ada");
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), "ROUTE-083");
    }
    EXPECT_EQ(running("a"), "two 2");
}

TEST_F(Reloader, NewRoutesComeAndRemovedOnesGo) {
    steward("a", "one");
    begin();
    steward("b", "one");
    std::filesystem::remove_all(root_ / "routes/a");
    const auto report = reloader_->reload("ada");
    EXPECT_THAT(report.activated, ElementsAre("b 1"));
    EXPECT_THAT(report.gone, ElementsAre("a"));
    EXPECT_THAT(followers_.followed, ElementsAre("b 1"));
}

TEST_F(Reloader, ASharedStylesheetChangesAllRoutesThatItTouchesOrNone) {
    two_with_shared();
    begin();
    write("transforms/lib/shared.xsl", shared("2"));
    auto report = reloader_->reload("ada");
    EXPECT_THAT(report.cases, ElementsAre("a", "b"));
    EXPECT_THAT(report.activated, ElementsAre("a 2", "b 2"));
    // A case of b that the next change breaks.
    write("routes/b/cases/one/input.xml", "<note><who>ada</who><n>1</n></note>");
    write("routes/b/cases/one/expected.txt", "dead: XSD-003");
    write("transforms/lib/shared.xsl", shared("3"));
    report = reloader_->reload("ada");
    EXPECT_THAT(report.activated, IsEmpty());
    ASSERT_THAT(report.refused, SizeIs(2));
    EXPECT_EQ(report.refused[0].code, "ROUTE-086");
    EXPECT_THAT(report.refused[0].text, HasSubstr("transforms/lib/shared.xsl touches the routes a, b"));
    EXPECT_THAT(report.refused[0].text, HasSubstr("routes/b/cases/one"));
    EXPECT_THAT(reloader_->reload("ada").activated, IsEmpty()) << "asked again, the same";
    // One of them does not compile.
    std::filesystem::remove_all(root_ / "routes/b/cases");
    write("transforms/lib/shared.xsl", shared("4"));
    route("b", R"(<transform stylesheet="note.xsl"/><filter test="(" reason="x"/><to><records/></to>)");
    report = reloader_->reload("ada");
    EXPECT_THAT(report.activated, IsEmpty());
    EXPECT_THAT(report.refused, SizeIs(2));
    steward("b", "x");
    EXPECT_THAT(reloader_->reload("ada").activated, ElementsAre("a 3", "b 3"));
}

TEST_F(Reloader, NothingIsTakenWhileAFileIsYoung) {
    steward("a", "one");
    begin();
    steward("a", "two");
    EXPECT_TRUE(reloader_->reload("files", std::chrono::hours(1)).pending);
    EXPECT_EQ(running("a"), "one 1");
    EXPECT_THAT(reloader_->reload("files").activated, ElementsAre("a 2"));
}

std::size_t resident_pages() {
    std::ifstream in("/proc/self/statm");
    std::size_t size = 0, resident = 0;
    in >> size >> resident;
    return resident;
}

TEST_F(Reloader, ManyReloadsFreeWhatTheyReplace) {
    steward("a", "0");
    begin();
    std::size_t early = 0;
    std::weak_ptr<const CompiledRoute> old;
    for (int i = 1; i <= 150; ++i) {
        steward("a", std::to_string(i));
        write("xsd/note.xsd", file_text("xsd/note.xsd").substr(0, file_text("xsd/note.xsd").rfind("</xs:schema>")) +
                                  "</xs:schema><!--" + std::to_string(i) + "-->");
        if (i == 149) old = engine_->route("a");
        auto report = reloader_->reload("ada");
        ASSERT_THAT(report.activated, SizeIs(1)) << i;
        if (i % 50 == 0) put("a", "<note><who>ada</who><n>1</n></note>");
        if (i == 50) early = resident_pages();
    }
    until("old generations to be freed", [&] { return engine_->retired() == 0 && old.expired(); });
    EXPECT_LT(resident_pages() * 4096.0, early * 4096.0 + (16U << 20)) << "a hundred reloads more";
    EXPECT_LE(reloader_->kept().list("a").size(), GenerationStore::kKeptMost + 1);
}

}  // namespace
}  // namespace clrbus
