#include "adapters_timer/timer_adapter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "config/element.hpp"
#include "support/fake_inbox.hpp"

namespace clrbus::adapters::timer {
namespace {

using support::wait_until;

class TimerClock : public Clock {
public:
    Time now() const override { return Time(std::chrono::milliseconds(at_.load())); }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
    void set(const char* text) { at_ = from_rfc3339(text).time_since_epoch().count(); }

private:
    std::atomic<std::int64_t> at_{0};
};

class TimerDoor : public testing::Test {
public:
    TimerDoor() { element->attributes = {{"schedule", "0 2 * * *"}, {"zone", "America/Chicago"}, {"body", "go"}}; }
    void start(const char* now) {
        clock.set(now);
        AdapterContext context;
        context.config = Config{element};
        context.inbox = &inbox;
        context.clock = &clock;
        source = adapter_info().source(context);
        source->start();
    }
    std::string note() {
        const std::vector<Incoming> all = inbox.messages();
        return all.empty() ? std::string() : inbox.checkpoint(all.back().checkpoint->name).value_or("");
    }

    support::TemporaryFolder folder{"timer"};
    support::FakeInbox inbox{"people", folder / "spool"};
    TimerClock clock;
    std::shared_ptr<Config::Element> element = std::make_shared<Config::Element>();
    std::unique_ptr<Source> source;
};

// Starts once so that the timer has its note, and again a night later.
TEST_F(TimerDoor, PutsAMessageOfTheNightThatWasMissedOnce) {
    const char* const evening = "2026-01-05T20:00:00Z";
    const char* const morning = "2026-01-06T12:00:00Z";
    element->attributes["catch-up"] = "all";
    start(evening);
    ASSERT_TRUE(wait_until([&] { return inbox.checkpoints() == 1; }));
    source.reset();
    EXPECT_EQ(inbox.puts(), 0U);

    inbox.hold = true;
    start(morning);
    ASSERT_TRUE(wait_until([&] { return inbox.held() == 1; }));
    source.reset();  // killed before the answer: the note was not written
    start(morning);
    ASSERT_TRUE(wait_until([&] { return inbox.held() == 2; }));
    inbox.release_held();
    ASSERT_TRUE(wait_until([&] { return inbox.answered() == 2; }));
    ASSERT_EQ(inbox.messages().size(), 1U);
    EXPECT_EQ(inbox.messages().at(0).body, "go");
    EXPECT_EQ(inbox.messages().at(0).name, "2026-01-06T08:00:00.000Z");
    EXPECT_EQ(note(), "2026-01-06T08:00:00.000Z");

    source.reset();
    start("2026-01-07T12:00:00Z");
    ASSERT_TRUE(inbox.wait_for_messages(2));
    EXPECT_NE(inbox.messages().at(0).duplicate_key, inbox.messages().at(1).duplicate_key);
}

TEST_F(TimerDoor, KeepsARunThatTheInboxCouldNotKeep) {
    start("2026-01-05T20:00:00Z");
    ASSERT_TRUE(wait_until([&] { return inbox.checkpoints() == 1; }));
    source.reset();
    inbox.refuse(PutState::kFull);
    start("2026-01-06T12:00:00Z");
    ASSERT_TRUE(wait_until([&] { return !source->health().ok; }));
    EXPECT_EQ(inbox.messages().size(), 0U);
    inbox.refuse(PutState::kStored);
    ASSERT_TRUE(inbox.wait_for_messages(1));
    ASSERT_TRUE(wait_until([&] { return source->health().ok; }));
    source->stop();
    EXPECT_EQ(inbox.messages().size(), 1U);
}

TEST_F(TimerDoor, WaitsWhileTheInboxIsClosed) {
    start("2026-01-05T20:00:00Z");
    ASSERT_TRUE(wait_until([&] { return inbox.checkpoints() == 1; }));
    source.reset();
    inbox.set_open(false);
    start("2026-01-06T12:00:00Z");
    ASSERT_TRUE(wait_until([&] { return !source->health().ok; }));
    EXPECT_EQ(inbox.puts(), 0U);
    inbox.set_open(true);
    ASSERT_TRUE(inbox.wait_for_messages(1));
}

TEST_F(TimerDoor, RefusesARouteThatDropsColumns) {
    inbox.reducer = [](const std::filesystem::path&, const std::filesystem::path&) {};
    EXPECT_THROW(start("2026-01-05T20:00:00Z"), Error);
}

}  // namespace
}  // namespace clrbus::adapters::timer
