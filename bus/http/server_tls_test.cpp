#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <future>

#include "core/counters.hpp"
#include "crypto/certificates.hpp"
#include "crypto/tls.hpp"
#include "http/server.hpp"
#include "support/raw_client.hpp"

namespace clrbus {
namespace {

using support::body_of;
using support::RawClient;
using support::status_of;
using testing::HasSubstr;

class HttpServerTls : public testing::Test {
protected:
    HttpServerTls() {
        folder = std::filesystem::path(testing::TempDir()) / "http-tls";
        std::filesystem::create_directories(folder);
        files = crypto::make_dev_certificates(folder, {"localhost", "127.0.0.1"});
        client_files = crypto::make_client_certificate(folder, "reader");
        options.certificate = files.certificate;
        options.key = files.key;
        options.client_ca = client_files.ca;
        options.threads = 1;
    }

    std::filesystem::path folder;
    crypto::DevCertificates files, client_files;
    HttpServerOptions options;
};

// One request over TLS; the connection ends when this goes.
class TlsClient {
public:
    TlsClient(std::uint16_t port, const crypto::TlsContext& context) : raw_(port), session_(context, "localhost") {}

    std::string ask(std::string_view request) {
        std::string answer;
        while (session_.state() == crypto::TlsSession::State::kHandshaking ||
               session_.state() == crypto::TlsSession::State::kOpen) {
            if (!request.empty()) request.remove_prefix(session_.write(request));
            drain(answer);
            if (!raw_.send(session_.encrypted())) break;
            session_.consume(session_.encrypted().size());
            if (session_.state() == crypto::TlsSession::State::kOpen && request.empty() && complete(answer)) break;
            if (!request.empty() && session_.state() == crypto::TlsSession::State::kOpen) continue;
            std::string bytes(16384, '\0');
            const ssize_t n = ::recv(raw_.fd(), bytes.data(), bytes.size(), 0);
            if (n <= 0) break;
            session_.feed(std::string_view(bytes).substr(0, static_cast<std::size_t>(n)));
            drain(answer);
        }
        return answer;
    }
    RawClient& raw() { return raw_; }

private:
    void drain(std::string& answer) {
        std::string plain(16384, '\0');
        for (std::size_t n = 0; (n = session_.read(plain.data(), plain.size())) != 0;) answer.append(plain, 0, n);
    }
    static bool complete(const std::string& answer) {
        const std::size_t length = answer.find("Content-Length: ");
        return length != std::string::npos && answer.find("\r\n\r\n") != std::string::npos &&
               body_of(answer).size() >= std::strtoull(answer.c_str() + length + 16, nullptr, 10);
    }
    RawClient raw_;
    crypto::TlsSession session_;
};

TEST_F(HttpServerTls, RefusesAKeyWithoutACertificateAndFilesThatAreNotThere) {
    options.certificate.clear();
    EXPECT_THROW(HttpServer{options}, Error);
    options.certificate = folder / "nothing.pem";
    EXPECT_THROW(HttpServer{options}, Error);
}

TEST_F(HttpServerTls, AnswersLargeAndSmallAndKnowsTheClient) {
    HttpServer server(options);
    server.mount("/", [](const auto& exchange) {
        const HttpRequest& request = exchange->request();
        exchange->respond(http_text(200, "text/plain",
                                    request.path == "/large"
                                        ? std::string(3 << 20, 'x')
                                        : request.tls_subject + "|" + std::to_string(request.body.size())));
    });
    server.start();
    const auto known = crypto::TlsContext::client(
        {.ca_file = files.ca, .certificate_file = client_files.certificate, .key_file = client_files.key});
    TlsClient client(server.port(), known);
    EXPECT_THAT(body_of(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")), HasSubstr("CN=reader"));
    EXPECT_EQ(body_of(client.ask("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")).size(), 3U << 20);
    const std::string body(700'000, 'y');
    const auto unknown = crypto::TlsContext::client({.ca_file = files.ca, .certificate_file = {}, .key_file = {}});
    TlsClient other(server.port(), unknown);
    EXPECT_EQ(body_of(other.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 700000\r\n\r\n" + body)), "|700000");
    server.reload_certificate();
    TlsClient after(server.port(), unknown);
    EXPECT_EQ(body_of(after.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")), "|0");
}

TEST_F(HttpServerTls, IsNotHeldUpBySilentOrPlainClients) {
    options.head_deadline = std::chrono::milliseconds(300);
    HttpServer server(options);
    server.mount("/", [](const auto& exchange) { exchange->respond(http_text(200, "text/plain", "here")); });
    server.start();
    std::vector<RawClient> silent;
    for (int i = 0; i < 60; ++i) silent.emplace_back(server.port());
    RawClient plain(server.port());
    plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    TlsClient good(server.port(), crypto::TlsContext::client({.ca_file = files.ca, .certificate_file = {}, .key_file = {}}));
    EXPECT_EQ(body_of(good.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")), "here");
    EXPECT_EQ(plain.rest().find("here"), std::string::npos);
    for (RawClient& client : silent) EXPECT_TRUE(client.closed());
}

}  // namespace
}  // namespace clrbus
