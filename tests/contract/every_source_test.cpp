// What every adapter is asked that reads a far side by a schedule: that nothing is lost and nothing comes twice, whatever the
// far side does and whenever the bus is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "all_adapters.hpp"
#include "contract/source_driver.hpp"
#include "http/client.hpp"
#include "support/fake_inbox.hpp"

namespace clrbus::contract {
namespace {

using support::wait_until;
using testing::HasSubstr;
using testing::Not;

// An inbox that is killed with the bus: at a moment that the test chooses it does nothing more, or does it and says nothing. A
// door that asks for the last run of its schedule hears of one that was an hour ago.
class KilledInbox : public support::FakeInbox {
public:
    using FakeInbox::FakeInbox;

    // After so many puts and marks; done: the next one is done all the same, and only the answer is lost.
    void kill_after(int count, bool done) {
        left_ = count;
        done_ = done;
        dead_ = false;
    }
    void revive() { kill_after(1'000'000, false); }
    bool dead() const { return dead_; }

    void put(Incoming incoming, std::function<void(Receipt)> done) override {
        if (!lives()) {
            if (last_words()) FakeInbox::put(std::move(incoming), [](const Receipt&) {});
            return;
        }
        FakeInbox::put(std::move(incoming), std::move(done));
    }
    void mark(Incoming::Checkpoint checkpoint, std::function<void(bool)> done) override {
        if (!lives()) {
            if (last_words()) FakeInbox::mark(std::move(checkpoint), [](bool) {});
            return;
        }
        FakeInbox::mark(std::move(checkpoint), std::move(done));
    }
    std::optional<std::string> checkpoint(std::string_view name) const override {
        const auto known = FakeInbox::checkpoint(name);
        if (known || name.rfind("place:", 0) == 0) return known;
        return to_rfc3339(system_clock().now() - std::chrono::hours(1));
    }

private:
    bool lives() { return left_-- > 0; }
    bool last_words() { return !dead_.exchange(true) && done_; }

    std::atomic<int> left_{1'000'000};
    std::atomic<bool> dead_{false};
    bool done_ = false;
};

class EverySource : public testing::TestWithParam<SourceRow> {
protected:
    void SetUp() override {
        const auto all = adapters::all_adapters();
        const auto found =
            std::find_if(all.begin(), all.end(), [](const AdapterInfo* one) { return one->name == GetParam().adapter; });
        ASSERT_NE(found, all.end());
        info = *found;
        far = GetParam().far_side();
        far->expect_secret(secret);
    }
    void open(Inbox& into) {
        AdapterContext context;
        context.config = Config(far->element());
        context.inbox = &into;
        context.client = &client;
        context.executor = &pool;
        context.clock = &system_clock();
        context.state_dir = state.path();
        context.secret = [this](std::string_view) {
            const std::lock_guard lock(mutex);
            return secret;
        };
        source = info->source(context);
        source->start();
    }
    void offer(int count) {
        for (int i = 0; i < count; ++i) far->offer("item-" + std::to_string(i), "text " + std::to_string(i));
    }
    // Each item once, and no other one.
    void expect_items(const support::FakeInbox& in, int count) {
        std::map<std::string, int> seen;
        for (const Incoming& one : in.messages()) ++seen[far->carried(one).first];
        EXPECT_EQ(seen.size(), static_cast<std::size_t>(count));
        for (const auto& [id, times] : seen) EXPECT_EQ(times, 1) << id;
    }

    std::mutex mutex;
    std::string secret = "the-first-secret";
    support::TemporaryFolder state{"source"};
    KilledInbox inbox{"people", state / "spool"};
    ThreadPool pool{2, "source"};
    HttpClient client;
    const AdapterInfo* info = nullptr;
    std::unique_ptr<SourceDriver> far;
    std::unique_ptr<Source> source;  // last: calls back into the above
};

TEST_P(EverySource, DeliversEachItemOnceAndWhatIsNew) {
    offer(10);
    open(inbox);
    ASSERT_TRUE(inbox.wait_for_messages(10));
    expect_items(inbox, 10);
    EXPECT_TRUE(source->health().ok) << source->health().text;
    far->offer("item-3", "changed");
    ASSERT_TRUE(inbox.wait_for_messages(11));
    EXPECT_EQ(far->carried(inbox.messages().back()), std::pair(std::string("item-3"), std::string("changed")));
    far->offer("item-10", "text");
    ASSERT_TRUE(inbox.wait_for_messages(12));
    source->stop();
    EXPECT_EQ(inbox.messages().size(), 12U);
}

TEST_P(EverySource, LosesAndDoublesNothingWhenItIsKilledAtAnyPoint) {
    offer(10);
    for (const bool done : {false, true}) {
        bool killed = true;
        for (int point = 0; killed && point < 100; ++point) {
            SCOPED_TRACE("killed " + std::string(done ? "after" : "before") + " step " + std::to_string(point));
            support::TemporaryFolder folder("killed");
            KilledInbox box("people", folder / "spool");
            box.kill_after(point, done);
            open(box);
            ASSERT_TRUE(wait_until([&] { return box.dead() || box.messages().size() == 10; }));
            killed = box.dead();
            source.reset();
            box.revive();
            open(box);
            ASSERT_TRUE(box.wait_for_messages(10));
            source.reset();
            expect_items(box, 10);
            for (int i = 0; i < 10; ++i) {
                const auto all = box.messages();
                EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const Incoming& one) {
                    return far->carried(one) == std::pair("item-" + std::to_string(i), "text " + std::to_string(i));
                }));
            }
        }
        EXPECT_FALSE(killed) << "a run has fewer than 100 steps";
    }
}

TEST_P(EverySource, GoesOnAtItsPlaceAfterARestart) {
    offer(10);
    inbox.kill_after(6, false);
    open(inbox);
    ASSERT_TRUE(wait_until([&] { return inbox.dead(); }));
    source.reset();
    const int before = far->beginnings();
    // The rest of the run is the whole of what is asked now.
    inbox.revive();
    open(inbox);
    ASSERT_TRUE(inbox.wait_for_messages(10));
    EXPECT_EQ(far->beginnings(), before);
    source.reset();
    expect_items(inbox, 10);
}

TEST_P(EverySource, WaitsForAFarSideThatIsAwayAndSaysSinceWhen) {
    offer(4);
    for (const Mood mood : {Mood::kGone, Mood::kSilent, Mood::kHangsUp, Mood::kHalf, Mood::kNonsense, Mood::kStranger,
                            Mood::kTooMany, Mood::kFails, Mood::kRefuses}) {
        SCOPED_TRACE(static_cast<int>(mood));
        support::TemporaryFolder folder("away");
        KilledInbox box("people", folder / "spool");
        const Time before = system_clock().now();
        const auto element = far->element();
        far->mood(mood);
        open(box);
        ASSERT_TRUE(wait_until([&] { return !source->health().ok; }));
        const Source::Health health = source->health();
        EXPECT_THAT(health.text, testing::ContainsRegex("[A-Z]+-[0-9]{3}"));
        EXPECT_THAT(health.text, Not(HasSubstr("secret")));
        EXPECT_GE(health.since, before);
        EXPECT_EQ(box.puts(), 0U);
        far->mood(Mood::kTakes);
        ASSERT_TRUE(box.wait_for_messages(4));
        EXPECT_TRUE(wait_until([&] { return source->health().ok; }));
        source.reset();
        expect_items(box, 4);
    }
}

TEST_P(EverySource, TakesEachItemOnceThoughTheFarSideFailsInTheMiddle) {
    offer(10);
    far->next({Mood::kTakes, Mood::kFails, Mood::kTakes, Mood::kHalf, Mood::kTakes, Mood::kHangsUp});
    open(inbox);
    ASSERT_TRUE(inbox.wait_for_messages(10));
    ASSERT_TRUE(wait_until([&] { return source->health().ok; }));
    expect_items(inbox, 10);
}

TEST_P(EverySource, UsesCredentialsThatWereRotated) {
    if (!far->expect_secret("the-second-secret")) GTEST_SKIP() << "it knows no secrets";
    offer(4);
    open(inbox);
    ASSERT_TRUE(wait_until([&] { return !source->health().ok; }));
    EXPECT_THAT(source->health().text, Not(HasSubstr("the-first")));
    {
        const std::lock_guard lock(mutex);
        secret = "the-second-secret";
    }
    ASSERT_TRUE(inbox.wait_for_messages(4));
    EXPECT_TRUE(wait_until([&] { return source->health().ok; }));
}

TEST_P(EverySource, KeepsItsPlaceWhileTheInboxRefuses) {
    offer(4);
    inbox.refuse(PutState::kFull);
    open(inbox);
    ASSERT_TRUE(wait_until([&] { return !source->health().ok; }));
    source.reset();
    open(inbox);
    ASSERT_TRUE(wait_until([&] { return !source->health().ok; }));
    EXPECT_TRUE(inbox.messages().empty());
    inbox.refuse(PutState::kStored);
    ASSERT_TRUE(inbox.wait_for_messages(4));
    EXPECT_TRUE(wait_until([&] { return source->health().ok; }));
    expect_items(inbox, 4);
}

TEST_P(EverySource, AsksNothingWhileTheInboxIsClosed) {
    offer(4);
    inbox.set_open(false);
    open(inbox);
    ASSERT_TRUE(wait_until([&] { return !source->health().ok; }));
    EXPECT_EQ(far->beginnings(), 0);
    inbox.set_open(true);
    ASSERT_TRUE(inbox.wait_for_messages(4));
    EXPECT_TRUE(wait_until([&] { return source->health().ok; }));
}

TEST_P(EverySource, EndsWhileTheFarSideSaysNothing) {
    offer(4);
    far->mood(Mood::kSilent);
    open(inbox);
    source->stop();
    source.reset();
    EXPECT_EQ(inbox.puts(), 0U);
}

INSTANTIATE_TEST_SUITE_P(All, EverySource, testing::ValuesIn(source_rows()), [](const testing::TestParamInfo<SourceRow>& test) {
    std::string name = test.param.adapter;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
});

}  // namespace
}  // namespace clrbus::contract
