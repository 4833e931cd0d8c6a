// For tests alone: nodes without queues. What arrives at in/… is kept; what out/… holds is sent. It can be told to be full, to
// wait and to refuse.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "amqp/nodes.hpp"
#include "core/error.hpp"

namespace clrbus::amqp::testing {

class FakeNodes : public Nodes {
public:
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> arrived;  // encoded
    std::vector<std::string> users;    // of the attaches
    std::vector<std::pair<std::shared_ptr<InLink>, std::uint64_t>> held;
    std::deque<Message> out;
    std::vector<Settlement> outcomes;
    int detached = 0;
    // Set by a test at any time:
    std::atomic<bool> full = false;  // open() is false and messages are released
    std::atomic<bool> hold = false;  // messages are not settled
    std::atomic<bool> echo = false;  // what arrives is offered at out/…

    template <class Condition>
    bool wait(Condition condition) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(10), [&] { return condition(); });
    }
    void settle_held() {
        std::vector<std::pair<std::shared_ptr<InLink>, std::uint64_t>> now;
        {
            const std::lock_guard lock(mutex);
            hold = false;
            now.swap(held);
        }
        for (auto& [link, token] : now) link->settle({Settlement{.token = token}});
    }

    class In : public InNode {
    public:
        In(FakeNodes& all, std::shared_ptr<InLink> link) : all_(all), link_(std::move(link)) {}
        void on_message(std::uint64_t token, std::string encoded, bool) override {
            const std::lock_guard lock(all_.mutex);
            Settlement answer{.token = token};
            try {
                Message::from_encoded(encoded);
            } catch (const Error&) {
                answer.state = DeliveryState::kRejected;
                answer.error = {"amqp:decode-error", "not a message"};
            }
            if (all_.full) answer.state = DeliveryState::kReleased;
            if (answer.state == DeliveryState::kAccepted && all_.echo) all_.out.push_back(Message::from_encoded(encoded));
            if (answer.state == DeliveryState::kAccepted) all_.arrived.push_back(std::move(encoded));
            if (all_.hold) {
                all_.held.emplace_back(link_, token);
            } else {
                answers_.push_back(std::move(answer));
            }
            all_.changed.notify_all();
        }
        void on_batch() override {
            if (!answers_.empty()) link_->settle(std::exchange(answers_, {}));
        }
        bool open() override {
            const std::lock_guard lock(all_.mutex);
            return !all_.full;
        }
        void on_detach() override {
            const std::lock_guard lock(all_.mutex);
            ++all_.detached;
            all_.changed.notify_all();
        }

    private:
        FakeNodes& all_;
        std::shared_ptr<InLink> link_;  // shared with the connection's mailbox
        std::vector<Settlement> answers_;
    };

    class Out : public OutNode {
    public:
        Out(FakeNodes& all, std::shared_ptr<OutLink> link) : all_(all), link_(std::move(link)) {}
        void on_credit(std::uint32_t more) override {
            const std::lock_guard lock(all_.mutex);
            for (; more > 0 && !all_.out.empty(); --more) {
                link_->send({.token = next_++, .message = all_.out.front()});
                all_.out.pop_front();
            }
        }
        void on_drain() override {
            const std::lock_guard lock(all_.mutex);
            if (all_.out.empty()) link_->drained();
        }
        void on_settled(std::vector<Settlement> batch) override {
            const std::lock_guard lock(all_.mutex);
            all_.outcomes.insert(all_.outcomes.end(), batch.begin(), batch.end());
            all_.changed.notify_all();
        }
        void on_detach(bool) override {
            const std::lock_guard lock(all_.mutex);
            ++all_.detached;
            all_.changed.notify_all();
        }

    private:
        FakeNodes& all_;
        std::shared_ptr<OutLink> link_;  // shared with the connection's mailbox
        std::uint64_t next_ = 1;
    };

    std::unique_ptr<InNode> attach_in(const AttachInfo& info, std::shared_ptr<InLink> link, Condition& refusal) override {
        if (!known(info, "in/", refusal)) return nullptr;
        return std::make_unique<In>(*this, std::move(link));
    }
    std::unique_ptr<OutNode> attach_out(const AttachInfo& info, std::shared_ptr<OutLink> link, Condition& refusal) override {
        if (!known(info, "out/", refusal)) return nullptr;
        return std::make_unique<Out>(*this, std::move(link));
    }

private:
    bool known(const AttachInfo& info, std::string_view prefix, Condition& refusal) {
        const std::lock_guard lock(mutex);
        users.push_back(info.user);
        if (info.address.compare(0, prefix.size(), prefix) == 0) return true;
        refusal = {"amqp:not-found", "no such address"};
        return false;
    }
};

}  // namespace clrbus::amqp::testing
