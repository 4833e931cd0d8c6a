// A TCP server on loopback that answers with exactly the bytes that a test wants, or does not. Each connection is given to a
// function of the test, on a thread of its own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace clrbus::support {

class RawPeer {
public:
    explicit RawPeer(int fd, const std::atomic<bool>& ending) : fd_(fd), ending_(ending) {}

    // One request, head and body as Content-Length says; empty when the client went or the server ends.
    std::string request() {
        std::size_t end = 0;
        while ((end = got_.find("\r\n\r\n")) == std::string::npos)
            if (!more()) return {};
        std::size_t size = end + 4;
        const std::size_t length = got_.find("Content-Length: ");
        if (length < end) size += std::strtoull(got_.c_str() + length + 16, nullptr, 10);
        while (got_.size() < size)
            if (!more()) return {};
        std::string out = got_.substr(0, size);
        got_.erase(0, size);
        return out;
    }
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }
    // Until the client hangs up or the server ends.
    void wait() {
        while (more()) {
        }
    }

private:
    bool more() {
        pollfd waiting{fd_, POLLIN, 0};
        while (::poll(&waiting, 1, 20) == 0)
            if (ending_) return false;
        std::array<char, 16384> buffer;
        const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
        if (n <= 0) return false;
        got_.append(buffer.data(), static_cast<std::size_t>(n));
        return true;
    }
    int fd_;
    const std::atomic<bool>& ending_;
    std::string got_;
};

class RawServer {
public:
    using Talk = std::function<void(RawPeer&)>;
    explicit RawServer(Talk talk, std::uint16_t port = 0)
        : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), talk_(std::move(talk)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        const int on = 1;
        ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        socklen_t size = sizeof address;
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd_, 64) != 0 ||
            ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
            throw std::runtime_error("cannot listen");
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~RawServer() {
        ending_ = true;
        thread_.join();
        ::close(fd_);
    }
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;

    std::uint16_t port() const { return port_; }
    std::string url(std::string_view path = "/") const {
        return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
    }
    // How many connections there were.
    int connections() const { return connections_; }

private:
    void run() {
        std::vector<std::thread> talks;
        while (!ending_) {
            pollfd waiting{fd_, POLLIN, 0};
            if (::poll(&waiting, 1, 20) != 1) continue;
            const int peer = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
            if (peer < 0) continue;
            ++connections_;
            talks.emplace_back([this, peer] {
                RawPeer one(peer, ending_);
                talk_(one);
                ::shutdown(peer, SHUT_RDWR);
                ::close(peer);
            });
        }
        for (std::thread& talk : talks) talk.join();
    }

    int fd_;
    std::uint16_t port_ = 0;
    Talk talk_;
    std::atomic<bool> ending_{false};
    std::atomic<int> connections_{0};
    std::thread thread_;  // last: runs on all of the above
};

// A whole answer.
inline std::string raw_answer(int status, std::string_view body, std::string_view fields = {}) {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + std::string(fields) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace clrbus::support
