// Formats through a whole route: parse, split and marshal with their options, on real queues.
#include <gmock/gmock.h>

#include "routing/apply_header.hpp"
#include "routing/engine_fixture.hpp"
#include "routing/splitter.hpp"

namespace clrbus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RouteFormats : public EngineTest {
protected:
    RouteFormats() {
        for (const char* file : {"x12/table.xsd", "x12/004010.xml", "fixed/layout.xsd"})
            write(std::string("xsd/") + file, slurp(std::string("xsd/") + file));
        write("xsd/fixed/jobs.xml", R"(<layout xmlns="urn:clrbus:fixed:1">
            <record name="head" at="first"><match from="1" value="H"/><field name="day" from="2" length="8" type="date" pattern="yyyyMMdd"/></record>
            <record name="job"><match from="1" value="J"/><field name="who" from="2" length="3" required="true"/><field name="n" from="5" length="2" type="integer"/></record>
            <record name="end" at="last"><match from="1" value="T"/><field name="jobs" from="2" length="3" type="integer"/><total field="jobs" of="job"/></record>
            </layout>)");
        write(
            "transforms/key.xsl",
            R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1">
            <xsl:template match="/"><retraction source="s" key="{//BGN02 | //who | //item}"/></xsl:template></xsl:stylesheet>)");
    }
    static std::string slurp(const std::string& file) {
        std::ifstream in(std::string(CLRBUS_SOURCE_DIR) + "/" + file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::vector<std::string> keys() {
        std::vector<std::string> out;
        for (const BrowsedMessage& one : in("records")) out.push_back(ApplyHeader::decode(one.headers.get(header::kApply)).key);
        return out;
    }
    std::vector<std::string> codes(const std::string& id) {
        std::vector<std::string> out;
        for (const BrowsedMessage& one : in("dead/" + id)) out.emplace_back(one.headers.get(header::kDeadCode));
        return out;
    }
    std::string error_of(const std::string& steps) {
        route("bad", steps);
        const LoadedRoutes loaded = load();
        return loaded.errors.empty() ? "compiles" : loaded.errors.front().code();
    }
    static std::string replaced(std::string text, const std::string& what, const std::string& with) {
        const std::size_t at = text.find(what);
        EXPECT_NE(at, std::string::npos);
        return text.replace(at, what.size(), with);
    }
};

constexpr const char* kKeyed = R"(<transform stylesheet="key.xsl"/><to><records/></to>)";

TEST_F(RouteFormats, RefusesOptionsThatAreNone) {
    const std::string to = R"(<to><route id="a"/></to>)";
    route("a", kKeyed);
    EXPECT_EQ(error_of(R"(<split format="x12" tables="x12/none.xml"/>)" + to), "ROUTE-011");
    EXPECT_EQ(error_of(R"(<split format="x12" tables="note.xsd"/>)" + to), "X12-022");
    EXPECT_EQ(error_of(R"(<split format="fixed"/>)" + to), "CONF-010");
    EXPECT_EQ(error_of(R"(<split format="fixed" layout="note.xsd"/>)" + to), "FIX-009");
    EXPECT_EQ(error_of(R"(<split format="csv" tables="x12/004010.xml"/>)" + to), "ROUTE-028");
    EXPECT_EQ(error_of(R"(<split format="json" delimiter=";"/>)" + to), "ROUTE-028");
    EXPECT_EQ(error_of(R"(<split format="csv" delimiter=";;"/>)" + to), "ROUTE-028");
    EXPECT_EQ(error_of(R"(<split format="csv" quote=","/>)" + to), "ROUTE-028");
    EXPECT_EQ(error_of(R"(<split format="csv" width="a=x"/>)" + to), "ROUTE-028");
    EXPECT_EQ(error_of(R"(<split format="csv" rename="a"/>)" + to), "ROUTE-028");
    EXPECT_EQ(error_of(R"(<split format="csv" header="no"/>)" + to), "ROUTE-028");
    EXPECT_EQ(error_of(R"(<parse format="json-lines"/>)" + to), "ROUTE-019");
    EXPECT_EQ(error_of(R"(<parse format="json"/><marshal format="csv"/><filter test="/a" reason="x"/>)" + to), "ROUTE-029");
    EXPECT_EQ(
        error_of(R"(<parse format="json"/><marshal format="csv"/><parse format="csv"/><filter test="/a" reason="x"/>)" + to),
        "compiles");
}

TEST_F(RouteFormats, SplitsAnInterchangeAndReplaysASetAlone) {
    const std::string good = slurp("bus/formats/testdata/x12/130-two-pipe.edi");
    route("r", std::string(R"(<split format="x12" tables="x12/004010.xml"/>)") + kKeyed);
    start();
    put("r", good);
    put("r", replaced(good, "BGN|00|T20240601-1", "BGN|99|T20240601-1"));
    put("r", replaced(good, "GE|2|", "GE|3|"));
    settle("r");
    EXPECT_THAT(keys(), ElementsAre("T20240601-1", "T20240601-2", "T20240601-2", "T20240601-1", "T20240601-2"));
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 2U);
    EXPECT_EQ(dead[0].headers.get(header::kDeadCode), "X12-017");
    EXPECT_EQ(dead[0].headers.get(header::kDeadPath), "/interchange/group/transaction/BGN/BGN01");
    EXPECT_THAT(std::string(dead[0].message.body()), HasSubstr("ISA|"));
    EXPECT_EQ(dead[1].headers.get(header::kDeadCode), "X12-008");
    EXPECT_THAT(std::string(dead[1].headers.get(header::kDeadReason)), HasSubstr("2 of unknown done"));
    EXPECT_TRUE(line("r").balanced());
    // A looser table, and the set alone goes through.
    close();
    write("xsd/x12/004010.xml", replaced(slurp("xsd/x12/004010.xml"), "codes=\"00 05", "codes=\"99 00 05"));
    start();
    std::promise<CommitState> done;
    engine_->replay("r", dead[0].sequence, [&done](CommitState state) { done.set_value(state); });
    EXPECT_EQ(done.get_future().get(), CommitState::kDone);
    settle("r");
    EXPECT_EQ(keys().size(), 6U);
    EXPECT_EQ(in("dead/r").size(), 1U);
    EXPECT_EQ(in("records").back().headers.get(header::kGeneration), "2") << "a table is part of the generation";
}

TEST_F(RouteFormats, SplitsFixedWidthAndLeavesOneBadLine) {
    route("r", std::string(R"(<split format="fixed" layout="fixed/jobs.xml"/>)") + kKeyed);
    start();
    put("r", "H20240601\nJada 1\nJ    2\nJbob 3\nT  3\n");
    put("r", "H20240601\nJcy  1\nT  9\n");
    settle("r");
    EXPECT_THAT(keys(), ElementsAre("ada", "bob", "cy"));
    EXPECT_THAT(codes("r"), ElementsAre("FIX-003", "FIX-008"));
    EXPECT_EQ(in("dead/r")[0].message.body(), "H20240601\nJ    2\n");
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(RouteFormats, SplitsCsvOfTheRealWorld) {
    route(
        "r",
        std::string(
            R"(<split format="csv" delimiter=";" encoding="windows-1252" header-line="2" footer="1" ragged="pad" width="id=3" rename="NAME=who"/>)") +
            kKeyed);
    start();
    put("r", "Export\nid;NAME;x\n001;caf\xE9\n7;bob;1\n002;cy;1;;\nTotal;3\n");
    settle("r");
    EXPECT_THAT(keys(), ElementsAre("caf\xC3\xA9", "cy"));
    ASSERT_THAT(codes("r"), ElementsAre("CSV-017"));
    EXPECT_EQ(in("dead/r")[0].message.body(), "id;NAME;x\r\n7;bob;1");
    // What is dead-lettered can be read again as it is.
    const LoadedRoutes loaded = load();
    EXPECT_EQ(parse_record(*loaded.routes[0]->split(), "id;NAME;x\r\n001;caf\xE9").root().child_text("who"), "caf\xC3\xA9");
}

TEST_F(RouteFormats, SplitsJsonLinesAndNestedArrays) {
    route("r", std::string(R"(<split format="json-lines"/>)") + kKeyed);
    route("n", std::string(R"(<split format="json" path="data.people"/>)") + kKeyed);
    start();
    put("r", "{\"who\":\"ada\"}\n{\"who\":}\n{\"who\":\"bob\"}");
    settle("r");
    put("n", R"({"data":{"page":1,"people":[{"who":"cy"},{"who":"di"}]}})");
    settle("n");
    EXPECT_THAT(keys(), ElementsAre("ada", "bob", "cy", "di"));
    ASSERT_THAT(codes("r"), ElementsAre("JSON-001"));
    EXPECT_EQ(in("dead/r")[0].message.body(), "{\"who\":}");
}

TEST_F(RouteFormats, AnXmlRecordThatIsNotValidKeepsItsBytes) {
    route("r", std::string(R"(<split format="xml" path="notes/*"/><validate schema="note.xsd"/>)") + kKeyed);
    start();
    put("r", "<notes><note><who>ada</who><n>x</n></note><note><who>bob</who><n>1</n></note></notes>");
    settle("r");
    EXPECT_THAT(keys(), ElementsAre("bob"));
    ASSERT_EQ(in("dead/r").size(), 1U);
    EXPECT_EQ(in("dead/r")[0].message.body(), "<note><who>ada</who><n>x</n></note>");
}

TEST_F(RouteFormats, MarshalsWhatASinkGets) {
    const std::string to = R"(<to><route id="sink"/></to>)";
    route("sink", R"(<filter test="$nobody-sets-this" reason="never"/><to><records/></to>)");
    route("json", R"(<parse format="csv"/><marshal format="json"/>)" + to);
    route("csv", R"(<parse format="json"/><marshal format="csv" delimiter=";" formulas="escape"/>)" + to);
    route("x12", R"(<parse format="x12"/><marshal format="x12" tables="x12/004010.xml"/>)" + to);
    route("fixed", R"(<parse format="fixed" layout="fixed/jobs.xml"/><marshal format="fixed" layout="fixed/jobs.xml"/>)" + to);
    route("lines", R"(<split format="csv"/><marshal format="json-lines"/>)" + to);
    route(
        "back",
        R"(<parse format="json"/><marshal format="xml"/><parse format="xml"/><set-header name="h" select="/json/a"/><marshal format="json"/>)" +
            to);
    start();
    const auto send = [&](const std::string& id, const std::string& body) {
        put(id, body);
        settle(id);
        settle("sink");
    };
    send("json", "a,b\n1,x\n");
    send("csv", R"([{"a":"1;2","b":"=x"}])");
    const std::string edi = slurp("bus/formats/testdata/x12/997.edi");
    send("x12", edi);
    send("x12", replaced(edi, "AK5*A", "AK5*B"));
    send("fixed", "H20240601\nJada 1\nT  1\n");
    send("lines", "a\n1\n2\n");
    send("back", R"({"a":"1","n":1.10})");
    std::vector<std::string> bodies, types;
    for (const BrowsedMessage& one : in("dead/sink")) {
        bodies.emplace_back(one.message.body());
        types.push_back(one.message.content_type());
    }
    EXPECT_THAT(bodies, ElementsAre(R"({"row":{"a":"1","b":"x"}})", "a;b\r\n\"1;2\";'=x\r\n", edi, "H20240601\nJada 1\nT  1\n",
                                    "{\"a\":\"1\"}\n", "{\"a\":\"2\"}\n", R"({"a":"1","n":1.10})"));
    EXPECT_THAT(codes("x12"), ElementsAre("X12-017"));
    for (const char* id : {"json", "csv", "x12", "fixed", "lines", "back"}) EXPECT_TRUE(line(id).balanced()) << id;
}

}  // namespace
}  // namespace clrbus
