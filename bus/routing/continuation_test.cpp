// Messages that go on in the middle of their route: from the step they name, with all that they carry.
#include "routing/continuation.hpp"

#include <gmock/gmock.h>

#include <future>

#include "formats/json.hpp"
#include "routing/engine_fixture.hpp"
#include "routing/faults.hpp"
#include "xml/parser.hpp"

namespace clrbus {
namespace {

class Continuation : public EngineTest {
protected:
    // As a step would do it: one Unit that puts the message into its route's inbox.
    void put_on(Put put) {
        Unit unit;
        unit.ledger.push_back({put.queue.substr(3), Outcome::kMade, 1});
        unit.outputs.push_back(std::move(put));
        std::promise<CommitState> done;
        queues_->commit(std::move(unit), *workers_, [&done](CommitState state) { done.set_value(state); });
        ASSERT_EQ(done.get_future().get(), CommitState::kDone);
    }
    Work work(const std::string& id, const std::string& xml) {
        Work out{.route = *engine_->route(id), .id = "w1", .body = {}, .headers = {}, .document = XmlParser().parse(xml)};
        out.parsed = true;
        out.number = 3;
        out.source_number = 77;
        out.headers.set(header::kTrace, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        out.headers.set(header::kOriginal, "sha256:abc");
        out.headers.set("grade", "A");
        return out;
    }
    const Step& step(const std::string& id, const std::string& label) {
        const Step* found = find_step(engine_->route(id)->steps(), label);
        EXPECT_NE(found, nullptr) << label;
        return *found;
    }
};

constexpr const char* kLongRoute = R"x(<filter test="1 = 2" reason="never"/><set-header name="seen" value="yes"/>
    <choose><when test="$grade = 'A'"><set-header name="branch" value="a"/><log text="x"/></when>
    <otherwise><set-header name="branch" value="b"/><filter test="1 = 2" reason="other"/></otherwise></choose>
    <transform stylesheet="note.xsl"/><to><records/></to>)x";
constexpr const char* kContinuedNote = "<note><who>a&#13;&#10;da &amp; \"b\"</who><n>1</n></note>";

TEST_F(Continuation, GoesOnAtTheStepWithAllThatItCarries) {
    route("r", kLongRoute);
    start();
    const Work one = work("r", kContinuedNote);
    EXPECT_EQ(step("r", "2 set-header").next()->name(), "3 choose");
    put_on(continuation(one, step("r", "2 set-header"), step("r", "1 filter")));
    settle("r");
    const auto out = in("records");
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].headers.get("seen"), "yes");
    EXPECT_EQ(out[0].headers.get("branch"), "a");
    EXPECT_EQ(out[0].headers.get(header::kTrace), one.headers.get(header::kTrace));
    EXPECT_EQ(out[0].headers.get(header::kOriginal), "sha256:abc");
    EXPECT_EQ(out[0].headers.get(header::kPosition), "3");
    EXPECT_EQ(out[0].headers.get(header::kSourceNumber), "77");
    EXPECT_FALSE(out[0].headers.has(header::kAtStep));
    EXPECT_THAT(std::string(out[0].message.body()), testing::HasSubstr("key=\"a&#13;&#10;da"));
    EXPECT_TRUE(line("r").balanced());
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 1);
}

TEST_F(Continuation, GoesOnInsideABranchAndBehindIt) {
    route("r", kLongRoute);
    start();
    const Step& second = step("r", "3.1.2 log");
    EXPECT_EQ(second.next()->name(), "4 transform");
    put_on(continuation(work("r", kContinuedNote), second, step("r", "1 filter")));
    put_on(continuation(work("r", kContinuedNote), step("r", "3.2.2 filter"), step("r", "1 filter")));
    settle("r");
    const auto out = in("records");
    ASSERT_EQ(out.size(), 1U);
    EXPECT_FALSE(out[0].headers.has("branch")) << "the step before it in the branch did not run again";
    EXPECT_EQ(line("r").sum(Outcome::kFiltered), 1);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Continuation, BytesThatNobodyParsedAreParsedThen) {
    route("r", R"(<log text="x"/><parse format="json"/><filter test="/json/n = 1" reason="no"/><to><route id="next"/></to>)");
    route("next", R"(<filter test="1 = 2" reason="end"/><to><records/></to>)");
    start();
    const std::string json = R"({"n":1})";
    Work one{.route = *engine_->route("r"), .id = "w1", .body = json, .headers = {}, .document = {}};
    put_on(continuation(one, step("r", "2 parse"), step("r", "1 log")));
    const std::string broken = "{";
    one.body = broken;
    one.id = "w2";
    put_on(continuation(one, step("r", "2 parse"), step("r", "1 log")));
    settle("r");
    settle("next");
    EXPECT_EQ(line("next").sum(Outcome::kFiltered), 1);
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].headers.get(header::kDeadStep), "2 parse");
    EXPECT_EQ(dead[0].headers.get(header::kAtStep), "2 parse") << "a replay knows what the body is";
}

TEST_F(Continuation, JsonKeepsItsTypesOnTheWay) {
    route("r", kLongRoute);
    open();
    Work one = work("r", kContinuedNote);
    const std::string json = R"({"a":[1,"x"],"b":[],"t":true,"n":1.10,"@id":"q","e":{},"z":null,"s":"1"})";
    one.document = parse_json(json);
    const Put put = continuation(one, step("r", "4 transform"), step("r", "1 filter"));
    Work two{.route = one.route, .id = "x", .body = put.message.body(), .headers = put.headers, .document = {}};
    continue_work(two);
    EXPECT_EQ(write_json(two.document), json);
}

TEST_F(Continuation, AStepThatIsGoneIsADeadLetterWithACodeOfItsOwn) {
    route("r", kLongRoute);
    open();
    put_on(continuation(work("r", kContinuedNote), step("r", "4 transform"), step("r", "1 filter")));
    close();
    route("r", R"(<validate schema="note.xsd"/><transform stylesheet="note.xsl"/><to><records/></to>)");
    start();
    settle("r");
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].headers.get(header::kDeadCode), "ROUTE-110");
    EXPECT_EQ(dead[0].headers.get(header::kDeadStep), "4 transform");
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Continuation, AStepThatParsesAndValidatesJudgesTheDocumentThatComes) {
    route("r", R"(<validate schema="note.xsd"/><transform stylesheet="note.xsl"/><to><records/></to>)");
    start();
    put_on(continuation(work("r", "<note><who>x</who></note>"), step("r", "1 validate"), step("r", "2 transform")));
    settle("r");
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].headers.get(header::kDeadPath), "/note");
}

TEST_F(Continuation, ALargeOriginalThatNobodyReadStaysWhereItIs) {
    route("r", R"(<log text="x"/><filter test="1 = 2" reason="end"/><to><records/></to>)");
    start();
    write("big.xml", "<note><who>" + std::string(300'000, 'x') + "</who></note>");
    Work one{.route = *engine_->route("r"), .id = "w1", .body = {}, .headers = {}, .document = {}};
    one.headers.set(header::kOriginal, originals_->store_file((root_ / "big.xml").string()));
    one.headers.set("clrbus-spooled", "1");
    const Put put = continuation(one, step("r", "2 parse"), step("r", "1 log"));
    EXPECT_LT(put.message.size(), 1000U);
    put_on(put);
    settle("r");
    EXPECT_EQ(line("r").sum(Outcome::kFiltered), 1);
}

TEST_F(Continuation, NobodyOutsideChoosesTheStep) {
    route("r", kLongRoute);
    start();
    Incoming incoming;
    incoming.body = kContinuedNote;
    incoming.headers.set(header::kAtStep, "5 to");
    incoming.headers.set(header::kAtBody, "document");
    put("r", std::move(incoming));
    settle("r");
    EXPECT_EQ(line("r").sum(Outcome::kFiltered), 1) << "it went through the first step";
    EXPECT_TRUE(in("records").empty());
}

TEST_F(Continuation, TheSenderLearnsWhatBecameOfTheMessageThatWentOn) {
    route("r", kLongRoute);
    start();
    Work one = work("r", kContinuedNote);
    one.headers.set(kReceiptHeader, "1");
    put_on(continuation(one, step("r", "4 transform"), step("r", "1 filter")));
    settle("r");
    const auto state = engine_->inbox(*engine_->routes()[0], Config())->state_of("w1");
    ASSERT_TRUE(state);
    EXPECT_EQ(state->state, "delivered");
}

TEST_F(Continuation, TheSameInputGivesTheSameId) {
    route("r", kLongRoute);
    open();
    const Put first = continuation(work("r", kContinuedNote), step("r", "4 transform"), step("r", "1 filter"));
    const Put second = continuation(work("r", kContinuedNote), step("r", "4 transform"), step("r", "1 filter"));
    EXPECT_EQ(first.message.message_id(), second.message.message_id());
    EXPECT_NE(first.message.message_id(), "w1");
}

}  // namespace
}  // namespace clrbus
