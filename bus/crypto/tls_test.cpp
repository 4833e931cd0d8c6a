#include "crypto/tls.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "crypto/certificates.hpp"

namespace clrbus::crypto {
namespace {

class Tls : public testing::Test {
protected:
    static void SetUpTestSuite() {
        test_folder = new std::filesystem::path(std::filesystem::temp_directory_path() / ("clrbus-tls-" + new_uuid()));
        server_files = new DevCertificates(make_dev_certificates(*test_folder, {"localhost", "127.0.0.1", "::1"}));
        reader_files = new DevCertificates(make_client_certificate(*test_folder, "reader"));
        stranger_files = new DevCertificates(make_client_certificate(*test_folder / "other", "stranger"));
    }
    static void TearDownTestSuite() {
        std::filesystem::remove_all(*test_folder);
        delete test_folder;
        delete server_files;
        delete reader_files;
        delete stranger_files;
    }

    static TlsContext server(bool require = false, bool ask = false) {
        return TlsContext::server(
            {server_files->certificate, server_files->key, ask || require ? reader_files->ca.string() : "", require});
    }
    static TlsContext client(const DevCertificates* own = nullptr) {
        return TlsContext::client(
            {server_files->ca, own != nullptr ? own->certificate.string() : "", own != nullptr ? own->key.string() : ""});
    }

    // Carries bytes both ways, in pieces, until nothing moves. Returns what each side could read.
    static std::pair<std::string, std::string> pump(TlsSession& a, TlsSession& b, std::size_t piece = 16384) {
        std::string at_a, at_b;
        for (bool moved = true; moved;) {
            moved = carry(a, b, at_b, piece);
            moved = carry(b, a, at_a, piece) || moved;
        }
        return {at_a, at_b};
    }
    static bool carry(TlsSession& from, TlsSession& to, std::string& out, std::size_t piece) {
        const std::string part(from.encrypted().substr(0, piece));
        from.consume(part.size());
        to.feed(part);
        char block[4096];
        while (const std::size_t got = to.read(block, sizeof block)) out.append(block, got);
        return !part.empty();
    }

    static inline std::filesystem::path* test_folder = nullptr;
    static inline DevCertificates* server_files = nullptr;
    static inline DevCertificates* reader_files = nullptr;
    static inline DevCertificates* stranger_files = nullptr;
};

TEST_F(Tls, RefusesBytesThatAreNoTls) {
    const TlsContext context = server();
    for (const std::string& text :
         {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("AMQP\0\1\0\0", 8), std::string(5000, '\0'),
          std::string(5000, '\xff'), std::string("\x16\x03\x01\xff\xff") + std::string(70'000, 'x')}) {
        TlsSession session(context);
        session.feed(text);
        char block[64];
        EXPECT_EQ(session.read(block, sizeof block), 0u);
        EXPECT_EQ(session.state(), TlsSession::State::kFailed);
        EXPECT_FALSE(session.failure().empty());
        EXPECT_EQ(session.write("x"), 0u);
    }
}

TEST_F(Tls, RefusesOldProtocols) {
    // A ClientHello that offers TLS 1.0 and nothing newer.
    std::string hello("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x01", 11);
    hello += std::string(32, 'r') + std::string("\x00\x00\x04\x00\x2f\x00\x35\x01\x00", 9);
    TlsSession session(server());
    session.feed(hello);
    EXPECT_EQ(session.state(), TlsSession::State::kFailed);
}

TEST_F(Tls, RefusesAnotherNameAndAnotherAuthority) {
    const TlsContext context = server();
    const TlsContext clients = client();
    TlsSession a(context), b(clients, "elsewhere.example");
    pump(a, b);
    EXPECT_EQ(b.state(), TlsSession::State::kFailed);
    EXPECT_NE(a.state(), TlsSession::State::kOpen);

    const TlsContext other = TlsContext::client({stranger_files->ca, "", ""});
    TlsSession c(context), d(other, "localhost");
    pump(c, d);
    EXPECT_EQ(d.state(), TlsSession::State::kFailed);
}

TEST_F(Tls, RefusesAClientWithoutTheRightCertificate) {
    const TlsContext context = server(true);
    const DevCertificates* const none = nullptr;
    for (const DevCertificates* own : {none, static_cast<const DevCertificates*>(stranger_files)}) {
        const TlsContext clients = client(own);
        TlsSession a(context), b(clients, "localhost");
        pump(a, b);
        EXPECT_EQ(a.state(), TlsSession::State::kFailed);
        EXPECT_FALSE(a.peer_verified());
        EXPECT_EQ(a.peer_subject(), "");
    }
}

TEST_F(Tls, SeesACutStream) {
    const TlsContext context = server();
    const TlsContext clients = client();
    TlsSession a(context), b(clients, "localhost");
    pump(a, b);
    ASSERT_EQ(b.write("hello"), 5u);
    std::string bytes(b.encrypted());
    bytes[bytes.size() - 1] = static_cast<char>(bytes.back() ^ 1);
    a.feed(bytes);
    char block[64];
    EXPECT_EQ(a.read(block, sizeof block), 0u);
    EXPECT_EQ(a.state(), TlsSession::State::kFailed);
}

TEST_F(Tls, CarriesBytesBothWaysInAnyPieces) {
    const TlsContext context = server();
    const TlsContext clients = client();
    for (const std::size_t piece : {1u, 7u, 1000u, 16384u}) {
        TlsSession a(context), b(clients, "127.0.0.1");
        EXPECT_EQ(a.write("early"), 0u) << "nothing is taken before the handshake";
        pump(a, b, piece);
        ASSERT_EQ(a.state(), TlsSession::State::kOpen);
        ASSERT_EQ(b.state(), TlsSession::State::kOpen);
        EXPECT_EQ(a.protocol(), "TLSv1.3");
        EXPECT_TRUE(b.peer_verified());
        EXPECT_EQ(b.peer_common_name(), "localhost");
        const std::string text(50'000, 'q');
        ASSERT_EQ(b.write(text), text.size());
        ASSERT_EQ(a.write("answer"), 6u);
        const auto [at_a, at_b] = pump(a, b, piece);
        EXPECT_EQ(at_a, text);
        EXPECT_EQ(at_b, "answer");
        b.close();
        pump(a, b, piece);
        EXPECT_EQ(a.state(), TlsSession::State::kPeerClosed);
        a.close();
        pump(a, b, piece);
        EXPECT_EQ(b.state(), TlsSession::State::kPeerClosed);
    }
}

TEST_F(Tls, TakesNoMoreThanItCanSend) {
    const TlsContext context = server();
    const TlsContext clients = client();
    TlsSession a(context), b(clients, "localhost");
    pump(a, b);
    const std::string text(10u << 20, 'q');
    std::size_t taken = b.write(text);
    EXPECT_LT(taken, 512u * 1024) << "the buffer must stay bounded while the socket takes nothing";
    std::string all;
    while (taken < text.size()) {
        carry(b, a, all, 65536);
        taken += b.write(std::string_view(text).substr(taken));
    }
    all += pump(a, b).first;
    EXPECT_EQ(all, text);
}

TEST_F(Tls, NamesTheClientByItsCertificate) {
    const TlsContext context = server(false, true);
    const TlsContext clients = client(reader_files);
    TlsSession a(context), b(clients, "localhost");
    pump(a, b);
    ASSERT_EQ(a.state(), TlsSession::State::kOpen) << a.failure();
    EXPECT_TRUE(a.peer_verified());
    EXPECT_EQ(a.peer_common_name(), "reader");
    EXPECT_EQ(a.peer_subject(), "CN=reader,O=clrbus development");
    const TlsContext anonymous = client();
    TlsSession c(context), d(anonymous, "localhost");
    pump(c, d);
    EXPECT_EQ(c.state(), TlsSession::State::kOpen) << "asked for, not required";
    EXPECT_FALSE(c.peer_verified());
}

TEST_F(Tls, RefusesFilesThatAreNoCertificates) {
    EXPECT_THROW(TlsContext::server({"/nowhere.pem", server_files->key, "", false}), Error);
    EXPECT_THROW(TlsContext::server({server_files->certificate, reader_files->key, "", false}), Error);
    EXPECT_THROW(TlsContext::server({server_files->key, server_files->key, "", false}), Error);
    EXPECT_THROW(TlsContext::server({server_files->certificate, server_files->key, "/nowhere.pem", false}), Error);
    EXPECT_THROW(TlsContext::server({server_files->certificate, server_files->key, "", true}), Error);
    EXPECT_THROW(TlsContext::client({"/nowhere.pem", "", ""}), Error);
    EXPECT_THROW(days_left("/nowhere.pem"), Error);
    EXPECT_THROW(make_dev_certificates(*test_folder / "x", {"a,DNS:b"}), Error);
    EXPECT_THROW(make_dev_certificates(*test_folder / "x", {}), Error);
    EXPECT_THROW(make_client_certificate(*test_folder, "../x"), Error);
}

TEST_F(Tls, KeepsDevelopmentCertificatesThatServe) {
    const auto text = [](const std::filesystem::path& file) {
        std::ifstream in(file);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    const auto folder = *test_folder / "kept";
    const auto first = make_dev_certificates(folder, {"localhost", "127.0.0.1"});
    const std::string before = text(first.certificate);
    make_dev_certificates(folder, {"127.0.0.1"});
    EXPECT_EQ(text(first.certificate), before);
    make_dev_certificates(folder, {"localhost", "bus.example.edu"});
    EXPECT_NE(text(first.certificate), before) << "another name needs another certificate";
    EXPECT_GT(days_left(first.certificate), 390);
    EXPECT_EQ(std::filesystem::status(first.key).permissions(), std::filesystem::perms(0600));
}

}  // namespace
}  // namespace clrbus::crypto
