// For tests alone: a listener on loopback with one user, and a second connection that must not notice what the first one does.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "amqp/listener.hpp"
#include "amqp/testing/amqp_wire.hpp"
#include "amqp/testing/fake_nodes.hpp"
#include "core/counters.hpp"

namespace clrbus::amqp::testing {

class ListenerTest : public ::testing::Test {
protected:
    ListenerTest() { users.add("ada", "pencil", 4096); }

    static AmqpListener::Options options() {
        AmqpListener::Options out;
        out.plain_on_loopback = true;
        out.io_threads = 1;
        out.limits.failed_login = std::chrono::milliseconds(1);
        return out;
    }
    AmqpListener& start(AmqpListener::Options with = options()) {
        listener = std::make_unique<AmqpListener>(std::move(with), users, nodes);
        listener->start();
        return *listener;
    }
    std::uint16_t port() const { return listener->port(); }

    // A client that is logged in, with a session and a link to in/a on handle 0.
    std::unique_ptr<AmqpWire> sender() {
        auto wire = opened();
        wire->attach_sender("in/a");
        return wire;
    }
    std::unique_ptr<AmqpWire> opened() {
        auto wire = std::make_unique<AmqpWire>(port());
        wire->login();
        wire->open();
        wire->begin();
        return wire;
    }
    static std::int64_t refused(const std::string& reason) {
        return counter("clrbus_amqp_refused_total{reason=\"" + reason + "\"}").value();
    }
    // Sends a message and sees it accepted.
    static void expect_works(AmqpWire& wire, std::uint32_t id) {
        ASSERT_TRUE(wire.message(id, "still here"));
        const auto answer = wire.read_until(0x15);
        ASSERT_TRUE(answer.has_value());
        EXPECT_EQ(answer->fields.at(4), std::string("\x00\x53\x24\x45", 4));
    }

    UserStore users;
    FakeNodes nodes;
    std::unique_ptr<AmqpListener> listener;  // last: uses the others
};

}  // namespace clrbus::amqp::testing
