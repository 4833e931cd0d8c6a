// For tests alone: how a client comes to a RabbitMQ of the tests, and waiting for what it makes happen.
#pragma once

#include <chrono>
#include <cstdint>
#include <thread>

#include "amqp/client.hpp"

namespace clrbus::amqp::testing {

inline ClientOptions guest_of(std::uint16_t port) {
    ClientOptions out;
    out.host = "127.0.0.1";
    out.port = port;
    out.user = "guest";
    out.password = "guest";
    out.first_retry = std::chrono::milliseconds(20);
    out.most_retry = std::chrono::milliseconds(200);
    return out;
}

template <class Condition>
bool eventually(Condition condition, std::chrono::seconds most = std::chrono::seconds(60)) {
    const auto until = std::chrono::steady_clock::now() + most;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

}  // namespace clrbus::amqp::testing
