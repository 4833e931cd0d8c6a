// What one listener grants its peers. Each number bounds memory, time or work that a peer can cause. Value type.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace clrbus::amqp {

struct Limits {
    std::uint32_t max_frame = 64 * 1024;                // announced as max-frame-size
    std::uint32_t max_sessions = 64;                    // of one connection: channel-max + 1
    std::uint32_t max_links = 256;                      // of one connection, all sessions together
    std::uint32_t max_connections = 2000;               // more are closed at once
    std::uint64_t max_message = 16ULL << 20;            // announced as max-message-size
    std::uint64_t max_unfinished = 64ULL << 20;         // bytes of deliveries that have begun and not ended, one connection
    std::uint64_t max_unfinished_total = 512ULL << 20;  // the same, all connections
    std::uint64_t max_in_flight = 32ULL << 20;  // handed over and not yet settled, one connection: above, no byte is read
    std::uint64_t max_in_flight_total = 48ULL
                                        << 20;    // the same, all connections: below what the queues take before they refuse
    std::uint64_t max_output = 1ULL << 20;        // waiting for the peer to read, one connection: above, no message is written
    std::uint32_t link_credit = 500;              // deliveries that a sender may have in flight on one link
    std::uint32_t max_nodes = 2048;               // values inside the maps, lists and arrays of one performative
    std::chrono::milliseconds handshake{10'000};  // from accept to open
    std::chrono::milliseconds idle{60'000};       // nothing received; half of it is announced as idle-time-out
    std::chrono::milliseconds frame{30'000};      // a frame that has begun must end
    std::chrono::milliseconds write_stall{30'000};  // the peer takes nothing of what waits for it
    std::chrono::milliseconds failed_login{500};    // before a refusal is told; the connection waits, no thread does
    std::chrono::milliseconds retry_credit{250};    // how soon a full node is asked again
};

}  // namespace clrbus::amqp
