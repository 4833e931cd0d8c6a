// One thread with its epoll: the sockets of a share of the connections, their timers and their mail. Other threads reach it by
// post() and, through mailboxes, by wake.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "amqp/connection.hpp"

namespace clrbus::amqp {

class IoThread {
public:
    // live: connections of the whole listener.
    IoThread(ConnectionShared& shared, std::atomic<std::size_t>& live, std::size_t index);
    ~IoThread();  // drops what is left
    IoThread(const IoThread&) = delete;
    IoThread& operator=(const IoThread&) = delete;

    // Any thread.
    void post(std::function<void()> job);                               // runs on this thread
    void adopt(int socket, std::string peer, bool loopback);            // takes a connected socket over
    void accept_from(int listener, std::function<void(int)> accepted);  // accepted gets each new socket, on this thread
    void stop_accepting();                                              // returns when no further socket is accepted
    void begin_stop();                                                  // every connection drains
    std::size_t connections() const { return count_.load(); }

    // What mailboxes hold to wake the thread: outlives it.
    struct Wake {
        Wake();
        ~Wake();
        Wake(const Wake&) = delete;
        Wake& operator=(const Wake&) = delete;
        void ring();

        int event = -1;
        std::mutex mutex;
        std::vector<std::uint64_t> mail;  // connections that have some
        std::vector<std::function<void()>> jobs;
        bool rung = false;
    };

private:
    struct Loop;

    const std::shared_ptr<Wake> wake_;  // shared with the mailboxes of this thread's connections
    std::atomic<std::size_t> count_{0};
    std::unique_ptr<Loop> loop_;  // this thread's own, all but construction
    std::thread thread_;          // last: runs loop_
};

}  // namespace clrbus::amqp
