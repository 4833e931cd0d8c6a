// What every implementation of Queues keeps, as tests over a factory. A second implementation instantiates the same suite:
//   INSTANTIATE_TEST_SUITE_P(Links, QueuesContract, testing::Values(&make_links));
// Included by one file of a test binary.
#pragma once

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "broker/queues_fixture.hpp"

namespace clrbus::contract {

TEST_P(QueuesContract, RefusesAQueueThatWasNotDeclared) {
    EXPECT_FALSE(queues_->exists("in/other"));
    EXPECT_FALSE(queues_->accepts("in/other"));
    EXPECT_EQ(code_of([&] { put("in/other", "x"); }), "QUEUE-001");
    EXPECT_EQ(code_of([&] { queues_->take("in/other", pool_, [](TakenMessage) {}); }), "QUEUE-001");
    Unit unit;
    unit.outputs.push_back(put_of("in/other", "x"));
    EXPECT_EQ(code_of([&] { commit(std::move(unit)); }), "QUEUE-001");
    EXPECT_TRUE(queues_->exists("in/r"));
}

TEST_P(QueuesContract, RefusesANoteThatIsTooLarge) {
    Unit unit;
    unit.notes.push_back({"split/r/1", std::string(4097, 'x')});
    EXPECT_EQ(code_of([&] { commit(std::move(unit)); }), "QUEUE-003");
    Unit fits;
    fits.notes.push_back({"split/r/1", std::string(4096, 'x')});
    EXPECT_EQ(commit(std::move(fits)), CommitState::kDone);
}

TEST_P(QueuesContract, RefusesAboveTheLimitAndTakesAgain) {
    queues_->declare("in/r", {.max_messages = 2, .max_bytes = 1U << 20});
    EXPECT_EQ(put("in/r", "1").state, PutState::kStored);
    EXPECT_TRUE(queues_->accepts("in/r"));
    EXPECT_EQ(put("in/r", "2").state, PutState::kStored);
    EXPECT_FALSE(queues_->accepts("in/r"));
    EXPECT_EQ(put("in/r", "3").state, PutState::kFull);
    EXPECT_TRUE(queues_->accepts("dead/r"));
    Basket basket;
    auto taker = take("in/r", basket, 1);
    EXPECT_EQ(commit(settle(basket.wait(1).at(0))), CommitState::kDone);
    EXPECT_TRUE(queues_->accepts("in/r"));
    EXPECT_EQ(put("in/r", "4").state, PutState::kStored);
    queues_->declare("in/r", {.max_messages = 100, .max_bytes = 10});
    EXPECT_EQ(put("in/r", "more than the bytes that are left").state, PutState::kFull);
}

TEST_P(QueuesContract, ALimitDoesNotRefuseTheOutputsOfAUnit) {
    queues_->declare("dead/r", {.max_messages = 0, .max_bytes = 0});
    put("in/r", "1");
    Basket basket;
    auto taker = take("in/r", basket, 1);
    auto unit = settle(basket.wait(1).at(0));
    unit.outputs.push_back(put_of("dead/r", "1"));
    EXPECT_EQ(commit(std::move(unit)), CommitState::kDone);
    EXPECT_EQ(state("dead/r").ready, 1U);
}

TEST_P(QueuesContract, KeepsMessageHeadersAndOrder) {
    std::vector<Put> batch;
    for (int i = 0; i < 50; ++i) {
        auto one = put_of("in/r", "body " + std::to_string(i), "", "id-" + std::to_string(i));
        one.headers.set("clrbus-source", "r/door");
        batch.push_back(std::move(one));
    }
    const auto results = put(std::move(batch));
    ASSERT_EQ(results.size(), 50U);
    for (std::size_t i = 0; i < results.size(); ++i) {
        EXPECT_EQ(results[i].state, PutState::kStored);
        EXPECT_EQ(results[i].id, "id-" + std::to_string(i));
        EXPECT_GT(results[i].sequence, i == 0 ? 0 : results[i - 1].sequence);
    }
    Basket basket;
    auto taker = take("in/r", basket, 50);
    const auto taken = basket.wait(50);
    ASSERT_EQ(taken.size(), 50U);
    for (std::size_t i = 0; i < taken.size(); ++i) {
        EXPECT_EQ(taken[i].queue, "in/r");
        EXPECT_EQ(taken[i].sequence, results[i].sequence);
        EXPECT_EQ(body_of(taken[i]), "body " + std::to_string(i));
        EXPECT_EQ(taken[i].message.message_id(), "id-" + std::to_string(i));
        EXPECT_EQ(taken[i].headers.get("clrbus-source"), "r/door");
        EXPECT_EQ(taken[i].attempts, 0U);
    }
}

TEST_P(QueuesContract, DeliversAsManyAsWereGranted) {
    for (int i = 0; i < 5; ++i) put("in/r", std::to_string(i));
    Basket basket;
    auto taker = take("in/r", basket, 2);
    EXPECT_EQ(basket.wait(2).size(), 2U);
    EXPECT_EQ(state("in/r").in_hand, 2U);
    EXPECT_EQ(state("in/r").ready, 3U);
    taker->grant(1);
    EXPECT_EQ(basket.wait(3).size(), 3U);
    EXPECT_EQ(state("in/r").ready, 2U);
    taker->stop();
    taker->grant(5);
    EXPECT_EQ(put("in/r", "later").state, PutState::kStored);
    EXPECT_EQ(basket.size(), 3U);
    EXPECT_EQ(state("in/r").in_hand, 3U) << "those in hand stay in hand";
}

TEST_P(QueuesContract, WakesAConsumerThatWaits) {
    Basket basket;
    auto taker = take("in/r", basket, 10);
    put("in/r", "a");
    EXPECT_EQ(body_of(basket.wait(1).at(0)), "a");
    put("in/r", "b");
    EXPECT_EQ(body_of(basket.wait(2).at(1)), "b");
}

TEST_P(QueuesContract, SharesAQueueAmongConsumers) {
    Basket first, second;
    auto one = take("in/r", first, 5);
    auto two = take("in/r", second, 5);
    std::vector<Put> batch;
    for (int i = 0; i < 10; ++i) batch.push_back(put_of("in/r", std::to_string(i)));
    put(std::move(batch));
    const auto a = first.wait(5), b = second.wait(5);
    std::set<std::uint64_t> seen;
    for (const auto& taken : {a, b}) {
        for (const auto& message : taken) EXPECT_TRUE(seen.insert(message.sequence).second) << "given out twice";
    }
    EXPECT_EQ(seen.size(), 10U);
}

TEST_P(QueuesContract, PutsBackInOrderWhatAConsumerLeaves) {
    for (int i = 0; i < 4; ++i) put("in/r", std::to_string(i));
    Basket basket;
    auto taker = take("in/r", basket, 3);
    const auto taken = basket.wait(3);
    EXPECT_EQ(commit(settle(taken.at(1))), CommitState::kDone);
    taker.reset();
    Basket again;
    auto other = take("in/r", again, 10);
    const auto rest = again.wait(3);
    ASSERT_EQ(rest.size(), 3U);
    EXPECT_EQ(body_of(rest[0]), "0");
    EXPECT_EQ(body_of(rest[1]), "2");
    EXPECT_EQ(body_of(rest[2]), "3");
    EXPECT_EQ(rest[0].attempts, 0U);
}

TEST_P(QueuesContract, AConsumerMayEndWithinItsOwnCallback) {
    put("in/r", "a");
    std::unique_ptr<Taker> taker;
    std::mutex mutex;
    std::promise<bool> gone;
    {
        const std::lock_guard lock(mutex);
        taker = queues_->take("in/r", pool_, [&](TakenMessage) {
            const std::lock_guard inner(mutex);
            taker.reset();
            gone.set_value(true);
        });
        taker->grant(1);
    }
    EXPECT_TRUE(wait(gone));
    EXPECT_EQ(state("in/r").ready, 1U);
}

TEST_P(QueuesContract, DestroyingAConsumerWaitsForItsCallback) {
    put("in/r", "a");
    std::promise<bool> entered;
    std::promise<void> go;
    std::atomic<bool> finished{false};
    auto taker = queues_->take("in/r", pool_, [&](TakenMessage) {
        entered.set_value(true);
        go.get_future().wait();
        finished = true;
    });
    taker->grant(1);
    EXPECT_TRUE(wait(entered));
    bool finished_before = false;
    std::thread destroyer([&] {
        taker.reset();
        finished_before = finished;
    });
    go.set_value();
    destroyer.join();
    EXPECT_TRUE(finished_before);
}

TEST_P(QueuesContract, CommitsAUnitWhole) {
    put("in/r", "input");
    Basket basket;
    auto taker = take("in/r", basket, 1);
    auto unit = settle(basket.wait(1).at(0));
    unit.outputs.push_back(put_of("records", "output"));
    unit.outputs.push_back(put_of("dead/r", "dead"));
    unit.notes.push_back({"split/r/1", "row 7"});
    unit.ledger.push_back({"r", Outcome::kDelivered, 1});
    unit.ledger.push_back({"r", Outcome::kDead, 1});
    EXPECT_EQ(commit(std::move(unit)), CommitState::kDone);
    EXPECT_EQ(state("in/r").ready + state("in/r").in_hand, 0U);
    EXPECT_EQ(state("records").ready, 1U);
    EXPECT_EQ(state("dead/r").ready, 1U);
    EXPECT_EQ(queues_->note("split/r/1"), "row 7");
    EXPECT_EQ(sum("r", Outcome::kAccepted), 1);
    EXPECT_EQ(sum("r", Outcome::kDelivered), 1);
    EXPECT_EQ(sum("r", Outcome::kDead), 1);
    taker.reset();
    reopen();
    EXPECT_EQ(state("in/r").ready, 0U);
    EXPECT_EQ(state("records").ready, 1U);
    EXPECT_EQ(queues_->note("split/r/1"), "row 7");
    EXPECT_EQ(sum("r", Outcome::kDelivered), 1);
    EXPECT_EQ(sum("r", Outcome::kAccepted), 1);
}

TEST_P(QueuesContract, DoesNothingTwiceForAnInputThatIsSettled) {
    put("in/r", "input");
    Basket basket;
    auto taker = take("in/r", basket, 1);
    const auto input = basket.wait(1).at(0);
    for (int i = 0; i < 2; ++i) {
        auto unit = settle(input);
        unit.outputs.push_back(put_of("records", "output"));
        unit.ledger.push_back({"r", Outcome::kDelivered, 1});
        EXPECT_EQ(commit(std::move(unit)), CommitState::kDone);
    }
    EXPECT_EQ(state("records").ready, 1U);
    EXPECT_EQ(sum("r", Outcome::kDelivered), 1);
}

TEST_P(QueuesContract, KnowsADuplicateAfterItsFirstOneIsGone) {
    const std::string uuid = "0192f0c1-2d3e-7abc-8def-0123456789ab";
    const auto first = put("in/r", "a", "user\nid-1", uuid);
    EXPECT_EQ(first.state, PutState::kStored);
    Basket basket;
    auto taker = take("in/r", basket, 1);
    EXPECT_EQ(commit(settle(basket.wait(1).at(0))), CommitState::kDone);
    taker.reset();
    for (int round = 0; round < 2; ++round) {
        const auto again = put("in/r", "a", "user\nid-1", "another");
        EXPECT_EQ(again.state, PutState::kDuplicate);
        EXPECT_EQ(again.sequence, first.sequence);
        EXPECT_EQ(again.id, uuid);
        EXPECT_EQ(put("in/r", "a", "user\nid-2" + std::to_string(round)).state, PutState::kStored);
        EXPECT_EQ(put("dead/r", "a", "user\nid-1" + std::to_string(round)).state, PutState::kStored)
            << "each queue has its own";
        reopen();
    }
    EXPECT_EQ(state("in/r").ready, 2U);
    EXPECT_EQ(sum("r", Outcome::kAccepted), 5);
    EXPECT_EQ(sum("r", Outcome::kDuplicate), 2);
}

TEST_P(QueuesContract, KnowsADuplicateWithinOneBatch) {
    std::vector<Put> batch;
    batch.push_back(put_of("in/r", "a", "key", "plain-id"));
    batch.push_back(put_of("in/r", "a", "key", "other"));
    const auto results = put(std::move(batch));
    EXPECT_EQ(results.at(0).state, PutState::kStored);
    EXPECT_EQ(results.at(1).state, PutState::kDuplicate);
    EXPECT_EQ(results.at(1).sequence, results.at(0).sequence);
    EXPECT_EQ(results.at(1).id, "plain-id") << "read from the first one, which is still there";
}

TEST_P(QueuesContract, CountsAttemptsAndGivesAReleasedMessageFirst) {
    for (int i = 0; i < 3; ++i) put("in/r", std::to_string(i));
    Basket basket;
    auto taker = take("in/r", basket, 2);
    const auto taken = basket.wait(2);
    EXPECT_EQ(release(taken.at(0), Time{}, true), CommitState::kDone);
    taker->grant(1);
    auto again = basket.wait(3).at(2);
    EXPECT_EQ(again.sequence, taken[0].sequence);
    EXPECT_EQ(again.attempts, 1U);
    EXPECT_EQ(release(again, Time{}, false), CommitState::kDone);
    taker->grant(1);
    again = basket.wait(4).at(3);
    EXPECT_EQ(again.attempts, 1U) << "not failed: no attempt";
    taker.reset();
    reopen();
    const auto browsed = queues_->browse("in/r", 0, 10);
    ASSERT_EQ(browsed.size(), 3U);
    EXPECT_EQ(browsed[0].attempts, 1U);
}

TEST_P(QueuesContract, HoldsAReleasedMessageBackUntilItsTime) {
    put("in/r", "a");
    Basket basket;
    auto taker = take("in/r", basket, 1);
    EXPECT_EQ(release(basket.wait(1).at(0), now() + std::chrono::hours(1), true), CommitState::kDone);
    taker->grant(5);
    EXPECT_EQ(state("in/r").delayed, 1U);
    EXPECT_EQ(basket.size(), 1U);
    taker.reset();
    reopen();
    EXPECT_EQ(state("in/r").delayed, 1U);
    const auto browsed = queues_->browse("in/r", 0, 10);
    ASSERT_EQ(browsed.size(), 1U);
    EXPECT_GT(browsed[0].not_before, now());
    EXPECT_EQ(browsed[0].attempts, 1U);
}

TEST_P(QueuesContract, WakesADelayedMessageByItself) {
    put("in/r", "a");
    Basket basket;
    auto taker = take("in/r", basket, 1);
    EXPECT_EQ(release(basket.wait(1).at(0), now() + std::chrono::milliseconds(50), true), CommitState::kDone);
    taker->grant(1);
    EXPECT_EQ(basket.wait(2).at(1).attempts, 1U);
}

TEST_P(QueuesContract, KeepsNotes) {
    Unit unit;
    unit.notes.push_back({"checkpoint/r/a", "1"});
    unit.notes.push_back({"checkpoint/r/b", ""});
    unit.notes.push_back({"checkpoint/s/a", "3"});
    EXPECT_EQ(commit(std::move(unit)), CommitState::kDone);
    Unit change;
    change.notes.push_back({"checkpoint/r/a", std::nullopt});
    change.notes.push_back({"checkpoint/s/a", "4"});
    EXPECT_EQ(commit(std::move(change)), CommitState::kDone);
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(queues_->note("checkpoint/r/a"), std::nullopt);
        EXPECT_EQ(queues_->note("checkpoint/r/b"), "");
        EXPECT_EQ(queues_->note("checkpoint/s/a"), "4");
        const auto found = queues_->notes("checkpoint/r/");
        ASSERT_EQ(found.size(), 1U);
        EXPECT_EQ(found[0].name, "checkpoint/r/b");
        reopen();
    }
}

TEST_P(QueuesContract, BrowsesWithoutTaking) {
    for (int i = 0; i < 5; ++i) put("in/r", std::to_string(i));
    Basket basket;
    auto taker = take("in/r", basket, 1);
    const auto taken = basket.wait(1);
    auto browsed = queues_->browse("in/r", 0, 3);
    ASSERT_EQ(browsed.size(), 3U);
    EXPECT_TRUE(browsed[0].in_hand);
    EXPECT_FALSE(browsed[1].in_hand);
    EXPECT_EQ(browsed[2].message.body(), "2");
    browsed = queues_->browse("in/r", browsed[2].sequence + 1, 10);
    ASSERT_EQ(browsed.size(), 2U);
    EXPECT_EQ(browsed[0].message.body(), "3");
    EXPECT_EQ(state("in/r").ready, 4U);
}

TEST_P(QueuesContract, KeepsEverythingOverAReopening) {
    std::vector<Put> batch;
    for (int i = 0; i < 100; ++i) batch.push_back(put_of("in/r", std::string(1000, 'x') + std::to_string(i)));
    const auto results = put(std::move(batch));
    for (int round = 0; round < 3; ++round) reopen();
    Basket basket;
    auto taker = take("in/r", basket, 100);
    const auto taken = basket.wait(100);
    ASSERT_EQ(taken.size(), 100U);
    for (std::size_t i = 0; i < taken.size(); ++i) EXPECT_EQ(taken[i].sequence, results[i].sequence);
    EXPECT_GT(put("in/r", "next").sequence, results.back().sequence);
}

TEST_P(QueuesContract, TellsTheOldest) {
    EXPECT_EQ(state("in/r").oldest, Time{});
    const auto before = now();
    put("in/r", "a");
    EXPECT_GE(state("in/r").oldest, before);
    EXPECT_LE(state("in/r").oldest, now());
    EXPECT_GT(state("in/r").bytes, 0U);
}

TEST_P(QueuesContract, StoresAnEmptyAndALargeMessage) {
    std::vector<Put> batch(1);
    batch[0].queue = "in/r";
    EXPECT_EQ(put(std::move(batch)).at(0).state, PutState::kStored);
    const std::string large(3U << 20, 'y');
    EXPECT_EQ(put("in/r", large).state, PutState::kStored);
    reopen();
    Basket basket;
    auto taker = take("in/r", basket, 2);
    const auto taken = basket.wait(2);
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(taken[0].message.size(), 0U);
    EXPECT_EQ(body_of(taken[1]), large);
}

}  // namespace clrbus::contract
