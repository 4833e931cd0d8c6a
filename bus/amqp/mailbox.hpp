// The one way from other threads into a connection: mail that its I/O thread reads. Outlives the connection; mail to one that
// is gone is dropped. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "amqp/nodes.hpp"
#include "amqp/password_checker.hpp"

namespace clrbus::amqp {

struct Drained {};
struct Mail {
    std::uint64_t link = 0;  // number of the link within its connection; 0 = the connection itself
    std::variant<std::vector<Settlement>, Outgoing, Drained, Condition, PasswordChecker::Answer> what;
};

class Mailbox {
public:
    // wake: makes the I/O thread call take() soon; called without the lock, once until the next take().
    explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

    void push(Mail mail) {
        {
            const std::lock_guard lock(mutex_);
            if (closed_) return;
            waiting_.push_back(std::move(mail));
            if (waiting_.size() != 1) return;
        }
        wake_();
    }

    std::vector<Mail> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(waiting_, {});
    }

    void close() {
        std::vector<Mail> dropped;
        const std::lock_guard lock(mutex_);
        closed_ = true;
        dropped.swap(waiting_);
    }

private:
    const std::function<void()> wake_;
    std::mutex mutex_;
    bool closed_ = false;
    std::vector<Mail> waiting_;
};

}  // namespace clrbus::amqp
