#include "http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <fstream>
#include <future>
#include <iterator>
#include <mutex>

#include "core/counters.hpp"
#include "support/raw_client.hpp"

namespace clrbus {
namespace {

using support::body_of;
using support::RawClient;
using support::status_of;
using testing::HasSubstr;
using testing::Not;

HttpServerOptions quick_options() {
    HttpServerOptions options;
    options.threads = 2;
    return options;
}

// A server that counts the requests its handlers saw and answers 202 with the body's size.
class Echo {
public:
    explicit Echo(const HttpServerOptions& options = quick_options(), HttpAdmit admit = nullptr) : server(options) {
        server.mount({.prefix = "/echo",
                      .methods = {"GET", "POST"},
                      .handle =
                          [this](const std::shared_ptr<HttpExchange>& exchange) {
                              ++handled;
                              exchange->respond(http_text(202, "text/plain", std::to_string(exchange->request().body.size())));
                          },
                      .admit = std::move(admit)});
        server.start();
    }
    std::atomic<int> handled{0};
    HttpServer server;
};

// As many as the system lets this process have.
std::size_t file_numbers() {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur;
}

std::string get(const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
std::string post(const std::string& path, const std::string& body) {
    return "POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(HttpServer, AnswersABadHeadBeforeAHandlerRunsAndCloses) {
    Echo echo;
    RawClient client(echo.server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc");
    const std::string answer = client.answer();
    EXPECT_EQ(status_of(answer), 400);
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
    EXPECT_THAT(body_of(answer), HasSubstr(R"("code":"HTTP-012")"));
    EXPECT_TRUE(client.closed());
    EXPECT_EQ(echo.handled, 0);
}

// What two programs could read differently, as raw bytes: an answer, the end of the connection, and no handler.
TEST(HttpServer, NeverHandlesAmbiguousRequests) {
    Echo echo;
    const std::string post_head = "POST /echo HTTP/1.1\r\nHost: a\r\n";
    const std::vector<std::string> requests{
        post_head + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        post_head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        post_head + "Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n",
        post_head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
        post_head + "Content-Length: -5\r\n\r\nabcd",
        post_head + std::string("X: a\0b\r\nContent-Length: 0\r\n\r\n", 29),
        post_head + "X-a : b\r\nContent-Length: 0\r\n\r\n",
        "GET /echo HTTP/1.1\nHost: a\n\n",
        "GET /echo HTTP/3.9\r\nHost: a\r\n\r\n",
        "GET /echo HTTP/1.1\r\n\r\n",
        "GET /echo/../echo HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /echo%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /" + std::string(17'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    for (const std::string& request : requests) {
        SCOPED_TRACE(request.substr(0, 120));
        RawClient client(echo.server.port());
        client.send(request + "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
        const std::string answer = client.answer();
        EXPECT_GE(status_of(answer), 400);
        EXPECT_THAT(answer, HasSubstr("Connection: close"));
        EXPECT_TRUE(client.closed());
    }
    EXPECT_EQ(echo.handled, 0);
}

TEST(HttpServer, NeverHandlesABodyThatWasCutOff) {
    Echo echo;
    RawClient client(echo.server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this");
    client.end_sending();
    EXPECT_EQ(status_of(client.answer()), 400);
    RawClient reset(echo.server.port());
    reset.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this");
    reset.reset();
    RawClient next(echo.server.port());
    next.send(get("/echo"));
    EXPECT_EQ(status_of(next.answer()), 202);
    EXPECT_EQ(echo.handled, 1);
}

TEST(HttpServer, TakesABodyInPiecesAndRequestsInOneGo) {
    Echo echo;
    RawClient client(echo.server.port());
    const std::string request = post("/echo", std::string(1000, 'x'));
    for (const char c : request) ASSERT_TRUE(client.send(std::string_view(&c, 1)));
    EXPECT_EQ(body_of(client.answer()), "1000");
    client.send(post("/echo", "abc") + post("/echo", "") + get("/echo") + post("/echo", "abcde"));
    EXPECT_EQ(body_of(client.answer()), "3");
    EXPECT_EQ(body_of(client.answer()), "0");
    EXPECT_EQ(body_of(client.answer()), "0");
    EXPECT_EQ(body_of(client.answer()), "5");
}

TEST(HttpServer, SaysWhatIsNotThereAndWhatIsNotAllowed) {
    Echo echo;
    RawClient client(echo.server.port());
    client.send(get("/nothing"));
    EXPECT_EQ(status_of(client.answer()), 404);
    client.send(get("/echoes"));
    EXPECT_EQ(status_of(client.answer()), 404);
    client.send("DELETE /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    std::string answer = client.answer();
    EXPECT_EQ(status_of(answer), 405);
    EXPECT_THAT(answer, HasSubstr("Allow: GET, POST, HEAD, OPTIONS\r\n"));
    client.send("OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    answer = client.answer();
    EXPECT_EQ(status_of(answer), 204);
    EXPECT_THAT(answer, HasSubstr("Allow: "));
    client.send("HEAD /echo/below HTTP/1.1\r\nHost: a\r\n\r\n");
    answer = client.answer(true);
    EXPECT_EQ(status_of(answer), 202);
    EXPECT_THAT(answer, HasSubstr("Content-Length: 1\r\n"));
    client.send(get("/echo"));
    answer = client.answer();
    EXPECT_EQ(body_of(answer), "0");
    EXPECT_THAT(answer, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
    EXPECT_THAT(answer, Not(HasSubstr("Server:")));
}

TEST(HttpServer, RefusesALargeBodyBeforeItIsSent) {
    Echo echo(quick_options(), [](const HttpRequest&) { return HttpAdmission{.most = 10}; });
    RawClient client(echo.server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
    EXPECT_EQ(status_of(client.answer()), 413);
    RawClient small(echo.server.port());
    small.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n");
    EXPECT_EQ(small.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
    small.send("0123456789");
    EXPECT_EQ(status_of(small.answer()), 202);
}

TEST(HttpServer, RefusesBodiesBeyondTheirMemory) {
    HttpServerOptions options = quick_options();
    options.body_memory = 1000;
    std::atomic<bool> known{false};
    Echo echo(options, [&](const HttpRequest&) { return HttpAdmission{.known = known}; });
    RawClient stranger(echo.server.port());
    stranger.send(post("/echo", std::string(251, 'x')));
    EXPECT_EQ(status_of(stranger.answer()), 503);
    known = true;
    RawClient first(echo.server.port());
    first.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 900\r\n\r\n");
    EXPECT_EQ(status_of(first.answer()), 100);
    RawClient second(echo.server.port());
    second.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n");
    const std::string answer = second.answer();
    EXPECT_EQ(status_of(answer), 503);
    EXPECT_THAT(answer, HasSubstr("Retry-After: "));
    first.send(std::string(900, 'x'));
    EXPECT_EQ(status_of(first.answer()), 202);
    EXPECT_TRUE(support::wait_until([&] {
        RawClient third(echo.server.port());
        third.send(post("/echo", std::string(200, 'x')));
        return status_of(third.answer()) == 202;
    }));
}

TEST(HttpServer, SpoolsALargeBodyAndRemovesWhatNobodyTook) {
    const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "http-spool";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    HttpServer server(quick_options());
    std::promise<std::string> seen;
    server.mount(
        {.prefix = "/",
         .methods = {"POST"},
         .handle =
             [&](const std::shared_ptr<HttpExchange>& exchange) {
                 std::ifstream file(exchange->request().spooled, std::ios::binary);
                 seen.set_value({std::istreambuf_iterator<char>(file), {}});
                 exchange->respond(http_text(202, "text/plain", ""));
             },
         .admit =
             [&](const HttpRequest&) { return HttpAdmission{.most = 10 << 20, .spool_above = 1000, .spool_folder = folder}; }});
    server.start();
    std::string body;
    for (int i = 0; i < 200'000; ++i) body += std::to_string(i);
    RawClient client(server.port());
    client.send(post("/", body));
    EXPECT_EQ(status_of(client.answer()), 202);
    EXPECT_TRUE(seen.get_future().get() == body);
    RawClient cut(server.port());
    cut.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + body.substr(0, 800'000));
    cut.end_sending();
    EXPECT_EQ(status_of(cut.answer()), 400);
    EXPECT_TRUE(support::wait_until([&] { return std::filesystem::is_empty(folder); }));
}

TEST(HttpServer, AnswersLaterFromAnyThread) {
    HttpServer server(quick_options());
    std::promise<std::shared_ptr<HttpExchange>> taken;
    server.mount("/", [&](std::shared_ptr<HttpExchange> exchange) { taken.set_value(std::move(exchange)); });
    server.start();
    RawClient client(server.port());
    client.send(get("/later"));
    std::shared_ptr<HttpExchange> exchange = taken.get_future().get();
    exchange->respond(http_json(200, "{}"));
    exchange->respond(http_json(500, "{}"));
    EXPECT_EQ(status_of(client.answer()), 200);
}

TEST(HttpServer, AnswersForAHandlerThatThrowsForgetsOrIsTooLate) {
    HttpServerOptions options = quick_options();
    options.answer_deadline = std::chrono::milliseconds(1);
    HttpServer server(options);
    std::vector<std::shared_ptr<HttpExchange>> kept;
    std::mutex mutex;
    server.mount("/poison", [](const auto&) { throw Error(Fault::kPoison, "X-001", "reading", "no <term>"); });
    server.mount("/away", [](const auto&) { throw Error(Fault::kAway, "X-002", "asking", "secret host"); });
    server.mount("/bug", [](const auto&) { throw std::runtime_error("secret"); });
    server.mount("/forget", [](const auto&) {});
    server.mount("/split", [](const auto& exchange) {
        HttpResponse response;
        response.fields.add("Location", "/a\r\nSet-Cookie: b");
        exchange->respond(std::move(response));
    });
    server.mount("/late", [&](std::shared_ptr<HttpExchange> exchange) {
        const std::lock_guard lock(mutex);
        kept.push_back(std::move(exchange));
    });
    server.start();
    const auto ask = [&](const std::string& path) {
        RawClient client(server.port());
        client.send(get(path));
        return client.answer();
    };
    EXPECT_THAT(ask("/poison"), HasSubstr("no <term>"));
    EXPECT_EQ(status_of(ask("/away")), 503);
    EXPECT_THAT(ask("/away"), Not(HasSubstr("secret")));
    EXPECT_EQ(status_of(ask("/bug")), 500);
    EXPECT_THAT(ask("/bug"), Not(HasSubstr("secret")));
    EXPECT_EQ(status_of(ask("/forget")), 500);
    const std::string split = ask("/split");
    EXPECT_EQ(status_of(split), 500);
    EXPECT_THAT(split, Not(HasSubstr("Set-Cookie")));
    EXPECT_EQ(status_of(ask("/late")), 503);
    const std::lock_guard lock(mutex);
    for (const auto& exchange : kept) exchange->respond(http_json(200, "{}"));
}

TEST(HttpServer, ServesAGoodClientBesideThreeHundredSlowOnesAndCutsThem) {
    file_numbers();
    HttpServerOptions options = quick_options();
    options.head_deadline = std::chrono::milliseconds(400);
    options.stall = std::chrono::milliseconds(400);
    Echo echo(options);
    std::vector<RawClient> slow;
    for (int i = 0; i < 300; ++i) {
        slow.emplace_back(echo.server.port());
        slow.back().send(i % 2 == 0 ? "GET /echo HTTP/1.1\r\nHos"
                                    : "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nx");
    }
    RawClient good(echo.server.port());
    good.send(post("/echo", "abc"));
    EXPECT_EQ(body_of(good.answer()), "3");
    for (RawClient& client : slow) {
        client.send("y");  // a byte now and then moves no deadline far
        EXPECT_EQ(status_of(client.answer()), 408);
    }
    EXPECT_EQ(echo.handled, 1);
}

TEST(HttpServer, ServesBesideIdleKeepAliveConnectionsAndEndsThem) {
    const std::size_t connections = file_numbers() >= 9000 ? 2000 : 200;
    HttpServerOptions options = quick_options();
    options.max_connections = options.max_connections_of_a_peer = 4000;
    Echo echo(options);
    std::vector<RawClient> idle;
    for (std::size_t i = 0; i < connections; ++i) {
        idle.emplace_back(echo.server.port());
        idle.back().send(get("/echo"));
        ASSERT_EQ(status_of(idle.back().answer()), 202);
    }
    RawClient good(echo.server.port());
    good.send(get("/echo"));
    EXPECT_EQ(status_of(good.answer()), 202);
    echo.server.stop(std::chrono::seconds(10));
    for (RawClient& client : idle) EXPECT_TRUE(client.closed());
}

TEST(HttpServer, EndsAnIdleConnectionWithoutAWord) {
    HttpServerOptions options = quick_options();
    options.keep_alive = std::chrono::milliseconds(1);
    Echo echo(options);
    RawClient client(echo.server.port());
    client.send(get("/echo"));
    EXPECT_EQ(status_of(client.answer()), 202);
    EXPECT_TRUE(client.closed());
}

TEST(HttpServer, MakesRoomForANewClientWhenFull) {
    HttpServerOptions options = quick_options();
    options.max_connections_of_a_peer = 3;
    Echo echo(options);
    std::vector<RawClient> idle;
    for (int i = 0; i < 3; ++i) {
        idle.emplace_back(echo.server.port());
        idle.back().send(get("/echo"));
        ASSERT_EQ(status_of(idle.back().answer()), 202);
    }
    RawClient good(echo.server.port());
    good.send(get("/echo"));
    EXPECT_EQ(status_of(good.answer()), 202);
    EXPECT_TRUE(idle.front().closed());
    idle.back().send(get("/echo"));
    EXPECT_EQ(status_of(idle.back().answer()), 202);
}

TEST(HttpServer, CutsAClientThatDoesNotReadItsAnswer) {
    HttpServerOptions options = quick_options();
    options.stall = std::chrono::milliseconds(100);
    options.min_rate = 1 << 30;
    HttpServer server(options);
    server.mount("/",
                 [](const auto& exchange) { exchange->respond(http_text(200, "text/plain", std::string(64 << 20, 'x'))); });
    server.start();
    Counter& cut = counter("clrbus_http_refused_total{reason=\"slow-reader\"}");
    const std::int64_t before = cut.value();
    RawClient client(server.port());
    client.send(get("/"));
    EXPECT_TRUE(support::wait_until([&] { return cut.value() > before; }));
}

TEST(HttpServer, StopsGracefully) {
    HttpServer server(quick_options());
    std::promise<std::shared_ptr<HttpExchange>> taken;
    server.mount("/", [&](std::shared_ptr<HttpExchange> exchange) { taken.set_value(std::move(exchange)); });
    server.start();
    RawClient busy(server.port());
    busy.send(get("/"));
    std::shared_ptr<HttpExchange> exchange = taken.get_future().get();
    const std::uint16_t port = server.port();
    std::future<void> stopped = std::async(std::launch::async, [&] { server.stop(std::chrono::seconds(20)); });
    EXPECT_TRUE(support::wait_until([&] {
        try {
            RawClient late(port);
            return false;
        } catch (const std::runtime_error&) {
            return true;
        }
    }));
    exchange->respond(http_json(200, "{}"));
    const std::string answer = busy.answer();
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
    stopped.get();
}

TEST(HttpServer, CutsWhatIsLeftAfterTheGrace) {
    HttpServer server(quick_options());
    std::promise<std::shared_ptr<HttpExchange>> taken;
    server.mount("/", [&](std::shared_ptr<HttpExchange> exchange) { taken.set_value(std::move(exchange)); });
    server.start();
    RawClient busy(server.port());
    busy.send(get("/"));
    std::shared_ptr<HttpExchange> exchange = taken.get_future().get();
    server.stop(std::chrono::milliseconds(1));
    EXPECT_TRUE(busy.closed());
    exchange->respond(http_json(200, "{}"));  // nobody is there: no harm
}

TEST(HttpServer, UnmountsAtRunTimeAndRefusesAPrefixTwice) {
    Echo echo;
    EXPECT_THROW(echo.server.mount("/echo", [](const auto&) {}), Error);
    EXPECT_THROW(echo.server.mount("echo", [](const auto&) {}), Error);
    echo.server.unmount("/echo");
    RawClient client(echo.server.port());
    client.send(get("/echo"));
    EXPECT_EQ(status_of(client.answer()), 404);
}

TEST(HttpServer, PrefersTheLongestPrefix) {
    HttpServer server(quick_options());
    server.mount("/", [](const auto& exchange) { exchange->respond(http_text(200, "text/plain", "root")); });
    server.mount(
        "/a/b", [](const auto& exchange) { exchange->respond(http_text(200, "text/plain", "b:" + exchange->request().rest)); });
    server.start();
    RawClient client(server.port());
    client.send(get("/a/b/c/d"));
    EXPECT_EQ(body_of(client.answer()), "b:c/d");
    client.send(get("/a/bc"));
    EXPECT_EQ(body_of(client.answer()), "root");
}

TEST(HttpServer, RefusesAPortInUse) {
    Echo echo;
    HttpServerOptions options = quick_options();
    options.port = echo.server.port();
    EXPECT_THROW(HttpServer{options}, Error);
    options.address = "no such address";
    EXPECT_THROW(HttpServer{options}, Error);
}

}  // namespace
}  // namespace clrbus
