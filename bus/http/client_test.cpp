#include "http/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <set>

#include "core/executor.hpp"
#include "crypto/certificates.hpp"
#include "http/client_rule.hpp"
#include "http/client_url.hpp"
#include "http/server.hpp"
#include "support/fake_files.hpp"
#include "support/raw_server.hpp"

namespace clrbus {
namespace {

using support::raw_answer;
using support::RawPeer;
using support::RawServer;
using testing::HasSubstr;
using testing::Not;

// No text of an answer's error may show these.
constexpr const char* kPrivate = "private-7f3a";

HttpCall get_call(const std::string& url) {
    HttpCall call;
    call.url = url;
    return call;
}

std::string code_of(const HttpAnswer& answer) {
    if (!answer.error) return "answered " + std::to_string(answer.status);
    EXPECT_THAT(answer.error->what(), Not(HasSubstr(kPrivate)));
    return answer.error->code();
}

class HttpClientTest : public testing::Test {
protected:
    HttpAnswer ask(HttpCall call) { return client.ask(std::move(call)); }
    std::string secret_path() const { return std::string("/") + kPrivate + "?token=" + kPrivate; }
    HttpClient client;
};

// One answer of these bytes to each connection, then the end.
RawServer::Talk talk_of(std::string answer) {
    return [answer = std::move(answer)](RawPeer& peer) {
        peer.request();
        peer.send(answer);
    };
}

TEST_F(HttpClientTest, RefusesUrlsThatAreNone) {
    for (const char* url : {"", "people", "ftp://host/x", "file:///etc/passwd", "http://", "http://user:pw@host/",
                            "http://host/a b", "http://host/\r\nX: y", "gopher://host", "http://ho\xc3\xa9st/"}) {
        EXPECT_EQ(code_of(ask(get_call(url))), "HTTP-070") << url;
    }
    EXPECT_EQ(http_origin("HTTPS://Host.Example/x?y"), "https://host.example:443");
}

TEST_F(HttpClientTest, WritesNoFieldThatWouldBreakTheHead) {
    RawServer server(talk_of(raw_answer(200, "")));
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{{"X-A", "a\r\nX-B: b"},
                                                                                      {"X-A", "a\nb"},
                                                                                      {"X-A", std::string("a\0b", 3)},
                                                                                      {"X A", "a"},
                                                                                      {"", "a"},
                                                                                      {"X:A", "a"},
                                                                                      {"X\r\nA", "a"}}) {
        HttpCall call = get_call(server.url());
        call.fields.add(name, value);
        const HttpAnswer answer = ask(call);
        EXPECT_EQ(code_of(answer), "HTTP-071");
        EXPECT_EQ(answer.error->fault(), Fault::kPoison);
    }
    HttpCall call = get_call(server.url());
    call.method = "GET / HTTP/1.1\r\nX:";
    EXPECT_EQ(code_of(ask(call)), "HTTP-071");
    EXPECT_EQ(server.connections(), 0);
}

TEST_F(HttpClientTest, SaysWhyThereIsNoAnswer) {
    std::uint16_t port = 0;
    {
        RawServer gone(talk_of(""));
        port = gone.port();
    }
    EXPECT_EQ(code_of(ask(get_call("http://127.0.0.1:" + std::to_string(port) + secret_path()))), "HTTP-073");
    EXPECT_EQ(code_of(ask(get_call("http://no-such-host.invalid" + secret_path()))), "HTTP-073");
    struct Row {
        std::string name, answer, code;
    };
    for (const Row& row : std::vector<Row>{
             {"no answer", "", "HTTP-076"},
             {"half a head", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP-076"},
             {"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "HTTP-076"},
             {"half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nhalf", "HTTP-076"},
             {"a chunk that is none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n0\r\n\r\n",
              "HTTP-076"},
             {"not HTTP", "220 mail.example.edu ESMTP private-7f3a\r\n", "HTTP-077"},
             {"a gzip that is none", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnonsense!",
              "HTTP-077"},
             {"an endless head",
              "HTTP/1.1 200 OK\r\n" +
                  [] {
                      std::string fields;
                      for (int i = 0; i < 5000; ++i) fields += "X-" + std::to_string(i) + ": private-7f3a private-7f3a\r\n";
                      return fields;
                  }(),
              "HTTP-077"},
         }) {
        SCOPED_TRACE(row.name);
        RawServer server(talk_of(row.answer));
        const HttpAnswer answer = ask(get_call(server.url(secret_path())));
        EXPECT_EQ(code_of(answer), row.code);
        EXPECT_EQ(answer.error->fault(), Fault::kAway);
        EXPECT_TRUE(answer.body.empty());
        EXPECT_THAT(answer.error->what(), HasSubstr("127.0.0.1:" + std::to_string(server.port())));
    }
}

TEST_F(HttpClientTest, IsNotHeldUpByAFarSideThatIsSlow) {
    auto far = std::make_shared<HttpFarSide>();
    far->stall = std::chrono::seconds(1);
    for (const char* begun : {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"}) {
        RawServer server([begun](RawPeer& peer) {
            peer.request();
            peer.send(begun);
            peer.wait();
        });
        HttpCall call = get_call(server.url(secret_path()));
        call.timeout = std::chrono::milliseconds(100);
        EXPECT_EQ(code_of(ask(call)), "HTTP-074") << begun;
        call.timeout = std::chrono::minutes(5);
        call.far_side = far;
        EXPECT_EQ(code_of(ask(call)), "HTTP-074") << begun;
    }
}

TEST_F(HttpClientTest, TakesNoMoreThanWasAgreed) {
    RawServer server(talk_of(raw_answer(200, std::string(5000, 'x'))));
    HttpCall call = get_call(server.url(secret_path()));
    call.max_answer = 4999;
    HttpAnswer answer = ask(call);
    EXPECT_EQ(code_of(answer), "HTTP-075");
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.body.empty());
    EXPECT_EQ(judge_answer(answer, {}, false).kind, HttpVerdict::Kind::kDone);
    EXPECT_EQ(judge_answer(answer, {}, true).kind, HttpVerdict::Kind::kPoison);
    call.max_answer = 5000;
    answer = ask(call);
    EXPECT_EQ(code_of(answer), "answered 200");
    EXPECT_EQ(answer.body.size(), 5000U);
}

TEST_F(HttpClientTest, TakesNoMoreOfWhatIsPackedThanWasAgreed) {
    const std::string bomb = support::gzip_of_zeros(64U << 20);
    ASSERT_LT(bomb.size(), 100'000U);
    RawServer server(talk_of(raw_answer(200, bomb, "Content-Encoding: gzip\r\n")));
    HttpCall call = get_call(server.url());
    call.max_answer = 1 << 20;
    const HttpAnswer answer = ask(call);
    EXPECT_EQ(code_of(answer), "HTTP-075");
    EXPECT_LE(answer.body_size, (1U << 20) + (64U << 10));  // stopped there, not at the end
}

TEST_F(HttpClientTest, AFarSideThatLiesAboutTheLengthDisturbsNoOtherCall) {
    RawServer server([](RawPeer& peer) {
        while (!peer.request().empty())
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n");
    });
    for (int i = 0; i < 3; ++i) {
        const HttpAnswer answer = ask(get_call(server.url()));
        EXPECT_EQ(code_of(answer), "answered 200");
        EXPECT_EQ(answer.body, "ok");
    }
}

TEST_F(HttpClientTest, FollowsNoRedirectUnlessAsked) {
    RawServer other(talk_of(raw_answer(200, "other")));
    std::string seen;
    RawServer server([&](RawPeer& peer) {
        for (std::string request; !(request = peer.request()).empty();) {
            const std::string path = request.substr(4, request.find(' ', 4) - 4);
            const auto to = [&](int status, const std::string& where) {
                peer.send(raw_answer(status, "", "Location: " + where + "\r\n"));
            };
            if (path == "/loop")
                to(302, "/loop");
            else if (path == "/other")
                to(302, other.url("/x"));
            else if (path == "/file")
                to(302, "file:///etc/passwd");
            else if (path == "/user")
                to(302, "http://a:b@127.0.0.1/");
            else if (path == "/here")
                to(302, "end");
            else if (request.rfind("POST /moved", 0) == 0)
                to(302, "/end");
            else
                peer.send(raw_answer(200, "end"));
        }
    });
    EXPECT_EQ(code_of(ask(get_call(server.url("/here")))), "answered 302");
    EXPECT_EQ(judge_answer(ask(get_call(server.url("/here"))), {}, false).kind, HttpVerdict::Kind::kAway);
    auto far = std::make_shared<HttpFarSide>();
    far->redirects = 5;
    const auto follow = [&](const std::string& path, const char* method = "GET") {
        HttpCall call = get_call(server.url(path));
        call.method = method;
        call.far_side = far;
        return ask(call);
    };
    EXPECT_EQ(follow("/here").body, "end");
    for (const char* path : {"/loop", "/other", "/file", "/user"}) EXPECT_EQ(code_of(follow(path)), "HTTP-080") << path;
    EXPECT_EQ(code_of(follow("/moved", "POST")), "HTTP-080");
    EXPECT_EQ(other.connections(), 0);
    far = std::make_shared<HttpFarSide>(*far);
    far->redirect_to = {http_origin(other.url())};
    EXPECT_EQ(follow("/other").body, "other");
    EXPECT_EQ(http_redirect("https://a.example/x", "http://a.example/y", {"http://a.example:80"}), "") << "TLS is not given up";
}

TEST_F(HttpClientTest, TakesNoProxyFromTheEnvironment) {
    RawServer server(talk_of(raw_answer(200, "direct")));
    RawServer proxy(talk_of(raw_answer(200, "proxied")));
    ::setenv("http_proxy", proxy.url().c_str(), 1);
    ::setenv("ALL_PROXY", proxy.url().c_str(), 1);
    EXPECT_EQ(ask(get_call(server.url())).body, "direct");
    ::unsetenv("http_proxy");
    ::unsetenv("ALL_PROXY");
    auto far = std::make_shared<HttpFarSide>();
    far->proxy = proxy.url();
    HttpCall call = get_call(server.url());
    call.far_side = far;
    EXPECT_EQ(ask(call).body, "proxied");
}

TEST_F(HttpClientTest, SendsWhatItIsGivenAndNothingElse) {
    std::string seen;
    RawServer server([&seen](RawPeer& peer) {
        seen = peer.request();
        peer.send(raw_answer(201, "{}", "Retry-After: 7\r\nX-Twice: 1\r\nX-Twice: 2\r\n"));
    });
    HttpCall call = get_call(server.url("/a?b=c"));
    call.method = "POST";
    call.body = std::string("a\0b", 3);
    call.fields.add("Content-Type", "application/xml");
    call.fields.add("Idempotency-Key", "k-1");
    call.fields.add("Host", "evil.example");
    call.fields.add("Content-Length", "99999");
    const HttpAnswer answer = ask(call);
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.retry_after, std::chrono::seconds(7));
    EXPECT_EQ(answer.fields.count("x-twice"), 2U);
    EXPECT_THAT(seen, testing::StartsWith("POST /a?b=c HTTP/1.1\r\n"));
    EXPECT_THAT(seen, HasSubstr("Host: 127.0.0.1:"));
    EXPECT_THAT(seen, HasSubstr("\r\nContent-Length: 3\r\n"));
    EXPECT_THAT(seen, HasSubstr("\r\nIdempotency-Key: k-1\r\n"));
    EXPECT_THAT(seen, Not(HasSubstr("evil.example")));
    EXPECT_THAT(seen, Not(HasSubstr("99999")));
    EXPECT_THAT(seen, testing::EndsWith(std::string("a\0b", 3)));
}

TEST_F(HttpClientTest, SavesALargeAnswerInAFile) {
    const support::ScratchFolder folder;
    RawServer server(talk_of(raw_answer(200, std::string(3 << 20, 'y'))));
    HttpCall call = get_call(server.url());
    call.save_in = folder.path();
    const HttpAnswer answer = ask(call);
    ASSERT_EQ(code_of(answer), "answered 200");
    EXPECT_TRUE(answer.body.empty());
    EXPECT_EQ(std::filesystem::file_size(answer.saved), 3U << 20);
    RawServer cut(talk_of("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"));
    call.url = cut.url();
    EXPECT_EQ(code_of(ask(call)), "HTTP-076");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "half a file was left";
    call.url = server.url();
    call.save_in = folder.path() / "gone";
    EXPECT_EQ(code_of(ask(call)), "HTTP-061");
}

TEST_F(HttpClientTest, AsksManyAtOnceAndAnswersEachOnce) {
    HttpServer server{HttpServerOptions{}};
    server.mount("/", [](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->respond(http_text(200, "text/plain", exchange->request().body));
    });
    server.start();
    ThreadPool pool(2, "asks");
    std::mutex mutex;
    std::multiset<std::string> got;
    std::promise<void> all;
    constexpr int kCalls = 200;
    for (int i = 0; i < kCalls; ++i) {
        HttpCall call = get_call("http://127.0.0.1:" + std::to_string(server.port()) + "/x");
        call.method = "POST";
        call.body = std::to_string(i);
        client.request(std::move(call), pool, [&](const HttpAnswer& answer) {
            const std::lock_guard lock(mutex);
            got.insert(answer.body);
            if (got.size() == kCalls) all.set_value();
        });
    }
    ASSERT_EQ(all.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
    for (int i = 0; i < kCalls; ++i) EXPECT_EQ(got.count(std::to_string(i)), 1U);
}

TEST_F(HttpClientTest, EndsWhatRunsWhenItStops) {
    RawServer server([](RawPeer& peer) { peer.wait(); });
    std::promise<std::string> done;
    ThreadPool pool(1, "asks");
    client.request(get_call(server.url()), pool, [&done](const HttpAnswer& answer) { done.set_value(code_of(answer)); });
    while (server.connections() == 0) std::this_thread::yield();
    client.stop();
    EXPECT_EQ(done.get_future().get(), "HTTP-079");
    EXPECT_EQ(code_of(ask(get_call(server.url()))), "HTTP-079");
}

class HttpClientTls : public HttpClientTest {
protected:
    HttpClientTls() {
        files = crypto::make_dev_certificates(folder.path(), {"localhost"});
        own = crypto::make_client_certificate(folder.path(), "clrbus");
        HttpServerOptions options;
        options.certificate = files.certificate;
        options.key = files.key;
        options.client_ca = own.ca;
        server = std::make_unique<HttpServer>(options);
        server->mount("/", [](const std::shared_ptr<HttpExchange>& exchange) {
            exchange->respond(http_text(200, "text/plain", exchange->request().tls_subject));
        });
        server->start();
    }
    HttpAnswer ask_as(HttpFarSide far, const std::string& host = "localhost") {
        HttpCall call = get_call("https://" + host + ":" + std::to_string(server->port()) + secret_path());
        call.far_side = std::make_shared<HttpFarSide>(std::move(far));
        return ask(call);
    }
    support::ScratchFolder folder;
    crypto::DevCertificates files, own;
    std::unique_ptr<HttpServer> server;
};

TEST_F(HttpClientTls, TrustsNobodyByItself) {
    EXPECT_EQ(code_of(ask_as({})), "HTTP-073") << "not signed by an authority of this machine";
    EXPECT_EQ(code_of(ask_as({.ca_file = own.ca})), "HTTP-073") << "another authority";
    EXPECT_EQ(code_of(ask_as({.ca_file = files.ca}, "127.0.0.1")), "HTTP-073") << "another name";
    EXPECT_EQ(code_of(ask_as({.ca_file = folder.path() / "none"})), "HTTP-073");
    EXPECT_EQ(code_of(ask_as({.ca_file = files.ca})), "answered 200");
    RawServer plain([](RawPeer& peer) { peer.send(raw_answer(400, "")); });
    EXPECT_EQ(code_of(ask(get_call("https://127.0.0.1:" + std::to_string(plain.port())))), "HTTP-073") << "no TLS there";
}

TEST_F(HttpClientTls, ShowsItsOwnCertificate) {
    EXPECT_EQ(ask_as({.ca_file = files.ca}).body, "");
    EXPECT_THAT(ask_as({.ca_file = files.ca, .certificate = own.certificate, .key = own.key}).body, HasSubstr("CN=clrbus"));
    HttpClient another;  // without the connection that is open
    HttpCall call = get_call("https://localhost:" + std::to_string(server->port()));
    call.far_side = std::make_shared<HttpFarSide>(
        HttpFarSide{.ca_file = files.ca, .certificate = own.certificate, .key = folder.path() / "none"});
    EXPECT_EQ(code_of(another.ask(call)), "HTTP-073");
}

TEST(HttpRule, SaysWhatAnAnswerMeans) {
    using Kind = HttpVerdict::Kind;
    HttpRule rule;
    rule.again = *HttpStatusSet::read("409 423-424");
    rule.poison = *HttpStatusSet::read("501");
    rule.away = *HttpStatusSet::read("404");
    const auto kind = [&](int status) {
        HttpAnswer answer;
        answer.status = status;
        answer.origin = "https://host:443";
        answer.retry_after = std::chrono::seconds(9);
        const HttpVerdict verdict = judge_answer(answer, rule, false);
        EXPECT_EQ(verdict.error.has_value(), verdict.kind != Kind::kDone);
        if (verdict.kind == Kind::kAway) {
            EXPECT_EQ(verdict.wait, std::chrono::seconds(9));
        }
        return verdict.kind;
    };
    for (const int status : {200, 201, 202, 204, 299}) EXPECT_EQ(kind(status), Kind::kDone) << status;
    for (const int status : {301, 304, 401, 403, 404, 407, 408, 425, 429, 500, 502, 503, 504})
        EXPECT_EQ(kind(status), Kind::kAway) << status;
    for (const int status : {409, 423, 424}) EXPECT_EQ(kind(status), Kind::kAgain) << status;
    for (const int status : {400, 405, 410, 413, 415, 422, 501}) EXPECT_EQ(kind(status), Kind::kPoison) << status;
    rule.success = *HttpStatusSet::read("200-299 409");
    EXPECT_EQ(kind(409), Kind::kDone);
    for (const char* text : {"", " ", "20", "2000", "99", "600", "300-200", "abc", "200-", "-200", "200,201"})
        EXPECT_FALSE(HttpStatusSet::read(text)) << text;
}

}  // namespace
}  // namespace clrbus
