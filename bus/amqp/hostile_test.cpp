// What a peer can do wrong, one frame at a time. After each: the specification's condition arrives, the process lives, and
// another connection works as before.
#include <functional>

#include "amqp/testing/fixture.hpp"

namespace clrbus::amqp {
namespace {

using testing::AmqpWire;
using ::testing::HasSubstr;

class Hostile : public testing::ListenerTest {
protected:
    Hostile() { start(); }

    // The peer does it; what it reads afterwards is a close with that condition.
    void expect_closed(const std::string& condition, const std::function<void(AmqpWire&)>& does,
                       std::unique_ptr<AmqpWire> wire = nullptr) {
        if (!bystander_) bystander_ = sender();
        if (!wire) wire = sender();
        does(*wire);
        std::uint64_t code = 0;
        EXPECT_EQ(wire->read_error(&code), condition);
        EXPECT_EQ(code, 0x18U);
        EXPECT_TRUE(wire->ended());
        expect_works(*bystander_, next_++);
    }

private:
    std::unique_ptr<AmqpWire> bystander_;
    std::uint32_t next_ = 0;
};

TEST_F(Hostile, FirstTransferWithoutDeliveryId) {
    expect_closed("amqp:invalid-field", [](AmqpWire& wire) { wire.transfer({.tag = "t", .more = true}, "x"); });
    expect_closed("amqp:invalid-field", [](AmqpWire& wire) { wire.transfer({.tag = "t"}, AmqpWire::data("x")); });
}

TEST_F(Hostile, FirstTransferWithoutTagOrWithALongOne) {
    expect_closed("amqp:invalid-field", [](AmqpWire& wire) { wire.transfer({.id = 0}, AmqpWire::data("x")); });
    expect_closed("amqp:invalid-field",
                  [](AmqpWire& wire) { wire.transfer({.id = 0, .tag = std::string(33, 't')}, AmqpWire::data("x")); });
}

TEST_F(Hostile, DeliveryIdThatJumpsOrChangesWithinADelivery) {
    expect_closed("amqp:invalid-field", [](AmqpWire& wire) {
        wire.message(0);
        wire.message(2);
    });
    expect_closed("amqp:invalid-field", [](AmqpWire& wire) {
        wire.transfer({.id = 0, .tag = "t", .more = true}, "x");
        wire.transfer({.id = 1, .more = true}, "x");
    });
}

TEST_F(Hostile, MessagesThatDoNotDecodeAreRejectedAndTheLinkGoesOn) {
    const std::string good = AmqpWire::data("good");
    const std::string bodies[] = {"",
                                  "random bytes",
                                  std::string("\x00\x53\x70", 3),
                                  std::string("\x00\x53\x70\xc0\xff\x01", 6),
                                  std::string("\x00\x53\x73\xd0\x00\x00\x00\x01", 8),
                                  std::string("\x00\x53\x77", 3),
                                  std::string("\x00\x53\x99\x45", 4),
                                  std::string("\x00\x53\x70\x45", 4),
                                  good + good.substr(0, 5)};
    const auto wire = sender();
    std::uint32_t id = 0;
    for (const std::string& body : bodies) {
        wire->transfer({.id = id, .tag = std::to_string(id)}, body);
        const auto answer = wire->read_until(0x15);
        ASSERT_TRUE(answer.has_value());
        EXPECT_THAT(answer->fields.at(4), HasSubstr("amqp:decode-error"));
        ++id;
    }
    expect_works(*wire, id);
}

TEST_F(Hostile, AbortedDeliveryIsForgottenAndTheLinkGoesOn) {
    const auto wire = sender();
    wire->transfer({.id = 0, .tag = "a", .more = true}, "half of");
    wire->transfer({.id = 0, .aborted = true}, "");
    wire->transfer({.id = 1, .tag = "b", .aborted = true}, "");  // at once
    expect_works(*wire, 2);
    EXPECT_EQ(nodes.arrived.size(), 1U);
}

TEST_F(Hostile, GarbageAndResets) {
    const auto bystander = sender();
    for (int i = 0; i < 20; ++i) {
        const auto wire = sender();
        wire->send(std::string(100, static_cast<char>(i * 7)));
        const linger reset{1, 0};
        setsockopt(wire->socket(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    expect_works(*bystander, 0);
}

TEST_F(Hostile, PeerClosesALinkAndASessionWithAnError) {
    const auto wire = sender();
    const std::string error = ListWriter().symbol("amqp:internal-error").string("mine").described(0x1d);
    wire->performative(0x16, ListWriter().uint(0).boolean(true).raw(error));
    const auto detach = wire->read_until(0x16);
    ASSERT_TRUE(detach.has_value());
    EXPECT_EQ(detach->fields.at(1), "true");  // closed is answered with closed
    wire->performative(0x17, ListWriter().raw(error));
    EXPECT_TRUE(wire->read_until(0x17).has_value());
    wire->begin(0);
    wire->attach_sender("in/a");
    expect_works(*wire, 0);
}

TEST_F(Hostile, ADeliveryThatNeverEnds) {
    auto with = options();
    with.limits.max_message = 300'000;
    start(with);
    expect_closed("amqp:link:message-size-exceeded", [](AmqpWire& wire) {
        const std::string chunk(60'000, 'x');
        wire.transfer({.id = 0, .tag = "t", .more = true}, chunk);
        for (int i = 0; i < 1000; ++i) {
            if (!wire.transfer({.more = true}, chunk)) break;
        }
    });
}

TEST_F(Hostile, UnfinishedDeliveriesOnManyLinksTogether) {
    auto with = options();
    with.limits.max_unfinished = 1'000'000;
    start(with);
    expect_closed("amqp:resource-limit-exceeded", [](AmqpWire& wire) {
        for (std::uint32_t link = 1; link < 22; ++link) {
            if (link < 21) wire.attach_sender("in/a", link, "l" + std::to_string(link));
            if (link == 21) wire.transfer({.handle = 1, .more = true}, std::string(60'000, 'x'));
            if (link < 21) wire.transfer({.handle = link, .id = link - 1, .tag = "t", .more = true}, std::string(50'000, 'x'));
        }
    });
}

TEST_F(Hostile, CreditIsEnforced) {
    auto with = options();
    with.limits.link_credit = 10;
    start(with);
    expect_closed("amqp:link:transfer-limit-exceeded", [this](AmqpWire& wire) {
        const std::lock_guard lock(nodes.mutex);  // nothing is settled before all are sent
        std::string burst;
        for (std::uint32_t i = 0; i < 11; ++i)
            burst += frame(0, 0, ListWriter().uint(0).uint(i).binary("t").described(0x14) + AmqpWire::data("x"));
        wire.send(burst);
    });
    EXPECT_EQ(nodes.arrived.size(), 11U);  // ten of them, and the bystander's
}

TEST_F(Hostile, SaslFrameInsideAmqp) {
    expect_closed("amqp:connection:framing-error",
                  [](AmqpWire& wire) { wire.send(frame(1, 0, ListWriter().symbol("PLAIN").described(0x41))); });
    expect_closed("amqp:decode-error", [](AmqpWire& wire) { wire.performative(0x41, ListWriter().symbol("PLAIN")); });
}

TEST_F(Hostile, PerformativeThatIsNoList) {
    for (const std::string& body :
         {std::string("\x00\x53\x14\xa1\x01x", 6), std::string("\x00\x53\x14\x40", 4), std::string("\x00\x53\x14", 3),
          std::string("\x40", 1), std::string("\x00\xa3\x04open\x45", 8), std::string("\x00\x53\x14\xc1\x03\x02\x43\x43", 8),
          std::string("\x00\x53\x14\x00\x53\x14\x45", 7)}) {
        expect_closed("amqp:decode-error", [&](AmqpWire& wire) { wire.send(frame(0, 0, body)); });
    }
}

TEST_F(Hostile, HandleBeyondHandleMax) {
    expect_closed("amqp:connection:framing-error", [](AmqpWire& wire) {
        wire.performative(0x12,
                          ListWriter().string("n").uint(0x80000001).boolean(true).null().null().raw(AmqpWire::source("out/a")));
    });
}

TEST_F(Hostile, DeepNesting) {
    std::string deep;
    for (int i = 0; i < 25; ++i) {
        std::string next("\xd0\x00\x00", 3);
        next += static_cast<char>((deep.size() + 4) >> 8);
        next += static_cast<char>(deep.size() + 4);
        next.append("\x00\x00\x00", 3);
        next += deep.empty() ? '\0' : '\1';
        next += deep;
        deep.swap(next);
    }
    const std::string properties = std::string("\xd1", 1) + std::string("\x00\x00", 2) +
                                   static_cast<char>((deep.size() + 8) >> 8) + static_cast<char>(deep.size() + 8) +
                                   std::string("\x00\x00\x00\x02", 4) + std::string("\xa3\x02xx", 4) + deep;
    // Within the walker's depth it is decoded and ignored; the connection lives.
    const auto wire = sender();
    wire->performative(
        0x13, ListWriter().uint(0).uint(100).uint(0).uint(100).null().null().null().null().null().null().raw(properties));
    expect_works(*wire, 0);
    // A body of 20,000 levels is refused as a message, not as a connection.
    std::string body;
    for (int i = 0; i < 6'000; ++i) body += std::string("\x00\x53\x77", 3);
    wire->transfer({.id = 1, .tag = "1"}, body + '\x40');
    const auto answer = wire->read_until(0x15);
    ASSERT_TRUE(answer.has_value());
    EXPECT_THAT(answer->fields.at(4), HasSubstr("amqp:decode-error"));
}

TEST_F(Hostile, ManyValuesInFewBytes) {
    // An array of 16 million nulls is 20 bytes on the wire.
    const std::string nulls("\xf0\x00\x00\x00\x05\x00\xff\xff\xff\x40", 10);
    const std::string map = std::string("\xd1\x00\x00\x00\x12\x00\x00\x00\x02", 9) + std::string("\xa3\x02xx", 4) + nulls;
    expect_closed("amqp:resource-limit-exceeded", [&](AmqpWire& wire) {
        wire.performative(0x13,
                          ListWriter().uint(0).uint(100).uint(0).uint(100).null().null().null().null().null().null().raw(map));
    });
    std::string inner = std::string("\xd1\x00\x00\x00\x17\x00\x00\x00\x02\xa3\x02xx", 13);
    inner += std::string("\xf0\x00\x00\x00\x0a\x00\x00\x00\x01\xe0\x03\xff\x40\x00\x00", 11).append("\x03\xff\x40", 0);
    expect_closed("amqp:decode-error", [&](AmqpWire& wire) {
        wire.performative(
            0x13, ListWriter().uint(0).uint(100).uint(0).uint(100).null().null().null().null().null().null().raw(inner));
    });
}

TEST_F(Hostile, FrameSizes) {
    expect_closed("amqp:connection:framing-error",
                  [](AmqpWire& wire) { wire.send(std::string("\x00\x01\x00\x01\x02\x00\x00\x00", 8)); });
    expect_closed("amqp:connection:framing-error",
                  [](AmqpWire& wire) { wire.send(std::string("\x7f\xff\xff\xff\x02\x00\x00\x00", 8)); });
    expect_closed("amqp:connection:framing-error",
                  [](AmqpWire& wire) { wire.send(std::string("\x00\x00\x00\x07\x02\x00\x00\x00", 8)); });
    expect_closed("amqp:connection:framing-error",
                  [](AmqpWire& wire) { wire.send(std::string("\x00\x00\x00\x08\x01\x00\x00\x00", 8)); });
    expect_closed("amqp:connection:framing-error",
                  [](AmqpWire& wire) { wire.send(std::string("\x00\x00\x00\x08\x03\x00\x00\x00", 8)); });
}

TEST_F(Hostile, FramesOutOfTurn) {
    auto fresh = [this] {
        auto wire = std::make_unique<AmqpWire>(port());
        wire->login();
        return wire;
    };
    expect_closed(
        "amqp:connection:framing-error",
        [](AmqpWire& wire) { wire.performative(0x11, ListWriter().null().uint(0).uint(1).uint(1)); }, fresh());
    expect_closed(
        "amqp:connection:framing-error", [](AmqpWire& wire) { wire.send(std::string("\x00\x00\x00\x08\x02\x00\x00\x00", 8)); },
        fresh());
    expect_closed("amqp:illegal-state", [](AmqpWire& wire) { wire.performative(0x10, ListWriter().string("again")); });
    expect_closed("amqp:illegal-state",
                  [](AmqpWire& wire) { wire.performative(0x11, ListWriter().null().uint(0).uint(1).uint(1)); });
    expect_closed("amqp:not-allowed",
                  [](AmqpWire& wire) { wire.performative(0x11, ListWriter().ushort(0).uint(0).uint(1).uint(1), 1); });
    expect_closed("amqp:connection:framing-error",
                  [](AmqpWire& wire) { wire.performative(0x11, ListWriter().null().uint(0).uint(1).uint(1), 64); });
    expect_closed("amqp:not-allowed", [](AmqpWire& wire) { wire.performative(0x17, ListWriter(), 5); });
    expect_closed("amqp:session:unattached-handle", [](AmqpWire& wire) { wire.message(0, "x", 7); });
    expect_closed("amqp:session:unattached-handle", [](AmqpWire& wire) { wire.flow(9, 0, 10); });
    expect_closed("amqp:session:unattached-handle", [](AmqpWire& wire) { wire.performative(0x16, ListWriter().uint(3)); });
    expect_closed("amqp:session:handle-in-use", [](AmqpWire& wire) {
        wire.performative(0x12, ListWriter().string("n").uint(0).boolean(true).null().null().raw(AmqpWire::source("out/a")));
    });
    expect_closed("amqp:not-allowed", [](AmqpWire& wire) {  // the same name again
        wire.performative(0x12, ListWriter()
                                    .string("s")
                                    .uint(1)
                                    .boolean(false)
                                    .null()
                                    .null()
                                    .null()
                                    .raw(AmqpWire::target("in/a"))
                                    .null()
                                    .null()
                                    .uint(0));
    });
    expect_closed("amqp:not-allowed", [](AmqpWire& wire) {  // a transfer against the direction
        wire.attach_receiver("out/a", 1);
        wire.message(0, "x", 1);
    });
    expect_closed("amqp:invalid-field",
                  [](AmqpWire& wire) { wire.performative(0x15, ListWriter().boolean(true).uint(5).uint(2)); });
    expect_closed("amqp:not-implemented", [](AmqpWire& wire) {  // in a transaction
        wire.performative(
            0x14,
            ListWriter().uint(0).uint(0).binary("t").null().null().null().null().raw(ListWriter().binary("tx").described(0x34)),
            0, "x");
    });
}

TEST_F(Hostile, FramesAfterClose) {
    const auto wire = sender();
    wire->performative(0x18, ListWriter());
    wire->message(0);
    EXPECT_TRUE(wire->read_until(0x18).has_value());
    EXPECT_TRUE(wire->ended());
    EXPECT_TRUE(nodes.arrived.empty());
}

TEST_F(Hostile, OpenWithValuesThatCannotWork) {
    auto fresh = [this] {
        auto wire = std::make_unique<AmqpWire>(port());
        wire->login();
        return wire;
    };
    expect_closed(
        "amqp:invalid-field", [](AmqpWire& wire) { wire.performative(0x10, ListWriter().string("w").null().uint(511)); },
        fresh());
    expect_closed(
        "amqp:invalid-field",
        [](AmqpWire& wire) { wire.performative(0x10, ListWriter().string("w").null().null().null().uint(1)); }, fresh());
    expect_closed(
        "amqp:invalid-field", [](AmqpWire& wire) { wire.performative(0x10, ListWriter().string(std::string(1025, 'c'))); },
        fresh());
}

TEST_F(Hostile, TooManyLinks) {
    auto with = options();
    with.limits.max_links = 3;
    start(with);
    expect_closed("amqp:resource-limit-exceeded", [](AmqpWire& wire) {
        for (std::uint32_t i = 1; i <= 3; ++i)
            wire.performative(0x12, ListWriter()
                                        .string("l" + std::to_string(i))
                                        .uint(i)
                                        .boolean(true)
                                        .null()
                                        .null()
                                        .raw(AmqpWire::source("out/a")));
    });
}

TEST_F(Hostile, SessionWindow) {
    // The window that is announced is used up by tiny transfers of one unfinished delivery faster than it is renewed: at worst
    // the specification's error, never more than the window in memory.
    const auto wire = sender();
    std::string burst;
    wire->transfer({.id = 0, .tag = "t", .more = true}, "x");
    for (int i = 0; i < 5000; ++i)
        burst += frame(0, 0, ListWriter().uint(0).null().null().null().null().boolean(true).described(0x14) + "x");
    wire->send(burst);
    wire->transfer({.id = 0}, "");
    std::uint64_t code = 0;
    const auto next = [&] {
        while (const auto got = wire->read_frame()) {
            if (got->code == 0x15) return std::string("answered");
            if (got->code == 0x18) return AmqpWire::condition(got->fields.empty() ? "" : got->fields[0]);
        }
        return std::string("gone");
    }();
    EXPECT_TRUE(next == "answered" || next == "amqp:session:window-violation") << next << code;
    expect_works(*sender(), 0);
}

}  // namespace
}  // namespace clrbus::amqp
