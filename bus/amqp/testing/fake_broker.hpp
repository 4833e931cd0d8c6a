// For tests alone: the other end of a connection that we open, by hand, so that it can answer with anything. A thread of its
// own runs the script on each connection in turn; every read ends after ten seconds.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "amqp/encoding.hpp"
#include "amqp/sasl_server.hpp"

namespace clrbus::amqp::testing {

class FakeBroker {
public:
    class Peer {
    public:
        explicit Peer(int socket) : socket_(socket) {
            const timeval wait{10, 0};
            setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        }
        ~Peer() { ::close(socket_); }
        Peer(const Peer&) = delete;
        Peer& operator=(const Peer&) = delete;

        bool send(std::string_view bytes) {
            while (!bytes.empty()) {
                const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
                if (sent <= 0) return false;
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            }
            return true;
        }
        bool performative(std::uint8_t code, const ListWriter& fields, std::uint16_t channel = 0,
                          std::string_view payload = {}) {
            return send(frame(0, channel, fields.described(code).append(payload)));
        }
        std::string read(std::size_t size) {
            std::string out(size, '\0');
            std::size_t have = 0;
            while (have < size) {
                const ssize_t got = ::recv(socket_, out.data() + have, size - have, 0);
                if (got <= 0) break;
                have += static_cast<std::size_t>(got);
            }
            out.resize(have);
            return out;
        }
        // The body of the next frame whose performative has that code. Throws when the client is gone.
        std::string until(std::uint8_t code) {
            while (true) {
                const std::string head = read(8);
                if (head.size() < 8) throw std::runtime_error("the client is gone");
                if (head.substr(0, 4) == "AMQP") continue;
                std::size_t size = 0;
                for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<std::uint8_t>(head[static_cast<std::size_t>(i)]);
                std::string body = read(size - 8);
                if (body.size() >= 3 && static_cast<std::uint8_t>(body[2]) == code) return body;
            }
        }
        bool gone() { return read(1).empty(); }
        void wait_for_end() {
            while (!read(1).empty()) continue;
        }

        void sasl() {
            send(std::string(kSaslHeader) + frame(1, 0, ListWriter().symbols({"PLAIN"}).described(0x40)));
            until(0x41);
            send(frame(1, 0, ListWriter().ubyte(0).described(0x44)));
        }
        void open(std::uint32_t idle = 0) {
            sasl();
            send(kAmqpHeader);
            ListWriter fields;
            fields.string("fake").null().uint(65536).ushort(100);
            if (idle != 0) fields.uint(idle);
            performative(0x10, fields);
            until(0x10);
        }
        void begin(std::uint16_t ours = 0, std::uint16_t theirs = 0) {
            until(0x11);
            performative(0x11, ListWriter().ushort(theirs).uint(0).uint(2048).uint(2048), ours);
        }
        // Answers the next attach; its name is in the frame that the client sent.
        void attach(bool client_sends, std::uint16_t channel = 0) {
            const std::string body = until(0x12);
            attach_as(name_of(body), client_sends, channel);
        }
        void attach_as(std::string_view name, bool client_sends, std::uint16_t channel = 0) {
            ListWriter fields;
            fields.string(name).uint(0).boolean(client_sends).null().null();
            fields.raw(ListWriter().string("q").described(0x28)).raw(ListWriter().string("q").described(0x29));
            if (!client_sends) fields.null().null().uint(0);
            performative(0x12, fields, channel);
        }
        void credit(std::uint32_t credit) {
            performative(0x13, ListWriter().uint(0).uint(2048).uint(0).uint(2048).uint(0).uint(0).uint(credit));
        }
        static std::string name_of(std::string_view attach) {
            const auto at = attach.find('\xa1');
            return std::string(attach.substr(at + 2, static_cast<std::uint8_t>(attach[at + 1])));
        }

    private:
        const int socket_;
    };
    using Script = std::function<void(Peer&, int number)>;  // connections are numbered from 1

    explicit FakeBroker(Script script) : script_(std::move(script)), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::bind(socket_, reinterpret_cast<sockaddr*>(&at), sizeof at);
        ::listen(socket_, 8);
        socklen_t size = sizeof at;
        getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~FakeBroker() {
        ::shutdown(socket_, SHUT_RDWR);
        thread_.join();
        ::close(socket_);
    }
    FakeBroker(const FakeBroker&) = delete;
    FakeBroker& operator=(const FakeBroker&) = delete;

    std::uint16_t port() const { return port_; }
    int connections() const { return number_; }

private:
    void run() {
        while (true) {
            const int accepted = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
            if (accepted < 0) return;
            Peer peer(accepted);
            try {
                script_(peer, ++number_);
            } catch (const std::runtime_error&) {
                // the client went away: what most scripts wait for
            }
        }
    }

    const Script script_;
    const int socket_;
    std::uint16_t port_ = 0;
    std::atomic<int> number_{0};
    std::thread thread_;  // last: runs the script
};

}  // namespace clrbus::amqp::testing
