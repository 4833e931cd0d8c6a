#include "crypto/password.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "crypto/base64.hpp"
#include "crypto/hash.hpp"

namespace clrbus::crypto {
namespace {

// The exchange of RFC 7677 section 3: user "user", password "pencil".
constexpr std::string_view kAuthMessage =
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const std::string kSalt = *from_base64("W22ZaJ0SNY7soEsUEjb6gQ==");

TEST(Scram, RefusesAWrongProof) {
    const ScramSecret secret = make_scram_secret("pencil", kSalt, 4096);
    const std::string proof = *from_base64("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    EXPECT_FALSE(scram_proof_matches(secret, kAuthMessage, ""));
    EXPECT_FALSE(scram_proof_matches(secret, kAuthMessage, proof.substr(1)));
    EXPECT_FALSE(scram_proof_matches(secret, kAuthMessage, proof + "x"));
    EXPECT_FALSE(scram_proof_matches(secret, kAuthMessage, std::string(32, '\0')));
    EXPECT_FALSE(scram_proof_matches(secret, "other", proof));
    for (std::size_t i = 0; i < proof.size(); ++i) {
        std::string changed = proof;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        EXPECT_FALSE(scram_proof_matches(secret, kAuthMessage, changed));
    }
    EXPECT_FALSE(scram_password_matches(secret, "Pencil"));
    EXPECT_FALSE(scram_password_matches(secret, ""));
}

TEST(Scram, GivesTheValuesOfRfc7677) {
    const ScramSecret secret = make_scram_secret("pencil", kSalt, 4096);
    const std::string proof = scram_client_proof("pencil", kSalt, 4096, kAuthMessage);
    EXPECT_EQ(base64(proof), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    EXPECT_TRUE(scram_proof_matches(secret, kAuthMessage, proof));
    EXPECT_EQ(base64(scram_server_signature(secret, kAuthMessage)), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    EXPECT_TRUE(scram_password_matches(secret, "pencil"));
}

TEST(Scram, KeepsASecretAsText) {
    const ScramSecret secret = make_scram_secret("pencil", kSalt, 4096);
    const auto read = ScramSecret::decode(secret.encode());
    ASSERT_TRUE(read);
    EXPECT_EQ(read->encode(), secret.encode());
    EXPECT_TRUE(scram_password_matches(*read, "pencil"));
    const std::string good = secret.encode();
    for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(ScramSecret::decode(good.substr(0, size))) << size;
    EXPECT_FALSE(ScramSecret::decode("SCRAM-SHA-1" + good.substr(13)));
    EXPECT_FALSE(ScramSecret::decode("SCRAM-SHA-256$100" + good.substr(good.find(':'))));
    EXPECT_FALSE(ScramSecret::decode("SCRAM-SHA-256$99999999999" + good.substr(good.find(':'))));
    EXPECT_FALSE(ScramSecret::decode("SCRAM-SHA-256$$:$:"));
}

TEST(Scram, AnUnknownUserLooksLikeAKnownOne) {
    const ScramSecret a = make_scram_decoy("server key", "nobody", 4096);
    EXPECT_EQ(a.salt, make_scram_decoy("server key", "nobody", 4096).salt);
    EXPECT_NE(a.salt, make_scram_decoy("server key", "somebody", 4096).salt);
    EXPECT_EQ(a.salt.size(), 16u);
    EXPECT_FALSE(scram_password_matches(a, ""));
}

TEST(Passwords, GivesTheKnownDerivations) {
    EXPECT_EQ(to_hex(pbkdf2_sha256("passwd", "salt", 1, 64)),
              "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd5"
              "09112041d3"
              "a19783");
    EXPECT_EQ(to_hex(scrypt("password", "NaCl", 1024, 8, 16, 64)),
              "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d"
              "8360cbdf"
              "a2cc0640");
}

TEST(Passwords, RefusesCostsThatStopTheServer) {
    EXPECT_THROW(pbkdf2_sha256("p", "s", 0, 32), Error);
    EXPECT_THROW(pbkdf2_sha256("p", "s", 10'000'001, 32), Error);
    EXPECT_THROW(pbkdf2_sha256("p", "s", 1, 0), Error);
    EXPECT_THROW(pbkdf2_sha256("p", "s", 1, 1025), Error);
    EXPECT_THROW(scrypt("p", "s", 1000, 8, 1, 32), Error);
    EXPECT_THROW(scrypt("p", "s", 1u << 20, 8, 1, 32), Error);
    EXPECT_THROW(scrypt("p", "s", 1024, 0, 1, 32), Error);
}

TEST(Passwords, RandomBytesDiffer) {
    EXPECT_NE(random_bytes(32), random_bytes(32));
    EXPECT_EQ(random_bytes(0), "");
    EXPECT_EQ(random_token(32).size(), 43u);
}

}  // namespace
}  // namespace clrbus::crypto
