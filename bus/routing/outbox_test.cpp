#include "routing/outbox.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "routing/engine_fixture.hpp"
#include "routing/faults.hpp"

namespace clrbus {
namespace {

using testing::HasSubstr;

SendResult away(std::optional<std::chrono::seconds> wait = std::nullopt) {
    return {SendResult::Kind::kAway, Error(Fault::kAway, "HTTP-083", "asking https://lms:443", "it answers 503"), wait};
}
SendResult again() {
    return {SendResult::Kind::kAgain, Error(Fault::kAway, "HTTP-084", "asking https://lms:443", "it answers 409"),
            std::nullopt};
}
SendResult poison() {
    return {SendResult::Kind::kPoison, Error(Fault::kPoison, "HTTP-085", "asking https://lms:443", "it answers 422"),
            std::nullopt};
}

// The far side of all endpoints of a test: says what the test wants to what comes in.
struct FarSide {
    std::mutex mutex;
    std::function<SendResult(const Outgoing&)> answer = [](const Outgoing&) { return SendResult{}; };
    bool hold = false;
    std::vector<std::pair<Outgoing, std::function<void(SendResult)>>> held;
    std::map<std::string, int> taken;  // by body
    int asked = 0;
    std::size_t most_at_once = 0;

    void send(Outgoing outgoing, const std::function<void(SendResult)>& done) {
        SendResult result;
        {
            const std::lock_guard lock(mutex);
            ++asked;
            if (hold) {
                held.emplace_back(std::move(outgoing), done);
                most_at_once = std::max(most_at_once, held.size());
                return;
            }
            result = answer(outgoing);
            if (result.kind == SendResult::Kind::kDone) ++taken[std::string(outgoing.message.body())];
        }
        done(result);
    }
    void release() {
        std::vector<std::pair<Outgoing, std::function<void(SendResult)>>> some;
        {
            const std::lock_guard lock(mutex);
            hold = false;
            some.swap(held);
        }
        for (auto& [outgoing, done] : some) send(std::move(outgoing), done);
    }
    void say(std::function<SendResult(const Outgoing&)> what) {
        const std::lock_guard lock(mutex);
        answer = std::move(what);
    }
    std::size_t all() {
        const std::lock_guard lock(mutex);
        std::size_t sum = 0;
        for (const auto& [body, times] : taken) sum += static_cast<std::size_t>(times);
        return sum;
    }
    int times_asked() {
        const std::lock_guard lock(mutex);
        return asked;
    }
};

class OutboxTest : public EngineTest {
protected:
    OutboxTest() {
        make_sink_ = [this](const Config& element) -> std::unique_ptr<Sink> {
            if (element.has("broken")) element.fail("FAKE-001", "broken", "it is");
            return std::make_unique<FakeSink>(far_[element.get("side", "lms")]);
        };
    }
    ~OutboxTest() override { close(); }  // before the far sides
    class FakeSink : public Sink {
    public:
        explicit FakeSink(FarSide& far) : far_(far) {}
        void send(Outgoing outgoing, std::function<void(SendResult)> done) override { far_.send(std::move(outgoing), done); }
        std::uint32_t window() const override { return 4; }

    private:
        FarSide& far_;
    };
    // first: how long to wait, as on-fault says it.
    void out_route(const std::string& id, const std::string& first = "PT0S", const std::string& attributes = "",
                   const std::string& to = "") {
        route(id, "<to " + to + "><f:post xmlns:f=\"urn:fake\" " + attributes +
                      "/></to><on-fault><attempts most=\"3\" first=\"" + first + "\"/></on-fault>");
    }
    void put_many(const std::string& id, int count, int from = 0) {
        for (int i = from; i < from + count; ++i) put(id, "<n>" + std::to_string(i) + "</n>");
    }
    EndpointState state(const std::string& queue) {
        for (const EndpointState& one : endpoints_->states())
            if (one.queue == queue) return one;
        return {};
    }
    void expect_balanced() {
        for (const LedgerLine& one : ledger_lines(queues_->ledger(), queues_->states())) {
            EXPECT_TRUE(one.balanced()) << one.account;
        }
    }
    void gone_out(const std::string& queue) {
        until("out queue to be empty", [&] { return state(queue).waiting == 0; });
    }
    std::map<std::string, FarSide> far_;
};

TEST_F(OutboxTest, TakesEachMessageOutOnceUnderItsOwnId) {
    out_route("grades");
    std::set<std::string> ids;
    far_["lms"].say([&](const Outgoing& outgoing) {
        EXPECT_EQ(outgoing.route, "grades");
        EXPECT_EQ(outgoing.headers.get(header::kTrace), "t-1");
        ids.insert(outgoing.id);
        return SendResult{};
    });
    start();
    for (int i = 0; i < 50; ++i) {
        Incoming incoming;
        incoming.body = "<n>" + std::to_string(i) + "</n>";
        incoming.headers.set(header::kTrace, "t-1");
        put("grades", std::move(incoming));
    }
    settle("grades");
    gone_out("out/grades/post");
    EXPECT_EQ(far_["lms"].all(), 50U);
    EXPECT_EQ(ids.size(), 50U);
    EXPECT_EQ(line("out/grades/post").sum(Outcome::kTaken), 50);
    EXPECT_EQ(line("out/grades/post").sum(Outcome::kDelivered), 50);
    EXPECT_EQ(line("grades").sum(Outcome::kDelivered), 50);
    expect_balanced();
}

TEST_F(OutboxTest, KeepsEverythingWhileTheFarSideIsAwayAndUsesUpNoAttempt) {
    out_route("grades");
    far_["lms"].say([](const Outgoing&) { return away(); });
    start();
    put_many("grades", 30);
    settle("grades");
    until("many tries", [&] { return far_["lms"].times_asked() > 40; });  // far more than the three attempts that there are
    const EndpointState now = state("out/grades/post");
    EXPECT_EQ(now.kind, EndpointState::Kind::kAway);
    EXPECT_EQ(now.code, "HTTP-083");
    EXPECT_NE(now.since, Time{});
    EXPECT_EQ(now.waiting, 30U);
    EXPECT_TRUE(in("dead/grades").empty());
    expect_balanced();
    far_["lms"].say([](const Outgoing&) { return SendResult{}; });
    gone_out("out/grades/post");
    EXPECT_EQ(far_["lms"].all(), 30U);
    for (const auto& [body, times] : far_["lms"].taken) EXPECT_EQ(times, 1) << body;
    EXPECT_EQ(state("out/grades/post").kind, EndpointState::Kind::kOk);
    expect_balanced();
}

TEST_F(OutboxTest, TriesWithOneMessageAndNotBeforeItsTime) {
    out_route("grades", "PT1H");
    far_["lms"].say([](const Outgoing&) { return away(); });
    start();
    put_many("grades", 20);
    settle("grades");
    until("away", [&] { return state("out/grades/post").kind == EndpointState::Kind::kAway; });
    until("nothing is in hand", [&] {
        for (const QueueState& one : queues_->states())
            if (one.name == "out/grades/post") return one.in_hand == 0;
        return false;
    });
    const int asked = far_["lms"].times_asked();
    EXPECT_LE(asked, 4 + 4) << "what was on its way, and no more";
    EXPECT_GT(state("out/grades/post").next_try - system_clock().now(), std::chrono::minutes(4));
    for (int round = 1; round <= 3; ++round) {
        endpoints_->resume("grades");
        until("one try", [&] { return far_["lms"].times_asked() == asked + round; });
        until("it has failed",
              [&] { return state("out/grades/post").next_try - system_clock().now() > std::chrono::minutes(1); });
    }
    EXPECT_EQ(far_["lms"].times_asked(), asked + 3);
    far_["lms"].say([](const Outgoing&) { return SendResult{}; });
    endpoints_->resume("grades");
    gone_out("out/grades/post");
    EXPECT_EQ(far_["lms"].all(), 20U);
}

TEST_F(OutboxTest, StaysAwayAsLongAsTheFarSideSays) {
    out_route("grades");
    far_["lms"].say([](const Outgoing&) { return away(std::chrono::seconds(3000)); });
    start();
    put_many("grades", 1);
    until("away", [&] { return state("out/grades/post").kind == EndpointState::Kind::kAway; });
    EXPECT_GT(state("out/grades/post").next_try - system_clock().now(), std::chrono::seconds(2900));
    EXPECT_EQ(far_["lms"].times_asked(), 1);
}

TEST_F(OutboxTest, OneEndpointThatIsAwayHoldsUpNoOther) {
    route("grades",
          R"(<choose><when test="/n &lt; 50"><to name="a"><f:post xmlns:f="urn:fake" side="away"/></to></when>
             <otherwise><to name="b"><f:post xmlns:f="urn:fake"/></to></otherwise></choose>)");
    out_route("jobs");
    far_["away"].say([](const Outgoing&) { return away(); });
    start();
    put_many("grades", 100);
    put_many("jobs", 40);
    gone_out("out/grades/b");
    gone_out("out/jobs/post");
    until("all the others", [&] { return far_["lms"].all() == 90; });
    EXPECT_EQ(state("out/grades/a").waiting, 50U);
    EXPECT_EQ(far_["away"].all(), 0U);
    expect_balanced();
}

TEST_F(OutboxTest, AFullQueueHoldsUpTheRouteThatUsesItAndNoOther) {
    out_route("grades", "PT1H", "side=\"away\"", "max-waiting=\"10\"");
    out_route("jobs");
    far_["away"].say([](const Outgoing&) { return away(); });
    start();
    put_many("grades", 100);
    put_many("jobs", 40);
    settle("jobs");
    gone_out("out/jobs/post");
    EXPECT_EQ(far_["lms"].all(), 40U);
    // 64 may be in the route's hand when the queue becomes full.
    EXPECT_LE(state("out/grades/post").waiting, 10U + 64U);
    EXPECT_GE(line("grades").waiting, 100 - 10 - 64);
    expect_balanced();
    far_["away"].say([](const Outgoing&) { return SendResult{}; });
    endpoints_->resume("grades");
    until("all of it", [&] { return far_["away"].all() == 100; });
}

TEST_F(OutboxTest, DeadLettersWhatTheFarSideRefusesAndSendsItThereAgain) {
    out_route("grades");
    far_["lms"].say([](const Outgoing& outgoing) { return outgoing.message.body() == "<n>3</n>" ? poison() : SendResult{}; });
    start();
    put_many("grades", 10);
    settle("grades");
    gone_out("out/grades/post");
    EXPECT_EQ(far_["lms"].all(), 9U);
    const auto dead = in("dead/grades");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].message.body(), "<n>3</n>");
    EXPECT_EQ(dead[0].headers.get(header::kDeadCode), "HTTP-085");
    EXPECT_EQ(dead[0].headers.get(header::kDeadStep), "endpoint post");
    EXPECT_EQ(dead[0].headers.get(header::kGeneration), "1");
    EXPECT_EQ(line("out/grades/post").sum(Outcome::kDead), 1);
    EXPECT_EQ(line("grades").sum(Outcome::kDead), 0);
    expect_balanced();
    far_["lms"].say([](const Outgoing&) { return SendResult{}; });
    std::promise<CommitState> done;
    engine_->replay("grades", dead[0].sequence, [&done](CommitState state) { done.set_value(state); });
    EXPECT_EQ(done.get_future().get(), CommitState::kDone);
    gone_out("out/grades/post");
    EXPECT_EQ(far_["lms"].taken["<n>3</n>"], 1);
    EXPECT_EQ(line("grades").sum(Outcome::kMade), 0);
    expect_balanced();
}

TEST_F(OutboxTest, WhatMayWorkLaterHasItsAttempts) {
    out_route("grades");
    far_["lms"].say([](const Outgoing&) { return again(); });
    start();
    put_many("grades", 1);
    until("dead", [&] { return !in("dead/grades").empty(); });
    EXPECT_EQ(far_["lms"].times_asked(), 3);
    EXPECT_EQ(in("dead/grades")[0].headers.get(header::kDeadAttempts), "3");
    EXPECT_EQ(state("out/grades/post").kind, EndpointState::Kind::kOk);
    int asked = 0;
    far_["lms"].say([&asked](const Outgoing&) { return ++asked == 1 ? again() : SendResult{}; });
    put_many("grades", 1, 7);
    until("delivered", [&] { return far_["lms"].all() == 1; });
    gone_out("out/grades/post");
    expect_balanced();
}

TEST_F(OutboxTest, PausesWhenItRefusesEverythingAndGoesOnWhenToldTo) {
    out_route("grades");
    far_["lms"].say([](const Outgoing&) { return poison(); });
    start();
    put_many("grades", 100);
    settle("grades");
    until("paused", [&] { return state("out/grades/post").kind == EndpointState::Kind::kPaused; });
    EXPECT_THAT(state("out/grades/post").reason, HasSubstr("dead letters in a row"));
    until("nothing is in hand", [&] { return in("dead/grades").size() + state("out/grades/post").waiting == 100; });
    EXPECT_LE(in("dead/grades").size(), kDeadInARow + 4);
    far_["lms"].say([](const Outgoing&) { return SendResult{}; });
    EXPECT_TRUE(endpoints_->resume("grades"));
    EXPECT_FALSE(endpoints_->resume("jobs"));
    gone_out("out/grades/post");
    expect_balanced();
}

TEST_F(OutboxTest, SendsNoMoreAtOnceThanTheSinkAllows) {
    out_route("grades");
    far_["lms"].hold = true;
    start();
    put_many("grades", 20);
    settle("grades");
    until("four on their way", [&] {
        const std::lock_guard lock(far_["lms"].mutex);
        return far_["lms"].held.size() == 4;
    });
    far_["lms"].release();
    gone_out("out/grades/post");
    EXPECT_EQ(far_["lms"].most_at_once, 4U);
    EXPECT_EQ(far_["lms"].all(), 20U);
}

TEST_F(OutboxTest, GoesOnAfterARestart) {
    out_route("grades", "PT1H");
    far_["lms"].say([](const Outgoing&) { return away(); });
    start();
    put_many("grades", 20);
    settle("grades");
    until("away", [&] { return state("out/grades/post").kind == EndpointState::Kind::kAway; });
    close();
    far_["lms"].say([](const Outgoing&) { return SendResult{}; });
    start();
    gone_out("out/grades/post");
    EXPECT_EQ(far_["lms"].all(), 20U);
    for (const auto& [body, times] : far_["lms"].taken) EXPECT_EQ(times, 1) << body;
    expect_balanced();
}

TEST_F(OutboxTest, WaitsWhileTheSettingsCannotBeUsedAndTakesNewOnes) {
    out_route("grades", "PT0S", "broken=\"1\"");
    start();
    put_many("grades", 5);
    settle("grades");
    EXPECT_EQ(state("out/grades/post").kind, EndpointState::Kind::kBroken);
    EXPECT_EQ(state("out/grades/post").code, "FAKE-001");
    EXPECT_EQ(state("out/grades/post").waiting, 5U);
    out_route("grades");
    engine_->activate(load().routes, {});
    gone_out("out/grades/post");
    EXPECT_EQ(far_["lms"].all(), 5U);
    out_route("grades", "PT0S", "side=\"other\"");
    engine_->activate(load().routes, {});
    put_many("grades", 5, 5);
    until("the other one has them", [&] { return far_["other"].all() == 5; });
    EXPECT_EQ(far_["lms"].all(), 5U);
    far_["other"].say([](const Outgoing&) { return away(); });
    put_many("grades", 1, 10);
    settle("grades");
    route("grades", "<to><records/></to>");
    engine_->activate(load().routes, {});
    EXPECT_EQ(state("out/grades/post").code, "ROUTE-131") << "what waits for nobody is seen";
    expect_balanced();
}

TEST_F(OutboxTest, TwoEndpointsOfOneNameAreRefused) {
    route("grades", R"(<choose><when test="/n"><to><f:post xmlns:f="urn:fake" side="a"/></to></when>
                       <otherwise><to><f:post xmlns:f="urn:fake" side="b"/></to></otherwise></choose>)");
    const LoadedRoutes loaded = load();
    ASSERT_EQ(loaded.errors.size(), 1U);
    EXPECT_EQ(loaded.errors[0].code(), "ROUTE-130");
}

}  // namespace
}  // namespace clrbus
