#include "routing/inbox.hpp"

#include <gtest/gtest.h>

#include <future>

#include "routing/engine_fixture.hpp"

namespace clrbus {
namespace {

class CheckpointTest : public EngineTest {
protected:
    void SetUp() override {
        route("poll", "<to><records/></to>");
        open();  // not started: what comes in stays
    }
    Inbox& inbox() {
        inbox_ = engine_->inbox(*engine_->routes().front(), Config());
        return *inbox_;
    }
    PutState put_item(const std::string& key, const std::string& mark) {
        Incoming incoming;
        incoming.body = "<note/>";
        incoming.duplicate_key = key;
        incoming.checkpoint = Incoming::Checkpoint{"page", mark};
        return put("poll", std::move(incoming)).state;
    }
    void reopen() {
        close();
        open();
    }
    std::unique_ptr<Inbox> inbox_;
};

TEST_F(CheckpointTest, MovesWithTheMessageThatIsDurable) {
    EXPECT_EQ(inbox().checkpoint("page"), std::nullopt);
    EXPECT_EQ(put_item("a", "1"), PutState::kStored);
    EXPECT_EQ(inbox().checkpoint("page"), "1");
    reopen();
    EXPECT_EQ(inbox().checkpoint("page"), "1");
    EXPECT_EQ(in("in/poll").size(), 1U);
    EXPECT_EQ(line("poll").sum(Outcome::kAccepted), 1);
    EXPECT_TRUE(line("poll").balanced());
}

TEST_F(CheckpointTest, MovesOverWhatWasThereBefore) {
    put_item("a", "1");
    EXPECT_EQ(put_item("a", "2"), PutState::kStored);
    EXPECT_EQ(inbox().checkpoint("page"), "2");
    EXPECT_EQ(in("in/poll").size(), 1U);
    EXPECT_EQ(line("poll").sum(Outcome::kDuplicate), 1);
    EXPECT_TRUE(line("poll").balanced());
}

TEST_F(CheckpointTest, StaysWhereItWasWhenTheMessageWasNotTaken) {
    put_item("a", "1");
    free_ = 0;  // the disk is full
    until("the queues notice", [&] { return !inbox().open(); });
    EXPECT_EQ(put_item("b", "2"), PutState::kFull);
    EXPECT_EQ(inbox().checkpoint("page"), "1");
    EXPECT_TRUE(line("poll").balanced());
}

TEST_F(CheckpointTest, MovesWithoutAMessage) {
    std::promise<bool> done;
    inbox().mark({"page", "9"}, [&done](bool written) { done.set_value(written); });
    EXPECT_TRUE(done.get_future().get());
    reopen();
    EXPECT_EQ(inbox().checkpoint("page"), "9");
    EXPECT_EQ(in("in/poll").size(), 0U);
    EXPECT_EQ(inbox().checkpoint("other"), std::nullopt);
}

class DropTest : public EngineTest {
protected:
    // What becomes of a file at the door of a route with this drop and these steps; or the code of the error.
    std::string at_door(const std::string& drop, const std::string& steps, const std::string& body) {
        const std::string door = "<from><f:door xmlns:f=\"urn:fake\"/>" + drop + "</from>";
        route("drops", door + steps + R"(<transform stylesheet="note.xsl"/><to><records/></to>)");
        write("door/in", body);
        const LoadedRoutes loaded = load();
        if (!loaded.errors.empty()) return loaded.errors.front().what();
        try {
            const auto& one = *loaded.routes.front();
            const auto reduce = make_reduction(one.doors().front(), one);
            if (!reduce) return "nothing is dropped";
            reduce(root_ / "door/in", root_ / "door/out");
        } catch (const Error& e) {
            return e.code();
        }
        std::ifstream in(root_ / "door/out", std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
};

TEST_F(DropTest, TheFormatThatTheRouteReadsFirstSaysHow) {
    const std::string json = R"(<parse format="json"/>)", lines = R"(<split format="json-lines"/>)",
                      array = R"(<split format="json" path="data.items"/>)", csv = R"(<split format="csv"/>)";
    const std::string members = R"(<drop members="ssn Pay_x0020_Rate"/>)";
    EXPECT_EQ(at_door(members, json, R"({"a":1,"Pay Rate":2,"ssn":3})"), R"({"a":1})");
    EXPECT_EQ(at_door(members, "<set-header name=\"x\" value=\"y\"/>" + json, R"({"ssn":3})"), "{}");
    EXPECT_EQ(at_door(members, json, R"({"a":1,"ssn":3)"), "JSON-002");
    EXPECT_EQ(at_door(members, lines, "{\"ssn\":1}\n{\"ssn\":1\n"), "{}\n{!}\n");
    EXPECT_EQ(at_door(members, array, R"({"data":{"items":[{"ssn":1},{"ssn":tru}]}})"), R"({"data":{"items":[{},{!}]}})");
    EXPECT_EQ(at_door(R"(<drop elements="ssn"/>)", "", "<a><ssn>1</ssn></a>"), "<a></a>");
    // What would let all of it through says so.
    EXPECT_EQ(at_door(R"(<drop elements="ssn"/>)", json, R"({"ssn":1})"), "ROUTE-024");
    EXPECT_EQ(at_door(members, "", "<a/>"), "ROUTE-024");
    EXPECT_EQ(at_door(members, csv, "a\n1\n"), "ROUTE-024");
    EXPECT_EQ(at_door(R"(<drop columns="ssn"/>)", json, "{}"), "ROUTE-024");
    EXPECT_EQ(at_door(R"(<drop columns="ssn"/>)", R"(<parse format="csv"/>)", "ssn\n1\n"), "ROUTE-023");
    EXPECT_EQ(at_door("<drop/>", csv, "a\n1\n"), "ROUTE-024");
    EXPECT_EQ(at_door(R"(<drop members="a" fields="b"/>)", json, "{}"), "ROUTE-024");
    EXPECT_EQ(at_door("<keep when=\"a = 1\"/>", json, "{}"), "ROUTE-023");
    EXPECT_EQ(at_door(R"(<drop elements="REF02"/>)", R"(<split format="x12"/>)", ""), "ROUTE-024") << "without tables";
}

TEST_F(DropTest, X12AndFixedWidth) {
    for (const char* file : {"x12/004010.xml", "x12/table.xsd", "fixed/layout.xsd"}) {
        std::filesystem::create_directories((root_ / "xsd" / file).parent_path());
        std::filesystem::copy_file(std::filesystem::path(CLRBUS_SOURCE_DIR) / "xsd" / file, root_ / "xsd" / file);
    }
    write("xsd/row.xml",
          R"(<layout xmlns="urn:clrbus:fixed:1"><record name="row"><field name="who" from="1" length="3" required="true"/>
        <field name="ssn" from="4" length="3"/></record></layout>)");
    const std::string fixed = R"(<split format="fixed" layout="row.xml"/>)",
                      x12 = R"(<split format="x12" tables="x12/004010.xml"/>)";
    EXPECT_EQ(at_door(R"(<drop fields="row.ssn"/>)", fixed, "ada123\nbob456789\n"), "ada   \n\x01\n");
    EXPECT_EQ(at_door(R"(<drop fields="row.who"/>)", fixed, ""), "ROUTE-024") << "required";
    EXPECT_EQ(at_door(R"(<drop fields="ssn"/>)", fixed, ""), "ROUTE-024");
    EXPECT_EQ(at_door(R"(<drop elements="REF02[REF01=SY]"/>)", x12, "no interchange"), "X12-001");
    EXPECT_EQ(at_door(R"(<drop elements="ISA06"/>)", x12, ""), "ROUTE-024");
}

}  // namespace
}  // namespace clrbus
