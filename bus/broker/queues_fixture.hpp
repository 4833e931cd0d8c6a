// What tests of queues share: a fixture over a factory of queues, and helpers that wait for answers. Tests only.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "broker/queues.hpp"
#include "core/error.hpp"
#include "core/executor.hpp"

namespace clrbus::contract {

// A place where queues live: open() twice on it sees the same messages, after the first ones were destroyed.
class QueuesPlace {
public:
    virtual ~QueuesPlace() = default;
    virtual std::unique_ptr<Queues> open() = 0;
};
using MakePlace = std::unique_ptr<QueuesPlace> (*)();

inline constexpr auto kDeadline = std::chrono::seconds(20);

inline Message text_message(std::string_view body, std::string_view id = "") {
    return MessageBuilder().message_id(id).build(body);
}
inline Put put_of(std::string queue, std::string_view body, std::string key = "", std::string_view id = "") {
    Put put;
    put.queue = std::move(queue);
    put.message = text_message(body, id);
    put.duplicate_key = std::move(key);
    return put;
}

// What a consumer got, in order.
class Basket {
public:
    void add(TakenMessage message) {
        const std::lock_guard lock(mutex_);
        messages_.push_back(std::move(message));
        changed_.notify_all();
    }
    // Waits for `count` messages in all; fewer when the deadline passed.
    std::vector<TakenMessage> wait(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, kDeadline, [&] { return messages_.size() >= count; });
        return messages_;
    }
    std::size_t size() {
        const std::lock_guard lock(mutex_);
        return messages_.size();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<TakenMessage> messages_;
};

class QueuesContract : public testing::TestWithParam<MakePlace> {
protected:
    void SetUp() override {
        place_ = GetParam()();
        queues_ = place_->open();
        queues_->declare("in/r", {});
        queues_->declare("dead/r", {});
        queues_->declare("records", {});
    }
    void TearDown() override {
        pool_.stop();
        queues_.reset();
    }
    void reopen() {
        queues_.reset();
        queues_ = place_->open();
    }

    std::vector<PutResult> put(std::vector<Put> batch) {
        std::promise<std::vector<PutResult>> done;
        queues_->put(std::move(batch), pool_, [&](std::vector<PutResult> results) { done.set_value(std::move(results)); });
        return wait(done);
    }
    PutResult put(std::string queue, std::string_view body, std::string key = "", std::string_view id = "") {
        std::vector<Put> batch;
        batch.push_back(put_of(std::move(queue), body, std::move(key), id));
        return put(std::move(batch)).at(0);
    }
    CommitState commit(Unit unit) {
        std::promise<CommitState> done;
        queues_->commit(std::move(unit), pool_, [&](CommitState state) { done.set_value(state); });
        return wait(done);
    }
    CommitState release(const TakenMessage& message, Time not_before, bool failed) {
        std::promise<CommitState> done;
        queues_->release(message.queue, message.sequence, not_before, failed, pool_, [&](CommitState s) { done.set_value(s); });
        return wait(done);
    }
    std::unique_ptr<Taker> take(const std::string& queue, Basket& basket, std::uint32_t credit) {
        auto taker = queues_->take(queue, pool_, [&basket](TakenMessage message) { basket.add(std::move(message)); });
        taker->grant(credit);
        return taker;
    }
    static Unit settle(const TakenMessage& message) {
        Unit unit;
        unit.settled.push_back({message.queue, message.sequence});
        return unit;
    }
    QueueState state(const std::string& queue) {
        for (const auto& found : queues_->states()) {
            if (found.name == queue) return found;
        }
        ADD_FAILURE() << "no queue " << queue;
        return {};
    }
    std::int64_t sum(const std::string& account, Outcome outcome) {
        for (const auto& entry : queues_->ledger()) {
            if (entry.account == account && entry.outcome == outcome) return entry.count;
        }
        return 0;
    }
    static Time now() { return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now()); }

    template <typename Value>
    static Value wait(std::promise<Value>& promise) {
        auto future = promise.get_future();
        if (future.wait_for(kDeadline) != std::future_status::ready) {
            ADD_FAILURE() << "no answer";
            std::abort();  // the callback refers to this frame
        }
        return future.get();
    }

    ThreadPool pool_{2, "contract"};
    std::unique_ptr<QueuesPlace> place_;
    std::unique_ptr<Queues> queues_;
};

inline std::string body_of(const TakenMessage& message) {
    return std::string(message.message.body());
}

template <typename Function>
std::string code_of(Function function) {
    try {
        function();
    } catch (const Error& e) {
        return e.code();
    }
    return "no error";
}

}  // namespace clrbus::contract
