// A listening AMQP 1.0 port: standard clients connect, authenticate, and attach to what Nodes offers. Nothing that a peer sends
// stops the process or disturbs another connection.
//
//     AmqpListener listener({.address = "127.0.0.1", .port = 0, …}, users, nodes);
//     listener.start();
//     … listener.port() …
//     listener.stop(std::chrono::seconds(10));
//
// Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "amqp/authenticator.hpp"
#include "amqp/limits.hpp"
#include "amqp/nodes.hpp"
#include "crypto/tls.hpp"

namespace clrbus::amqp {

class AmqpListener {
public:
    struct Options {
        std::string address = "127.0.0.1";              // IP address, or a name of this host
        std::uint16_t port = 0;                         // 0: any free one
        std::shared_ptr<const crypto::TlsContext> tls;  // shared with other listeners; null: plain
        bool plain_off_loopback = false;  // without TLS, only loopback addresses are listened on unless this is set
        bool plain_on_loopback =
            false;  // offer the mechanism PLAIN without TLS to peers on this host (allow-plain-on-loopback)
        std::string container = "clrbus";  // our container-id
        std::size_t io_threads = 0;        // 0: cores - 1, at least 1
        Limits limits;
    };

    // Users and nodes outlive the listener. Binds at once; throws Error(kConfig, "AMQP-001") when the address cannot be used,
    // "AMQP-002" when it may not be without TLS.
    AmqpListener(Options options, const Authenticator& users, Nodes& nodes);
    ~AmqpListener();  // drops what is still open
    AmqpListener(const AmqpListener&) = delete;
    AmqpListener& operator=(const AmqpListener&) = delete;

    std::uint16_t port() const;
    void start();
    // Accepts nobody any more, lets deliveries in hand settle, closes every connection with amqp:connection:forced, waits at
    // most that long, drops the rest. Returns how many were dropped.
    std::size_t stop(std::chrono::milliseconds at_most);
    std::size_t connections() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::amqp
