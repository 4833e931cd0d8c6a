// Standard clients, unchanged: Proton's C++ API and its Python binding.
#include <stdio.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/error_condition.hpp>
#include <proton/message.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver.hpp>
#include <proton/receiver_options.hpp>
#include <proton/sender.hpp>
#include <proton/ssl.hpp>
#include <proton/tracker.hpp>
#include <proton/transport.hpp>
#include <proton/types.hpp>

#include "amqp/testing/fixture.hpp"
#include "crypto/certificates.hpp"

namespace clrbus::amqp {
namespace {

// What was published to in/… is offered at out/… as it came.
class Clients : public testing::ListenerTest {
protected:
    std::string url() const { return "amqp://ada:pencil@127.0.0.1:" + std::to_string(port()); }
};

class ProtonClient : public proton::messaging_handler {
public:
    ProtonClient(std::string url, std::string address, std::vector<proton::message> messages, std::size_t expected = 0)
        : url_(std::move(url)), address_(std::move(address)), messages_(std::move(messages)), expected_(expected) {
        with.sasl_allow_insecure_mechs(true).user("ada").password("pencil");
    }

    proton::connection_options with;

    void on_container_start(proton::container& container) override {
        proton::connection connection = container.connect(url_, with);
        if (expected_ == 0) {
            connection.open_sender(address_);
        } else {
            connection.open_receiver(address_, proton::receiver_options().credit_window(20));
        }
    }
    void on_sendable(proton::sender& sender) override {
        while (sender.credit() > 0 && sent_ < messages_.size()) sender.send(messages_[sent_++]);
    }
    void on_tracker_accept(proton::tracker& tracker) override {
        if (++accepted == messages_.size()) tracker.connection().close();
    }
    void on_message(proton::delivery& delivery, proton::message& message) override {
        received.push_back(message);
        if (received.size() == expected_) delivery.connection().close();
    }
    void on_sender_error(proton::sender& sender) override {
        errors += sender.error().what();
        sender.connection().close();
    }
    void on_error(const proton::error_condition& error) override { errors += error.what(); }

    std::size_t accepted = 0;
    std::vector<proton::message> received;
    std::string errors;

private:
    std::string url_, address_;
    std::vector<proton::message> messages_;
    std::size_t expected_, sent_ = 0;
};

TEST_F(Clients, ProtonCppSendsAndReceives) {
    start();
    nodes.echo = true;
    std::vector<proton::message> messages;
    messages.reserve(1202);
    for (int i = 0; i < 1200; ++i) messages.emplace_back("message " + std::to_string(i));
    proton::message large(proton::binary(std::string(3'000'000, 'x')));
    large.id("large");
    messages.push_back(large);
    proton::message rich;
    std::map<std::string, proton::value> inner;
    inner["n"] = 1;
    inner["text"] = "ä";
    std::map<std::string, proton::value> body;
    body["inner"] = inner;
    body["flag"] = true;
    rich.body(body);
    rich.id(proton::uuid::random());
    rich.subject("subject");
    rich.to("somewhere");
    rich.correlation_id(17UL);
    rich.content_type("application/json");
    rich.properties().put("number", 5);
    rich.properties().put("text", "value");
    rich.priority(7);
    messages.push_back(rich);
    ProtonClient sending(url(), "in/a", messages);
    proton::container(sending).run();
    EXPECT_EQ(sending.errors, "");
    EXPECT_EQ(sending.accepted, messages.size());
    ProtonClient receiving(url(), "out/a", {}, messages.size());
    proton::container(receiving).run();
    EXPECT_EQ(receiving.errors, "");
    ASSERT_EQ(receiving.received.size(), messages.size());
    EXPECT_EQ(proton::get<std::string>(receiving.received[1199].body()), "message 1199");
    EXPECT_EQ(proton::get<proton::binary>(receiving.received[1200].body()).size(), 3'000'000U);
    const proton::message& got = receiving.received.back();
    EXPECT_EQ(got.body(), rich.body());
    EXPECT_EQ(got.id(), rich.id());
    EXPECT_EQ(got.subject(), "subject");
    EXPECT_EQ(got.correlation_id(), rich.correlation_id());
    EXPECT_EQ(got.content_type(), "application/json");
    EXPECT_EQ(proton::get<int>(got.properties().get("number")), 5);
    EXPECT_TRUE(got.durable());
    EXPECT_TRUE(got.first_acquirer());
    EXPECT_EQ(nodes.outcomes.size(), messages.size());
}

TEST_F(Clients, ProtonCppOverTlsWithAPasswordAndWithACertificate) {
    const auto folder = std::filesystem::temp_directory_path() / ("clrbus-amqp-clients-" + std::to_string(getpid()));
    const auto server = crypto::make_dev_certificates(folder / "server", {"localhost", "127.0.0.1"});
    const auto client = crypto::make_client_certificate(folder / "client", "reader");
    auto options_with_tls = options();
    options_with_tls.plain_on_loopback = false;
    options_with_tls.tls =
        std::make_shared<crypto::TlsContext>(crypto::TlsContext::server({.certificate_file = server.certificate,
                                                                         .key_file = server.key,
                                                                         .client_ca_file = client.ca,
                                                                         .require_client_certificate = false}));
    UserStore::Users known;
    known.secrets.emplace("ada", *users.secret("ada"));
    known.certificates["CN=reader,O=clrbus development"] = "library";
    users.replace(known);
    start(options_with_tls);
    const std::string address = "amqps://127.0.0.1:" + std::to_string(port());
    std::vector<proton::message> messages(50, proton::message(proton::binary(std::string(200'000, 't'))));
    ProtonClient password(address, "in/a", messages);
    password.with.sasl_allowed_mechs("PLAIN").sasl_allow_insecure_mechs(false);
    password.with.ssl_client_options(proton::ssl_client_options(server.ca.string(), proton::ssl::VERIFY_PEER));
    proton::container(password).run();
    EXPECT_EQ(password.errors, "");
    EXPECT_EQ(password.accepted, 50U);
    ProtonClient certificate(address, "in/a", messages);
    certificate.with = proton::connection_options();
    certificate.with.sasl_allowed_mechs("EXTERNAL")
        .ssl_client_options(
            proton::ssl_client_options(proton::ssl_certificate(client.certificate.string(), client.key.string()),
                                       server.ca.string(), proton::ssl::VERIFY_PEER));
    proton::container(certificate).run();
    EXPECT_EQ(certificate.errors, "");
    EXPECT_EQ(certificate.accepted, 50U);
    EXPECT_EQ(nodes.users, (std::vector<std::string>{"ada", "library"}));
    std::filesystem::remove_all(folder);
}

TEST_F(Clients, ProtonCppIsToldWhy) {
    start();
    ProtonClient nowhere(url(), "nowhere", {proton::message("x")});
    proton::container(nowhere).run();
    EXPECT_NE(nowhere.errors.find("amqp:not-found"), std::string::npos) << nowhere.errors;
}

std::string run(const std::string& command, int& status) {
    std::string out;
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return out;
    char buffer[512];
    while (const std::size_t size = fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, size);
    status = pclose(pipe);
    return out;
}

TEST_F(Clients, PythonProton) {
    int status = 0;
    run("/usr/bin/python3 -c 'import proton' 2>/dev/null", status);
    if (status != 0) GTEST_SKIP() << "python3-qpid-proton is not installed";
    start();
    const std::string script = R"py(
import sys
from proton import Message, ConnectionException, symbol
from proton.utils import BlockingConnection, LinkDetached
url = sys.argv[1]
c = BlockingConnection(url, user="ada", password="pencil", allow_insecure_mechs=True, allowed_mechs="PLAIN", timeout=20)
s = c.create_sender("in/a")
body = {"inner": {"list": [1, 2, 3], "text": "ä"}, "n": 5}
s.send(Message(body=body, id="one", subject="map", properties={"k": "v"}))
s.send(Message(body=b"y" * 3000000, id="two"))
try:
    c.create_sender("nowhere")
    print("no refusal")
except LinkDetached as e:
    print("refused", e.condition)
print("sent")
r = c.create_receiver("out/a", credit=10)
m = r.receive(timeout=20); r.accept()
print("map", m.body == body, m.subject, m.properties["k"], m.durable)
m = r.receive(timeout=20); r.accept()
print("large", len(m.body))
c.close()
try:
    BlockingConnection(url, user="ada", password="wrong", allow_insecure_mechs=True, allowed_mechs="PLAIN", timeout=20)
    print("let in")
except ConnectionException as e:
    print("wrong password refused")
)py";
    const auto file = std::string(::testing::TempDir()) + "clrbus_python_client_" + std::to_string(getpid()) + ".py";
    std::ofstream(file) << script;
    nodes.echo = true;
    const std::string out =
        run("timeout 60 /usr/bin/python3 " + file + " 127.0.0.1:" + std::to_string(port()) + " 2>&1", status);
    std::remove(file.c_str());
    EXPECT_EQ(out, "refused amqp:not-found\nsent\nmap True map v True\nlarge 3000000\nwrong password refused\n");
}

}  // namespace
}  // namespace clrbus::amqp
