#include "adapters_http_listen/http_listen_adapter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/element.hpp"
#include "core/counters.hpp"
#include "crypto/base64.hpp"
#include "crypto/jws.hpp"
#include "crypto/signing.hpp"
#include "http/server.hpp"
#include "http/tokens.hpp"
#include "support/fake_inbox.hpp"
#include "support/raw_client.hpp"

namespace clrbus::adapters::http_listen {
namespace {

using support::body_of;
using support::RawClient;
using support::status_of;
using testing::HasSubstr;
using testing::Not;

class ListenDoor : public testing::Test {
public:
    ListenDoor() {
        element->name = "post";
        tokens.replace({{"canvas", HttpTokens::hash("canvas-token"), {"publish:canvas"}},
                        {"people", HttpTokens::hash("people-token"), {"publish:people"}}});
        options.threads = 2;
    }
    ~ListenDoor() override {
        source.reset();
        if (server) server->stop(std::chrono::seconds(1));
    }

    void start() {
        server = std::make_unique<HttpServer>(options);
        AdapterContext context;
        context.config = Config{element};
        context.inbox = &inbox;
        context.http = server.get();
        context.tokens = &tokens;
        context.clock = &system_clock();
        source = adapter_info().source(context);
        source->start();
        server->start();
    }
    std::string ask(const std::string& bytes) {
        RawClient client(server->port());
        client.send(bytes);
        return client.answer();
    }
    static std::string post_of(const std::string& body, const std::string& fields = "",
                               const std::string& token = "canvas-token") {
        return "POST /in/canvas HTTP/1.1\r\nHost: a\r\n" + (token.empty() ? "" : "Authorization: Bearer " + token + "\r\n") +
               (fields.find("Content-Type") == std::string::npos ? "Content-Type: application/json\r\n" : "") + fields +
               "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    static std::string get_of(const std::string& path, const std::string& token = "canvas-token") {
        return "GET " + path + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token + "\r\n\r\n";
    }

    support::TemporaryFolder folder{"http-listen"};
    support::FakeInbox inbox{"canvas", folder / "spool"};
    HttpTokens tokens{system_clock()};
    HttpServerOptions options;
    std::shared_ptr<Config::Element> element = std::make_shared<Config::Element>();
    std::unique_ptr<HttpServer> server;
    std::unique_ptr<Source> source;
};

TEST_F(ListenDoor, RefusesWhoeverMayNotPublishHere) {
    start();
    std::string answer = ask(post_of("{}", "", ""));
    EXPECT_EQ(status_of(answer), 401);
    EXPECT_THAT(answer, HasSubstr("WWW-Authenticate: Bearer"));
    EXPECT_EQ(status_of(ask(post_of("{}", "", "wrong"))), 401);
    EXPECT_EQ(status_of(ask(post_of("{}", "", "people-token"))), 403);
    EXPECT_EQ(status_of(ask(get_of("/in/canvas/messages/id-1", "people-token"))), 403);
    EXPECT_EQ(inbox.puts(), 0U);
}

TEST_F(ListenDoor, AnswersAcceptedOnlyAfterTheInboxHasIt) {
    inbox.hold = true;
    start();
    RawClient client(server->port());
    client.send(post_of("{\"a\":1}", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"));
    ASSERT_TRUE(support::wait_until([&] { return inbox.held() == 1; }));
    pollfd early{client.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&early, 1, 0), 0);
    inbox.release_held();
    const std::string answer = client.answer();
    EXPECT_EQ(status_of(answer), 202);
    EXPECT_THAT(answer, HasSubstr("Location: /in/canvas/messages/id-1\r\n"));
    const Incoming message = inbox.messages().front();
    EXPECT_EQ(message.body, "{\"a\":1}");
    EXPECT_EQ(message.user, "canvas");
    EXPECT_EQ(message.content_type, "application/json");
    EXPECT_EQ(message.duplicate_key, "");
    EXPECT_TRUE(message.headers.has(kReceiptHeader));
    EXPECT_EQ(message.headers.get(header::kTrace), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
}

TEST_F(ListenDoor, NeverAcceptsABodyThatWasCutOff) {
    start();
    RawClient client(server->port());
    const std::string whole = post_of("{\"a\":\"0123456789\"}");
    client.send(whole.substr(0, whole.size() - 5));
    client.end_sending();
    EXPECT_EQ(status_of(client.answer()), 400);
    EXPECT_EQ(inbox.puts(), 0U);
}

TEST_F(ListenDoor, SaysWhenTheInboxIsClosedOrFull) {
    start();
    inbox.set_open(false);
    std::string answer = ask(post_of("{}"));
    EXPECT_EQ(status_of(answer), 503);
    EXPECT_THAT(answer, HasSubstr("Retry-After: "));
    EXPECT_FALSE(source->health().ok);
    inbox.set_open(true);
    EXPECT_TRUE(source->health().ok);
    inbox.refuse(PutState::kFull);
    answer = ask(post_of("{}"));
    EXPECT_EQ(status_of(answer), 503);
    EXPECT_THAT(answer, HasSubstr("Retry-After: "));
    inbox.refuse(PutState::kFailed);
    EXPECT_EQ(status_of(ask(post_of("{}"))), 503);
    EXPECT_EQ(inbox.messages().size(), 0U);
}

TEST_F(ListenDoor, RefusesBodiesItDoesNotWantBeforeTheyAreSent) {
    element->attributes["max-bytes"] = "10";
    start();
    EXPECT_EQ(status_of(ask(post_of("01234567890", "Expect: 100-continue\r\n"))), 413);
    EXPECT_EQ(status_of(ask(post_of("{}", "Content-Type: application/pdf\r\n"))), 415);
    EXPECT_EQ(status_of(ask(post_of("{}", "Content-Type:\r\n"))), 415);
    EXPECT_EQ(status_of(ask(post_of("{}", "Content-Encoding: gzip\r\n"))), 415);
    EXPECT_EQ(status_of(ask(post_of("", ""))), 400);
    EXPECT_EQ(status_of(ask(post_of("{}", "Idempotency-Key: a b\r\n"))), 400);
    EXPECT_EQ(status_of(ask(post_of("{}", "Idempotency-Key: " + std::string(129, 'a') + "\r\n"))), 400);
    EXPECT_EQ(status_of(ask(get_of("/in/canvas"))), 405);
    EXPECT_EQ(status_of(ask("DELETE /in/canvas HTTP/1.1\r\nHost: a\r\n\r\n")), 405);
    EXPECT_EQ(inbox.puts(), 0U);
    RawClient client(server->port());
    const std::string good = post_of("{}", "Content-Type: Application/JSON; charset=utf-8\r\nExpect: 100-continue\r\n");
    client.send(good.substr(0, good.size() - 2));
    EXPECT_EQ(status_of(client.answer()), 100);
    client.send("{}");
    EXPECT_EQ(status_of(client.answer()), 202);
}

TEST_F(ListenDoor, TakesTheSameKeyOnceForEachSender) {
    tokens.replace({{"one", HttpTokens::hash("canvas-token"), {"publish:canvas"}},
                    {"two", HttpTokens::hash("people-token"), {"publish:*"}}});
    start();
    EXPECT_THAT(ask(post_of("{}", "Idempotency-Key: k1\r\n")), HasSubstr("\"accepted\""));
    const std::string again = ask(post_of("{}", "Idempotency-Key: k1\r\n"));
    EXPECT_EQ(status_of(again), 202);
    EXPECT_THAT(again, HasSubstr("\"duplicate\""));
    EXPECT_THAT(again, HasSubstr("Location: /in/canvas/messages/id-1\r\n"));
    EXPECT_THAT(ask(post_of("{}", "Idempotency-Key: k1\r\n", "people-token")), HasSubstr("\"accepted\""));
    EXPECT_EQ(inbox.messages().size(), 2U);
}

TEST_F(ListenDoor, ShowsTheStateOfAMessage) {
    start();
    ask(post_of("{}"));
    inbox.set_state("id-1", {.state = "dead", .code = "XSD-004", .path = "/a/b", .expected = "a \"term\"", .finished = true});
    const std::string answer = ask(get_of("/in/canvas/messages/id-1"));
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_EQ(body_of(answer),
              R"({"id":"id-1","state":"dead","finished":true,"code":"XSD-004","path":"/a/b","expected":"a \"term\""})"
              "\n");
    EXPECT_EQ(status_of(ask(get_of("/in/canvas/messages/id-2"))), 404);
    EXPECT_EQ(status_of(ask(get_of("/in/canvas/messages/"))), 404);
    EXPECT_EQ(status_of(ask(get_of("/in/canvas/other"))), 404);
}

TEST_F(ListenDoor, HandsALargeBodyOverAsAFile) {
    inbox.spool_from = 1000;
    start();
    const std::string body(300'000, 'x');
    EXPECT_EQ(status_of(ask(post_of(body))), 202);
    EXPECT_TRUE(inbox.messages().front().body == body);
    EXPECT_EQ(inbox.messages().front().spooled.parent_path(), folder / "spool");
}

TEST_F(ListenDoor, KeepsNothingOfWhatTheRouteDrops) {
    inbox.reducer = [](const std::filesystem::path& in, const std::filesystem::path& out) {
        const std::string text = support::file_text(in);
        if (text == "broken") throw Error(Fault::kPoison, "CSV-001", "reading", "row 3 is ragged").expected("4 fields");
        support::write_file(out, text.substr(0, text.find(';')));
    };
    inbox.spool_from = 8;
    start();
    const std::string csv = "Content-Type: text/csv\r\n";
    EXPECT_EQ(status_of(ask(post_of("name;123-45-6789", csv))), 202);
    EXPECT_EQ(status_of(ask(post_of("a longer name;123-45-6789", csv))), 202);
    const std::string refused = ask(post_of("broken", csv));
    EXPECT_EQ(status_of(refused), 400);
    EXPECT_THAT(refused, HasSubstr("CSV-001"));
    EXPECT_EQ(inbox.messages().at(0).body, "name");
    EXPECT_EQ(inbox.messages().at(1).body, "a longer name");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
        if (!entry.is_regular_file()) continue;
        EXPECT_EQ(support::file_text(entry.path()).find("123-45"), std::string::npos);
    }
}

TEST_F(ListenDoor, TakesNothingAfterStopWhileTheAnswerOfWhatWasTakenStillCounts) {
    inbox.hold = true;
    start();
    RawClient client(server->port());
    client.send(post_of("{}"));
    ASSERT_TRUE(support::wait_until([&] { return inbox.held() == 1; }));
    source->stop();
    EXPECT_EQ(status_of(ask(post_of("{}"))), 503);
    EXPECT_EQ(inbox.puts(), 1U);
    source.reset();
    EXPECT_EQ(status_of(ask(post_of("{}"))), 404);
    inbox.release_held();
    EXPECT_EQ(status_of(client.answer()), 202);
}

TEST_F(ListenDoor, RefusesAPathInUse) {
    start();
    AdapterContext context;
    context.config = Config{element};
    context.inbox = &inbox;
    context.http = server.get();
    context.tokens = &tokens;
    context.clock = &system_clock();
    const std::unique_ptr<Source> second = adapter_info().source(context);
    EXPECT_THROW(second->start(), Error);
    context.http = nullptr;
    EXPECT_THROW(adapter_info().source(context), Error);
}

// Signed events.
class SignedDoor : public ListenDoor {
public:
    SignedDoor() {
        element->attributes = {{"authentication", "jwt"}, {"jwks-file", (folder / "jwks.json").string()}};
        write_keys({&key()});
    }
    static const crypto::SigningKey& key() {
        static const crypto::SigningKey kKey = crypto::SigningKey::generate(crypto::Algorithm::kRs256);
        return kKey;
    }
    static const crypto::SigningKey& next_key() {
        static const crypto::SigningKey kKey = crypto::SigningKey::generate(crypto::Algorithm::kRs256);
        return kKey;
    }
    void write_keys(const std::vector<const crypto::SigningKey*>& keys) {
        std::string set;
        for (const crypto::SigningKey* one : keys) set += (set.empty() ? "" : ",") + one->public_key().jwk();
        support::write_file(folder / "jwks.new", "{\"keys\":[" + set + "]}");
        std::filesystem::rename(folder / "jwks.new", folder / "jwks.json");
    }
    std::string send_signed(const std::string& compact) {
        return ask(post_of(compact, "Content-Type: application/jwt\r\n", ""));
    }
    static std::string encoded(std::string_view text) { return crypto::base64url(text); }
};

TEST_F(SignedDoor, TakesASignedEventWithoutATokenAndTheSameOneOnce) {
    start();
    const std::string event = R"({"metadata":{"event_name":"grade_change","request_id":"r1"},"body":{"grade":"A"}})";
    const std::string answer = send_signed(crypto::sign_jws(key(), event));
    EXPECT_EQ(status_of(answer), 202) << answer;
    EXPECT_EQ(inbox.messages().front().body, event);
    EXPECT_EQ(inbox.messages().front().content_type, "application/json");
    EXPECT_EQ(inbox.messages().front().user, "");
    EXPECT_THAT(send_signed(crypto::sign_jws(key(), event)), HasSubstr("duplicate"));
    // Another event of the same request.
    EXPECT_THAT(send_signed(crypto::sign_jws(
                    key(), R"({"metadata":{"event_name":"grade_change","request_id":"r1"},"body":{"grade":"B"}})")),
                HasSubstr("accepted"));
}

TEST_F(SignedDoor, RefusesWhatIsNotSignedByAKnownKey) {
    start();
    Counter& refused = counter("clrbus_http_listen_refused_total{reason=\"signature\"}");
    const std::int64_t before = refused.value();
    const std::string good = crypto::sign_jws(key(), "{\"a\":1}");
    const std::string payload = good.substr(good.find('.') + 1, good.rfind('.') - good.find('.') - 1);
    const std::string signature = good.substr(good.rfind('.') + 1);
    const std::string kid = key().kid();
    const std::vector<std::string> bad{
        "not a token",
        "a.b.c",
        encoded(R"({"alg":"none"})") + '.' + payload + '.',
        encoded(R"({"alg":"none","kid":")" + kid + "\"}") + '.' + payload + '.' + signature,
        encoded(R"({"alg":"HS256","kid":")" + kid + "\"}") + '.' + payload + '.' + signature,
        crypto::sign_jws(crypto::SigningKey::generate(crypto::Algorithm::kEs256), "{\"a\":1}"),
        crypto::sign_jws(next_key(), "{\"a\":1}"),
        crypto::sign_jws(next_key(), "{\"a\":1}", {.kid = kid}),
        good.substr(0, good.find('.') + 1) + encoded("{\"a\":2}") + '.' + signature,
        good + "x",
    };
    for (const std::string& compact : bad) {
        const std::string answer = send_signed(compact);
        EXPECT_EQ(status_of(answer), 401) << compact;
        EXPECT_THAT(answer, HasSubstr("WWW-Authenticate"));
    }
    EXPECT_EQ(refused.value(), before + static_cast<std::int64_t>(bad.size()));
    EXPECT_EQ(inbox.puts(), 0U);
    EXPECT_EQ(status_of(send_signed(good)), 202);
}

TEST_F(SignedDoor, RefusesAnExpiredOrForeignEvent) {
    element->attributes["issuer"] = "canvas";
    element->attributes["audience"] = "bus";
    start();
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(system_clock().now().time_since_epoch()).count();
    const auto event = [&](const std::string& more) {
        return send_signed(crypto::sign_jws(key(), R"({"iss":"canvas","aud":["x","bus"],"a":1)" + more + '}'));
    };
    EXPECT_EQ(status_of(event(",\"exp\":" + std::to_string(now - 3600))), 401);
    EXPECT_EQ(status_of(event(",\"nbf\":" + std::to_string(now + 3600))), 401);
    EXPECT_EQ(status_of(event(",\"iat\":" + std::to_string(now + 3600))), 401);
    EXPECT_EQ(status_of(event(",\"exp\":\"tomorrow\"")), 401);
    EXPECT_EQ(status_of(send_signed(crypto::sign_jws(key(), R"({"iss":"other","aud":"bus"})"))), 401);
    EXPECT_EQ(status_of(send_signed(crypto::sign_jws(key(), R"({"iss":"canvas","aud":"other"})"))), 401);
    EXPECT_EQ(status_of(send_signed(crypto::sign_jws(key(), R"({"iss":"canvas"})"))), 401);
    EXPECT_EQ(status_of(send_signed(crypto::sign_jws(key(), "[1]"))), 401);
    EXPECT_EQ(inbox.puts(), 0U);
    EXPECT_EQ(status_of(event(",\"exp\":" + std::to_string(now - 5))), 202);  // within the skew
    // Signed again: the same event.
    EXPECT_THAT(event(",\"exp\":" + std::to_string(now + 600)), HasSubstr("duplicate"));
}

TEST_F(SignedDoor, TakesANewKeyWhenTheFileChangesAndKeepsTheOldOnesWhenItIsBroken) {
    start();
    EXPECT_EQ(status_of(send_signed(crypto::sign_jws(key(), "{\"a\":1}"))), 202);
    EXPECT_EQ(status_of(send_signed(crypto::sign_jws(next_key(), "{\"a\":2}"))), 401);
    write_keys({&key(), &next_key()});
    EXPECT_TRUE(support::wait_until([&] { return status_of(send_signed(crypto::sign_jws(next_key(), "{\"a\":2}"))) == 202; }));
    support::write_file(folder / "jwks.json", "{");
    EXPECT_TRUE(support::wait_until([&] {
        EXPECT_EQ(status_of(send_signed(crypto::sign_jws(next_key(), "{\"a\":3}"))), 202);
        return !source->health().ok;
    }));
    EXPECT_THAT(source->health().text, HasSubstr("key set"));
}

TEST_F(SignedDoor, AsksForATokenTooWhenToldSo) {
    element->attributes["authentication"] = "token-and-jwt";
    start();
    const std::string good = crypto::sign_jws(key(), "{\"a\":1}");
    EXPECT_EQ(status_of(send_signed(good)), 401);
    EXPECT_EQ(status_of(ask(post_of(good, "Content-Type: application/jwt\r\n"))), 202);
    EXPECT_EQ(inbox.messages().front().user, "canvas");
}

TEST_F(SignedDoor, RefusesKeyFilesThatCannotBeMeant) {
    for (const char* text : {"", "[]", "{\"keys\":[]}", "{\"keys\":[{\"kid\":\"a\",\"kty\":\"oct\",\"k\":\"AAAA\"}]}"}) {
        support::write_file(folder / "jwks.json", text);
        EXPECT_THROW(start(), Error) << text;
    }
    support::write_file(folder / "jwks.json", "{\"keys\":[" + key().public_key().jwk() + "," + key().public_key().jwk() + "]}");
    EXPECT_THROW(start(), Error);
}

}  // namespace
}  // namespace clrbus::adapters::http_listen
