#include "storage/step_state.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.hpp"

namespace clrbus::storage {
namespace {

class StepStateTest : public testing::Test {
protected:
    StepStateTest() {
        char name[] = "/tmp/clrbus-step-state-XXXXXX";
        folder_ = mkdtemp(name);
    }
    ~StepStateTest() override { std::filesystem::remove_all(folder_); }
    std::filesystem::path file() const { return folder_ / "state.db"; }

    std::filesystem::path folder_;
    const std::string key_ = std::string(32, 'k');
};

TEST_F(StepStateTest, KeepsWhatWasWrittenAndDropsWhatThrew) {
    std::int64_t step = 0;
    {
        StepState state(file(), key_);
        ASSERT_TRUE(state.write([&](StepTables& t) {
            step = t.step("r/aggregate-1");
            StepGroup group;
            group.correlation = "c";
            group.members = 2;
            group.due = 77;
            const std::int64_t instance = t.add_group(step, group);
            t.add(step, {.sequence = 5, .instance = instance, .number = 2, .due = 0, .bytes = 10, .id_hash = "a", .key = {}});
            t.add(step, {.sequence = 9, .instance = instance, .number = 1, .due = 0, .bytes = 20, .id_hash = "b", .key = {}});
            t.watermark(step, 9);
        }));
        EXPECT_FALSE(state.write([&](StepTables& t) {
            t.watermark(step, 1000);
            throw Error(Fault::kPoison, "X-1", "testing", "no");
        }));
    }
    StepState state(file(), key_);
    state.read([&](StepTables& t) {
        EXPECT_EQ(t.step("r/aggregate-1"), step);
        EXPECT_EQ(t.watermark(step), 9U);
        EXPECT_EQ(t.next_due(step), 77);
        const auto group = t.open_group(step, "c");
        ASSERT_TRUE(group);
        EXPECT_EQ(group->members, 2U);
        ASSERT_EQ(t.members(group->instance, 10).size(), 2U);
        EXPECT_EQ(t.members(group->instance, 10)[0].sequence, 5U);
        EXPECT_EQ(t.below(group->instance, 10, 10)[0].sequence, 9U);
        EXPECT_TRUE(t.has_id(group->instance, "a"));
        EXPECT_FALSE(t.has_id(group->instance, "z"));
        EXPECT_EQ(t.count(step), 2U);
    });
}

TEST_F(StepStateTest, OneGroupOfACorrelationIsOpenAtATime) {
    StepState state(file(), key_);
    StepGroup group;
    group.correlation = "c";
    ASSERT_TRUE(state.write([&](StepTables& t) { t.add_group(t.step("s"), group); }));
    EXPECT_FALSE(state.write([&](StepTables& t) { t.add_group(t.step("s"), group); }));
    EXPECT_TRUE(state.write([&](StepTables& t) {
        auto open = t.open_group(t.step("s"), "c");
        open->state = StepGroup::State::kClosing;
        t.save(*open);
        t.add_group(t.step("s"), group);
        EXPECT_EQ(t.groups(t.step("s"), StepGroup::State::kClosing, 10).size(), 1U);
        EXPECT_EQ(t.open_groups(t.step("s")), 1U);
    }));
}

TEST_F(StepStateTest, WhatWasSeenIsBoundedByTimeAndCountAndBelongsToItsMessage) {
    StepState state(file(), key_);
    std::int64_t step = 0;
    ASSERT_TRUE(state.write([&](StepTables& t) {
        step = t.step("s");
        for (int i = 0; i < 10; ++i) t.see(step, "key" + std::to_string(i), "m" + std::to_string(i), i);
        t.see(step, "key3", "m3", 3);  // again: no second one
        t.unsee(step, "key9", "another");
        t.forget_seen(step, 2, 5);
    }));
    state.read([&](StepTables& t) {
        EXPECT_FALSE(t.seen(step, "key1"));
        EXPECT_FALSE(t.seen(step, "key4"));
        ASSERT_TRUE(t.seen(step, "key9"));
        EXPECT_EQ(t.seen(step, "key9")->id_hash, "m9");
        EXPECT_TRUE(t.seen(step, "key5"));
    });
    ASSERT_TRUE(state.write([&](StepTables& t) { t.unsee(step, "key9", "m9"); }));
    state.read([&](StepTables& t) { EXPECT_FALSE(t.seen(step, "key9")); });
}

TEST_F(StepStateTest, ManyChangesTakeFewSyncs) {
    ThreadPool pool(1, "test");
    StepState state(file(), key_);
    std::atomic<int> done{0};
    const std::uint64_t before = state.syncs();
    for (int i = 0; i < 2000; ++i)
        state.apply([i](StepTables& t) { t.value(1, "n" + std::to_string(i), "x"); }, pool,
                    [&done](bool ok) { done += ok ? 1 : 0; });
    ASSERT_TRUE(state.write([](StepTables&) {}));
    pool.stop();
    EXPECT_EQ(done, 2000);
    EXPECT_LT(state.syncs() - before, 1000U);
}

TEST_F(StepStateTest, SaysDoneOnlyForWhatAKillLeaves) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        StepState state(file(), key_);
        for (int i = 1; i <= 100000; ++i) {
            if (!state.write([i](StepTables& t) { t.watermark(t.step("s"), static_cast<std::uint64_t>(i)); })) _exit(3);
            if (write(ends[1], &i, sizeof i) != sizeof i) _exit(4);
        }
        _exit(0);
    }
    close(ends[1]);
    int said = 0;
    for (int i = 0; i < 50; ++i) ASSERT_EQ(read(ends[0], &said, sizeof said), static_cast<ssize_t>(sizeof said));
    kill(child, SIGKILL);
    for (int more = 0; read(ends[0], &more, sizeof more) == static_cast<ssize_t>(sizeof more);) said = more;
    close(ends[0]);
    waitpid(child, nullptr, 0);
    StepState state(file(), key_);
    state.read([&](StepTables& t) { EXPECT_GE(t.watermark(t.step("s")), static_cast<std::uint64_t>(said)); });
}

TEST_F(StepStateTest, ADamagedFileIsKeptAsideAndBegunAnew) {
    std::ofstream(file()) << std::string(8192, 'x');
    StepState state(file(), key_);
    EXPECT_TRUE(std::filesystem::exists(file().string() + ".damaged"));
    EXPECT_TRUE(state.write([](StepTables& t) { EXPECT_EQ(t.watermark(t.step("s")), 0U); }));
}

TEST_F(StepStateTest, HashesAreKeyedAndTheirValuesNowhere) {
    StepState state(file(), key_), other(folder_ / "other.db", std::string(32, 'o'));
    EXPECT_EQ(state.hash("s", "jane.doe"), state.hash("s", "jane.doe"));
    EXPECT_NE(state.hash("s", "jane.doe"), state.hash("t", "jane.doe"));
    EXPECT_NE(state.hash("s", "jane.doe"), other.hash("s", "jane.doe"));
    EXPECT_EQ(state.hash("s", "jane.doe").size(), kStepHashBytes);
}

}  // namespace
}  // namespace clrbus::storage
