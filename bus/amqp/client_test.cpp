// The connection that we open, against our own listener.
#include "amqp/client.hpp"

#include <filesystem>

#include "amqp/testing/fixture.hpp"
#include "core/error.hpp"
#include "crypto/certificates.hpp"

namespace clrbus::amqp::testing {
namespace {

using namespace std::chrono_literals;

Message text(std::string_view body, std::string_view id = "") {
    return MessageBuilder().message_id(id).build(body);
}

template <class Condition>
bool eventually(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(2ms);
    }
    return true;
}

// What callbacks told, in order.
class Answers {
public:
    Sender::Answered take() {
        return [this](const Settlement& answer) {
            const std::lock_guard lock(mutex_);
            all_.push_back(answer);
        };
    }
    std::size_t size() {
        const std::lock_guard lock(mutex_);
        return all_.size();
    }
    Settlement at(std::size_t n) {
        const std::lock_guard lock(mutex_);
        return all_.at(n);
    }

private:
    std::mutex mutex_;
    std::vector<Settlement> all_;
};

class ClientTest : public ListenerTest {
protected:
    ClientOptions to(std::uint16_t at) const {
        ClientOptions out;
        out.host = "127.0.0.1";
        out.port = at;
        out.user = "ada";
        out.password = "pencil";
        out.connect = 3s;
        out.first_retry = 5ms;
        out.most_retry = 50ms;
        return out;
    }
    Answers answers;
};

TEST_F(ClientTest, RefusesAnOptionThatCannotWork) {
    EXPECT_THROW(Client(ClientOptions{}), Error);
}

TEST_F(ClientTest, SendsWithConfirmsAndClosesDrained) {
    start();
    Client client(to(port()));
    auto out = client.sender({"in/a", false});
    for (int i = 0; i < 2000; ++i) out->send(text("body " + std::to_string(i), std::to_string(i)), answers.take());
    client.start();
    EXPECT_TRUE(client.stop(10s));
    EXPECT_EQ(answers.size(), 2000U);
    ASSERT_EQ(nodes.arrived.size(), 2000U);
    EXPECT_EQ(Message::from_encoded(nodes.arrived[1999]).body(), "body 1999");
    EXPECT_EQ(nodes.users.at(0), "ada");
}

TEST_F(ClientTest, SendsALargeMessageByteForByte) {
    start();
    Client client(to(port()));
    auto out = client.sender({"in/a", false});
    client.start();
    const Message large = text(std::string(5U << 20, 'x'), "large");
    out->send(large, answers.take());
    ASSERT_TRUE(eventually([&] { return answers.size() == 1; }));
    EXPECT_EQ(answers.at(0).state, DeliveryState::kAccepted);
    EXPECT_EQ(Message::from_encoded(nodes.arrived.at(0)).bytes(), large.bytes());
    out->send(text(std::string(17U << 20, 'x')), answers.take());
    ASSERT_TRUE(eventually([&] { return answers.size() == 2; }));
    EXPECT_EQ(answers.at(1).state, DeliveryState::kRejected);
    EXPECT_EQ(answers.at(1).error.name, "amqp:link:message-size-exceeded");
    out->send(text("the next one"), answers.take());
    ASSERT_TRUE(eventually([&] { return answers.size() == 3; }));
    EXPECT_EQ(answers.at(2).state, DeliveryState::kAccepted);
}

TEST_F(ClientTest, TakesAsManyAsItGrantedAndSettlesEachAsTold) {
    start();
    for (int i = 0; i < 6; ++i) nodes.out.push_back(text(std::to_string(i)));
    std::mutex mutex;
    std::vector<std::pair<std::uint64_t, std::string>> got;
    Client client(to(port()));
    auto in = client.receiver({"out/a", false}, {.on_message =
                                                     [&](std::uint64_t token, std::string encoded) {
                                                         const std::lock_guard lock(mutex);
                                                         got.emplace_back(token, std::move(encoded));
                                                     },
                                                 .on_lost = {}});
    const auto count = [&] {
        const std::lock_guard lock(mutex);
        return got.size();
    };
    in->grant(2);
    client.start();
    ASSERT_TRUE(eventually([&] { return count() == 2; }));
    in->grant(2);
    ASSERT_TRUE(eventually([&] { return count() == 4; }));
    EXPECT_EQ(Message::from_encoded(got[3].second).body(), "3");
    in->settle({{.token = got[0].first},
                {.token = got[1].first, .state = DeliveryState::kReleased},
                {.token = got[2].first, .state = DeliveryState::kModified, .failed = true},
                {.token = got[3].first, .state = DeliveryState::kRejected, .error = {"clrbus:test", "no"}},
                {.token = 4711}});
    ASSERT_TRUE(nodes.wait([&] { return nodes.outcomes.size() == 4; }));
    std::map<std::uint64_t, Settlement> by_token;
    for (const Settlement& outcome : nodes.outcomes) by_token[outcome.token] = outcome;
    EXPECT_EQ(by_token.at(1).state, DeliveryState::kAccepted);
    EXPECT_EQ(by_token.at(2).state, DeliveryState::kReleased);
    EXPECT_EQ(by_token.at(3).state, DeliveryState::kModified);
    EXPECT_TRUE(by_token.at(3).failed);
    EXPECT_EQ(by_token.at(4).state, DeliveryState::kRejected);
    EXPECT_EQ(count(), 4U);
}

TEST_F(ClientTest, SettlementsBeforeTheCloseArrive) {
    start();
    for (int i = 0; i < 500; ++i) nodes.out.push_back(text(std::to_string(i)));
    std::atomic<int> got{0};
    std::shared_ptr<Receiver> in;
    Client client(to(port()));
    in = client.receiver({"out/a", false}, {.on_message =
                                                [&](std::uint64_t token, const std::string&) {
                                                    in->settle({{.token = token}});
                                                    ++got;
                                                },
                                            .on_lost = {}});
    in->grant(500);
    client.start();
    ASSERT_TRUE(eventually([&] { return got == 500; }));
    EXPECT_TRUE(client.stop(10s));
    EXPECT_TRUE(nodes.wait([&] { return nodes.outcomes.size() == 500; }));
    for (const auto& outcome : nodes.outcomes) EXPECT_EQ(outcome.state, DeliveryState::kAccepted);
}

TEST_F(ClientTest, SendsAgainWhatWasNotAnsweredWhenTheConnectionWasLost) {
    start();
    nodes.hold = true;
    Client client(to(port()));
    auto out = client.sender({"in/a", false});
    client.start();
    for (int i = 0; i < 10; ++i) out->send(text(std::to_string(i)), answers.take());
    ASSERT_TRUE(nodes.wait([&] { return nodes.arrived.size() == 10; }));
    const std::uint16_t same = port();
    listener.reset();
    EXPECT_EQ(answers.size(), 0U);
    {
        const std::lock_guard lock(nodes.mutex);
        nodes.arrived.clear();
        nodes.held.clear();
        nodes.hold = false;
    }
    auto again = options();
    again.port = same;
    start(again);
    ASSERT_TRUE(eventually([&] { return answers.size() == 10; }));
    ASSERT_EQ(nodes.arrived.size(), 10U);
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(Message::from_encoded(nodes.arrived[static_cast<std::size_t>(i)]).body(), std::to_string(i));
}

TEST_F(ClientTest, GrantsAgainAndTellsThatTokensAreVoid) {
    start();
    nodes.out.push_back(text("a"));
    std::atomic<int> got{0}, lost{0};
    Client client(to(port()));
    auto in = client.receiver({"out/a", false},
                              {.on_message = [&](std::uint64_t, const std::string&) { ++got; }, .on_lost = [&] { ++lost; }});
    in->grant(3);
    client.start();
    ASSERT_TRUE(eventually([&] { return got == 1; }));
    const std::uint16_t same = port();
    listener.reset();
    ASSERT_TRUE(eventually([&] { return lost == 1; }));
    EXPECT_FALSE(client.health().open);
    EXPECT_FALSE(client.health().links.at(0).attached);
    nodes.out.push_back(text("b"));
    nodes.out.push_back(text("c"));
    nodes.out.push_back(text("d"));
    auto again = options();
    again.port = same;
    start(again);
    ASSERT_TRUE(eventually([&] { return got == 3; })) << "one of three was used before";
    EXPECT_TRUE(client.health().open);
}

TEST_F(ClientTest, NamesALinkThatIsRefusedWhileOthersWork) {
    start();
    Client client(to(port()));
    auto missing = client.sender({"nowhere/x", false});
    auto out = client.sender({"in/a", false});
    client.start();
    out->send(text("a"), answers.take());
    ASSERT_TRUE(eventually([&] { return answers.size() == 1; }));
    ASSERT_TRUE(eventually([&] { return client.health().links.at(0).error.find("amqp:not-found") != std::string::npos; }));
    EXPECT_TRUE(client.health().links.at(1).attached);
    EXPECT_EQ(client.health().links.at(0).address, "nowhere/x");
}

TEST_F(ClientTest, SaysThatItsPasswordIsWrong) {
    start();
    auto wrong = to(port());
    wrong.password = "pen";
    Client client(wrong);
    client.start();
    EXPECT_TRUE(eventually([&] { return client.health().error.find("refused our credentials") != std::string::npos; }));
    EXPECT_EQ(client.health().error.find("pen"), std::string::npos);
}

TEST_F(ClientTest, TriesAgainUntilSomebodyListens) {
    std::uint16_t later = 0;
    {
        start();
        later = port();
        listener.reset();
    }
    Client client(to(later));
    auto out = client.sender({"in/a", false});
    client.start();
    out->send(text("a"), answers.take());
    ASSERT_TRUE(eventually([&] { return !client.health().error.empty(); }));
    auto again = options();
    again.port = later;
    start(again);
    EXPECT_TRUE(eventually([&] { return answers.size() == 1; }));
}

class ClientTlsTest : public ClientTest {
protected:
    ClientTlsTest() : folder_(std::filesystem::temp_directory_path() / ("clrbus-amqp-client-" + std::to_string(getpid()))) {
        std::filesystem::create_directories(folder_);
        own_ = crypto::make_dev_certificates(folder_, {"localhost"});
        person_ = crypto::make_client_certificate(folder_, "carol");
        crypto::TlsContext::Server server{own_.certificate.string(), own_.key.string(), person_.ca.string(), false};
        auto with = options();
        with.plain_on_loopback = false;
        with.tls = std::make_shared<crypto::TlsContext>(crypto::TlsContext::server(server));
        start(with);
    }
    ~ClientTlsTest() override {
        listener.reset();
        std::filesystem::remove_all(folder_);
    }
    ClientOptions secure(const std::filesystem::path& ca, bool certificate = false) const {
        auto out = to(port());
        out.host = "localhost";
        crypto::TlsContext::Client with;
        with.ca_file = ca.string();
        if (certificate) {
            with.certificate_file = person_.certificate.string();
            with.key_file = person_.key.string();
            out.certificate = true;
            out.user.clear();
            out.password.clear();
        }
        out.tls = std::make_shared<const crypto::TlsContext>(crypto::TlsContext::client(with));
        return out;
    }
    bool works(const ClientOptions& with) {
        Client client(with);
        auto out = client.sender({"in/a", false});
        client.start();
        out->send(text("a"), answers.take());
        return eventually([&] { return answers.size() == 1; });
    }
    std::string refusal(const ClientOptions& with) {
        Client client(with);
        client.start();
        EXPECT_TRUE(eventually([&] { return !client.health().error.empty(); }));
        EXPECT_FALSE(client.health().open);
        return client.health().error;
    }

    std::filesystem::path folder_;
    crypto::DevCertificates own_, person_;
};

TEST_F(ClientTlsTest, TalksToAServerWhoseNameAndAuthorityAreRight) {
    EXPECT_TRUE(works(secure(own_.ca)));
}

TEST_F(ClientTlsTest, RefusesAnotherNameAndAnotherAuthority) {
    auto other_name = secure(own_.ca);
    other_name.host = "127.0.0.1";  // the certificate carries localhost
    EXPECT_THAT(refusal(other_name), ::testing::HasSubstr("TLS"));
    EXPECT_THAT(refusal(secure(person_.ca)), ::testing::HasSubstr("TLS"));
}

TEST_F(ClientTlsTest, ShowsItsCertificateInsteadOfAPassword) {
    UserStore::Users known;
    known.certificates["CN=carol,O=clrbus development"] = "carol";
    users.replace(known);
    EXPECT_TRUE(works(secure(own_.ca, true)));
    EXPECT_EQ(nodes.users.at(0), "carol");
}

}  // namespace
}  // namespace clrbus::amqp::testing
