#include "adapter/repeater.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "config/element.hpp"
#include "support/raw_client.hpp"

namespace clrbus {
namespace {

TEST(Repeater, RunsAtOnceAndWhenNudgedAndGoesOnAfterAnError) {
    std::atomic<int> runs{0};
    Repeater repeater([&]() -> std::chrono::milliseconds {
        if (++runs == 1) throw std::runtime_error("the first one fails");
        return std::chrono::hours(1);
    });
    ASSERT_TRUE(support::wait_until([&] { return runs == 1; }));
    ASSERT_TRUE(support::wait_until([&] {
        repeater.nudge();
        return runs >= 3;
    }));
    repeater.stop();
    const int before = runs;
    repeater.nudge();
    EXPECT_EQ(runs, before);
}

TEST(Repeater, WaitsForTheJobThatRuns) {
    std::promise<void> inside, leave;
    std::atomic<bool> left{false};
    auto repeater = std::make_unique<Repeater>([&] {
        inside.set_value();
        leave.get_future().get();
        left = true;
        return std::chrono::hours(1);
    });
    inside.get_future().get();
    std::future<void> gone = std::async(std::launch::async, [&] { repeater.reset(); });
    leave.set_value();
    gone.get();
    EXPECT_TRUE(left);
}

TEST(Schedule, RefusesWhatIsTooShort) {
    auto element = std::make_shared<Config::Element>();
    element->attributes["schedule"] = "PT1S";
    const Config config{element};
    EXPECT_EQ(read_schedule(config, "schedule", std::chrono::seconds(9), std::chrono::seconds(1)), std::chrono::seconds(1));
    EXPECT_EQ(read_schedule(config, "other", std::chrono::seconds(9), std::chrono::seconds(1)), std::chrono::seconds(9));
    EXPECT_THROW(read_schedule(config, "schedule", std::chrono::seconds(9), std::chrono::seconds(5)), Error);
}

}  // namespace
}  // namespace clrbus
