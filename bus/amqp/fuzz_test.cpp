// Mutations of a good session: thousands of wrong ones, the same ones each time. The process lives, a bystander works, nothing
// stays.
#include <random>

#include "amqp/testing/fixture.hpp"

namespace clrbus::amqp {
namespace {

using testing::AmqpWire;
using testing::kWireAmqp;
using testing::kWireSasl;

class Fuzz : public testing::ListenerTest {
protected:
    // Each string is one write of a good session, from the AMQP header on.
    static std::vector<std::string> session() {
        std::vector<std::string> out;
        const auto amqp = [&](std::uint8_t code, const ListWriter& fields, std::string_view payload = {}) {
            out.push_back(frame(0, 0, fields.described(code).append(payload)));
        };
        out.push_back(kWireAmqp);
        amqp(0x10, ListWriter()
                       .string("fuzz")
                       .string("localhost")
                       .uint(65536)
                       .ushort(10)
                       .uint(30000)
                       .symbols({"en-US"})
                       .null()
                       .symbols({"a", "b"}));
        amqp(0x11, ListWriter().null().uint(0).uint(100).uint(100).uint(10));
        amqp(0x12, ListWriter()
                       .string("s")
                       .uint(0)
                       .boolean(false)
                       .ubyte(2)
                       .ubyte(0)
                       .raw(AmqpWire::source("me"))
                       .raw(AmqpWire::target("in/a"))
                       .null()
                       .null()
                       .uint(0)
                       .ulong(1000000));
        amqp(0x12, ListWriter()
                       .string("r")
                       .uint(1)
                       .boolean(true)
                       .ubyte(2)
                       .ubyte(0)
                       .raw(AmqpWire::source("out/a"))
                       .raw(AmqpWire::target("me")));
        amqp(0x13, ListWriter().uint(0).uint(100).uint(0).uint(100).uint(1).uint(0).uint(10).null().boolean(true));
        amqp(0x14, ListWriter().uint(0).uint(0).binary("t0").uint(0).boolean(false), AmqpWire::data("hello"));
        amqp(0x14, ListWriter().uint(0).uint(1).binary("t1").uint(0).boolean(false).boolean(true),
             AmqpWire::data("hello").substr(0, 6));
        amqp(0x14, ListWriter().uint(0).uint(1).null().null().null().boolean(false), AmqpWire::data("hello").substr(6));
        amqp(0x14, ListWriter().uint(0).uint(2).binary("t2").uint(0).boolean(false).boolean(true), "half");
        amqp(0x14, ListWriter().uint(0).null().null().null().null().null().null().null().null().boolean(true));
        amqp(0x15, ListWriter().boolean(true).uint(0).uint(3).boolean(true).raw(ListWriter().boolean(true).described(0x27)));
        amqp(0x16,
             ListWriter().uint(1).boolean(true).raw(ListWriter().symbol("amqp:internal-error").string("x").described(0x1d)));
        amqp(0x17, ListWriter());
        amqp(0x18, ListWriter());
        return out;
    }

    static std::string mutated(std::vector<std::string> parts, std::mt19937& random) {
        const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
        for (std::size_t times = 1 + below(3); times > 0; --times) {
            std::string& part = parts[below(parts.size())];
            if (part.empty()) continue;
            switch (below(9)) {
                case 0:
                    part[below(part.size())] ^= static_cast<char>(1 << below(8));
                    break;
                case 1:
                    part[below(part.size())] = static_cast<char>(random());
                    break;
                case 2:
                    part.erase(below(part.size()), 1 + below(4));
                    break;
                case 3:
                    part.insert(below(part.size()), std::string(1 + below(4), static_cast<char>(random())));
                    break;
                case 4:
                    part.resize(below(part.size()));
                    break;
                case 5:
                    std::swap(parts[below(parts.size())], parts[below(parts.size())]);
                    break;
                case 6:
                    part += part;
                    break;
                case 7:
                    part[below(part.size())] = "\x00\x40\x45\x70\xd0\xf0\xb0\xff"[below(8)];
                    break;
                default:  // the body changes, the frame's size stays true
                    if (part.size() > 12) {
                        part.erase(8 + below(part.size() - 8), 1 + below(3));
                        part[3] = static_cast<char>(part.size());
                        part[2] = static_cast<char>(part.size() >> 8);
                    }
            }
        }
        std::string all;
        for (const std::string& each : parts) all += each;
        return all;
    }
};

TEST_F(Fuzz, MutatedSessions) {
    auto with = options();
    with.limits.handshake = std::chrono::milliseconds(2000);
    start(with);
    for (int i = 0; i < 3; ++i) nodes.out.push_back(MessageBuilder().build("out"));
    const auto bystander = sender();
    std::uint32_t works = 0;
    const std::string login =
        kWireSasl + frame(1, 0, ListWriter().symbol("PLAIN").binary(std::string("\0ada\0pencil", 11)).described(0x41));
    const auto good = session();
    {
        // The good one is good: its first message is taken, and close is answered without an error.
        AmqpWire wire(port());
        std::string all = login;
        for (const std::string& each : good) all += each;
        wire.send(all);
        EXPECT_EQ(wire.read_error(), "");
        EXPECT_GE(nodes.arrived.size(), 1U);
    }
    std::mt19937 random(20261124);
    for (int i = 0; i < 4000; ++i) {
        AmqpWire wire(port());
        wire.send(login + mutated(good, random));
        wire.half_close();
        wire.read_all();  // all of it was read by the other side, then
        if (i % 100 == 0) expect_works(*bystander, works++);
    }
    expect_works(*bystander, works);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (listener->connections() != 1 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_EQ(listener->connections(), 1U);
}

TEST_F(Fuzz, MutatedSasl) {
    start();
    const auto bystander = sender();
    const std::vector<std::string> good = {
        kWireSasl, frame(1, 0, ListWriter().symbol("SCRAM-SHA-256").binary("n,,n=ada,r=fyko").string("host").described(0x41)),
        frame(1, 0, ListWriter().binary("c=biws,r=fyko,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").described(0x43)),
        kWireAmqp};
    std::mt19937 random(7677);
    for (int i = 0; i < 2000; ++i) {
        AmqpWire wire(port());
        wire.send(mutated(good, random));
        wire.half_close();
        wire.read_all();
    }
    expect_works(*bystander, 0);
}

}  // namespace
}  // namespace clrbus::amqp
