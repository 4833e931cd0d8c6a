// Bytes from outside, damaged in every way that comes cheap: nothing may crash, nothing damaged may pass.
#include <gtest/gtest.h>

#include <random>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "credentials/data_integrity.hpp"
#include "credentials/status_list.hpp"
#include "credentials/test_clock.hpp"
#include "credentials/vc_jwt.hpp"
#include "credentials/verify.hpp"
#include "crypto/base64.hpp"
#include "crypto/flat_json.hpp"
#include "crypto/jws.hpp"

namespace clrbus::credentials {
namespace {

std::string damaged(std::string text, std::mt19937& random) {
    const auto below = [&](std::size_t n) { return n == 0 ? 0 : std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    for (std::size_t times = 1 + below(3); times > 0 && !text.empty(); --times) {
        const std::size_t at = below(text.size());
        switch (below(5)) {
            case 0:
                text[at] = static_cast<char>(below(256));
                break;
            case 1:
                text.erase(at, 1 + below(8));
                break;
            case 2:
                text.insert(at, text.substr(below(text.size()), below(20)));
                break;
            case 3:
                text.insert(at, 1, "{}[]\",:\\\0.="[below(11)]);
                break;
            default:
                text.resize(at);
                break;
        }
    }
    return text;
}

TEST(Damage, NoDamagedCredentialPasses) {
    TestClock clock;
    const auto folder = std::filesystem::temp_directory_path() / ("clrbus-damage-" + new_uuid());
    const KeyStore store = KeyStore::open(folder, "", clock);
    VerifyOptions options;
    options.keys = own_keys(store, "https://a.example");
    options.now = clock.time;
    const std::string good = sign_vc_jwt(
        store.current(crypto::Algorithm::kEs256),
        R"({"@context":["https://www.w3.org/ns/credentials/v2"],"id":"urn:uuid:1","type":["VerifiableCredential"],"issuer":"https://a.example",)"
        R"("validFrom":"2026-02-01T00:00:00Z","credentialSubject":{"id":"urn:uuid:2"}})");
    ASSERT_TRUE(verify(good, options).good);
    std::mt19937 random(20260301);
    for (int i = 0; i < 1500; ++i) {
        const std::string bad = damaged(good, random);
        EXPECT_TRUE(bad == good || !verify(bad, options).good) << bad;
    }
    // Damage below the signature: our own key signs what an attacker would like to have read.
    const std::string payload = crypto::read_jws_unverified(good, {{crypto::Algorithm::kEs256}, 1u << 20, 9999}).payload;
    const Signer signer = store.current(crypto::Algorithm::kEs256);
    for (int i = 0; i < 500; ++i) verify(crypto::sign_jws(signer.key, damaged(payload, random), {signer.kid, "JWT"}), options);
    std::filesystem::remove_all(folder);
}

TEST(Damage, EmbeddedProofsToo) {
    const auto key = crypto::SigningKey::generate(crypto::Algorithm::kEdDsa);
    const std::string good = add_proof(
        key,
        R"({"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],"id":"urn:uuid:1",)"
        R"("type":["VerifiableCredential","AchievementCredential"],"issuer":"https://a.example","validFrom":"2026-02-01T00:00:00Z",)"
        R"("credentialSubject":{"id":"urn:uuid:2","type":["AchievementSubject"],"achievement":{"id":"urn:uuid:3","type":["Achievement"],)"
        R"("name":"n","description":"d","criteria":{"narrative":"c"},"tag":["a","b"]}}})",
        "https://a.example", Time{});
    VerifyOptions options;
    options.now = from_rfc3339("2026-03-01T10:00:00Z");
    options.keys = [&](std::string_view, std::string_view) { return FoundKey{key.public_key(), "the test's"}; };
    ASSERT_TRUE(verify(good, options).good) << verify(good, options).text();
    std::mt19937 random(11);
    for (int i = 0; i < 800; ++i) verify(damaged(good, random), options);  // white space may differ: no crash is what is asked
}

TEST(Damage, ReadersEndWithAnAnswer) {
    std::mt19937 random(7);
    const std::string json =
        R"({"alg":"ES256","kid":"https://a.example/\u00e9\ud83d\ude00","n":-1.5e+3,"o":{"x":[1,{"y":[]}]},"t":true,"z":null})";
    const std::string list = encode_status_list(std::string(kStatusListSize / 8, '\x01'));
    const std::string jwk =
        R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
    for (int i = 0; i < 3000; ++i) {
        if (const auto read = crypto::FlatJson::parse(damaged(json, random))) {
            for (const auto& member : read->members())
                EXPECT_TRUE(crypto::is_utf8(member.name) && crypto::is_utf8(member.value));
        }
        const auto bits = decode_status_list(damaged(list, random));
        EXPECT_TRUE(!bits || bits->size() >= kStatusListSize / 8);
        const std::string text = damaged(list, random);
        const auto bytes = crypto::from_base64url(text);
        EXPECT_TRUE(!bytes || crypto::base64url(*bytes) == text) << "a second spelling of the same bytes";
        try {
            crypto::PublicKey::from_jwk(damaged(jwk, random)).verify("x", std::string(64, 'x'));
        } catch (const Error&) {
        }
    }
}

}  // namespace
}  // namespace clrbus::credentials
