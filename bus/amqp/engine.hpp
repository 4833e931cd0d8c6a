// One AMQP connection behind its SASL layer: bytes in, bytes out, on Proton's connection driver with the frame guard in front.
// No socket, no TLS, no clock of its own. Takes either side: who opened the socket does not matter here. The connection's I/O
// thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "amqp/limits.hpp"
#include "amqp/mailbox.hpp"
#include "amqp/nodes.hpp"

namespace clrbus::amqp {

class Engine {
public:
    using Instant = std::chrono::steady_clock::time_point;

    struct Setup {
        const Limits& limits;  // outlive the engine, as all references here
        Nodes& nodes;
        std::atomic<std::uint64_t>& unfinished_total;  // of all connections
        std::atomic<std::uint64_t>& in_flight_total;   // likewise: bytes handed over and not settled
        std::shared_ptr<Mailbox> mailbox;              // shared with the links that others hold
        std::string container;                         // our name
        std::string user, connection;                  // as in AttachInfo
    };
    explicit Engine(Setup setup);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Takes the whole frames at the front of input, and says how many bytes that were; the AMQP header comes first.
    std::size_t feed(std::string_view input);
    // How many bytes input lacks to begin with a whole frame; 0: nothing, or that cannot be told.
    std::size_t missing(std::string_view input) const;
    void end_of_input();  // after one or more feeds: what came in is handed over, in one batch
    void on_mail(Mail& mail);
    // Moves what is to be sent to the end of out, messages as long as out is shorter than Limits::max_output.
    void write(std::string& out);

    // Heartbeats, the peer's silence, nodes that were full. The next moment at which to call it again.
    std::optional<Instant> tick(Instant now);

    void close(const Condition& why);  // tells the peer; what it sends after that is not read
    void begin_stop();                 // no new deliveries; closes (amqp:connection:forced) when all are settled
    bool opened() const;               // the peer has said open
    bool wants_input() const;          // false: too much is under way
    bool finished() const;             // both sides are closed, or nothing more can be said
    bool closing() const;              // our close is on its way: what the peer says is for nobody

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::amqp
