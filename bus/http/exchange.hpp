// The way from handlers, which run anywhere and may outlive the server, back to the I/O thread. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "http/server.hpp"

namespace clrbus {

// What a handler or the pool has for a connection.
struct HttpLetter {
    enum class Kind : std::uint8_t { kAnswer, kSpooled, kSpoolFailed };
    std::uint64_t connection = 0;
    std::uint64_t request = 0;  // number within the connection: a late answer meets no other request
    Kind kind = Kind::kAnswer;
    HttpResponse response;
};

class HttpMailbox {
public:
    HttpMailbox();
    ~HttpMailbox();
    HttpMailbox(const HttpMailbox&) = delete;
    HttpMailbox& operator=(const HttpMailbox&) = delete;

    void put(HttpLetter letter);
    std::vector<HttpLetter> take();  // I/O thread
    void wake();
    int wake_fd() const { return fd_; }  // readable when there is something

private:
    int fd_;
    std::mutex mutex_;
    std::vector<HttpLetter> letters_;
};

// A share of the memory for bodies, given back when the request is gone.
class BodyMemory {
public:
    static std::shared_ptr<void> reserve(const std::shared_ptr<std::atomic<std::uint64_t>>& used, std::uint64_t bytes,
                                         std::uint64_t most);  // null: not now
};

class LiveExchange : public HttpExchange {
public:
    LiveExchange(HttpRequest request, std::shared_ptr<HttpMailbox> mailbox, std::uint64_t connection, std::uint64_t number,
                 std::shared_ptr<void> memory);
    ~LiveExchange() override;
    LiveExchange(const LiveExchange&) = delete;
    LiveExchange& operator=(const LiveExchange&) = delete;

    HttpRequest& request() override { return request_; }
    void respond(HttpResponse response) override;

private:
    HttpRequest request_;
    std::shared_ptr<HttpMailbox> mailbox_;  // shared by the server and every exchange
    std::uint64_t connection_;
    std::uint64_t number_;
    std::shared_ptr<void> memory_;
    std::atomic<bool> answered_{false};
};

}  // namespace clrbus
