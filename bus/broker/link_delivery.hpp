// One consumer in this process of messages that come over a link: what has arrived is handed over one after the other, in
// order, on the consumer's executor. Any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "broker/queues.hpp"

namespace clrbus::broker {

class LinkDelivery : public std::enable_shared_from_this<LinkDelivery> {
public:
    LinkDelivery(Executor& executor, std::function<void(TakenMessage)> ready) : executor_(executor), ready_(std::move(ready)) {}

    // False: stopped, it was not taken.
    bool add(TakenMessage message) {
        const std::lock_guard lock(mutex_);
        if (stopped_) return false;
        waiting_.push_back(std::move(message));
        if (!std::exchange(scheduled_, true)) post();
        return true;
    }

    // What was not handed over. Waits for a callback that runs, but not for itself.
    std::deque<TakenMessage> stop() {
        std::unique_lock lock(mutex_);
        stopped_ = true;
        const auto self = std::this_thread::get_id();
        idle_.wait(lock, [&] { return !running_ || running_on_ == self; });
        return std::exchange(waiting_, {});
    }

private:
    void post() {
        executor_.post([self = shared_from_this()] { self->run(); });
    }
    void run() {
        std::unique_lock lock(mutex_);
        for (int i = 0; i < 32; ++i) {
            if (stopped_ || waiting_.empty()) {
                scheduled_ = false;
                return;
            }
            TakenMessage message = std::move(waiting_.front());
            waiting_.pop_front();
            running_ = true;
            running_on_ = std::this_thread::get_id();
            lock.unlock();
            ready_(std::move(message));
            lock.lock();
            running_ = false;
            idle_.notify_all();
        }
        post();  // others on the executor have their turn
    }

    Executor& executor_;
    const std::function<void(TakenMessage)> ready_;
    std::mutex mutex_;
    std::condition_variable idle_;
    std::deque<TakenMessage> waiting_;
    bool scheduled_ = false, stopped_ = false, running_ = false;
    std::thread::id running_on_;
};

}  // namespace clrbus::broker
