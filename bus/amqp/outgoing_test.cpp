// Links on which the peer receives: credit, frames, outcomes.
#include "amqp/testing/fixture.hpp"

namespace clrbus::amqp {
namespace {

using testing::AmqpWire;

const std::string kAcceptedState("\x00\x53\x24\x45", 4);
const std::string kReleasedState("\x00\x53\x26\x45", 4);

class OutgoingLinks : public testing::ListenerTest {};

TEST_F(OutgoingLinks, LargeMessagesGoOutInFramesThatThePeerTakes) {
    start();
    const std::string body(3'000'000, 'b');
    nodes.out.push_back(Message::from_encoded(AmqpWire::data(body)));
    auto wire = std::make_unique<AmqpWire>(port());
    wire->login();
    wire->open(512);
    wire->begin();
    wire->attach_receiver("out/a");
    // The session's window is 2048 frames of 512 bytes: it is opened again as they come.
    wire->performative(0x13, ListWriter().uint(0).uint(100'000).uint(0).uint(100).uint(0).uint(0).uint(1));
    std::string all;
    std::size_t largest = 0;
    while (const auto got = wire->read_until(0x14)) {
        all += got->payload;
        largest = std::max(largest, got->body.size() + 8);
        if (got->fields.size() < 6 || got->fields[5] != "true") break;
    }
    EXPECT_TRUE(all == header_section(0) + AmqpWire::data(body));
    EXPECT_LE(largest, 512U);
}

TEST_F(OutgoingLinks, OutcomesOfTheReceiver) {
    start();
    for (int i = 0; i < 6; ++i) nodes.out.push_back(MessageBuilder().build("m"));
    const auto wire = opened();
    wire->attach_receiver("out/a");
    wire->flow(0, 0, 6);
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(wire->read_until(0x14).has_value());
    const auto settle = [&](std::uint32_t id, const std::string& state) {
        ListWriter fields;
        fields.boolean(true).uint(id).uint(id).boolean(true);
        if (!state.empty()) fields.raw(state);
        wire->performative(0x15, fields);
    };
    settle(0, kAcceptedState);
    settle(1, kReleasedState);
    settle(2, ListWriter().boolean(true).boolean(true).described(0x27));
    settle(3, ListWriter().raw(ListWriter().symbol("amqp:decode-error").described(0x1d)).described(0x25));
    settle(4, "");  // settled without an outcome: nobody said that it was taken
    // A state that is no outcome changes nothing; the last one goes unsettled when the link does.
    wire->performative(
        0x15, ListWriter().boolean(true).uint(5).uint(5).boolean(false).raw(ListWriter().uint(0).ulong(1).described(0x23)));
    ASSERT_TRUE(nodes.wait([&] { return nodes.outcomes.size() == 5; }));
    EXPECT_EQ(nodes.outcomes[0].state, DeliveryState::kAccepted);
    EXPECT_EQ(nodes.outcomes[1].state, DeliveryState::kReleased);
    EXPECT_EQ(nodes.outcomes[2].state, DeliveryState::kModified);
    EXPECT_TRUE(nodes.outcomes[2].failed);
    EXPECT_TRUE(nodes.outcomes[2].undeliverable);
    EXPECT_EQ(nodes.outcomes[3].state, DeliveryState::kRejected);
    EXPECT_EQ(nodes.outcomes[4].state, DeliveryState::kReleased);
    wire->performative(0x16, ListWriter().uint(0).boolean(true));
    EXPECT_EQ(wire->read_until(0x16)->fields.at(1), "true");
    ASSERT_TRUE(nodes.wait([&] { return nodes.detached == 1; }));
    EXPECT_EQ(nodes.outcomes.size(), 5U);
}

TEST_F(OutgoingLinks, ARangeOfTheWholeNumberSpaceCostsNothing) {
    start();
    for (int i = 0; i < 3; ++i) nodes.out.push_back(MessageBuilder().build("m"));
    const auto wire = opened();
    wire->attach_receiver("out/a");
    wire->flow(0, 0, 3);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(wire->read_until(0x14).has_value());
    for (int i = 0; i < 100; ++i)
        wire->performative(0x15, ListWriter().boolean(true).uint(0).uint(0x7ffffffe).boolean(true).raw(kAcceptedState));
    ASSERT_TRUE(nodes.wait([&] { return nodes.outcomes.size() == 3; }));
}

TEST_F(OutgoingLinks, DrainIsAnsweredWithNothingLeft) {
    start();
    nodes.out.push_back(MessageBuilder().build("only one"));
    const auto wire = opened();
    wire->attach_receiver("out/a");
    wire->flow(0, 0, 10, true);
    ASSERT_TRUE(wire->read_until(0x14).has_value());
    const auto flow = wire->read_until(0x13);
    ASSERT_TRUE(flow.has_value());
    EXPECT_EQ(flow->fields.at(5), "10");  // delivery-count has moved over the credit that was not used
    EXPECT_EQ(flow->fields.at(6), "0");
    wire->flow(0, 10, 5, true);  // and again, with nothing there
    EXPECT_EQ(wire->read_until(0x13)->fields.at(5), "15");
}

TEST_F(OutgoingLinks, ADrainThatWaitsForAPeerThatDoesNotReadHoldsUpNobody) {
    start();
    const Message large = MessageBuilder().build(std::string(1'000'000, 'x'));
    for (int i = 0; i < 60; ++i) nodes.out.push_back(large);
    const auto wire = opened();
    wire->attach_receiver("out/a");
    wire->performative(0x13,
                       ListWriter().uint(0).uint(0x7fffffff).uint(0).uint(100).uint(0).uint(0).uint(60).null().boolean(true));
    const auto other = opened();
    other->attach_sender("in/a");
    for (std::uint32_t i = 0; i < 20; ++i) expect_works(*other, i);
    std::size_t bytes = 0;
    while (bytes < 60'000'000) {
        const auto got = wire->read_until(0x14);
        ASSERT_TRUE(got.has_value());
        bytes += got->payload.size();
    }
}

TEST_F(OutgoingLinks, HugeCreditIsCredit) {
    start();
    for (int i = 0; i < 5; ++i) nodes.out.push_back(MessageBuilder().build("m"));
    const auto wire = opened();
    wire->attach_receiver("out/a");
    wire->flow(0, 0, 0x7fffffff);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(wire->read_until(0x14).has_value());
}

TEST_F(OutgoingLinks, SettledReceiversGetSettledMessages) {
    start();
    nodes.out.push_back(MessageBuilder().build("m"));
    const auto wire = opened();
    wire->performative(0x12, ListWriter()
                                 .string("r")
                                 .uint(0)
                                 .boolean(true)
                                 .ubyte(1)
                                 .ubyte(0)
                                 .raw(AmqpWire::source("out/a"))
                                 .raw(AmqpWire::target("me")));
    ASSERT_TRUE(wire->read_until(0x12).has_value());
    wire->flow(0, 0, 1);
    EXPECT_EQ(wire->read_until(0x14)->fields.at(4), "true");
    ASSERT_TRUE(nodes.wait([&] { return nodes.outcomes.size() == 1; }));
    EXPECT_EQ(nodes.outcomes[0].state, DeliveryState::kAccepted);
}

TEST_F(OutgoingLinks, AMessageThatIsTooLargeForTheReceiverIsForAnother) {
    start();
    nodes.out.push_back(MessageBuilder().build(std::string(1000, 'x')));
    nodes.out.push_back(MessageBuilder().build("small"));
    const auto wire = opened();
    wire->performative(0x12, ListWriter()
                                 .string("r")
                                 .uint(0)
                                 .boolean(true)
                                 .null()
                                 .null()
                                 .raw(AmqpWire::source("out/a"))
                                 .raw(AmqpWire::target("me"))
                                 .null()
                                 .null()
                                 .null()
                                 .ulong(500));
    ASSERT_TRUE(wire->read_until(0x12).has_value());
    wire->flow(0, 0, 2);
    const auto got = wire->read_until(0x14);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(Message::from_encoded(got->payload).body(), "small");
    ASSERT_TRUE(nodes.wait([&] { return nodes.outcomes.size() == 1; }));
    EXPECT_EQ(nodes.outcomes[0].state, DeliveryState::kModified);
    EXPECT_FALSE(nodes.outcomes[0].failed);
    EXPECT_TRUE(nodes.outcomes[0].undeliverable);
}

}  // namespace
}  // namespace clrbus::amqp
