// The connection that we open, against a RabbitMQ that refuses, blocks, is silent or is another one: each is named, and it
// comes back by itself. Skipped where RabbitMQ is not installed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "amqp/client.hpp"
#include "amqp/testing/rabbitmq_guest.hpp"
#include "core/counters.hpp"
#include "crypto/certificates.hpp"
#include "support/rabbitmq_process.hpp"

namespace clrbus::amqp {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::guest_of;

constexpr int kHeartbeat = 2;  // seconds after which RabbitMQ gives up a connection that says nothing

class RabbitMqFaults : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        folder_ = new TestDirectory;
        own_ = new crypto::DevCertificates(crypto::make_dev_certificates(folder_->path(), {"localhost"}));
        person_ = new crypto::DevCertificates(crypto::make_client_certificate(folder_->path(), "carol"));
        broker_ = new RabbitMqProcess(
            {"classic=classic", "quorum=quorum", "stalled=quorum", "heartbeat=" + std::to_string(kHeartbeat),
             "tls=" + own_->certificate.string() + "," + own_->key.string() + "," + person_->ca.string()});
    }
    static void TearDownTestSuite() {
        delete broker_;
        delete person_;
        delete own_;
        delete folder_;
    }
    void SetUp() override {
        if (!broker_->installed()) GTEST_SKIP() << "RabbitMQ is not installed (apt-get install rabbitmq-server)";
    }
    static ClientOptions plain() { return guest_of(broker_->port()); }
    static ClientOptions secure(const std::filesystem::path& ca, bool certificate = false) {
        auto out = plain();
        out.host = "localhost";
        out.port = broker_->tls_port();
        crypto::TlsContext::Client with;
        with.ca_file = ca.string();
        if (certificate) {
            with.certificate_file = person_->certificate.string();
            with.key_file = person_->key.string();
            out.certificate = true;
            out.user.clear();
            out.password.clear();
        }
        out.tls = std::make_shared<const crypto::TlsContext>(crypto::TlsContext::client(with));
        return out;
    }
    // A message is sent and accepted, once whatever stood in the way is mended.
    static bool works(Client& client, const std::shared_ptr<Sender>& out) {
        auto accepted = std::make_shared<std::atomic<bool>>(false);
        out->send(MessageBuilder().build("x"),
                  [accepted](const Settlement& answer) { *accepted = answer.state == DeliveryState::kAccepted; });
        client.start();
        return eventually([&] { return accepted->load(); });
    }
    static std::string error_of(const Client& client) {
        const ClientHealth health = client.health();
        if (!health.open) return health.error;
        for (const LinkHealth& link : health.links) {
            if (!link.error.empty()) return link.error;
        }
        return {};
    }
    static bool says(const Client& client, std::string_view what) {
        return eventually([&] { return error_of(client).find(what) != std::string::npos; });
    }

    static TestDirectory* folder_;
    static crypto::DevCertificates *own_, *person_;
    static RabbitMqProcess* broker_;
};
TestDirectory* RabbitMqFaults::folder_ = nullptr;
crypto::DevCertificates* RabbitMqFaults::own_ = nullptr;
crypto::DevCertificates* RabbitMqFaults::person_ = nullptr;
RabbitMqProcess* RabbitMqFaults::broker_ = nullptr;

TEST_F(RabbitMqFaults, OverTlsTheNameAndTheAuthorityMustBeRight) {
    Client good(secure(own_->ca));
    EXPECT_TRUE(works(good, good.sender({"/amq/queue/classic", false}))) << error_of(good);
    auto other_name = secure(own_->ca);
    other_name.host = "127.0.0.1";  // the certificate carries localhost
    Client named_otherwise(other_name), signed_otherwise(secure(person_->ca));
    named_otherwise.start();
    signed_otherwise.start();
    EXPECT_TRUE(says(named_otherwise, "TLS: ")) << error_of(named_otherwise);
    EXPECT_TRUE(says(signed_otherwise, "TLS: ")) << error_of(signed_otherwise);
    EXPECT_NE(error_of(named_otherwise), error_of(signed_otherwise));
    EXPECT_THAT(error_of(named_otherwise), ::testing::ContainsRegex("name|IP|host"));
    // Not encrypted where it must be, and the reverse.
    auto to_plain = secure(own_->ca);
    to_plain.port = broker_->port();
    Client no_tls_there(to_plain);
    no_tls_there.start();
    EXPECT_TRUE(eventually([&] { return !error_of(no_tls_there).empty(); }));
    EXPECT_FALSE(no_tls_there.health().open);
}

TEST_F(RabbitMqFaults, ACertificateLogsInAsTheUserOfItsName) {
    broker_->tell("ctl add_user carol unused-password");
    Client client(secure(own_->ca, true));
    const auto out = client.sender({"/amq/queue/classic", false});
    client.start();
    EXPECT_TRUE(eventually([&] { return !client.health().error.empty(); }));  // known, and may nothing yet
    EXPECT_FALSE(client.health().open);
    broker_->tell("ctl set_permissions carol .* .* .*");
    EXPECT_TRUE(works(client, out)) << error_of(client);
}

TEST_F(RabbitMqFaults, AnIdleConnectionStaysUp) {
    Client client(plain());
    const auto out = client.sender({"/amq/queue/classic", false});
    std::atomic<int> lost{0};
    auto in = client.receiver({"/amq/queue/quorum", false}, {.on_message = [](auto, auto) {}, .on_lost = [&] { ++lost; }});
    ASSERT_TRUE(works(client, out));
    // Four times as long as RabbitMQ waits for a sign of life, unless the link is lost before.
    const auto quiet = std::chrono::steady_clock::now() + 4s * kHeartbeat;
    EXPECT_FALSE(eventually([&] { return lost != 0 || !client.health().open; },
                            std::chrono::ceil<std::chrono::seconds>(quiet - std::chrono::steady_clock::now())));
    EXPECT_EQ(lost, 0) << error_of(client);
    EXPECT_TRUE(works(client, out));
    EXPECT_EQ(lost, 0);
    client.stop(10s);
}

TEST_F(RabbitMqFaults, AWrongPasswordIsNamedUntilItIsRight) {
    broker_->tell("ctl add_user dora first");
    broker_->tell("ctl set_permissions dora .* .* .*");
    auto options = plain();
    options.user = "dora";
    options.password = "second";
    Client client(options);
    const auto out = client.sender({"/amq/queue/classic", false});
    client.start();
    EXPECT_TRUE(says(client, "refused our credentials")) << error_of(client);
    EXPECT_EQ(error_of(client).find("second"), std::string::npos);
    broker_->tell("ctl change_password dora second");
    EXPECT_TRUE(works(client, out)) << error_of(client);
}

TEST_F(RabbitMqFaults, AMissingVirtualHostIsNamedUntilItIsThere) {
    auto options = plain();
    options.hostname = "vhost:campus";
    Client client(options);
    const auto out = client.sender({"/queue/of-campus", true});
    client.start();
    EXPECT_TRUE(eventually([&] { return !client.health().error.empty(); }));
    EXPECT_TRUE(says(client, "campus")) << error_of(client);
    broker_->tell("ctl add_vhost campus");
    broker_->tell("ctl set_permissions -p campus guest .* .* .*");
    EXPECT_TRUE(works(client, out)) << error_of(client);
}

TEST_F(RabbitMqFaults, AQueueThatIsDeclaredOtherwiseIsNamedAndTheOthersWork) {
    Client client(plain());
    const auto fine = client.sender({"/amq/queue/classic", false});
    auto other = client.sender({"/queue/quorum", true});  // it is there as a quorum queue, and this asks for a classic one
    EXPECT_TRUE(works(client, fine));
    EXPECT_TRUE(says(client, "precondition-failed")) << error_of(client);
    EXPECT_TRUE(works(client, fine));
    broker_->tell("ctl delete_queue quorum");
    EXPECT_TRUE(works(client, other)) << error_of(client);
}

TEST_F(RabbitMqFaults, NamesAQueueThatTakesNothingMore) {
    const auto blocked_before = counter("clrbus_amqp_out_blocked_total").value();
    auto options = plain();
    options.connect = 2s;  // as long as an answer may take
    Client client(options);
    const auto out = client.sender({"/amq/queue/stalled", false});
    const auto fine = client.sender({"/amq/queue/classic", false});
    ASSERT_TRUE(works(client, out));
    broker_->tell("ctl eval sys:suspend('%2F_stalled').");
    std::atomic<int> accepted{0};
    for (int i = 0; i < 50; ++i) out->send(MessageBuilder().build("x"), [&](const Settlement&) { ++accepted; });
    EXPECT_TRUE(says(client, "nothing that is sent is answered")) << error_of(client);
    EXPECT_TRUE(client.health().open);
    EXPECT_GT(counter("clrbus_amqp_out_blocked_total").value(), blocked_before);
    EXPECT_TRUE(works(client, fine)) << "other queues go on";
    EXPECT_EQ(accepted, 0);
    broker_->tell("ctl eval sys:resume('%2F_stalled').");
    EXPECT_TRUE(eventually([&] { return accepted == 50; }));
    EXPECT_TRUE(eventually([&] { return error_of(client).empty(); })) << error_of(client);
}

TEST_F(RabbitMqFaults, ComesBackWhenTheBrokerDoes) {
    Client client(plain());
    const auto out = client.sender({"/amq/queue/classic", false});
    ASSERT_TRUE(works(client, out));
    broker_->tell("kill");
    EXPECT_TRUE(eventually([&] { return !client.health().open; }));
    EXPECT_THAT(error_of(client), ::testing::Not(::testing::IsEmpty()));
    broker_->tell("start");
    EXPECT_TRUE(works(client, out)) << error_of(client);
}

}  // namespace
}  // namespace clrbus::amqp
