// A connection without its socket: the same bytes in pieces of every size.
#include "amqp/connection.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "amqp/encoding.hpp"
#include "amqp/testing/amqp_wire.hpp"
#include "amqp/testing/fake_nodes.hpp"

namespace clrbus::amqp {
namespace {

using testing::AmqpWire;

struct Sent {
    bool first = true, more = false, aborted = false;
};
std::string transfer_frame(std::uint32_t handle, std::uint32_t id, const std::string& tag, const Sent& with,
                           std::string_view payload) {
    ListWriter fields;
    fields.uint(handle);
    with.first ? fields.uint(id).binary(tag).uint(0) : fields.null().null().null();
    fields.boolean(false).boolean(with.more).null().null().null().boolean(with.aborted);
    return frame(0, 0, fields.described(0x14).append(payload));
}

std::string attach_frame(std::uint32_t handle, const std::string& address) {
    return frame(0, 0,
                 ListWriter()
                     .string(address)
                     .uint(handle)
                     .boolean(false)
                     .null()
                     .null()
                     .raw(AmqpWire::source("me"))
                     .raw(AmqpWire::target(address))
                     .null()
                     .null()
                     .uint(0)
                     .described(0x12));
}

// From the first byte on, all of it before an answer is read.
std::string hello() {
    return testing::kWireSasl + frame(1, 0, ListWriter().symbol("ANONYMOUS").described(0x41)) + testing::kWireAmqp +
           frame(0, 0, ListWriter().string("c").described(0x10)) +
           frame(0, 0, ListWriter().null().uint(0).uint(2048).uint(2048).described(0x11));
}

class ConnectionTest : public ::testing::Test {
protected:
    ConnectionTest() : users(anonymous()), passwords(users), shared{{}, users, nodes, passwords, "bus", nullptr, true, 0, 0} {}

    static UserStore::Users anonymous() {
        UserStore::Users out;
        out.anonymous = "anybody";
        return out;
    }
    // What arrives of these bytes when they come in pieces of that size.
    std::vector<std::string> in_pieces(const std::string& bytes, std::size_t size) {
        nodes.arrived.clear();
        const auto mailbox = std::make_shared<Mailbox>([] {});
        Connection connection(shared, mailbox, "test", true, now);
        for (std::size_t at = 0; at < bytes.size(); at += size) {
            connection.received(std::string_view(bytes).substr(at, size), now);
            connection.read_mail(now);
            while (!connection.pending().empty()) connection.sent(connection.pending().size(), now);
        }
        EXPECT_FALSE(connection.broken());
        EXPECT_FALSE(connection.done());
        return nodes.arrived;
    }

    const Connection::Instant now{};
    testing::FakeNodes nodes;
    UserStore users;
    PasswordChecker passwords;
    ConnectionShared shared;
};

TEST_F(ConnectionTest, MessagesAreTheSameInPiecesOfEverySize) {
    const std::string small = AmqpWire::data("one frame"), large = AmqpWire::data(std::string(150'000, 'l')),
                      other = AmqpWire::data(std::string(700, 'o')), empty = AmqpWire::data("");
    std::string bytes = hello() + attach_frame(0, "in/a") + attach_frame(1, "in/b");
    std::uint32_t id = 0;
    bytes += transfer_frame(0, id++, "same tag", {}, small);
    bytes += transfer_frame(0, id++, "same tag", {}, other);
    // Two links in turn; between them one that is given up, one that is given up at once, and a part without a byte.
    bytes += transfer_frame(0, id++, "large", {.more = true}, large.substr(0, 60'000));
    bytes += transfer_frame(1, id++, "b", {.more = true}, "given up");
    bytes += transfer_frame(0, 0, "", {.first = false, .more = true}, "");
    bytes += transfer_frame(1, 0, "", {.first = false, .aborted = true}, "with bytes");
    bytes += transfer_frame(1, id++, "c", {.aborted = true}, "");
    bytes += transfer_frame(0, 0, "", {.first = false, .more = true}, large.substr(60'000, 60'000));
    bytes += frame(0, 0, "");  // a heartbeat
    bytes += transfer_frame(1, id++, "d", {.more = true}, "");
    bytes += transfer_frame(1, 0, "", {.first = false}, empty);
    bytes += transfer_frame(0, 0, "", {.first = false}, large.substr(120'000));
    bytes += transfer_frame(0, id++, "last", {}, small);
    std::vector<std::string> expected = {small, other, empty, large, small};
    std::sort(expected.begin(), expected.end());  // two links have no order between them
    for (const std::size_t size : {1UL, 2UL, 7UL, 8UL, 9UL, 100UL, 4093UL, 60'000UL, 65'536UL, 131'072UL, bytes.size()}) {
        auto arrived = in_pieces(bytes, size);
        std::sort(arrived.begin(), arrived.end());
        EXPECT_TRUE(arrived == expected) << "pieces of " << size;
    }
}

TEST_F(ConnectionTest, BytesForALinkThatEndsAreForNobody) {
    const std::string detach = frame(0, 0, ListWriter().uint(0).boolean(true).described(0x16)), small = AmqpWire::data("x");
    std::string bytes = hello() + attach_frame(0, "in/a");
    bytes += transfer_frame(0, 0, "a", {}, small);
    bytes += transfer_frame(0, 1, "b", {.more = true}, "the half of a message");
    bytes += detach + attach_frame(0, "in/a");  // the same handle and name, anew
    bytes += transfer_frame(0, 2, "c", {}, small);
    for (const std::size_t size : {1UL, 50UL, bytes.size()})
        EXPECT_TRUE(in_pieces(bytes, size) == std::vector<std::string>(2, small)) << "pieces of " << size;
    EXPECT_EQ(shared.unfinished, 0U);
    EXPECT_EQ(shared.in_flight, 0U);
}

TEST_F(ConnectionTest, AMessageInManyFramesKeepsNothingOfAnEarlierOne) {
    std::string bytes = hello() + attach_frame(0, "in/a");
    std::vector<std::string> expected;
    for (std::uint32_t id = 0; id < 50; ++id) {
        const std::string whole = AmqpWire::data(std::string(1 + id * 997, static_cast<char>('a' + id % 26)));
        const std::size_t part = whole.size() / (1 + id % 4) + 1;
        for (std::size_t at = 0; at < whole.size(); at += part)
            bytes += transfer_frame(0, id, std::to_string(id), {.first = at == 0, .more = at + part < whole.size()},
                                    whole.substr(at, part));
        expected.push_back(whole);
    }
    for (const std::size_t size : {33UL, 1000UL, 30'000UL, bytes.size()})
        EXPECT_TRUE(in_pieces(bytes, size) == expected) << "pieces of " << size;
}

}  // namespace
}  // namespace clrbus::amqp
