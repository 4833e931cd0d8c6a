#include "alerts/alerts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "alerts/state_file.hpp"
#include "alerts/tracker.hpp"
#include "core/error.hpp"

namespace clrbus::alerts {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Time at(int seconds) {
    return Time(std::chrono::seconds(1'800'000'000 + seconds));
}
Condition condition(const std::string& key, milliseconds after = {}, Time since = {}) {
    return {.key = key,
            .kind = "dead-letters",
            .code = "STILL-010",
            .what = "what " + key,
            .todo = "do",
            .since = since,
            .after = after};
}
std::vector<std::string> said(const std::vector<Event>& events) {
    std::vector<std::string> out;
    for (const Event& event : events) out.push_back((event.begin ? "+" : "-") + event.key);
    return out;
}

class TrackerTest : public testing::Test {
protected:
    std::vector<std::string> look(int second, const std::vector<Condition>& conditions, milliseconds quiet = {},
                                  bool may_end = true) {
        return said(tracker_.look(at(second), conditions, quiet, may_end, number_));
    }
    Tracker tracker_;
    std::uint64_t number_ = 0;
};

TEST_F(TrackerTest, OneBeginAndOneEnd) {
    EXPECT_THAT(look(0, {condition("a")}), ElementsAre("+a"));
    EXPECT_THAT(look(1, {condition("a"), condition("a")}), IsEmpty());
    EXPECT_THAT(look(2, {}), ElementsAre("-a"));
    EXPECT_THAT(look(3, {}), IsEmpty());
}
TEST_F(TrackerTest, BeginsWhenItHasHeldLongEnough) {
    EXPECT_THAT(look(0, {condition("a", minutes(5))}), IsEmpty());
    EXPECT_THAT(look(299, {condition("a", minutes(5))}), IsEmpty());
    EXPECT_THAT(look(300, {condition("a", minutes(5))}), ElementsAre("+a"));
    EXPECT_THAT(look(301, {condition("b", minutes(5), at(1))}), ElementsAre("+b", "-a"));
}
TEST_F(TrackerTest, WhatWasGoneBetweenHasNotHeld) {
    look(0, {condition("a", minutes(5))});
    look(200, {});
    EXPECT_THAT(look(301, {condition("a", minutes(5))}), IsEmpty());
}
TEST_F(TrackerTest, OneThatComesAndGoesIsOneAlert) {
    EXPECT_THAT(look(0, {condition("a")}, minutes(1)), ElementsAre("+a"));
    for (int i = 1; i < 200; i += 2) {
        EXPECT_THAT(look(i, {}, minutes(1)), IsEmpty());
        EXPECT_THAT(look(i + 1, {condition("a")}, minutes(1)), IsEmpty());
    }
    look(201, {}, minutes(1));
    EXPECT_THAT(look(261, {}, minutes(1)), ElementsAre("-a"));
}
TEST_F(TrackerTest, HoldsOnWithoutItsThresholdOnceItBegan) {
    tracker_.restore({OpenAlert{condition("a"), at(0), {}}});
    // As after a restart: what is away is away only since then.
    EXPECT_THAT(look(10, {condition("a", minutes(5), at(9))}), IsEmpty());
    EXPECT_EQ(tracker_.open().at("a").condition.since, Time{});
}
TEST_F(TrackerTest, WhatCannotBeToldYetBeginsNothingAndEndsNothing) {
    Condition unknown = condition("a");
    unknown.begins = false;
    EXPECT_THAT(look(0, {unknown}), IsEmpty());
    EXPECT_THAT(look(1, {condition("a")}), ElementsAre("+a"));
    EXPECT_THAT(look(2, {unknown}), IsEmpty());
    EXPECT_THAT(look(3, {}), ElementsAre("-a"));
}
TEST_F(TrackerTest, NothingEndsWhileItIsTooEarlyToMissIt) {
    tracker_.restore({OpenAlert{condition("a"), at(0), {}}});
    EXPECT_THAT(look(10, {}, {}, false), IsEmpty());
    EXPECT_THAT(look(11, {}), ElementsAre("-a"));
}

class FixedSteady : public Clock {
public:
    Time now() const override { return system_clock().now(); }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
};

// Keeps what it was given, and fails when it is told to.
struct Said {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Notice> notices;
    int tries = 0;
    bool fail = false;
    bool wait_for(const std::function<bool()>& condition) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(20), condition);
    }
    std::vector<std::string> lines() {
        const std::lock_guard lock(mutex);
        std::vector<std::string> out;
        for (const Notice& notice : notices) {
            std::string line;
            for (const std::string& one : said(notice.events)) line += (line.empty() ? "" : " ") + one;
            out.push_back(line);
        }
        return out;
    }
};
class SaidChannel : public Channel {
public:
    SaidChannel(std::string name, Said& into, std::vector<std::string> kinds = {})
        : Channel(std::move(name), std::move(kinds)), into_(into) {}
    void send(const Notice& notice) override {
        const std::lock_guard lock(into_.mutex);
        ++into_.tries;
        into_.changed.notify_all();
        if (into_.fail) throw Error(Fault::kAway, "ALERT-010", "sending", "told to fail");
        into_.notices.push_back(notice);
    }
    void cancel() override {}

private:
    Said& into_;
};

class AlertsTest : public testing::Test {
protected:
    AlertsTest()
        : folder_(testing::TempDir() + "alerts_" + std::to_string(::getpid()) + "_" +
                  testing::UnitTest::GetInstance()->current_test_info()->name()) {
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
    }
    ~AlertsTest() override {
        alerts_.reset();
        std::filesystem::remove_all(folder_);
    }

    void start(std::size_t most = 500) {
        AlertOptions options;
        options.file = folder_ / "alerts.json";
        options.clock = &clock_;
        options.instance = "test";
        options.look = options.retry = milliseconds(5);
        options.group = milliseconds(20);
        options.quiet = milliseconds(0);
        options.pending_most = most;
        std::vector<std::unique_ptr<Channel>> channels;
        channels.push_back(std::make_unique<SaidChannel>("one", one_));
        channels.push_back(std::make_unique<SaidChannel>("two", two_, std::vector<std::string>{"disk"}));
        alerts_ = std::make_unique<Alerts>(options, std::move(channels));
        alerts_->start([this] {
            const std::lock_guard lock(mutex_);
            ++looks_;
            looked_.notify_all();
            return now_;
        });
    }
    void set(std::vector<Condition> conditions) {
        std::unique_lock lock(mutex_);
        now_ = std::move(conditions);
        const int until = looks_ + 2;
        ASSERT_TRUE(looked_.wait_for(lock, std::chrono::seconds(20), [&] { return looks_ >= until; }));
    }

    const std::filesystem::path folder_;
    FixedSteady clock_;
    Said one_, two_;
    std::mutex mutex_;
    std::condition_variable looked_;
    std::vector<Condition> now_;
    int looks_ = 0;
    std::unique_ptr<Alerts> alerts_;
};

TEST_F(AlertsTest, OneNoticeAtBeginAndOneAtEndOfAllThatFallTogether) {
    start();
    set({condition("a"), condition("b")});
    ASSERT_TRUE(one_.wait_for([&] { return !one_.notices.empty(); }));
    set({});
    ASSERT_TRUE(one_.wait_for([&] { return one_.notices.size() == 2; }));
    EXPECT_THAT(one_.lines(), ElementsAre("+a +b", "-a -b"));
    EXPECT_THAT(two_.lines(), IsEmpty());
}
TEST_F(AlertsTest, ARestartSaysNothingAgainAndTheEndIsSaid) {
    start();
    set({condition("a")});
    ASSERT_TRUE(one_.wait_for([&] { return !one_.notices.empty(); }));
    alerts_.reset();
    start();
    set({condition("a")});
    set({});
    ASSERT_TRUE(one_.wait_for([&] { return one_.notices.size() == 2; }));
    EXPECT_THAT(one_.lines(), ElementsAre("+a", "-a"));
    EXPECT_EQ(one_.notices[1].events[0].since, one_.notices[0].events[0].since);
}
TEST_F(AlertsTest, WhatWasNotSentIsSentAfterARestartUnderTheSameId) {
    one_.fail = true;
    start();
    set({condition("a")});
    ASSERT_TRUE(one_.wait_for([&] { return one_.tries >= 2; }));
    EXPECT_EQ(alerts_->channels()[0].code, "ALERT-010");
    EXPECT_EQ(alerts_->undelivered().size(), 1U);
    alerts_.reset();
    one_.fail = false;
    start();
    ASSERT_TRUE(one_.wait_for([&] { return !one_.notices.empty(); }));
    EXPECT_THAT(one_.lines(), ElementsAre("+a"));
}
TEST_F(AlertsTest, AChannelThatIsAwayKeepsABoundedListAndSaysWhatIsMissing) {
    one_.fail = true;
    start(3);
    for (int i = 0; i < 5; ++i) {
        set({condition("a")});
        set({});
    }
    EXPECT_EQ(alerts_->channels()[0].pending, 3U);
    {
        const std::lock_guard lock(one_.mutex);
        one_.fail = false;
    }
    ASSERT_TRUE(one_.wait_for([&] { return !one_.notices.empty(); }));
    EXPECT_THAT(one_.lines(), ElementsAre("-a +a -a"));
    EXPECT_EQ(one_.notices[0].left_out, 7U);
    EXPECT_THAT(notice_text(one_.notices[0]), HasSubstr("7 earlier lines are left out"));
}
TEST_F(AlertsTest, ADamagedFileIsKeptAsideAndWhatHoldsBeginsAgain) {
    std::ofstream(folder_ / "alerts.json") << R"({"number": 1, "open": 3})";
    start();
    set({condition("a")});
    ASSERT_TRUE(one_.wait_for([&] { return !one_.notices.empty(); }));
    EXPECT_TRUE(std::filesystem::exists(folder_ / "alerts.json.damaged"));
}
TEST_F(AlertsTest, ATestGoesEveryWayAndBeginsNothing) {
    start();
    two_.fail = true;
    const auto tried = alerts_->test("");
    ASSERT_EQ(tried.size(), 2U);
    EXPECT_EQ(tried[0].code, "");
    EXPECT_EQ(tried[1].code, "ALERT-010");
    EXPECT_TRUE(one_.notices[0].test);
    EXPECT_THAT(alerts_->test("nobody"), IsEmpty());
}

TEST(Notice, SaysWhatSinceWhenWhatToDoAndWhichPage) {
    Notice notice{.id = "n", .instance = "Example", .at = at(60), .events = {}, .left_out = 0, .open = 1, .test = false};
    notice.events = {{1, true, "k", "disk", "STILL-020", "the disk is nearly full", "free some", at(0), at(10)},
                     {2, false, "l", "ledger", "STILL-030", "the ledger does not balance", "report it", at(-300), at(20)}};
    EXPECT_EQ(notice_subject(notice), "[clrbus Example] 1 began, 1 ended");
    const std::string text = notice_text(notice);
    for (const char* part : {"BEGAN\n  the disk is nearly full", "do: free some", "clrbus explain STILL-020",
                             "ENDED\n  the ledger does not balance", "(5 min)", "Open now: 1"})
        EXPECT_THAT(text, HasSubstr(part));
    EXPECT_THAT(notice_json(notice), HasSubstr(R"("code":"STILL-020")"));
    notice.events.pop_back();
    EXPECT_EQ(notice_subject(notice), "[clrbus Example] began: the disk is nearly full");
}

}  // namespace
}  // namespace clrbus::alerts
