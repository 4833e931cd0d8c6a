// The connection that we open, against a broker that answers nonsense. Each case must end with a reason in the health, and the
// client must go on: the next connection is a good one, and the message arrives on it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "amqp/client.hpp"
#include "amqp/sasl_client.hpp"
#include "amqp/testing/fake_broker.hpp"
#include "crypto/base64.hpp"

namespace clrbus::amqp::testing {
namespace {

using namespace std::chrono_literals;
using Peer = FakeBroker::Peer;

struct Case {
    const char* name;
    void (*script)(Peer&);
    const char* reason;  // a part of the health's text; "" = any
};

std::string transfer(const ListWriter& fields, std::string_view payload = "") {
    return frame(0, 0, fields.described(0x14).append(payload));
}
void attached_receiver(Peer& peer) {
    peer.open();
    peer.begin();
    peer.attach(true);
    // The sender's session is channel 0 of the client's; the receiver's is the next one.
}

// What a good broker does for one sender: takes one message.
void good(Peer& peer) {
    peer.open();
    peer.begin();
    peer.attach(true);
    peer.credit(10);
    peer.until(0x14);
    peer.performative(0x15, ListWriter().boolean(true).uint(0).uint(0).boolean(true).raw(std::string("\x00\x53\x24\x45", 4)));
    peer.wait_for_end();
}

const Case kCases[] = {
    {"Http",
     [](Peer& p) {
         p.send("HTTP/1.1 400 Bad Request\r\n\r\n");
         p.wait_for_end();
     },
     "does not speak AMQP 1.0"},
    {"Garbage",
     [](Peer& p) {
         p.send(std::string(5000, '\xff'));
         p.wait_for_end();
     },
     "does not speak AMQP 1.0"},
    {"HangsUp", [](Peer&) {}, "closed the connection"},
    {"Silent", [](Peer& p) { p.wait_for_end(); }, "no login within"},
    {"OnlyTheHeader",
     [](Peer& p) {
         p.send(kSaslHeader);
         p.wait_for_end();
     },
     "no login within"},
    {"NoOpen",
     [](Peer& p) {
         p.sasl();
         p.send(kAmqpHeader);
         p.wait_for_end();
     },
     "no open within"},
    {"SaslFrameOfAGigabyte",
     [](Peer& p) {
         p.send(std::string(kSaslHeader) + std::string("\x40\x00\x00\x00\x02\x01\x00\x00", 8));
         p.wait_for_end();
     },
     "larger than"},
    {"MechanismsThatAreNone",
     [](Peer& p) {
         p.send(std::string(kSaslHeader) + frame(1, 0, ListWriter().uint(7).described(0x40)));
         p.wait_for_end();
     },
     "no symbols"},
    {"MechanismsNobodyKnows",
     [](Peer& p) {
         p.send(std::string(kSaslHeader) + frame(1, 0, ListWriter().symbols({"X"}).described(0x40)));
         p.wait_for_end();
     },
     "no mechanism that fits"},
    {"OutcomeBeforeInit",
     [](Peer& p) {
         p.send(std::string(kSaslHeader) + frame(1, 0, ListWriter().ubyte(0).described(0x44)));
         p.wait_for_end();
     },
     "out of turn"},
    {"ScramWithoutEnd",
     [](Peer& p) {
         p.send(std::string(kSaslHeader) + frame(1, 0, ListWriter().symbols({"SCRAM-SHA-256"}).described(0x40)));
         const std::string init = p.until(0x41);
         const auto at = init.find(",r=");
         const std::string nonce = init.substr(at + 3);
         p.send(frame(
             1, 0, ListWriter().binary("r=" + nonce + "x,s=" + crypto::base64("saltsalt") + ",i=4000000000").described(0x42)));
         p.wait_for_end();
     },
     "iterations"},
    {"ScramOfAnotherNonce",
     [](Peer& p) {
         p.send(std::string(kSaslHeader) + frame(1, 0, ListWriter().symbols({"SCRAM-SHA-256"}).described(0x40)));
         p.until(0x41);
         p.send(frame(1, 0, ListWriter().binary("r=other,s=" + crypto::base64("saltsalt") + ",i=4096").described(0x42)));
         p.wait_for_end();
     },
     "nonce"},
    {"ScramWithoutProofOfTheServer",
     [](Peer& p) {
         p.send(std::string(kSaslHeader) + frame(1, 0, ListWriter().symbols({"SCRAM-SHA-256"}).described(0x40)));
         const std::string init = p.until(0x41);
         const std::string nonce = init.substr(init.find(",r=") + 3);
         p.send(
             frame(1, 0, ListWriter().binary("r=" + nonce + "x,s=" + crypto::base64("saltsalt") + ",i=4096").described(0x42)));
         p.until(0x43);
         p.send(frame(1, 0, ListWriter().ubyte(0).binary("v=" + crypto::base64(std::string(32, 'x'))).described(0x44)));
         p.wait_for_end();
     },
     "does not know the password"},
    {"BeginOfItsOwn",
     [](Peer& p) {
         p.open();
         p.performative(0x11, ListWriter().null().uint(0).uint(1).uint(1));
         p.wait_for_end();
     },
     "remote-channel"},
    {"BeginForAnotherChannel",
     [](Peer& p) {
         p.open();
         p.until(0x11);
         p.performative(0x11, ListWriter().ushort(77).uint(0).uint(1).uint(1));
         p.wait_for_end();
     },
     "remote-channel"},
    {"BeginTwice",
     [](Peer& p) {
         p.open();
         p.begin();
         p.performative(0x11, ListWriter().ushort(0).uint(0).uint(1).uint(1), 5);
         p.wait_for_end();
     },
     "remote-channel"},
    {"AttachOfItsOwn",
     [](Peer& p) {
         p.open();
         p.begin();
         p.attach_as("mine", true);
         p.wait_for_end();
     },
     "did not attach"},
    {"AttachInTheWrongDirection",
     [](Peer& p) {
         p.open();
         p.begin();
         p.attach(false);
         p.wait_for_end();
     },
     "did not attach"},
    {"TransferOnASendersLink",
     [](Peer& p) {
         attached_receiver(p);
         p.send(transfer(ListWriter().uint(0).uint(0).binary("t").uint(0)));
         p.wait_for_end();
     },
     "peer receives"},
    {"TransferThatAbortsProton",
     [](Peer& p) {
         attached_receiver(p);
         p.send(transfer(ListWriter().uint(0).null().binary("t").uint(0).boolean(false).boolean(true)));
         p.wait_for_end();
     },
     ""},
    {"TransferOnNoLink",
     [](Peer& p) {
         attached_receiver(p);
         p.send(transfer(ListWriter().uint(9).uint(0).binary("t").uint(0)));
         p.wait_for_end();
     },
     "without a link"},
    {"SettlesFourThousandMillion",
     [](Peer& p) {
         attached_receiver(p);
         p.performative(0x15, ListWriter().boolean(true).uint(0).uint(0x7ffffffe).boolean(true));
         p.wait_for_end();
     },
     "more deliveries than"},
    {"SettlesWhatWasNeverSent",
     [](Peer& p) {
         attached_receiver(p);
         p.performative(0x15, ListWriter().boolean(true).uint(5).uint(900).boolean(true));
         p.performative(0x18, ListWriter());
         p.wait_for_end();
     },
     "closed by the peer"},
    {"EndsWithAnError",
     [](Peer& p) {
         p.open();
         p.performative(0x18,
                        ListWriter().raw(ListWriter().symbol("amqp:connection:forced").string("go\naway").described(0x1d)));
         p.wait_for_end();
     },
     "amqp:connection:forced: go?away"},
    {"AFrameOfAGigabyte",
     [](Peer& p) {
         p.open();
         p.send(std::string("\x40\x00\x00\x00\x02\x00\x00\x00", 8));
         p.wait_for_end();
     },
     "larger than max-frame-size"},
    {"AFrameThatLies",
     [](Peer& p) {
         p.open();
         p.send(std::string("\x00\x00\x00\x04\x02\x00\x00\x00", 8));
         p.wait_for_end();
     },
     "contradicts itself"},
    {"ShortestIdle",
     [](Peer& p) {
         p.open(1);
         p.wait_for_end();
     },
     "idle-time-out"},
};

class ClientHostile : public ::testing::TestWithParam<Case> {};

ClientOptions hostile_options(std::uint16_t port) {
    ClientOptions out;
    out.host = "127.0.0.1";
    out.port = port;
    out.user = "ada";
    out.password = "pencil";
    out.connect = 300ms;
    out.first_retry = 5ms;
    out.most_retry = 20ms;
    return out;
}

TEST_P(ClientHostile, SaysWhyAndGoesOn) {
    std::atomic<bool> behave{false};
    FakeBroker broker([&](Peer& peer, int) { behave ? good(peer) : GetParam().script(peer); });
    Client client(hostile_options(broker.port()));
    auto out = client.sender({"q", false});
    std::atomic<bool> accepted{false};
    out->send(MessageBuilder().build("x"),
              [&](const Settlement& answer) { accepted = answer.state == DeliveryState::kAccepted; });
    client.start();
    const auto until = std::chrono::steady_clock::now() + 10s;
    std::string error;
    while (std::chrono::steady_clock::now() < until) {
        error = client.health().error;
        if (!error.empty() && error.find(GetParam().reason) != std::string::npos) break;
        std::this_thread::sleep_for(2ms);
    }
    EXPECT_THAT(error, ::testing::HasSubstr(GetParam().reason));
    EXPECT_FALSE(accepted);
    behave = true;
    while (!accepted && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(2ms);
    EXPECT_TRUE(accepted);
    client.stop(0ms);
}

INSTANTIATE_TEST_SUITE_P(Broker, ClientHostile, ::testing::ValuesIn(kCases),
                         [](const auto& given) { return std::string(given.param.name); });

// A session that ends with an error takes its link alone; the link is asked for again.
TEST(ClientHostileLinks, AskForALinkAgainWhoseSessionEnded) {
    std::atomic<int> begun{0};
    FakeBroker broker([&](Peer& peer, int) {
        peer.open();
        peer.begin();
        ++begun;
        peer.until(0x12);
        peer.performative(0x17, ListWriter().raw(ListWriter().symbol("amqp:not-found").string("no queue 'q'").described(0x1d)));
        peer.until(0x17);
        peer.begin();
        ++begun;
        peer.attach(true);
        peer.credit(1);
        peer.until(0x14);
        peer.performative(0x15,
                          ListWriter().boolean(true).uint(0).null().boolean(true).raw(std::string("\x00\x53\x24\x45", 4)));
        peer.wait_for_end();
    });
    Client client(hostile_options(broker.port()));
    auto out = client.sender({"q", false});
    std::atomic<bool> accepted{false};
    out->send(MessageBuilder().build("x"), [&](const Settlement&) { accepted = true; });
    client.start();
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (!accepted && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(2ms);
    EXPECT_TRUE(accepted);
    EXPECT_EQ(begun, 2);
    EXPECT_EQ(broker.connections(), 1) << "the connection stayed";
    client.stop(0ms);
}

// As a quorum queue that has no leader: RabbitMQ answers the attach when it has one.
TEST(ClientHostileLinks, GoOnWhileOneOfThemIsNotAnswered) {
    std::atomic<bool> answer{false};
    FakeBroker broker([&](Peer& peer, int) {
        peer.open();
        peer.begin();
        peer.begin(1, 1);
        peer.attach(true);
        peer.credit(2);
        const std::string name = Peer::name_of(peer.until(0x12));
        for (std::uint32_t id = 0; id < 2; ++id) {
            peer.until(0x14);
            peer.performative(0x15,
                              ListWriter().boolean(true).uint(id).null().boolean(true).raw(std::string("\x00\x53\x24\x45", 4)));
        }
        while (!answer) std::this_thread::sleep_for(1ms);
        peer.attach_as(name, true, 1);
        peer.wait_for_end();
    });
    Client client(hostile_options(broker.port()));
    auto out = client.sender({"q", false});
    auto late = client.sender({"late", false});
    std::atomic<int> accepted{0};
    out->send(MessageBuilder().build("x"), [&](const Settlement&) { ++accepted; });
    client.start();
    const auto of_the_late_one = [&] {
        for (const LinkHealth& link : client.health().links) {
            if (link.address == "late") return link;
        }
        return LinkHealth{};
    };
    const auto until = std::chrono::steady_clock::now() + 10s;
    const auto eventually = [&](const auto& condition) {
        while (!condition() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(2ms);
        return condition();
    };
    EXPECT_TRUE(eventually([&] { return of_the_late_one().error == "the peer does not answer an attach"; }))
        << of_the_late_one().error;
    out->send(MessageBuilder().build("x"), [&](const Settlement&) { ++accepted; });
    EXPECT_TRUE(eventually([&] { return accepted == 2; }));
    answer = true;
    EXPECT_TRUE(eventually([&] { return of_the_late_one().attached; }));
    EXPECT_EQ(of_the_late_one().error, "");
    EXPECT_EQ(broker.connections(), 1) << "the connection stayed";
    client.stop(0ms);
}

TEST(ClientHostileLinks, RefuseADeliveryWithoutCredit) {
    std::atomic<int> got{0};
    FakeBroker broker([&](Peer& peer, int) {
        peer.open();
        peer.begin();
        peer.attach(false);
        for (std::uint32_t i = 0; i < 5; ++i)
            peer.send(transfer(ListWriter().uint(0).uint(i).binary("t").uint(0), std::string("\x00\x53\x75\xa0\x01x", 6)));
        peer.wait_for_end();
    });
    Client client(hostile_options(broker.port()));
    auto in = client.receiver({"q", false}, {.on_message = [&](std::uint64_t, const std::string&) { ++got; }, .on_lost = {}});
    in->grant(2);
    client.start();
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (client.health().error.find("without credit") == std::string::npos && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(2ms);
    EXPECT_THAT(client.health().error, ::testing::HasSubstr("without credit"));
    client.stop(0ms);
}

TEST(ClientHostileLinks, NoticeAPeerThatFallsSilent) {
    FakeBroker broker([&](Peer& peer, int) {
        peer.open();
        peer.wait_for_end();
    });
    auto options = hostile_options(broker.port());
    options.limits.idle = 400ms;
    Client client(options);
    client.start();
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (client.health().error.find("idle") == std::string::npos && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(2ms);
    EXPECT_THAT(client.health().error, ::testing::HasSubstr("idle"));
    client.stop(0ms);
}

TEST(ClientHostileLinks, SendHeartbeatsToAPeerThatAsksForThem) {
    std::atomic<int> beats{0};
    FakeBroker broker([&](Peer& peer, int) {
        peer.open(400);
        while (peer.read(8) == std::string("\x00\x00\x00\x08\x02\x00\x00\x00", 8)) ++beats;
    });
    Client client(hostile_options(broker.port()));
    client.start();
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (beats < 3 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(2ms);
    EXPECT_GE(beats, 3);
    client.stop(0ms);
}

TEST(SaslClientTest, GivesNoPasswordInTheClear) {
    SaslClient sasl({.user = "ada", .password = "pencil", .confidential = false});
    EXPECT_EQ(sasl.on_frame(frame(1, 0, ListWriter().symbols({"PLAIN", "ANONYMOUS"}).described(0x40))),
              SaslClient::State::kRefused);
    EXPECT_EQ(sasl.take_output(), "");
    EXPECT_THAT(sasl.failure(), ::testing::HasSubstr("not encrypted"));
}

TEST(SaslClientTest, PrefersWhatDoesNotShowThePassword) {
    SaslClient sasl({.user = "ada", .password = "pencil", .confidential = true});
    sasl.on_frame(frame(1, 0, ListWriter().symbols({"PLAIN", "SCRAM-SHA-256"}).described(0x40)));
    EXPECT_EQ(sasl.mechanism(), "SCRAM-SHA-256");
    EXPECT_EQ(sasl.take_output().find("pencil"), std::string::npos);
}

TEST(SaslClientTest, IsAnonymousOnlyWhenAllowed) {
    SaslClient may({.anonymous = true});
    may.on_frame(frame(1, 0, ListWriter().symbol("ANONYMOUS").described(0x40)));
    EXPECT_EQ(may.mechanism(), "ANONYMOUS");
    SaslClient may_not({});
    EXPECT_EQ(may_not.on_frame(frame(1, 0, ListWriter().symbol("ANONYMOUS").described(0x40))), SaslClient::State::kRefused);
}

}  // namespace
}  // namespace clrbus::amqp::testing
