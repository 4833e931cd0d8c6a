// What a peer may rely on: fields, deliveries, credit, settlement, refusals at attach.
#include <functional>

#include "amqp/testing/fixture.hpp"

namespace clrbus::amqp {
namespace {

using testing::AmqpWire;

const std::string kAccepted("\x00\x53\x24\x45", 4);
const std::string kReleased("\x00\x53\x26\x45", 4);

class Protocol : public testing::ListenerTest {};

// One performative with all its fields right; each is then left out, made null, given a wrong type and a descriptor.
struct Case {
    const char* name;
    std::uint8_t code;
    std::vector<std::string> right;      // encoded
    std::vector<std::size_t> mandatory;  // indexes
    std::vector<std::size_t> any_type;   // indexes that take any type
};

std::string field_uint(std::uint8_t value) {
    return {'\x52', static_cast<char>(value)};
}
std::string field_string(const std::string& text) {
    return std::string("\xa1") + static_cast<char>(text.size()) + text;
}

std::string list_of(const std::vector<std::string>& fields, std::uint8_t code) {
    ListWriter out;
    for (const std::string& each : fields) each == "\x40" ? out.null() : out.raw(each);
    return out.described(code);
}

const std::string kMapValue("\xc1\x01\x00", 3);
const std::string kNullValue("\x40");
const std::string kTrueValue("\x41");
const std::string kSymbolValue("\xa3\x02xx");

std::vector<Case> cases() {
    const std::string error = ListWriter().symbol("amqp:internal-error").string("why").described(0x1d);
    return {
        {"open",
         0x10,
         {field_string("c"), field_string("h"), field_uint(0), "\x60\x10\x10", "\x43", kSymbolValue, kSymbolValue, kSymbolValue,
          kSymbolValue, kMapValue},
         {0},
         {}},
        {"begin",
         0x11,
         {kNullValue, field_uint(0), field_uint(9), field_uint(9), field_uint(9), kSymbolValue, kSymbolValue, kMapValue},
         {1, 2, 3},
         {}},
        {"attach",
         0x12,
         {field_string("n"), field_uint(5), kTrueValue, "\x50\x02", std::string("\x50\x00", 2), AmqpWire::source("out/a"),
          AmqpWire::target("x"), kMapValue, kTrueValue, field_uint(0), "\x53\x09", kSymbolValue, kSymbolValue, kMapValue},
         {0, 1, 2},
         {}},
        {"flow",
         0x13,
         {field_uint(0), field_uint(9), field_uint(0), field_uint(9), std::string("\x52\x00", 2), field_uint(0), field_uint(9),
          field_uint(0), "\x42", "\x42", kMapValue},
         {1, 2, 3},
         {}},
        {"transfer",
         0x14,
         {std::string("\x52\x00", 2), std::string("\x52\x00", 2), "\xa0\x01t", "\x43", "\x42", "\x42",
          std::string("\x50\x00", 2), kAccepted, "\x42", "\x42", "\x42"},
         {0, 1, 2},
         {}},
        {"disposition", 0x15, {kTrueValue, field_uint(0), field_uint(0), kTrueValue, kAccepted, "\x42"}, {0, 1}, {}},
        {"detach", 0x16, {std::string("\x52\x00", 2), kTrueValue, error}, {0}, {}},
        {"end", 0x17, {error}, {}, {}},
        {"close", 0x18, {error}, {}, {}},
    };
}

TEST_F(Protocol, EveryFieldOfEveryPerformative) {
    start();
    const auto bystander = sender();
    const auto attempt = [&](const Case& each, const std::vector<std::string>& fields) {
        const bool opening = each.code == 0x10;
        auto wire = opening ? std::make_unique<AmqpWire>(port()) : sender();
        if (opening) wire->login();
        const std::uint16_t channel = each.code == 0x11 ? 1 : 0;
        wire->send(frame(0, channel, list_of(fields, each.code) + (each.code == 0x14 ? AmqpWire::data("x") : "")));
        std::uint64_t code = 0;
        std::string error = wire->read_error(&code);
        EXPECT_EQ(code, 0x18U) << each.name;
        return error;
    };
    for (const Case& each : cases()) {
        for (std::size_t i = 0; i < each.right.size(); ++i) {
            const bool mandatory = std::find(each.mandatory.begin(), each.mandatory.end(), i) != each.mandatory.end();
            auto fields = each.right;
            if (mandatory) {
                fields[i] = kNullValue;
                EXPECT_EQ(attempt(each, fields), "amqp:invalid-field") << each.name << " without field " << i;
                fields.resize(i);
                EXPECT_EQ(attempt(each, fields), "amqp:invalid-field") << each.name << " cut before field " << i;
                fields = each.right;
            }
            fields[i] = std::string("\x82\x3f\xf0\x00\x00\x00\x00\x00\x00", 9);  // a double is right nowhere
            EXPECT_EQ(attempt(each, fields), "amqp:decode-error") << each.name << " field " << i << " of the wrong type";
            fields[i] = std::string("\x00\x53\x01\x43", 4);
            EXPECT_EQ(attempt(each, fields), "amqp:decode-error") << each.name << " field " << i << " with a descriptor";
        }
        auto fields = each.right;
        fields.resize(15, "\x43");
        EXPECT_EQ(attempt(each, fields), "amqp:decode-error") << each.name << " with too many fields";
    }
    expect_works(*bystander, 0);
}

TEST_F(Protocol, AllFieldsRightIsRight) {
    start();
    for (const Case& each : cases()) {
        if (each.code == 0x10) continue;  // every test opens
        const auto wire = sender();
        wire->send(frame(0, each.code == 0x11 ? 1 : 0,
                         list_of(each.right, each.code) + (each.code == 0x14 ? AmqpWire::data("x") : "")));
        if (each.code == 0x18) {
            EXPECT_EQ(wire->read_until(0x18)->fields.size(), 0U);
            continue;
        }
        wire->performative(0x18, ListWriter());
        EXPECT_EQ(wire->read_error(), "") << each.name;
    }
}

TEST_F(Protocol, DeliveryIdsWrap) {
    start();
    const auto wire = opened();
    wire->attach_sender("in/a");
    std::uint32_t id = 0xfffffffd;
    for (int i = 0; i < 6; ++i) expect_works(*wire, id++);
    EXPECT_EQ(nodes.arrived.size(), 6U);
}

TEST_F(Protocol, DeliveryCountWraps) {
    start();
    const auto wire = opened();
    wire->performative(0x12, ListWriter()
                                 .string("s")
                                 .uint(0)
                                 .boolean(false)
                                 .null()
                                 .null()
                                 .raw(AmqpWire::source("me"))
                                 .raw(AmqpWire::target("in/a"))
                                 .null()
                                 .null()
                                 .uint(0xffffffff));
    ASSERT_TRUE(wire->read_until(0x13).has_value());
    for (std::uint32_t i = 0; i < 600; ++i) expect_works(*wire, i);
}

TEST_F(Protocol, MoreMessagesThanTwoToTheSixteenth) {
    start();
    const auto wire = sender();
    std::uint32_t id = 0;
    for (int round = 0; round < 280; ++round) {
        std::string burst;
        for (int i = 0; i < 250; ++i, ++id)
            burst += frame(0, 0, ListWriter().uint(0).uint(id).binary("t").described(0x14) + AmqpWire::data("x"));
        ASSERT_TRUE(wire->send(burst));
        std::uint64_t settled = 0;
        while (settled < 250) {
            const auto answer = wire->read_until(0x15);
            ASSERT_TRUE(answer.has_value()) << "after " << id;
            const auto first = std::stoull(answer->fields[1]);
            const auto last = answer->fields[2].empty() ? first : std::stoull(answer->fields[2]);
            settled += last - first + 1;
        }
    }
    EXPECT_EQ(nodes.arrived.size(), 70'000U);
}

TEST_F(Protocol, MultiFrameDeliveriesOnTwoLinksInterleave) {
    start();
    const auto wire = sender();
    wire->attach_sender("in/b", 1, "second");
    const std::string one = AmqpWire::data(std::string(100'000, '1'));
    const std::string two = AmqpWire::data(std::string(100'000, '2'));
    wire->transfer({.handle = 0, .id = 0, .tag = "a", .more = true}, one.substr(0, 40'000));
    wire->transfer({.handle = 1, .id = 1, .tag = "b", .more = true}, two.substr(0, 40'000));
    wire->transfer({.handle = 0, .id = 0, .more = true}, one.substr(40'000, 30'000));
    wire->transfer({.handle = 1, .more = true}, two.substr(40'000, 50'000));
    wire->transfer({.handle = 0}, one.substr(70'000));
    wire->transfer({.handle = 1}, two.substr(90'000));
    ASSERT_TRUE(nodes.wait([&] { return nodes.arrived.size() == 2; }));
    // Two links have no order between them.
    const bool first_is_one = nodes.arrived[0] == one;
    EXPECT_TRUE(nodes.arrived[first_is_one ? 0 : 1] == one);
    EXPECT_TRUE(nodes.arrived[first_is_one ? 1 : 0] == two);
}

TEST_F(Protocol, BytesComeAndGoAsTheyAre) {
    start();
    // Several data sections, a footer, odd encodings, a decimal and an array in the properties: none of it is anyone's business
    // here.
    const std::string bare =
        std::string("\x00\x53\x73\xd0\x00\x00\x00\x0a\x00\x00\x00\x01\xb1\x00\x00\x00\x01z", 18) +
        std::string("\x00\x53\x74\xc1\x16\x06\xa1\x01k\x74\x00\x00\x00\x01\xa1\x01l\xe0\x04\x02\x50\x01\x02\xa1\x01m\x41", 27) +
        AmqpWire::data("ab") + AmqpWire::data("cd") + std::string("\x00\x53\x78\xc1\x01\x00", 6);
    ASSERT_NO_THROW(Message::from_encoded(bare));
    const auto wire = sender();
    const std::string annotated =
        std::string("\x00\x53\x70\xc0\x02\x01\x41", 7) + std::string("\x00\x53\x72\xc1\x01\x00", 6) + bare;
    wire->transfer({.id = 0, .tag = "t"}, annotated);
    ASSERT_TRUE(nodes.wait([&] { return nodes.arrived.size() == 1; }));
    EXPECT_TRUE(nodes.arrived[0] == annotated);
    {
        const std::lock_guard lock(nodes.mutex);
        nodes.out.push_back(Message::from_encoded(nodes.arrived[0]));
    }
    wire->attach_receiver("out/a", 1);
    wire->flow(1, 0, 1);
    const auto got = wire->read_until(0x14);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->payload, header_section(0) + bare);
}

TEST_F(Protocol, SettledTransfersGetNoAnswer) {
    start();
    const auto wire = sender();
    wire->transfer({.id = 0, .tag = "t", .settled = true}, AmqpWire::data("no answer"));
    wire->message(1);
    const auto answer = wire->read_until(0x15);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->fields.at(1), "1");
    EXPECT_EQ(nodes.arrived.size(), 2U);
}

TEST_F(Protocol, RefusedAttaches) {
    start();
    const auto wire = opened();
    const auto attach = [&](const ListWriter& fields) {
        wire->performative(0x12, fields);
        const auto answer = wire->read_until(0x12);
        EXPECT_TRUE(answer.has_value());
        std::uint64_t code = 0;
        std::string error = wire->read_error(&code);
        EXPECT_EQ(code, 0x16U);
        return error;
    };
    const auto to = [](std::uint32_t handle, const std::string& target) {
        return ListWriter()
            .string("l" + std::to_string(handle))
            .uint(handle)
            .boolean(false)
            .null()
            .null()
            .raw(AmqpWire::source("me"))
            .raw(target)
            .null()
            .null()
            .uint(0);
    };
    EXPECT_EQ(attach(to(0, AmqpWire::target("nowhere"))), "amqp:not-found");
    EXPECT_EQ(attach(to(1, ListWriter().symbols({"amqp:local-transactions"}).described(0x30))), "amqp:not-implemented");
    EXPECT_EQ(attach(to(2, ListWriter().null().null().null().null().boolean(true).described(0x29))), "amqp:not-implemented");
    EXPECT_EQ(attach(ListWriter()
                         .string("l3")
                         .uint(3)
                         .boolean(false)
                         .null()
                         .null()
                         .raw(AmqpWire::source("me"))
                         .null()
                         .null()
                         .null()
                         .uint(0)),
              "amqp:invalid-field");
    EXPECT_EQ(attach(ListWriter().string("l4").uint(4).boolean(true).null().null().raw(AmqpWire::source("nowhere"))),
              "amqp:not-found");
    EXPECT_EQ(attach(ListWriter().string("l5").uint(5).boolean(true).null().null().raw(
                  ListWriter().string("out/a").null().null().null().null().null().symbol("copy").described(0x28))),
              "amqp:not-implemented");
    // A refused link takes nothing, and the session goes on.
    wire->attach_sender("in/a", 9, "good");
    wire->message(0, "x", 9);
    EXPECT_TRUE(wire->read_until(0x15).has_value());
}

TEST_F(Protocol, AFullNodeTakesCreditBackAndGivesItAgain) {
    auto with = options();
    with.limits.retry_credit = std::chrono::milliseconds(5);
    start(with);
    const auto wire = sender();
    {
        const std::lock_guard lock(nodes.mutex);
        nodes.full = true;
    }
    wire->message(0);
    bool released = false;
    bool withdrawn = false;
    while (!released || !withdrawn) {  // in either order
        const auto got = wire->read_frame();
        ASSERT_TRUE(got.has_value());
        if (got->code == 0x15) released = got->fields.at(4) == kReleased;
        if (got->code == 0x13) withdrawn = got->fields.at(6) == "0";
    }
    // What crosses the flow on the wire is credit that was given: released, not punished.
    wire->message(1);
    EXPECT_EQ(wire->read_until(0x15)->fields.at(4), kReleased);
    {
        const std::lock_guard lock(nodes.mutex);
        nodes.full = false;
    }
    while (true) {
        const auto flow = wire->read_until(0x13);
        ASSERT_TRUE(flow.has_value());
        if (flow->fields.at(6) == "0") continue;
        EXPECT_EQ(flow->fields.at(6), "500");
        break;
    }
    expect_works(*wire, 2);
}

TEST_F(Protocol, NothingIsReadWhileTooMuchIsUnderWay) {
    auto with = options();
    with.limits.max_in_flight = 500'000;
    start(with);
    const auto wire = sender();
    {
        const std::lock_guard lock(nodes.mutex);
        nodes.hold = true;
    }
    // 400 x 50 KB are sent; what is not read stays with the sender.
    std::string frames;
    for (std::uint32_t i = 0; i < 400; ++i)
        frames +=
            frame(0, 0, ListWriter().uint(0).uint(i).binary("t").described(0x14) + AmqpWire::data(std::string(50'000, 'x')));
    std::thread sending([&] { wire->send(frames); });
    ASSERT_TRUE(nodes.wait([&] { return nodes.held.size() >= 10; }));
    const auto other = sender();  // another connection is not held up, and sees how far the first one came
    nodes.settle_held();
    expect_works(*other, 0);
    ASSERT_TRUE(nodes.wait([&] { return nodes.arrived.size() == 401; }));
    sending.join();
}

TEST_F(Protocol, ManyConnectionsTogetherStayBelowTheCommonLimit) {
    auto with = options();
    with.limits.max_in_flight_total = 1'000'000;
    with.io_threads = 2;
    start(with);
    {
        const std::lock_guard lock(nodes.mutex);
        nodes.hold = true;
    }
    std::vector<std::unique_ptr<AmqpWire>> wires;
    wires.reserve(6);
    for (int i = 0; i < 6; ++i) wires.push_back(sender());
    std::string frames;
    for (std::uint32_t i = 0; i < 100; ++i)
        frames +=
            frame(0, 0, ListWriter().uint(0).uint(i).binary("t").described(0x14) + AmqpWire::data(std::string(50'000, 'x')));
    std::vector<std::thread> sending;
    sending.reserve(wires.size());
    for (auto& wire : wires) sending.emplace_back([&] { wire->send(frames); });
    ASSERT_TRUE(nodes.wait([&] { return nodes.held.size() >= 20; }));
    // Settled bit by bit: all of it comes, never more at once than the limit and a read of each connection.
    std::size_t most = 0;
    for (std::size_t done = 0; done < 600;) {
        std::vector<std::pair<std::shared_ptr<InLink>, std::uint64_t>> now;
        ASSERT_TRUE(nodes.wait([&] { return !nodes.held.empty(); }));
        {
            const std::lock_guard lock(nodes.mutex);
            now.swap(nodes.held);
        }
        most = std::max(most, now.size());
        done += now.size();
        for (auto& [link, token] : now) link->settle({Settlement{.token = token}});
    }
    for (auto& each : sending) each.join();
    EXPECT_LE(most, 20U + 6 * 6);  // a connection reads at most 256 KB before it looks again
}

}  // namespace
}  // namespace clrbus::amqp
