// The socket's side: strangers, the slow, the many, TLS, stopping.
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "amqp/testing/fixture.hpp"
#include "core/error.hpp"
#include "crypto/certificates.hpp"

namespace clrbus::amqp {
namespace {

using namespace std::chrono_literals;
using testing::AmqpWire;
using ::testing::HasSubstr;
using testing::kWireAmqp;
using testing::kWireSasl;
using ::testing::StartsWith;

class Listener : public testing::ListenerTest {};

std::size_t resident_kb() {
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line)) {
        if (line.rfind("VmRSS:", 0) == 0) return std::stoul(line.substr(6));
    }
    return 0;
}

TEST_F(Listener, AddressesThatCannotBe) {
    auto with = options();
    with.address = "192.0.2.1";
    with.plain_off_loopback = true;
    EXPECT_THROW(AmqpListener(with, users, nodes), Error);
    with.address = "no such host";
    EXPECT_THROW(AmqpListener(with, users, nodes), Error);
    start();
    with = options();
    with.port = port();
    try {
        const AmqpListener refused_one(with, users, nodes);
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), "AMQP-001");
        EXPECT_EQ(e.fault(), Fault::kConfig);
    }
}

TEST_F(Listener, PlainOffLoopbackNeedsToBeAskedFor) {
    auto with = options();
    with.address = "0.0.0.0";
    try {
        const AmqpListener refused_one(with, users, nodes);
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), "AMQP-002");
    }
    with.plain_off_loopback = true;
    start(with);
    expect_works(*sender(), 0);
}

TEST_F(Listener, StrangersAreToldWhereTheyAre) {
    start();
    AmqpWire http(port());
    http.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = http.read_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(answer, HasSubstr("AMQP 1.0"));
    EXPECT_THAT(answer, HasSubstr("\r\n\r\nThis"));
    EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, 47U);
    AmqpWire tls(port());
    tls.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
    EXPECT_EQ(tls.read_all(), std::string("\x15\x03\x01\x00\x02\x02\x46", 7));
    for (const std::string& hello : {std::string("AMQP\x00\x00\x09\x01", 8), std::string("AMQP\x02\x01\x00\x00", 8),
                                     std::string("AMQP\x01\x01\x00\x0a", 8), std::string("SSH-2.0-x"), std::string(8, '\0')}) {
        AmqpWire wire(port());
        wire.send(hello);
        EXPECT_EQ(wire.read_all(), kWireSasl);  // what is spoken here
    }
    AmqpWire after_sasl(port());
    ASSERT_EQ(after_sasl.sasl_plain("ada", "pencil"), 0);
    after_sasl.send(kWireSasl);  // SASL again
    EXPECT_EQ(after_sasl.read_error(), "amqp:connection:framing-error");
}

TEST_F(Listener, ConnectionsThatEndEarlyLeaveNothing) {
    start();
    for (int i = 0; i < 50; ++i) {
        AmqpWire wire(port());
        wire.send(kWireSasl.substr(0, static_cast<std::size_t>(i % 8)));
    }
    expect_works(*sender(), 0);
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (listener->connections() != 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_EQ(listener->connections(), 0U);
}

TEST_F(Listener, TheSilentAndTheSlowAreClosed) {
    auto with = options();
    with.limits.handshake = 100ms;
    with.limits.frame = 50ms;
    start(with);
    AmqpWire silent(port());
    EXPECT_EQ(silent.read_all(), "");
    EXPECT_FALSE(silent.timed_out());
    AmqpWire in_sasl(port());
    in_sasl.send(kWireSasl);
    while (in_sasl.read_frame()) {
    }
    EXPECT_FALSE(in_sasl.timed_out());
    with.limits.handshake = 1500ms;  // enough to log in on a busy machine
    start(with);
    AmqpWire no_open(port());
    no_open.login();
    EXPECT_EQ(no_open.read_error(), "amqp:connection:forced");
    const auto half = sender();
    half->send(std::string("\x00\x00\x00\x40\x02\x00\x00\x00\x00", 9));
    EXPECT_EQ(half->read_error(), "amqp:connection:forced");
    EXPECT_TRUE(half->ended());
}

TEST_F(Listener, IdlePeersAreClosedAndHeartbeatsKeepThem) {
    auto with = options();
    with.limits.idle = 300ms;
    start(with);
    const auto silent = sender();
    const auto beating = std::make_unique<AmqpWire>(port());
    beating->login();
    beating->open(65536, 200);  // so the other side beats in time, and each beat is answered
    beating->begin();
    beating->attach_sender("in/a");
    std::thread beat([&] {
        for (int i = 0; i < 6; ++i) {
            EXPECT_TRUE(beating->read_until(0).has_value());
            beating->send(std::string("\x00\x00\x00\x08\x02\x00\x00\x00", 8));
        }
    });
    EXPECT_NE(silent->read_error(), "");
    EXPECT_TRUE(silent->ended());
    beat.join();
    expect_works(*beating, 0);
}

TEST_F(Listener, OurHeartbeatsComeInTheTimeThatThePeerWants) {
    start();
    AmqpWire wire(port());
    wire.login();
    wire.open(65536, 200);
    const auto beat = wire.read_frame();
    ASSERT_TRUE(beat.has_value());
    EXPECT_EQ(beat->code, 0U);
    EXPECT_TRUE(beat->body.empty());
}

TEST_F(Listener, ThreeHundredPeersOfOneByteEach) {
    auto with = options();
    with.limits.handshake = 400ms;
    start(with);
    const auto bystander = sender();
    std::vector<std::unique_ptr<AmqpWire>> slow;
    slow.reserve(300);
    for (int i = 0; i < 300; ++i) slow.push_back(std::make_unique<AmqpWire>(port()));
    const std::string bytes = kWireSasl + std::string(100, '\0');
    std::uint32_t id = 0;
    for (std::size_t at = 0; at < 5; ++at) {
        for (auto& each : slow) each->send(bytes.substr(at, 1));
        expect_works(*bystander, id++);
    }
    for (auto& each : slow) {
        EXPECT_EQ(each->read_all(), "");
        EXPECT_FALSE(each->timed_out());
    }
    expect_works(*bystander, id);
}

TEST_F(Listener, MoreConnectionsThanAllowed) {
    auto with = options();
    with.limits.max_connections = 3;
    start(with);
    const auto one = sender(), two = sender(), three = sender();
    AmqpWire four(port());
    EXPECT_EQ(four.read_all(), "");
    EXPECT_FALSE(four.timed_out());
    expect_works(*one, 0);
}

TEST_F(Listener, NoDescriptorsLeftIsNotTheEnd) {
    start();
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const int spare = ::dup(0);
    rlimit low = before;
    low.rlim_cur = static_cast<rlim_t>(spare) + 1;  // the client's socket is the last one
    setrlimit(RLIMIT_NOFILE, &low);
    ::close(spare);
    const auto refused_before = refused("descriptors");
    AmqpWire waiting(port());
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (refused("descriptors") == refused_before && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_GT(refused("descriptors"), refused_before);
    EXPECT_EQ(waiting.sasl_plain("ada", "pencil"), 0);  // it waited in the backlog
}

TEST_F(Listener, ANodeThatThrowsEndsItsConnectionAlone) {
    class Throwing : public testing::FakeNodes {
    public:
        std::unique_ptr<OutNode> attach_out(const AttachInfo&, std::shared_ptr<OutLink>, Condition&) override {
            throw std::runtime_error("out of memory, say");
        }
    } throwing;
    AmqpListener other(options(), users, throwing);
    other.start();
    AmqpWire bystander(other.port());
    bystander.login();
    bystander.open();
    bystander.begin();
    bystander.attach_sender("in/a");
    AmqpWire wire(other.port());
    wire.login();
    wire.open();
    wire.begin();
    wire.performative(0x12, ListWriter().string("r").uint(0).boolean(true).null().null().raw(AmqpWire::source("out/a")));
    EXPECT_FALSE(wire.read_frame().has_value());
    EXPECT_FALSE(wire.timed_out());
    expect_works(bystander, 0);
}

TEST_F(Listener, AReceiverThatDoesNotReadCostsLittleAndIsDropped) {
    auto with = options();
    with.limits.write_stall = 200ms;
    start(with);
    const Message large = MessageBuilder().build(std::string(1'000'000, 'x'));
    for (int i = 0; i < 200; ++i) nodes.out.push_back(large);
    const auto wire = opened();
    wire->attach_receiver("out/a");
    const std::size_t before = resident_kb();
    wire->performative(0x13, ListWriter().uint(0).uint(0x7fffffff).uint(0).uint(100).uint(0).uint(0).uint(1000));
    ASSERT_TRUE(nodes.wait([&] { return nodes.detached == 1; }));
    EXPECT_LT(resident_kb(), before + 64UL * 1024);
    expect_works(*sender(), 0);
}

TEST_F(Listener, EndlessFlowsWithEchoCostLittle) {
    // Each asks for an answer, and nobody reads the answers.
    auto with = options();
    with.limits.write_stall = 200ms;
    start(with);
    const auto wire = sender();
    std::string many;
    for (int i = 0; i < 1000; ++i)
        many += frame(
            0, 0,
            ListWriter().uint(0).uint(9).uint(0).uint(9).null().null().null().null().null().boolean(true).described(0x13));
    const std::size_t before = resident_kb();
    for (int i = 0; i < 300; ++i) {
        if (!wire->send(many)) break;
    }
    EXPECT_LT(resident_kb(), before + 64UL * 1024);
    expect_works(*sender(), 0);
}

TEST_F(Listener, UnfinishedDeliveriesGiveTheirMemoryBack) {
    start();
    const std::size_t before = resident_kb();
    for (int round = 0; round < 20; ++round) {
        const auto wire = sender();
        wire->transfer({.id = 0, .tag = "t", .more = true}, "x");
        const std::string chunk(60'000, 'x');
        for (int i = 0; i < 200; ++i) wire->transfer({.more = true}, chunk);  // 12 MB each
    }
    expect_works(*sender(), 0);
    EXPECT_LT(resident_kb(), before + 80UL * 1024);
}

TEST_F(Listener, StopLetsDeliveriesSettleAndClosesByForce) {
    start();
    const auto wire = sender();
    const auto idle = opened();
    {
        const std::lock_guard lock(nodes.mutex);
        nodes.hold = true;
    }
    wire->message(0);
    ASSERT_TRUE(nodes.wait([&] { return nodes.held.size() == 1; }));
    std::thread stopping([&] { EXPECT_EQ(listener->stop(10s), 0U); });
    EXPECT_EQ(idle->read_error(), "amqp:connection:forced");
    nodes.settle_held();
    EXPECT_TRUE(wire->read_until(0x15).has_value());
    EXPECT_EQ(wire->read_error(), "amqp:connection:forced");
    stopping.join();
    EXPECT_EQ(nodes.detached, 1);
}

TEST_F(Listener, StopDoesNotWaitForEver) {
    start();
    const auto wire = sender();
    {
        const std::lock_guard lock(nodes.mutex);
        nodes.hold = true;
    }
    wire->message(0);
    ASSERT_TRUE(nodes.wait([&] { return nodes.held.size() == 1; }));
    EXPECT_EQ(listener->stop(20ms), 1U);
    nodes.settle_held();  // to a connection that is gone: nothing happens
    EXPECT_EQ(wire->read_error(), "");
}

class Tls : public Listener {
protected:
    Tls() {
        folder_ = std::filesystem::temp_directory_path() / ("clrbus-amqp-tls-" + std::to_string(getpid()));
        std::filesystem::create_directories(folder_);
        server_ = crypto::make_dev_certificates(folder_ / "server", {"localhost", "127.0.0.1"});
        client_ = crypto::make_client_certificate(folder_ / "client", "reader");
    }
    ~Tls() override { std::filesystem::remove_all(folder_); }

    AmqpListener::Options with_tls(bool client_certificates) const {
        auto with = options();
        with.plain_on_loopback = false;
        crypto::TlsContext::Server server{.certificate_file = server_.certificate,
                                          .key_file = server_.key,
                                          .client_ca_file = {},
                                          .require_client_certificate = false};
        if (client_certificates) server.client_ca_file = client_.ca;
        with.tls = std::make_shared<crypto::TlsContext>(crypto::TlsContext::server(server));
        return with;
    }
    // Sends plain bytes over TLS, reads until the other side is silent for good or has sent `until`.
    std::string talk(const crypto::TlsContext& context, const std::string& plain, std::string_view until) const {
        AmqpWire wire(port());
        crypto::TlsSession session(context, "localhost");
        std::string all;
        std::string left = plain;
        while (all.find(until) == std::string::npos) {
            char buffer[4096];
            while (const auto size = session.read(buffer, sizeof buffer)) all.append(buffer, size);
            if (all.find(until) != std::string::npos || session.state() == crypto::TlsSession::State::kFailed) break;
            if (session.state() == crypto::TlsSession::State::kOpen && !left.empty()) left.erase(0, session.write(left));
            const std::string out(session.encrypted());
            session.consume(out.size());
            if (!out.empty()) {
                wire.send(out);
                continue;
            }
            const auto got = ::recv(wire.socket(), buffer, sizeof buffer, 0);
            if (got <= 0) break;
            session.feed({buffer, static_cast<std::size_t>(got)});
        }
        return all;
    }

    std::filesystem::path folder_;
    crypto::DevCertificates server_, client_;
};

const std::string kOutcomeOk("\x00\x53\x44\xd0\x00\x00\x00\x06\x00\x00\x00\x01\x50\x00", 14);
const std::string kOutcomeAuth("\x00\x53\x44\xd0\x00\x00\x00\x06\x00\x00\x00\x01\x50\x01", 14);

TEST_F(Tls, PlainOverTls) {
    start(with_tls(false));
    const auto context = crypto::TlsContext::client({.ca_file = server_.ca, .certificate_file = {}, .key_file = {}});
    const std::string init = frame(1, 0, ListWriter().symbol("PLAIN").binary(std::string("\0ada\0pencil", 11)).described(0x41));
    EXPECT_THAT(talk(context, kWireSasl + init, kOutcomeOk), HasSubstr(kOutcomeOk));
    const std::string large = frame(0, 0, ListWriter().string(std::string(900, 'c')).described(0x10));
    EXPECT_THAT(talk(context, kWireSasl + init + kWireAmqp + large, "clrbus"), HasSubstr(kWireAmqp));
}

TEST_F(Tls, CertificatesStandForUsers) {
    UserStore::Users with;
    with.certificates["CN=reader,O=clrbus development"] = "library";
    users.replace(with);
    start(with_tls(true));
    const auto known =
        crypto::TlsContext::client({.ca_file = server_.ca, .certificate_file = client_.certificate, .key_file = client_.key});
    const auto unknown = crypto::TlsContext::client({.ca_file = server_.ca, .certificate_file = {}, .key_file = {}});
    const std::string init = frame(1, 0, ListWriter().symbol("EXTERNAL").binary("").described(0x41));
    const std::string answer = talk(known, kWireSasl + init, kOutcomeOk);
    EXPECT_THAT(answer, HasSubstr("EXTERNAL"));
    EXPECT_THAT(answer, HasSubstr(kOutcomeOk));
    EXPECT_THAT(talk(unknown, kWireSasl + init, kOutcomeAuth), HasSubstr(kOutcomeAuth));
    users.replace({});
    EXPECT_THAT(talk(known, kWireSasl + init, kOutcomeAuth), HasSubstr(kOutcomeAuth));
}

TEST_F(Tls, PlainBytesOnTheTlsPort) {
    start(with_tls(false));
    for (const std::string& hello : {kWireSasl, kWireAmqp, std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1000, '\x16')}) {
        AmqpWire wire(port());
        wire.send(hello);
        EXPECT_EQ(wire.read_all().find("AMQP"), std::string::npos);
        EXPECT_FALSE(wire.timed_out());
    }
}

TEST_F(Tls, SilentInTheHandshake) {
    auto with = with_tls(false);
    with.limits.handshake = 50ms;
    start(with);
    AmqpWire wire(port());
    wire.send(std::string("\x16\x03\x01", 3));
    EXPECT_EQ(wire.read_all(), "");
    EXPECT_FALSE(wire.timed_out());
}

}  // namespace
}  // namespace clrbus::amqp
