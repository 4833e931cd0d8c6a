// A plain AMQP 1.0 client that publishes a number of messages and waits until all are confirmed. Its thread is Proton's.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/error_condition.hpp>
#include <proton/message.hpp>
#include <proton/message_id.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/sender.hpp>
#include <proton/sender_options.hpp>
#include <proton/session.hpp>
#include <proton/target_options.hpp>
#include <proton/tracker.hpp>
#include <proton/transport.hpp>
#include <proton/work_queue.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

namespace clrbus::bench {

class ConfirmedSender : private proton::messaging_handler {
public:
    struct Peer {
        std::string url, address, user, password;
    };
    ConfirmedSender(Peer peer, std::size_t bytes) : peer_(std::move(peer)), body_(bytes, 'x') {
        thread_ = std::thread([this] {
            try {
                proton::container(*this).run();
            } catch (const std::exception& e) {
                fail(e.what());
            }
        });
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::seconds(20), [this] { return credit_ > 0 || !failure_.empty(); });
        if (credit_ == 0 && failure_.empty()) failure_ = "no credit within 20 s";
    }
    ~ConfirmedSender() override {
        if (sender_) sender_->work_queue().add([this] { sender_->connection().close(); });
        thread_.join();
    }
    ConfirmedSender(const ConfirmedSender&) = delete;
    ConfirmedSender& operator=(const ConfirmedSender&) = delete;

    // Throws when the far side refuses one or goes away.
    void send(std::size_t messages) {
        std::unique_lock lock(mutex_);
        if (!failure_.empty()) throw std::runtime_error(failure_);
        confirmed_ = 0;
        sender_->work_queue().add([this, messages] {
            left_ = messages;
            pump();
        });
        changed_.wait_for(lock, std::chrono::seconds(120), [&] { return confirmed_ == messages || !failure_.empty(); });
        if (confirmed_ != messages) throw std::runtime_error(failure_.empty() ? "not confirmed within 120 s" : failure_);
    }
    int credit() const { return credit_; }  // what the far side granted at first

private:
    void on_container_start(proton::container& container) override {
        proton::connection_options options;
        options.user(peer_.user)
            .password(peer_.password)
            .sasl_allow_insecure_mechs(true)
            .sasl_allowed_mechs("PLAIN")
            .max_frame_size(65536);
        container.connect(peer_.url, options);
    }
    void on_connection_open(proton::connection& connection) override { connection.open_sender(peer_.address); }
    void on_sendable(proton::sender& sender) override {
        {
            const std::lock_guard lock(mutex_);
            if (!sender_) {
                sender_ = sender;
                credit_ = sender.credit();
                changed_.notify_all();
            }
        }
        pump();
    }
    void pump() {
        while (left_ > 0 && sender_->credit() > 0) {
            proton::message message(proton::binary(body_.begin(), body_.end()));
            message.inferred(true);
            message.durable(true);
            message.id(proton::message_id(prefix_ + std::to_string(++number_)));
            sender_->send(message);
            --left_;
        }
    }
    void on_tracker_accept(proton::tracker&) override {
        const std::lock_guard lock(mutex_);
        ++confirmed_;
        if (confirmed_ % 64 == 0 || left_ == 0) changed_.notify_all();
    }
    void on_tracker_reject(proton::tracker&) override { fail("a message was rejected"); }
    void on_tracker_release(proton::tracker&) override { fail("a message was released"); }
    void on_transport_error(proton::transport& transport) override { fail(transport.error().what()); }
    void on_session_error(proton::session& session) override { fail(session.error().what()); }
    void on_sender_error(proton::sender& sender) override { fail(sender.error().what()); }
    void on_error(const proton::error_condition& error) override { fail(error.what()); }
    void fail(const std::string& why) {
        const std::lock_guard lock(mutex_);
        if (failure_.empty()) failure_ = why.empty() ? "the connection ended" : why;
        changed_.notify_all();
    }

    const Peer peer_;
    const std::string body_;
    const std::string prefix_ = "bench-" + std::to_string(std::random_device()()) + "-";  // no id comes twice
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::string failure_;                   // under mutex_
    std::size_t confirmed_ = 0;             // under mutex_
    std::optional<proton::sender> sender_;  // set once, before credit_
    int credit_ = 0;
    std::size_t left_ = 0;      // Proton's thread
    std::uint64_t number_ = 0;  // Proton's thread
    std::thread thread_;        // last: uses what is above
};

}  // namespace clrbus::bench
