#include <gmock/gmock.h>

#include <condition_variable>
#include <future>
#include <map>
#include <mutex>

#include "routing/answer_cache.hpp"
#include "routing/replay.hpp"
#include "routing/steps/step_fixture.hpp"

namespace clrbus {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

// Who is asked: says what the test wants, at once or when it is told to.
struct Asked {
    std::mutex mutex;
    std::function<Reply(const Question&)> answer;
    bool silent = false;
    int times = 0;
    std::vector<Question> questions;

    int asked() {
        const std::lock_guard lock(mutex);
        return times;
    }
    void say(std::function<Reply(const Question&)> what) {
        const std::lock_guard lock(mutex);
        answer = std::move(what);
    }
};

Reply says(const std::string& body, const std::string& type = "application/xml") {
    Reply reply;
    reply.body = body;
    reply.content_type = type;
    return reply;
}
Reply fails(SendResult::Kind kind) {
    Reply reply;
    const Fault fault = kind == SendResult::Kind::kPoison ? Fault::kPoison : Fault::kAway;
    reply.result = {kind, Error(fault, "FAKE-003", "asking 'people'", "it says no"), std::nullopt};
    return reply;
}

class EnrichTest : public StepTest {
protected:
    EnrichTest() {
        make_responder_ = [this](const Config&) -> std::unique_ptr<Responder> {
            return std::make_unique<FakeResponder>(asked_);
        };
        make_sink_ = [](const Config& element) -> std::unique_ptr<Sink> { element.fail("FAKE-002", "no sink"); };
        asked_.answer = [](const Question& question) { return says("<person name=\"n" + question.values.at("id") + "\"/>"); };
        write("transforms/merge.xsl",
              R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/enrich">
              <merged id="{message/m/@id}" name="{answer/person/@name}{answer/json/name}" state="{answer/@state}"/></xsl:template></xsl:stylesheet>)");
        write(
            "transforms/question.xsl",
            R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/m"><ask id="{@id}"/></xsl:template></xsl:stylesheet>)");
        sink("a");
    }
    ~EnrichTest() override { close(); }
    class FakeResponder : public Responder {
    public:
        explicit FakeResponder(Asked& asked) : asked_(asked) {}
        void ask(Question question, std::function<void(Reply)> done) override {
            Reply reply;
            {
                const std::lock_guard lock(asked_.mutex);
                ++asked_.times;
                asked_.questions.push_back(question);
                if (asked_.silent) return;
                reply = asked_.answer(question);
            }
            done(std::move(reply));
        }

    private:
        Asked& asked_;
    };
    void enrich(const std::string& attributes = "", const std::string& inside = "") {
        route("r", "<enrich name=\"people\" stylesheet=\"merge.xsl\" " + attributes + "><f:get xmlns:f=\"urn:fake\"/>" +
                       "<value name=\"id\" select=\"/m/@id\"/>" + inside + "</enrich><to><route id=\"a\"/></to>" +
                       "<on-fault><attempts most=\"3\" first=\"PT0S\"/></on-fault>");
    }
    void put_m(int i) { put("r", "<m id=\"" + std::to_string(i) + "\"/>"); }
    static std::string merged(int i, const std::string& name, const std::string& state) {
        return "<merged id=\"" + std::to_string(i) + "\" name=\"" + name + "\" state=\"" + state + "\"/>";
    }
    EndpointState state() {
        for (const EndpointState& one : endpoints_->states())
            if (one.queue == "ask/r/people") return one;
        return {};
    }
    Asked asked_;
};

TEST_F(EnrichTest, MergesWhatWasAnswered) {
    enrich();
    start();
    put_m(1);
    put_m(2);
    settle_all({"r", "a"});
    EXPECT_THAT(bodies("a"), UnorderedElementsAre(merged(1, "n1", "answered"), merged(2, "n2", "answered")));
    EXPECT_EQ(got("a")[0].headers.get("enrich-people"), "answered");
}

TEST_F(EnrichTest, AsksWithABodyAndReadsJson) {
    enrich("", "<request stylesheet=\"question.xsl\"/>");
    asked_.say([](const Question& question) {
        EXPECT_EQ(question.body, "<ask id=\"7\"/>");
        EXPECT_EQ(question.content_type, "application/xml");
        EXPECT_FALSE(question.id.empty());
        return says(R"({"name":"J"})", "application/json; charset=utf-8");
    });
    start();
    put_m(7);
    settle_all({"r", "a"});
    EXPECT_THAT(bodies("a"), UnorderedElementsAre(merged(7, "J", "answered")));
}

TEST_F(EnrichTest, ThatThereIsNothingIsAnAnswer) {
    enrich();
    asked_.say([](const Question&) {
        Reply reply;
        reply.nothing = true;
        return reply;
    });
    start();
    put_m(1);
    settle_all({"r", "a"});
    EXPECT_THAT(bodies("a"), UnorderedElementsAre(merged(1, "", "nothing")));
}

TEST_F(EnrichTest, WaitsForAFarSideThatIsAwayAndUsesUpNoAttempt) {
    enrich();
    asked_.say([](const Question&) { return fails(SendResult::Kind::kAway); });
    start();
    for (int i = 0; i < 5; ++i) put_m(i);
    until("many questions", [&] { return asked_.asked() > 10; });
    EXPECT_EQ(state().kind, EndpointState::Kind::kAway);
    EXPECT_EQ(state().code, "FAKE-003");
    EXPECT_TRUE(in("dead/r").empty());
    for (const BrowsedMessage& one : in("in/r")) EXPECT_EQ(one.attempts, 0U);
    asked_.say([](const Question& question) { return says("<person name=\"n" + question.values.at("id") + "\"/>"); });
    settle_all({"r", "a"});
    EXPECT_EQ(got("a").size(), 5U);
    EXPECT_EQ(state().kind, EndpointState::Kind::kOk);
}

TEST_F(EnrichTest, GoesOnWithoutWhereTheRouteSaysSo) {
    enrich("on-away=\"skip\"");
    asked_.say([](const Question&) { return fails(SendResult::Kind::kAway); });
    start();
    put_m(1);
    settle_all({"r", "a"});
    EXPECT_THAT(bodies("a"), UnorderedElementsAre(merged(1, "", "away")));
    EXPECT_EQ(got("a")[0].headers.get("enrich-people"), "away");
}

TEST_F(EnrichTest, AFarSideThatSaysNothingIsAwayAndHoldsUpNoOtherRoute) {
    enrich("timeout=\"PT1S\" on-away=\"skip\"");
    route("other", "<to><route id=\"a\"/></to>");
    asked_.silent = true;
    start();
    for (int i = 0; i < 8; ++i) put_m(i);
    until("all of them wait", [&] { return asked_.asked() == 8; });
    put("other", "<m/>");
    settle("other");
    until("the other route's message", [&] { return bodies("a").size() >= 1; });
    settle_all({"r", "a"});
    EXPECT_EQ(got("a").size(), 9U);
    EXPECT_EQ(state().code, "ROUTE-135");
}

TEST_F(EnrichTest, DeadLettersWhatTheFarSideRefusesAndTriesAgainWhatMayPass) {
    enrich();
    asked_.say([](const Question&) { return fails(SendResult::Kind::kPoison); });
    start();
    put_m(1);
    settle("r");
    EXPECT_EQ(asked_.asked(), 1);
    ASSERT_EQ(in("dead/r").size(), 1U);
    EXPECT_EQ(in("dead/r")[0].headers.get(header::kDeadCode), "FAKE-003");
    asked_.say([](const Question&) { return says("<person name='private-7f3a'"); });
    put_m(2);
    settle("r");
    EXPECT_EQ(asked_.asked(), 1 + 3);
    ASSERT_EQ(in("dead/r").size(), 2U);
    EXPECT_EQ(in("dead/r")[1].headers.get(header::kDeadCode), "ROUTE-136");
    for (const auto& [name, value] : in("dead/r")[1].headers.entries()) EXPECT_THAT(value, testing::Not(HasSubstr("private")));
    asked_.say([](const Question&) { return fails(SendResult::Kind::kAgain); });
    put_m(3);
    settle("r");
    EXPECT_EQ(asked_.asked(), 1 + 3 + 3);
    EXPECT_EQ(state().kind, EndpointState::Kind::kOk);
}

TEST_F(EnrichTest, AsksTheSameQuestionOnceWhileTheAnswerIsKept) {
    enrich("cache=\"PT1H\"");
    start();
    for (const int i : {1, 1, 2, 1, 2}) {
        put_m(i);
        settle("r");
    }
    settle_all({"r", "a"});
    EXPECT_EQ(got("a").size(), 5U);
    EXPECT_EQ(asked_.asked(), 2);
}

TEST_F(EnrichTest, RefusesWhatCannotBeAsked) {
    EXPECT_THAT(error_of(R"(<enrich name="x" stylesheet="merge.xsl"/><to><records/></to>)"), HasSubstr("enrich"));
    EXPECT_THAT(error_of(R"(<enrich name="x" stylesheet="none.xsl"><f:get xmlns:f="urn:fake"/></enrich><to><records/></to>)"),
                HasSubstr("ROUTE-011"));
}

class RequestReplyTest : public EnrichTest {
protected:
    void request(const std::string& attributes = "") {
        route("r", "<request-reply name=\"people\" " + attributes + "><f:post xmlns:f=\"urn:fake\"/></request-reply>" +
                       "<to><route id=\"a\"/></to><on-fault><attempts most=\"3\" first=\"PT0S\"/></on-fault>");
    }
};

TEST_F(RequestReplyTest, TheAnswerGoesOnInPlaceOfTheMessage) {
    request();
    asked_.say([](const Question& question) {
        EXPECT_EQ(question.body, "<m id=\"1\"/>");
        return says("<answer/>");
    });
    start();
    put_m(1);
    settle_all({"r", "a"});
    EXPECT_THAT(bodies("a"), UnorderedElementsAre("<answer/>"));
    EXPECT_EQ(got("a")[0].headers.get("request-id"), asked_.questions.at(0).id);
}

TEST_F(RequestReplyTest, ARequestThatWaitsSurvivesARestartAndHasTheSameId) {
    request("timeout=\"PT1S\"");
    asked_.silent = true;
    start();
    put_m(1);
    until("asked", [&] { return asked_.asked() == 1; });
    close();
    asked_.silent = false;
    asked_.say([](const Question&) { return says("<answer/>"); });
    start();
    settle_all({"r", "a"});
    EXPECT_THAT(bodies("a"), UnorderedElementsAre("<answer/>"));
    for (const Question& question : asked_.questions) EXPECT_EQ(question.id, asked_.questions.at(0).id);
}

TEST_F(RequestReplyTest, DeadLettersWhatTheFarSideDoesNotKnow) {
    request();
    asked_.say([](const Question&) {
        Reply reply;
        reply.nothing = true;
        return reply;
    });
    start();
    put_m(1);
    settle("r");
    ASSERT_EQ(in("dead/r").size(), 1U);
    EXPECT_EQ(in("dead/r")[0].headers.get(header::kDeadCode), "ROUTE-138");
}

TEST_F(EnrichTest, APlanListsWhatEachStepWouldAsk) {
    route(
        "r",
        R"(<enrich name="people" stylesheet="merge.xsl"><fake:get xmlns:fake="urn:fake"/><value name="id" select="/m/@id"/></enrich>
             <wire-tap><request-reply name="judge"><fake:post xmlns:fake="urn:fake"/></request-reply><to><route id="a"/></to></wire-tap>
             <filter test="$nobody-sets-this" reason="never"/><to><route id="a"/></to>)");
    asked_.say([](const Question&) { return says("<person/>"); });
    start();
    put_m(1);
    settle("r");
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    const int before = asked_.asked();
    const ReplayPlan plan = engine_->plan("r", dead[0].sequence, {ReplayOptions::From::kStart, {}, "tester", Time{}});
    std::vector<std::string> said;
    for (const auto& one : plan.outside) said.push_back(one.step + " " + one.kind + " " + one.target);
    EXPECT_THAT(said, UnorderedElementsAre("1 enrich asks people", "2.1 request-reply asks judge"));
    EXPECT_EQ(asked_.asked(), before) << "a plan asks nobody";
}

TEST(AnswerCache, KeepsToItsLifeNumberAndBytes) {
    AnswerCache cache(std::chrono::seconds(10), 2, 1000);
    const AnswerCache::Time now{};
    cache.put("a", {"1", "", false}, now);
    cache.put("b", {"2", "", true}, now);
    EXPECT_EQ(cache.find("a", now)->body, "1");
    cache.put("c", {"3", "", false}, now);  // b was used longest ago
    EXPECT_FALSE(cache.find("b", now));
    EXPECT_TRUE(cache.find("a", now));
    EXPECT_FALSE(cache.find("a", now + std::chrono::seconds(10)));
    EXPECT_TRUE(cache.find("c", now + std::chrono::seconds(9)));
    cache.put("d", {std::string(2000, 'x'), "", false}, now);
    EXPECT_FALSE(cache.find("d", now)) << "larger than all that may be kept";
    cache.put("c", {"4", "", false}, now);
    EXPECT_EQ(cache.find("c", now)->body, "4");
}

}  // namespace
}  // namespace clrbus
