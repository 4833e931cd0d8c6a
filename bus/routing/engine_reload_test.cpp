// Routes put in the place of others while messages run: nothing lost, nothing doubled, each on one generation.
#include <gmock/gmock.h>

#include <algorithm>

#include "routing/engine_fixture.hpp"

namespace clrbus {
namespace {

constexpr const char* kReloadSteps = R"(<validate schema="note.xsd"/><transform stylesheet="note.xsl"/><to><records/></to>)";
constexpr const char* kReloadRows = R"(<split format="csv"/><transform stylesheet="note.xsl"/><to><records/></to>)";

std::string reload_note(int n) {
    return "<note><who>ada</who><n>" + std::to_string(n) + "</n></note>";
}

class EngineReload : public EngineTest {
protected:
    // The route as its file says now, in the place of what runs.
    void activate(const std::string& id) {
        for (const auto& one : load().routes) {
            if (one->id() == id) engine_->activate({one}, {});
        }
    }
    std::uint64_t generation(const std::string& id) {
        for (const RouteState& state : engine_->states()) {
            if (state.id == id) return state.generation;
        }
        return 0;
    }
    static std::size_t count_of(const std::vector<BrowsedMessage>& messages, const std::string& generation) {
        return static_cast<std::size_t>(std::count_if(messages.begin(), messages.end(), [&](const BrowsedMessage& one) {
            return one.headers.get(header::kGeneration) == generation;
        }));
    }
};

TEST_F(EngineReload, WhatIsTakenAfterwardsRunsOnTheNewGeneration) {
    route("r", kReloadSteps);
    start();
    for (int i = 0; i < 10; ++i) put("r", reload_note(i));
    settle("r");
    route("r", kReloadSteps, "steward=\"Dean\"");
    activate("r");
    for (int i = 10; i < 30; ++i) put("r", reload_note(i));
    settle("r");
    const auto out = in("records");
    EXPECT_EQ(count_of(out, "1"), 10U);
    EXPECT_EQ(count_of(out, "2"), 20U);
    EXPECT_EQ(generation("r"), 2U);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(EngineReload, NothingIsLostOrDoubledWhileGenerationsFollowEachOther) {
    route("r", kReloadSteps, "workers=\"3\"");
    start();
    std::atomic<bool> done{false};
    std::atomic<int> sent{0};
    std::thread publisher([&] {
        for (int i = 0; i < 600; ++i) {
            put("r", reload_note(i));
            ++sent;
        }
        done = true;
    });
    int reloads = 0;
    while (!done) {
        route("r", kReloadSteps, "workers=\"3\" steward=\"" + std::to_string(++reloads) + "\"");
        activate("r");
    }
    publisher.join();
    settle("r");
    std::vector<std::string> ids;
    for (const auto& one : in("records")) ids.push_back(one.message.message_id());
    std::sort(ids.begin(), ids.end());
    EXPECT_EQ(ids.size(), 600U);
    EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
    EXPECT_GT(reloads, 3);
    EXPECT_TRUE(line("r").balanced());
    until("old generations to be freed", [&] { return engine_->retired() == 0; });
}

TEST_F(EngineReload, ASplitInHandEndsOnItsGeneration) {
    route("r", kReloadRows);
    start();
    std::string rows = "who,n\n";
    for (int i = 0; i < 5000; ++i) rows += "ada," + std::to_string(i) + "\n";
    put("r", rows);
    until("the split to begin", [&] { return !in("records").empty(); });
    const std::weak_ptr<const CompiledRoute> old = engine_->route("r");
    route("r", kReloadRows, "steward=\"Dean\"");
    activate("r");
    EXPECT_EQ(generation("r"), 2U);
    put("r", "who,n\nada,1\n");
    settle("r");
    const auto out = in("records");
    EXPECT_EQ(count_of(out, "1"), 5000U);
    EXPECT_EQ(count_of(out, "2"), 1U);
    until("the old generation to be freed", [&] { return old.expired(); });
}

TEST_F(EngineReload, ARouteThatIsGoneKeepsItsQueueAndFindsItWhenItComesBack) {
    route("r", kReloadSteps);
    start();
    const auto inbox = engine_->inbox(*engine_->route("r"), Config());
    engine_->activate({}, {"r"});
    EXPECT_EQ(engine_->route("r"), nullptr);
    std::promise<Receipt> answered;
    Incoming incoming;
    incoming.body = reload_note(1);
    inbox->put(std::move(incoming), [&](Receipt receipt) { answered.set_value(std::move(receipt)); });
    EXPECT_EQ(answered.get_future().get().state, PutState::kStored);
    EXPECT_EQ(in("in/r").size(), 1U);
    EXPECT_TRUE(engine_->states().empty());
    activate("r");
    settle("r");
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_EQ(generation("r"), 1U) << "the same as before";
}

TEST_F(EngineReload, ANewRouteGetsItsInbox) {
    route("r", kReloadSteps);
    start();
    route("s", kReloadSteps);
    activate("s");
    put("s", reload_note(1));
    settle("s");
    EXPECT_EQ(in("records").size(), 1U);
}

TEST_F(EngineReload, WhatWasPausedStaysPausedUntilSomebodyResumes) {
    route("r", kReloadSteps);
    start();
    for (int i = 0; i < 20; ++i) put("r", "broken");
    until("the route to pause", [&] { return engine_->states()[0].paused; });
    route("r", kReloadSteps, "steward=\"Dean\"");
    activate("r");
    ASSERT_TRUE(engine_->states()[0].paused);
    EXPECT_NE(engine_->states()[0].reason.find("ROUTE-901"), std::string::npos);
    put("r", reload_note(1));
    EXPECT_TRUE(in("records").empty());
    EXPECT_TRUE(engine_->resume("r"));
    settle("r");
    EXPECT_EQ(in("records").size(), 1U);
}

TEST_F(EngineReload, SeveralWorkersShareTheWorkAndPauseTogether) {
    route("r", kReloadSteps, "workers=\"4\"");
    start();
    for (int i = 0; i < 300; ++i) put("r", reload_note(i));
    settle("r");
    EXPECT_EQ(in("records").size(), 300U);
    for (int i = 0; i < 40; ++i) put("r", "broken");
    until("the route to pause", [&] { return engine_->states()[0].paused; });
    put("r", reload_note(1));
    EXPECT_EQ(in("records").size(), 300U);
    // The other twenty pause it once more.
    until("the good one to be through", [&] {
        engine_->resume("r");
        return in("records").size() == 301;
    });
    settle("r");
    EXPECT_EQ(in("dead/r").size(), 40U);
    EXPECT_TRUE(line("r").balanced());
}

}  // namespace
}  // namespace clrbus
