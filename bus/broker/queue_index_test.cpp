#include "broker/queue_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "broker/duplicate_window.hpp"

namespace clrbus::broker {
namespace {

IndexEntry entry_of(std::uint64_t sequence) {
    IndexEntry entry;
    entry.sequence = sequence;
    entry.accepted = static_cast<std::int64_t>(1000 + sequence);
    entry.length = 10;
    return entry;
}

TEST(QueueIndex, IgnoresWhatIsNotThere) {
    QueueIndex index;
    EXPECT_EQ(index.claim(), nullptr);
    EXPECT_FALSE(index.begin_settle(1));
    index.settle(1);
    index.give_back(1);
    index.delay(1, 5, 1);
    index.release(1, 1);
    index.move(1, {}, 5);
    EXPECT_TRUE(index.add(entry_of(5)));
    EXPECT_FALSE(index.add(entry_of(5))) << "twice";
    EXPECT_FALSE(index.add(entry_of(4))) << "out of order";
    EXPECT_EQ(index.size(), 1U);
}

TEST(QueueIndex, DoesNotGiveOutWhatIsBeingSettled) {
    QueueIndex index;
    for (std::uint64_t i = 1; i <= 3; ++i) index.add(entry_of(i));
    EXPECT_TRUE(index.begin_settle(1));
    EXPECT_FALSE(index.begin_settle(1));
    EXPECT_EQ(index.claim()->sequence, 2U);
    index.give_back(1);
    index.delay(1, 5, 1);
    index.settle(1);
    EXPECT_EQ(index.find(1), nullptr);
    EXPECT_EQ(index.size(), 2U);
    EXPECT_EQ(index.bytes(), 20U);
    EXPECT_EQ(index.oldest(), 1002);
}

TEST(QueueIndex, GivesBackInOrder) {
    QueueIndex index;
    for (std::uint64_t i = 1; i <= 5; ++i) index.add(entry_of(i));
    for (int i = 0; i < 4; ++i) index.claim();
    index.give_back(3);
    index.give_back(1);
    EXPECT_EQ(index.claim()->sequence, 1U);
    EXPECT_EQ(index.claim()->sequence, 3U);
    EXPECT_EQ(index.claim()->sequence, 5U);
    EXPECT_EQ(index.claim(), nullptr);
}

TEST(QueueIndex, WakesByTime) {
    QueueIndex index;
    for (std::uint64_t i = 1; i <= 3; ++i) index.add(entry_of(i));
    index.claim();
    index.delay(1, 100, 2);
    index.delay(2, 50, 1);
    EXPECT_EQ(index.next_wake(), 50);
    EXPECT_EQ(index.not_before(1), 100);
    EXPECT_FALSE(index.wake(49));
    EXPECT_EQ(index.claim()->sequence, 3U);
    EXPECT_TRUE(index.wake(100));
    EXPECT_EQ(index.claim()->sequence, 1U);
    EXPECT_EQ(index.find(1)->attempts, 2U);
    EXPECT_EQ(index.claim()->sequence, 2U);
    EXPECT_EQ(index.next_wake(), std::nullopt);
}

// Random calls against a plain model.
TEST(QueueIndex, AgreesWithAModel) {
    std::mt19937 dice(5);
    QueueIndex index;
    std::map<std::uint64_t, char> model;  // r ready, h in hand, d delayed, s settling
    std::map<std::uint64_t, std::int64_t> times;
    std::uint64_t next = 1;
    std::int64_t now = 0;
    for (int step = 0; step < 12'000; ++step) {
        const std::uint64_t pick =
            model.empty()
                ? 0
                : std::next(model.begin(), static_cast<long>(dice() % std::min<std::size_t>(model.size(), 50)))->first;
        const char state = model.empty() ? 0 : model[pick];
        switch (dice() % 8) {
            case 0:
            case 1:
                index.add(entry_of(next));
                model[next++] = 'r';
                break;
            case 2:
            case 3: {
                const auto* claimed = index.claim();
                const auto first = std::find_if(model.begin(), model.end(), [](const auto& m) { return m.second == 'r'; });
                ASSERT_EQ(claimed == nullptr, first == model.end());
                if (claimed == nullptr) break;
                ASSERT_EQ(claimed->sequence, first->first);
                first->second = 'h';
                break;
            }
            case 4:
                if (state == 'h') model[pick] = 'r';
                index.give_back(pick);
                break;
            case 5:
                ASSERT_EQ(index.begin_settle(pick), state != 0 && state != 's');
                if (state != 0) model[pick] = 's';
                times.erase(pick);
                break;
            case 6:
                if (state != 's') break;
                index.settle(pick);
                model.erase(pick);
                break;
            default:
                index.wake(now += 3);
                for (auto it = times.begin(); it != times.end();) {
                    if (it->second > now) {
                        ++it;
                        continue;
                    }
                    model[it->first] = 'r';
                    it = times.erase(it);
                }
                if (state == 0 || state == 's') break;
                if (times.contains(pick)) break;
                index.delay(pick, now + 20, 1);
                model[pick] = 'd';
                times[pick] = now + 20;
        }
        const auto ready = std::count_if(model.begin(), model.end(), [](const auto& m) { return m.second == 'r'; });
        ASSERT_EQ(index.size(), model.size());
        ASSERT_EQ(index.ready(), static_cast<std::uint64_t>(ready));
        ASSERT_EQ(index.delayed(), times.size());
        ASSERT_EQ(index.bytes(), model.size() * 10);
    }
}

TEST(DuplicateWindow, ForgetsByAgeAndByCount) {
    DuplicateWindow window(3, 1000);
    for (std::uint64_t i = 1; i <= 4; ++i) window.add({key_hash(std::to_string(i)), {}, i, static_cast<std::int64_t>(i * 100)});
    EXPECT_EQ(window.size(), 3U);
    EXPECT_EQ(window.find(key_hash("1"), 400), nullptr);
    EXPECT_EQ(window.find(key_hash("2"), 1200)->sequence, 2U);
    EXPECT_EQ(window.find(key_hash("2"), 1201), nullptr);
    EXPECT_EQ(window.find(key_hash("4"), 1201)->sequence, 4U);
    window.add({key_hash("4"), {}, 9, 1300});
    EXPECT_EQ(window.find(key_hash("4"), 1300)->sequence, 4U) << "the first one stays";
}

TEST(DuplicateWindow, FindsEachOfManyWhileOthersGo) {
    DuplicateWindow window(5000, 1 << 30);
    for (std::uint64_t i = 1; i <= 40'000; ++i) {
        window.add({key_hash(std::to_string(i)), {}, i, 0});
        if (i % 997 != 0) continue;
        for (std::uint64_t j = i > 6000 ? i - 6000 : 1; j <= i; j += 7) {
            const auto* found = window.find(key_hash(std::to_string(j)), 0);
            ASSERT_EQ(found != nullptr, i - j < 5000) << i << " " << j;
        }
    }
}

TEST(DuplicateWindow, PacksUuidsOnly) {
    const std::string uuid = "0192f0c1-2d3e-7abc-8def-0123456789ab";
    EXPECT_EQ(unpack_id(pack_id(uuid)), uuid);
    for (const std::string id : {"", "x", "0192F0C1-2d3e-7abc-8def-0123456789ab", "0192f0c1x2d3e-7abc-8def-0123456789ab"}) {
        EXPECT_EQ(unpack_id(pack_id(id)), "") << id;
    }
}

}  // namespace
}  // namespace clrbus::broker
