#include "http/tokens.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/health.hpp"

namespace clrbus {
namespace {

using testing::HasSubstr;

class StandingClock : public Clock {
public:
    Time now() const override { return Time{std::chrono::hours(1)}; }
    std::chrono::steady_clock::time_point steady() const override { return at; }
    std::chrono::steady_clock::time_point at{std::chrono::hours(1)};
};

HttpRequest with_authorization(const std::string& value) {
    HttpRequest request;
    request.peer = "192.0.2.1";
    if (!value.empty()) request.fields.add("Authorization", value);
    return request;
}

TEST(HttpTokens, ATokenWhoseTimeIsOverIsNobodys) {
    StandingClock clock;
    HttpTokens tokens(clock);
    tokens.replace({{"over", HttpTokens::hash("over-secret"), {"staff"}, clock.now() - std::chrono::seconds(1)},
                    {"now", HttpTokens::hash("now-secret"), {"staff"}, clock.now() + std::chrono::seconds(1)}});
    EXPECT_FALSE(tokens.identify("over-secret"));
    EXPECT_TRUE(tokens.identify("now-secret"));
}

class HttpTokensTest : public testing::Test {
protected:
    HttpTokensTest() {
        tokens_.replace({{"canvas", HttpTokens::hash("canvas-secret"), {"publish:canvas"}},
                         {"all", HttpTokens::hash("all-secret"), {"publish:*", "staff"}}});
    }
    int status(const std::string& authorization, const std::string& right = "publish:canvas") {
        const HttpTokens::Check check = tokens_.check(with_authorization(authorization), right);
        EXPECT_NE(check.caller.has_value(), check.refuse.has_value());
        return check.refuse ? check.refuse->status : 0;
    }
    StandingClock clock_;
    HttpTokens tokens_{clock_};
};

TEST_F(HttpTokensTest, RefusesWhatIsNoToken) {
    for (const char* value : {"", "Bearer", "Bearer ", "Basic canvas-secret", "canvas-secret", "Bearer canvas-secre",
                              "Bearer canvas-secrets", "Bearer canvas-secret x"})
        EXPECT_EQ(status(value), 401) << value;
    const auto check = tokens_.check(with_authorization(""), "staff");
    EXPECT_THAT(std::string(check.refuse->fields.get("WWW-Authenticate")), HasSubstr("Bearer"));
}

TEST_F(HttpTokensTest, BindsATokenToWhatItMay) {
    EXPECT_EQ(status("Bearer canvas-secret"), 0);
    EXPECT_EQ(status("bearer canvas-secret"), 0);
    EXPECT_EQ(status("Bearer canvas-secret", "publish:people"), 403);
    EXPECT_EQ(status("Bearer canvas-secret", "publish:*"), 403);
    EXPECT_EQ(status("Bearer canvas-secret", "staff"), 403);
    EXPECT_EQ(status("Bearer all-secret", "publish:people"), 0);
    EXPECT_EQ(status("Bearer all-secret", "staff"), 0);
    EXPECT_EQ(status("Bearer all-secret", "operate"), 403);
    EXPECT_EQ(tokens_.check(with_authorization("Bearer all-secret"), "staff").caller->name, "all");
}

TEST_F(HttpTokensTest, HoldsBackGuessingButNotTheRightToken) {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(status("Bearer guess"), 401);
    EXPECT_EQ(status("Bearer guess"), 429);
    EXPECT_EQ(status("Bearer canvas-secret"), 0);
    clock_.at += std::chrono::seconds(61);
    EXPECT_EQ(status("Bearer guess"), 401);
}

TEST_F(HttpTokensTest, AsksWithoutCountingWhereStrangersAreWelcome) {
    for (int i = 0; i < 30; ++i) EXPECT_FALSE(tokens_.may(with_authorization(""), "operate"));
    EXPECT_TRUE(tokens_.may(with_authorization("Bearer all-secret"), "staff"));
    EXPECT_EQ(status("Bearer guess"), 401);
}

TEST_F(HttpTokensTest, ForgetsReplacedTokens) {
    tokens_.replace({});
    EXPECT_EQ(status("Bearer canvas-secret"), 401);
}

TEST_F(HttpTokensTest, RefusesAWeakTokenWithoutShowingIt) {
    EXPECT_NO_THROW(HttpTokens::check_strength("a", "01234567890123456789"));
    try {
        HttpTokens::check_strength("a", "hunter2");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).find("hunter2"), std::string::npos);
    }
}

TEST(Metrics, WritesSeriesOfOneNameTogether) {
    EXPECT_EQ(metrics_text({{"a_total{x=\"1\"}", 1}, {"a_totally", 2}, {"a_total{x=\"2\"}", 3}}),
              "# TYPE a_total counter\na_total{x=\"1\"} 1\na_total{x=\"2\"} 3\n# TYPE a_totally gauge\na_totally 2\n");
}

class KeptExchange : public HttpExchange {
public:
    HttpRequest& request() override { return request_; }
    void respond(HttpResponse response) override { answer = std::move(response); }
    HttpResponse answer;

private:
    HttpRequest request_;
};

TEST(Health, ShowsPartsOnlyToThoseWhoMay) {
    bool detail = false;
    bool ok = true;
    const HttpHandler handler = health_handler(
        [&] {
            return std::vector{HealthPart{"journal", ok, "stands \"still\""}};
        },
        [&](const HttpRequest&) { return detail; });
    const auto ask = [&] {
        const auto exchange = std::make_shared<KeptExchange>();
        handler(exchange);
        return exchange->answer;
    };
    EXPECT_EQ(ask().body, "{\"status\":\"ok\"}\n");
    ok = false;
    EXPECT_EQ(ask().status, 503);
    EXPECT_EQ(ask().body, "{\"status\":\"failing\"}\n");
    detail = true;
    EXPECT_THAT(ask().body, HasSubstr(R"({"name":"journal","ok":false,"text":"stands \"still\""})"));
}

}  // namespace
}  // namespace clrbus
