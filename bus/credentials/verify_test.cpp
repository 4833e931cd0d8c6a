#include "credentials/verify.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "credentials/status_list.hpp"
#include "credentials/test_clock.hpp"
#include "credentials/vc_jwt.hpp"
#include "crypto/base64.hpp"
#include "crypto/jws.hpp"

namespace clrbus::credentials {
namespace {

using crypto::Algorithm;

constexpr std::string_view kIssuer = "https://clr.example.edu/issuer";
constexpr std::string_view kListUrl = "https://clr.example.edu/status/0";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    if (at != text.npos) text.replace(at, from.size(), to);
    return text;
}

class Verifying : public testing::Test {
protected:
    Verifying()
        : folder_(std::filesystem::temp_directory_path() / ("clrbus-verify-" + new_uuid())),
          store_(KeyStore::open(folder_ / "keys", "https://clr.example.edu/keys/", clock_)),
          lists_(StatusLists::open(folder_ / "status", clock_)) {
        options_.keys = own_keys(store_, std::string(kIssuer));
        options_.now = clock_.time;
    }
    ~Verifying() override { std::filesystem::remove_all(folder_); }

    static std::string credential(std::string_view more = "") {
        return R"({"@context":["https://www.w3.org/ns/credentials/v2"],"id":"urn:uuid:1","type":["VerifiableCredential","ClrCredential"],)"
               R"("name":"Record","issuer":{"id":")" +
               std::string(kIssuer) + R"(","type":["Profile"]},"validFrom":"2026-02-01T00:00:00Z",)" +
               R"("credentialSubject":{"id":"urn:uuid:2","type":["ClrSubject"],"verifiableCredential":[{"credentialSubject":{"id":"urn:uuid:2"},"grade":"A"}]})" +
               std::string(more) + "}";
    }
    std::string token(std::string_view more = "", Algorithm algorithm = Algorithm::kEs256) const {
        return sign_vc_jwt(store_.current(algorithm), credential(more));
    }
    // A token with any payload, signed by our own key.
    std::string forged(std::string_view payload, std::string_view header = "") const {
        const Signer signer = store_.current(Algorithm::kEs256);
        if (header.empty()) return crypto::sign_jws(signer.key, payload, {signer.kid, "JWT"});
        const std::string text = crypto::base64url(header) + "." + crypto::base64url(payload);
        return text + "." + crypto::base64url(signer.key.sign(text));
    }
    std::string payload(std::string_view more = "") const { return crypto::read_jws_unverified(token(more), policy()).payload; }
    static crypto::JwsPolicy policy() { return {{Algorithm::kEs256, Algorithm::kRs256, Algorithm::kEdDsa}, 16u << 20, 16384}; }
    std::string failed(std::string_view text) const { return failed(text, options_); }
    static std::string failed(std::string_view text, const VerifyOptions& options) {
        const Verdict verdict = verify(text, options);
        for (const Check& check : verdict.checks)
            if (check.result == Check::Result::kFailed) return check.name;
        return verdict.good ? "" : "no check failed, and yet not good";
    }
    std::string with_status(const StatusLists::Entry& entry) const {
        return token(
            R"(,"credentialStatus":{"id":"urn:uuid:9","type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":")" +
            std::to_string(entry.index) + R"(","statusListCredential":")" + std::string(kListUrl) + "\"}");
    }

    TestClock clock_;
    std::filesystem::path folder_;
    KeyStore store_;
    StatusLists lists_;
    VerifyOptions options_;
};

TEST_F(Verifying, RefusesOneEditedGrade) {
    const std::string good = token();
    const auto first = good.find('.');
    const auto second = good.rfind('.');
    const std::string body = *crypto::from_base64url(good.substr(first + 1, second - first - 1));
    const std::string edited =
        good.substr(0, first + 1) + crypto::base64url(replaced(body, R"("grade":"A")", R"("grade":"B")")) + good.substr(second);
    EXPECT_EQ(failed(good), "");
    EXPECT_EQ(failed(edited), "signature");
    EXPECT_EQ(verify(edited, options_).credential, "");
}

TEST_F(Verifying, RefusesOtherForms) {
    for (const std::string& text : std::initializer_list<std::string>{
             "", "x", "{}", "[]", "{", "null", credential(), R"({"compactJwsString":[]})", R"({"compactJwsString":["a","b"]})",
             "a.b.c", std::string(1000, '{'), "{\"compactJwsString\":[\"" + token() + "\",\"" + token() + "\"]}"})
        EXPECT_EQ(failed(text), "form") << text.substr(0, 60);
    EXPECT_EQ(failed("{\"compactJwsString\":[\"" + token() + "\"]}"), "");
    EXPECT_EQ(failed(token() + "\n"), "") << "a file ends with a newline";
    VerifyOptions small = options_;
    small.most_bytes = 100;
    EXPECT_EQ(failed(token(), small), "form");
}

TEST_F(Verifying, RefusesOtherHeaders) {
    const std::string kid = store_.current(Algorithm::kEs256).kid;
    EXPECT_EQ(failed(forged(payload(), R"({"alg":"ES256","kid":")" + kid + R"(","typ":"JWT"})")), "");
    EXPECT_EQ(failed(forged(payload(), R"({"alg":"ES256","kid":")" + kid + "\"}")), "");
    EXPECT_EQ(failed(forged(payload(), R"({"alg":"ES256"})")), "form");
    EXPECT_EQ(failed(forged(payload(), R"({"alg":"ES256","kid":")" + kid + R"(","x5u":"https://evil.example"})")), "form");
    EXPECT_EQ(failed(forged(payload(), R"({"alg":"ES256","kid":")" + kid + R"(","typ":"vc+jwt"})")), "form");
    EXPECT_EQ(failed(forged(payload(), R"({"alg":"none","kid":")" + kid + "\"}")), "form");
    EXPECT_EQ(failed(forged(payload(), R"({"alg":"RS256","kid":")" + kid + "\"}")), "signature");
    EXPECT_EQ(failed(forged(payload(), R"({"alg":"ES256","kid":"https://clr.example.edu/keys/other"})")), "key");
}

TEST_F(Verifying, AnEmbeddedKeyProvesNothing) {
    const auto stranger = crypto::SigningKey::generate(Algorithm::kEs256);
    const std::string header = R"({"alg":"ES256","kid":"x","jwk":)" + stranger.public_key().jwk() + "}";
    const std::string text = crypto::base64url(header) + "." + crypto::base64url(payload());
    EXPECT_EQ(failed(text + "." + crypto::base64url(stranger.sign(text))), "key");
}

TEST_F(Verifying, RefusesClaimsThatDifferFromTheMembers) {
    const std::string good = payload();
    EXPECT_EQ(failed(forged(good)), "");
    for (const auto& [from, to] : std::initializer_list<std::pair<std::string, std::string>>{
             {R"("jti":"urn:uuid:1")", R"("jti":"urn:uuid:3")"},
             {R"("sub":"urn:uuid:2")", R"("sub":"urn:uuid:3")"},
             {R"("sub":"urn:uuid:2")", R"("sub":2)"},
             {",\"sub\":\"urn:uuid:2\"", ""},
             {"\"nbf\":", "\"nbf\":1"},
             {"\"nbf\":", "\"nbf\":0.5,\"x\":"},
             {"\"nbf\":", "\"x\":"},
             {"\"nbf\":", "\"exp\":9999999999,\"nbf\":"},
             {R"("validFrom":"2026-02-01T00:00:00Z")", R"("validFrom":"2026-02-01")"},
             {R"("id":"urn:uuid:1",)", ""}})
        EXPECT_EQ(failed(forged(replaced(good, from, to))), "claims") << from << " -> " << to;
    EXPECT_EQ(failed(forged(replaced(good, R"("iss":"https://clr.example.edu/issuer")", R"("iss":"https://evil.example")"))),
              "claims");
    EXPECT_EQ(failed(forged(replaced(good, R"("issuer":{"id":"https://clr.example.edu/issuer")",
                                     R"("issuer":{"id":"https://evil.example")"))),
              "key")
        << "our key does not speak for another issuer";
    EXPECT_EQ(failed(forged(replaced(good, "{", R"({"vc":{},)"))), "form");
    EXPECT_EQ(failed(forged(replaced(good, "{", R"({"id":"urn:uuid:1",)"))), "form") << "a member twice";
    EXPECT_EQ(failed(forged(replaced(good, "/ns/credentials/v2", "/2018/credentials/v1"))), "form");
    EXPECT_EQ(failed(forged("\"text\"")), "form");
    EXPECT_EQ(failed(forged("{}")), "form");
}

TEST_F(Verifying, RefusesAnotherSubjectInside) {
    EXPECT_EQ(failed(forged(replaced(payload(), R"([{"credentialSubject":{"id":"urn:uuid:2"})",
                                     R"([{"credentialSubject":{"id":"urn:uuid:7"})"))),
              "subject");
}

TEST_F(Verifying, JudgesTheDates) {
    EXPECT_EQ(failed(token(R"(,"validUntil":"2027-01-01T00:00:00Z")")), "");
    EXPECT_EQ(failed(token(R"(,"validUntil":"2026-02-20T00:00:00Z")")), "dates");
    VerifyOptions early = options_;
    early.now = from_rfc3339("2026-01-31T23:50:00Z");
    EXPECT_EQ(failed(token(), early), "dates");
    EXPECT_THROW(token(R"(,"validUntil":"soon")"), Error);
    EXPECT_THROW(token(R"(,"validUntil":null)"), Error);
}

TEST_F(Verifying, RefusesARevokedOne) {
    const auto entry = lists_.entry("urn:uuid:1");
    const std::string issuer = R"({"id":")" + std::string(kIssuer) + R"(","type":["Profile"]})";
    const auto list = [&](const Signer& signer, std::string_view url = kListUrl) {
        return sign_vc_jwt(signer, lists_.credential(0, url, issuer));
    };
    const Signer signer = store_.current(Algorithm::kEs256);
    std::optional<std::string> answer = list(signer);
    options_.status = [&](std::string_view url) { return url == kListUrl ? answer : std::nullopt; };
    EXPECT_EQ(failed(with_status(entry)), "");
    EXPECT_EQ(verify(with_status(entry), options_).find("status")->reason, "not revoked");
    lists_.revoke("urn:uuid:1");
    answer = list(signer);
    EXPECT_EQ(failed(with_status(entry)), "status");
    EXPECT_EQ(failed(*answer), "") << "the list is a credential of its own";

    answer = std::nullopt;
    const Verdict unreachable = verify(with_status(entry), options_);
    EXPECT_TRUE(unreachable.good);
    EXPECT_EQ(unreachable.find("status")->result, Check::Result::kSkipped);

    answer = list({crypto::SigningKey::generate(Algorithm::kEs256), signer.kid});
    EXPECT_EQ(failed(with_status(entry)), "status") << "a list that another key signed";
    answer = list(signer, "https://clr.example.edu/status/1");
    EXPECT_EQ(failed(with_status(entry)), "status") << "another list in its place";
    answer = "garbage";
    EXPECT_EQ(failed(with_status(entry)), "status");
    EXPECT_EQ(failed(with_status({0, 999'999'999})), "status");
}

TEST_F(Verifying, ReadsAKeySet) {
    VerifyOptions options = options_;
    store_.current(Algorithm::kRs256);  // made when it is first asked for
    options.keys = key_set(*store_.jwks(), "", "from the key set in keys.json");
    for (const Algorithm algorithm : {Algorithm::kEs256, Algorithm::kRs256, Algorithm::kEdDsa}) {
        const Verdict verdict = verify(token("", algorithm), options);
        EXPECT_TRUE(verdict.good) << verdict.text();
        EXPECT_EQ(verdict.algorithm, to_string(algorithm));
        EXPECT_EQ(verdict.find("key")->reason, "from the key set in keys.json");
        EXPECT_EQ(verdict.type, "ClrCredential");
        EXPECT_NE(verdict.credential.find("\"grade\":\"A\""), std::string::npos);
        EXPECT_NE(verdict.json().find("\"valid\":true"), std::string::npos);
    }
    options.keys = key_set(*store_.jwks(), "https://another.example", "x");
    EXPECT_EQ(failed(token(), options), "key");
    options.keys = key_set(R"({"keys":[{"kty":"oct","k":"AAAA","kid":"a"},{"kid":1},5]})", "", "x");
    EXPECT_EQ(failed(token(), options), "key");
    for (const auto* bad : {"", "[]", "{}", R"({"keys":{}})"}) EXPECT_THROW(key_set(bad, "", "x"), Error);
}

TEST_F(Verifying, GoesOnAfterRotation) {
    const std::string old = token();
    store_.rotate(Algorithm::kEs256);
    EXPECT_EQ(failed(old), "");
    EXPECT_EQ(failed(token()), "");
}

}  // namespace
}  // namespace clrbus::credentials
