#include "http/client_credentials.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <vector>

#include "core/executor.hpp"
#include "crypto/base64.hpp"
#include "crypto/jws.hpp"
#include "http/server.hpp"
#include "support/raw_client.hpp"

namespace clrbus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class MovedClock : public Clock {
public:
    Time now() const override { return Time{std::chrono::seconds(1'800'000'000)} + moved.load(); }
    std::chrono::steady_clock::time_point steady() const override {
        return std::chrono::steady_clock::time_point{} + moved.load();
    }
    std::atomic<std::chrono::milliseconds> moved{std::chrono::hours(1)};
};

// A far side that takes what `good` holds and answers 401 to the rest, and a token server beside it.
class CredentialsTest : public testing::Test {
protected:
    CredentialsTest() : server(HttpServerOptions{}) {
        server.mount("/door", [this](const std::shared_ptr<HttpExchange>& exchange) {
            const std::lock_guard lock(mutex);
            seen.push_back(field.empty() ? exchange->request().query : std::string(exchange->request().fields.get(field)));
            exchange->respond(http_text(good.count(seen.back()) != 0 ? 200 : 401, "text/plain", ""));
        });
        server.mount("/token", [this](const std::shared_ptr<HttpExchange>& exchange) {
            const std::lock_guard lock(mutex);
            ++token_calls;
            token_request = exchange->request();
            exchange->respond(http_json(token_status, token_answer));
        });
        server.start();
    }
    std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(server.port()) + path; }
    HttpCall call(const std::shared_ptr<HttpCredential>& credential) const {
        HttpCall out;
        out.url = url("/door");
        auto far = std::make_shared<HttpFarSide>();
        far->credential = credential;
        out.far_side = far;
        return out;
    }
    HttpAnswer ask(const std::shared_ptr<HttpCredential>& credential) { return client.ask(call(credential)); }
    HttpOAuth2 oauth() {
        HttpOAuth2 options;
        options.token_url = url("/token");
        options.client_id = "clr bus";
        options.scope = "a b";
        options.secret = [this] { return secret; };
        return options;
    }

    std::mutex mutex;
    std::string field = "Authorization";
    std::set<std::string> good;
    std::vector<std::string> seen;
    int token_calls = 0, token_status = 200;
    std::string token_answer = R"({"access_token":"t-1","token_type":"bearer","expires_in":600})";
    HttpRequest token_request;
    std::string secret = "s3cret-9b";
    MovedClock clock;
    HttpServer server;
    HttpClient client;
};

TEST_F(CredentialsTest, ShowsUserAndPassword) {
    good = {"Basic Y2xyOnMzY3JldC05Yg=="};
    EXPECT_EQ(ask(http_basic("clr", [this] { return secret; })).status, 200);
}

TEST_F(CredentialsTest, PutsAKeyIntoItsField) {
    field = "X-Api-Key";
    good = {secret};
    EXPECT_EQ(ask(http_api_key("X-Api-Key", [this] { return secret; })).status, 200);
}

TEST_F(CredentialsTest, PutsAKeyIntoTheQuery) {
    field.clear();
    secret = "a b&c";
    good = {"k%20y=a%20b%26c", "x=1&k%20y=a%20b%26c", "x=1&k%20y=new"};
    const auto credential = http_query_key("k y", [this] { return secret; });
    EXPECT_EQ(ask(credential).status, 200);
    HttpCall with_query = call(credential);
    with_query.url += "?x=1#part";
    EXPECT_EQ(client.ask(with_query).status, 200);
    secret = "new";
    EXPECT_EQ(client.ask(with_query).status, 200);
    good = {};
    EXPECT_EQ(ask(credential).status, 401);
}

TEST_F(CredentialsTest, KeepsANewRefreshTokenBeforeItUsesTheAccessToken) {
    good = {"Bearer t-1", "Bearer t-2"};
    std::string refresh = "r 0";
    HttpOAuth2 options = oauth();
    options.grant = HttpOAuth2::Grant::kRefreshToken;
    options.refresh_token = [&] { return refresh; };
    options.keep_refresh_token = [&](const std::string& token) { refresh = token; };
    const auto credential = http_oauth2(options, client, clock);
    token_answer = R"({"access_token":"t-1","expires_in":600,"refresh_token":"r-1"})";
    EXPECT_EQ(ask(credential).status, 200);
    EXPECT_EQ(token_request.body, "grant_type=refresh_token&refresh_token=r%200&scope=a%20b");
    EXPECT_EQ(refresh, "r-1");
    clock.moved = clock.moved.load() + std::chrono::seconds(601);
    token_answer = R"({"access_token":"t-2","expires_in":600})";
    EXPECT_EQ(ask(credential).status, 200);
    EXPECT_THAT(token_request.body, HasSubstr("refresh_token=r-1"));
    EXPECT_EQ(refresh, "r-1") << "it stays the same where none comes";
    clock.moved = clock.moved.load() + std::chrono::seconds(601);
    token_status = 400;
    token_answer = R"({"error":"invalid_grant"})";
    EXPECT_EQ(ask(credential).error->code(), "HTTP-081");
    options.keep_refresh_token = [](const std::string&) { throw Error(Fault::kConfig, "CRYPTO-011", "writing", "disk full"); };
    token_status = 200;
    token_answer = R"({"access_token":"t-1","refresh_token":"r-2"})";
    EXPECT_EQ(ask(http_oauth2(options, client, clock)).error->code(), "HTTP-081");
}

TEST_F(CredentialsTest, AsksForATokenWithASignedAssertion) {
    good = {"Bearer t-1"};
    const crypto::SigningKey key = crypto::SigningKey::generate(crypto::Algorithm::kRs256);
    secret = key.pem();
    HttpOAuth2 options = oauth();
    options.grant = HttpOAuth2::Grant::kAssertion;
    options.subject = "bus@campus";
    options.audience = "https://login.example.edu";
    EXPECT_EQ(ask(http_oauth2(options, client, clock)).status, 200);
    EXPECT_THAT(token_request.body, testing::StartsWith("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&"));
    EXPECT_FALSE(token_request.fields.has("Authorization"));
    const std::string marker = "&assertion=";
    crypto::JwsPolicy policy;
    policy.algorithms = {crypto::Algorithm::kRs256};
    const crypto::Jws jws = crypto::verify_jws(token_request.body.substr(token_request.body.find(marker) + marker.size()),
                                               policy, [&](const crypto::JwsHeader&) { return key.public_key(); });
    EXPECT_THAT(jws.payload, HasSubstr(R"("iss":"clr bus","sub":"bus@campus","aud":"https://login.example.edu")"));
}

TEST_F(CredentialsTest, UsesARotatedSecretFromTheNextCallOn) {
    good = {"Bearer s3cret-9b", "Bearer new"};
    const auto credential = http_bearer([this] { return secret; });
    EXPECT_EQ(ask(credential).status, 200);
    secret = "new";
    EXPECT_EQ(ask(credential).status, 200);
    EXPECT_THAT(seen, ElementsAre("Bearer s3cret-9b", "Bearer new"));
}

TEST_F(CredentialsTest, AsksOnceMoreAfterA401WhenTheSecretHasChanged) {
    good = {"Bearer new"};
    int reads = 0;
    const auto rotated = http_bearer([&] { return ++reads == 1 ? "old" : "new"; });
    EXPECT_EQ(ask(rotated).status, 200);
    EXPECT_THAT(seen, ElementsAre("Bearer old", "Bearer new"));
    seen.clear();
    EXPECT_EQ(ask(http_bearer([] { return "wrong"; })).status, 401);
    EXPECT_THAT(seen, ElementsAre("Bearer wrong"));
}

TEST_F(CredentialsTest, ASecretThatCannotBeReadIsAFarSideAway) {
    const HttpAnswer answer =
        ask(http_bearer([]() -> std::string { throw Error(Fault::kConfig, "CRYPTO-010", "reading", "group may read it"); }));
    ASSERT_TRUE(answer.error);
    EXPECT_EQ(answer.error->fault(), Fault::kAway);
    EXPECT_EQ(answer.error->code(), "CRYPTO-010");
    EXPECT_TRUE(seen.empty());
    EXPECT_EQ(ask(http_bearer([] { return "a\r\nb"; })).error->code(), "HTTP-071") << "a secret that would break the head";
}

TEST_F(CredentialsTest, FetchesATokenOnceForAllWhoWait) {
    good = {"Bearer t-1"};
    const auto credential = http_oauth2(oauth(), client, clock);
    ThreadPool pool(2, "asks");
    std::atomic<int> answered{0};
    for (int i = 0; i < 20; ++i)
        client.request(call(credential), pool, [&](const HttpAnswer& answer) { answered += answer.status == 200 ? 1 : 100; });
    ASSERT_TRUE(support::wait_until([&] { return answered >= 20; }));
    EXPECT_EQ(answered, 20);
    EXPECT_EQ(token_calls, 1);
    EXPECT_EQ(token_request.body, "grant_type=client_credentials&scope=a%20b");
    EXPECT_EQ(token_request.fields.get("Authorization"), "Basic " + crypto::base64("clr%20bus:s3cret-9b"));
}

TEST_F(CredentialsTest, RenewsATokenBeforeItEndsAndAfterA401) {
    good = {"Bearer t-1", "Bearer t-2"};
    const auto credential = http_oauth2(oauth(), client, clock);
    EXPECT_EQ(ask(credential).status, 200);
    clock.moved = clock.moved.load() + std::chrono::seconds(560);
    EXPECT_EQ(ask(credential).status, 200);
    EXPECT_EQ(token_calls, 1);
    token_answer = R"({"access_token":"t-2","expires_in":600})";
    clock.moved = clock.moved.load() + std::chrono::seconds(15);  // 25 s before its end
    EXPECT_EQ(ask(credential).status, 200);
    EXPECT_EQ(token_calls, 2);
    good = {"Bearer t-3"};
    token_answer = R"({"access_token":"t-3"})";
    EXPECT_EQ(ask(credential).status, 200);
    EXPECT_EQ(token_calls, 3);
    good = {};
    EXPECT_EQ(ask(credential).status, 401) << "once more, not for ever";
    EXPECT_EQ(token_calls, 4);
}

TEST_F(CredentialsTest, ATokenServerThatRefusesIsAFarSideAwayAndTellsNoSecret) {
    const auto credential = http_oauth2(oauth(), client, clock);
    const auto refused = [&](int status, const std::string& json) {
        token_status = status;
        token_answer = json;
        const HttpAnswer answer = ask(credential);
        ASSERT_TRUE(answer.error);
        EXPECT_EQ(answer.error->code(), "HTTP-081");
        EXPECT_EQ(answer.error->fault(), Fault::kAway);
        EXPECT_THAT(answer.error->what(), Not(HasSubstr("s3cret")));
    };
    refused(401, R"({"error":"invalid_client s3cret-9b"})");
    refused(500, "");
    refused(200, "nonsense");
    refused(200, R"({"token_type":"bearer"})");
    refused(200, R"({"access_token":"x","token_type":"mac"})");
    token_status = 200;
    token_answer = R"({"access_token":"t-1"})";
    good = {"Bearer t-1"};
    EXPECT_EQ(ask(credential).status, 200);
}

TEST_F(CredentialsTest, SignsItsRequestForATokenWithAPrivateKey) {
    good = {"Bearer t-1"};
    const crypto::SigningKey key = crypto::SigningKey::generate(crypto::Algorithm::kEs256);
    secret = key.pem();
    HttpOAuth2 options = oauth();
    options.method = HttpOAuth2::Method::kPrivateKeyJwt;
    EXPECT_EQ(ask(http_oauth2(options, client, clock)).status, 200);
    const std::string marker = "&client_assertion=";
    const std::size_t at = token_request.body.find(marker);
    ASSERT_NE(at, std::string::npos);
    crypto::JwsPolicy policy;
    policy.algorithms = {crypto::Algorithm::kEs256};
    const crypto::Jws jws = crypto::verify_jws(token_request.body.substr(at + marker.size()), policy,
                                               [&](const crypto::JwsHeader&) { return key.public_key(); });
    EXPECT_THAT(jws.payload, HasSubstr("\"iss\":\"clr bus\",\"sub\":\"clr bus\",\"aud\":\"" + url("/token") + "\""));
    EXPECT_THAT(jws.payload, HasSubstr("\"exp\":1800003720"));
    secret = "no key";
    EXPECT_EQ(ask(http_oauth2(options, client, clock)).error->fault(), Fault::kAway);
}

}  // namespace
}  // namespace clrbus
