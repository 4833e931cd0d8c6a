#include "crypto/jws.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "crypto/base64.hpp"
#include "crypto/hash.hpp"

namespace clrbus::crypto {
namespace {

constexpr Algorithm kAll[] = {Algorithm::kEs256, Algorithm::kRs256, Algorithm::kEdDsa};
const JwsPolicy kTakeAll{{Algorithm::kEs256, Algorithm::kRs256, Algorithm::kEdDsa}, 16u << 20, 16u << 10};

// RFC 7515 appendix A.3.
constexpr std::string_view kRfcKey =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
constexpr std::string_view kRfcToken =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

std::string code_of(std::string_view token, const JwsPolicy& policy, const JwsKeySource& source) {
    try {
        verify_jws(token, policy, source);
    } catch (const Error& e) {
        return e.code();
    }
    return "";
}

JwsKeySource always(const PublicKey& key) {
    return [key](const JwsHeader&) { return key; };
}

// A token with any header, signed properly.
std::string forge(const SigningKey& key, std::string_view header, std::string_view payload = "{}") {
    const std::string text = base64url(header) + "." + base64url(payload);
    return text + "." + base64url(key.sign(text));
}

TEST(Jws, RefusesHeadersThatAskForTooMuch) {
    const SigningKey key = SigningKey::generate(Algorithm::kEs256);
    const auto source = always(key.public_key());
    ASSERT_EQ(code_of(forge(key, R"({"alg":"ES256"})"), kTakeAll, source), "");
    const std::pair<const char*, const char*> cases[] = {
        {R"({"alg":"none"})", "JWS-003"},
        {R"({"alg":"None"})", "JWS-003"},
        {R"({"alg":"HS256"})", "JWS-003"},
        {R"({"alg":""})", "JWS-003"},
        {R"({})", "JWS-003"},
        {R"({"alg":"es256"})", "JWS-003"},
        {R"({"alg":"RS256"})", "JWS-003"},  // the key is not RSA
        {R"({"alg":["ES256"]})", "JWS-002"},
        {R"({"alg":"ES256","alg":"ES256"})", "JWS-002"},
        {R"({"alg":"ES256","\u0061lg":"none"})", "JWS-002"},
        {R"({"alg":"ES256","crit":["exp"]})", "JWS-002"},
        {R"({"alg":"ES256","b64":false})", "JWS-002"},
        {R"({"alg":"ES256","zip":"DEF"})", "JWS-002"},
        {R"({"alg":"ES256","kid":1})", "JWS-002"},
        {R"({"alg":"ES256","jwk":"x"})", "JWS-002"},
        {R"({"alg":"ES256","jwk":{"kty":"EC","d":"x"}})", "JWS-002"},
        {R"({"alg":"ES256"} )"
         "x",
         "JWS-002"},
        {R"(["ES256"])", "JWS-002"},
        {R"("ES256")", "JWS-002"},
        {"", "JWS-002"},
        {"{\"alg\":\"ES256\",\"kid\":\"\xff\"}", "JWS-002"},
        {"{\"alg\":\"ES256\",\"kid\":\"\n\"}", "JWS-002"},
        {R"({"alg":"ES256","kid":"\ud800"})", "JWS-002"},
        {R"({"alg":"ES256","x":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]})", "JWS-002"},
    };
    for (const auto& [header, code] : cases) EXPECT_EQ(code_of(forge(key, header), kTakeAll, source), code) << header;
}

TEST(Jws, RefusesAnotherForm) {
    const SigningKey key = SigningKey::generate(Algorithm::kEs256);
    const auto source = always(key.public_key());
    const std::string good = sign_jws(key, "payload");
    EXPECT_EQ(code_of("", kTakeAll, source), "JWS-001");
    EXPECT_EQ(code_of("..", kTakeAll, source), "JWS-002");
    EXPECT_EQ(code_of("a.b", kTakeAll, source), "JWS-001");
    EXPECT_EQ(code_of(good + ".x", kTakeAll, source), "JWS-001");
    EXPECT_EQ(code_of(good + "\n", kTakeAll, source), "JWS-001");
    EXPECT_EQ(code_of(good + "=", kTakeAll, source), "JWS-001");
    EXPECT_EQ(code_of(good.substr(0, good.rfind('.') + 1), kTakeAll, source), "JWS-005");
    JwsPolicy small = kTakeAll;
    small.most_bytes = good.size() - 1;
    EXPECT_EQ(code_of(good, small, source), "JWS-001");
    small = kTakeAll;
    small.most_header_bytes = 10;
    EXPECT_EQ(code_of(good, small, source), "JWS-001");
}

TEST(Jws, RefusesAnyChangedCharacter) {
    for (const Algorithm algorithm : kAll) {
        const SigningKey key = SigningKey::generate(algorithm);
        const auto source = always(key.public_key());
        const std::string good = sign_jws(key, R"({"grade":"A"})");
        ASSERT_EQ(verify_jws(good, kTakeAll, source).payload, R"({"grade":"A"})");
        for (std::size_t i = 0; i < good.size(); i += algorithm == Algorithm::kRs256 ? 7 : 1) {
            if (good[i] == '.') continue;
            std::string changed = good;
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            EXPECT_NE(code_of(changed, kTakeAll, source), "") << to_string(algorithm) << " " << i;
        }
    }
}

TEST(Jws, TakesOnlyWhatTheCallerNamesAndKnows) {
    const SigningKey key = SigningKey::generate(Algorithm::kEs256);
    const SigningKey other = SigningKey::generate(Algorithm::kEs256);
    const std::string token = sign_jws(key, "x");
    EXPECT_EQ(code_of(token, JwsPolicy{}, always(key.public_key())), "JWS-003");
    EXPECT_EQ(code_of(token, JwsPolicy{{Algorithm::kRs256}, 1000, 1000}, always(key.public_key())), "JWS-003");
    EXPECT_EQ(code_of(token, kTakeAll, always(other.public_key())), "JWS-005");
    EXPECT_EQ(code_of(token, kTakeAll, [](const JwsHeader&) { return std::nullopt; }), "JWS-004");
}

TEST(Jws, ReadsTheTokenOfRfc7515) {
    const PublicKey key = PublicKey::from_jwk(kRfcKey);
    const Jws token = verify_jws(kRfcToken, kTakeAll, always(key));
    EXPECT_EQ(token.payload, "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
    EXPECT_EQ(token.header.kid, "");
    EXPECT_EQ(read_jws_unverified(kRfcToken, kTakeAll).payload, token.payload);
}

TEST(Jws, WritesHeaderWithKidAndType) {
    const SigningKey key = SigningKey::generate(Algorithm::kEs256);
    const Jws token =
        verify_jws(sign_jws(key, "x", {"https://a.example/keys/\"1\"", "JWT"}), kTakeAll, [&](const JwsHeader& header) {
            EXPECT_EQ(header.kid, "https://a.example/keys/\"1\"");
            return key.public_key();
        });
    EXPECT_EQ(token.header.typ, "JWT");
    EXPECT_EQ(token.header.members.members().size(), 3u);
}

TEST(Keys, ThumbprintOfRfc7638) {
    const PublicKey key = PublicKey::from_jwk(
        R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"})");
    EXPECT_EQ(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    EXPECT_EQ(key.algorithm(), Algorithm::kRs256);
    EXPECT_EQ(
        PublicKey::from_ed25519(*from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")).thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");  // RFC 8037 appendix A.3
}

TEST(Keys, RefusesKeysThatAreNone) {
    for (
        const auto* bad :
        {"", "{}", "[]", R"({"kty":"oct","k":"AAAA"})", R"({"kty":"EC","crv":"P-384","x":"AA","y":"AA"})",
         R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"})",
         R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1"})",
         R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})", R"({"kty":"OKP","crv":"X25519","x":"AAAA"})",
         R"({"kty":"RSA","n":"AQAB","e":"AQAB"})", R"({"kty":"RSA","n":"AQAB"})"})
        EXPECT_THROW(PublicKey::from_jwk(bad), Error) << bad;
    std::string private_key(kRfcKey);
    private_key.insert(1, R"("d":"AAAA",)");
    EXPECT_THROW(PublicKey::from_jwk(private_key), Error);
    std::string wrong_algorithm(kRfcKey);
    wrong_algorithm.insert(1, R"("alg":"RS256",)");
    EXPECT_THROW(PublicKey::from_jwk(wrong_algorithm), Error);
    EXPECT_THROW(PublicKey::from_pem("no pem"), Error);
    EXPECT_THROW(PublicKey::from_pem(SigningKey::generate(Algorithm::kEs256).pem()), Error) << "a private key is no public one";
    EXPECT_THROW(SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), Error);
}

TEST(Keys, RefusesSignaturesOfAnotherForm) {
    const SigningKey key = SigningKey::generate(Algorithm::kEs256);
    EXPECT_FALSE(key.public_key().verify("x", ""));
    EXPECT_FALSE(key.public_key().verify("x", std::string(64, '\0')));
    EXPECT_FALSE(key.public_key().verify("x", std::string(64, '\xff')));
    EXPECT_FALSE(key.public_key().verify("x", std::string(72, 'x')));
    EXPECT_FALSE(SigningKey::generate(Algorithm::kRs256).public_key().verify("x", std::string(256, '\xff')));
    EXPECT_FALSE(SigningKey::generate(Algorithm::kEdDsa).public_key().verify("x", std::string(63, 'x')));
}

TEST(Keys, AreTheSameAfterFilesAndJwk) {
    const auto file = std::filesystem::temp_directory_path() / ("clrbus-key-" + new_uuid());
    for (const Algorithm algorithm : kAll) {
        const SigningKey key = SigningKey::generate(algorithm);
        key.store(file);
        struct stat status {};
        ASSERT_EQ(::stat(file.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777, 0600u);
        const SigningKey loaded = SigningKey::load(file);
        EXPECT_EQ(loaded.kid(), key.kid());
        EXPECT_EQ(loaded.algorithm(), algorithm);
        const PublicKey from_jwk = PublicKey::from_jwk(key.public_key().jwk());
        const PublicKey from_pem = PublicKey::from_pem(key.public_key().pem());
        EXPECT_EQ(from_jwk.thumbprint(), key.kid());
        for (int i = 0; i < 20; ++i) {  // r and s with leading zeros come now and then
            const std::string signature = loaded.sign("text");
            EXPECT_TRUE(from_jwk.verify("text", signature));
            EXPECT_TRUE(from_pem.verify("text", signature));
            EXPECT_FALSE(from_pem.verify("texT", signature));
        }
    }
    std::filesystem::remove(file);
}

TEST(Keys, AFileThatOthersMayReadIsRefused) {
    const auto file = std::filesystem::temp_directory_path() / ("clrbus-key-" + new_uuid());
    SigningKey::generate(Algorithm::kEs256).store(file);
    std::filesystem::permissions(file, std::filesystem::perms(0644));
    EXPECT_THROW(SigningKey::load(file), Error);
    std::filesystem::remove(file);
}

TEST(FlatJsonTest, ReadsWhatJsonAllows) {
    const auto json =
        FlatJson::parse(R"( { "a" : "\u00e9\ud83d\ude00\n\/" , "n":-1.5e+3,"o":{"x":[1,{}]},"t":true,"f":false,"z":null} )");
    ASSERT_TRUE(json);
    EXPECT_EQ(json->string("a"), "\u00e9\U0001F600\n/");
    EXPECT_EQ(json->find("n")->value, "-1.5e+3");
    EXPECT_EQ(json->find("o")->value, R"({"x":[1,{}]})");
    EXPECT_EQ(json->find("z")->kind, FlatJson::Kind::kNull);
    EXPECT_FALSE(json->string("n"));
    for (const auto* bad : {"{\"a\":01}",
                            "{\"a\":+1}",
                            "{\"a\":.5}",
                            "{\"a\":1.}",
                            "{\"a\":1e}",
                            "{\"a\":NaN}",
                            "{\"a\":1,}",
                            "{,}",
                            "{\"a\"}",
                            "{a:1}",
                            "{'a':1}",
                            "{\"a\":\"\\x\"}",
                            "{\"a\":\"\\u12\"}",
                            "{\"a\":tru}",
                            "{\"a\":1}{}",
                            "{\"a\":[1,]}",
                            "{\"a\":{\"b\"}}",
                            "{\"a\":\"\\udc00\"}",
                            "{",
                            "{\"a\":\"",
                            "{\"a\":\"\\",
                            "{\"a\":[",
                            "{\"a\":-}"})
        EXPECT_FALSE(FlatJson::parse(bad)) << bad;
    EXPECT_EQ(json_string("a\"\\\n\x01é"), "\"a\\\"\\\\\\u000a\\u0001é\"");
    EXPECT_THROW(json_string("\xff"), Error);
    for (const auto* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                            "\xf4\x90\x80\x80", "\xf8", "\xe2\x82"})
        EXPECT_FALSE(is_utf8(bad));
}

}  // namespace
}  // namespace clrbus::crypto
