// A TCP client that sends exactly the bytes that a test wants. Every wait has a deadline.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace clrbus::support {

class RawClient {
public:
    explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("cannot connect");
    }
    RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)), got_(std::move(other.got_)) {}
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;
    ~RawClient() {
        if (fd_ >= 0) ::close(fd_);
    }

    // False when the other side has closed.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }
    void end_sending() { ::shutdown(fd_, SHUT_WR); }
    void reset() {  // closes with RST
        const linger hard{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        ::close(std::exchange(fd_, -1));
    }
    int fd() const { return fd_; }

    // One answer: head and body as Content-Length says (none for HEAD). Empty when the connection ended first or nothing came.
    std::string answer(bool head_only = false) {
        std::size_t end = 0;
        while ((end = got_.find("\r\n\r\n")) == std::string::npos)
            if (!more()) return {};
        std::size_t size = end + 4;
        const std::size_t length = got_.find("Content-Length: ");
        if (!head_only && length < end) size += std::strtoull(got_.c_str() + length + 16, nullptr, 10);
        while (got_.size() < size)
            if (!more()) return {};
        std::string answer = got_.substr(0, size);
        got_.erase(0, size);
        return answer;
    }
    // All until the other side closes.
    std::string rest() {
        while (more()) {
        }
        return std::exchange(got_, {});
    }
    // True when the other side has closed and left nothing unread.
    bool closed() {
        while (more()) {
        }
        return closed_ && got_.empty();
    }

private:
    bool more() {
        pollfd waiting{fd_, POLLIN, 0};
        if (::poll(&waiting, 1, 20'000) <= 0) return false;
        std::array<char, 16384> buffer;
        const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
        if (n <= 0) {
            closed_ = true;
            return false;
        }
        got_.append(buffer.data(), static_cast<std::size_t>(n));
        return true;
    }

    int fd_;
    std::string got_;
    bool closed_ = false;
};

inline int status_of(const std::string& answer) {
    return answer.size() < 12 ? 0 : std::atoi(answer.c_str() + 9);
}

inline std::string body_of(const std::string& answer) {
    const std::size_t end = answer.find("\r\n\r\n");
    return end == std::string::npos ? std::string() : answer.substr(end + 4);
}

// Waits until the condition holds; false after 20 s.
template <typename Condition>
bool wait_until(Condition&& holds) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
        if (std::chrono::steady_clock::now() > give_up) return false;
        ::poll(nullptr, 0, 2);
    }
    return true;
}

}  // namespace clrbus::support
