#include "credentials/key_store.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "credentials/test_clock.hpp"
#include "crypto/flat_json.hpp"

namespace clrbus::credentials {
namespace {

using crypto::Algorithm;

class KeyStoreTest : public testing::Test {
protected:
    void TearDown() override { std::filesystem::remove_all(folder_); }
    KeyStore open(std::string_view url = "https://clr.example.edu/keys/") { return KeyStore::open(folder_, url, clock_); }
    std::size_t count(std::string_view extension) const {
        std::size_t n = 0;
        for (const auto& entry : std::filesystem::directory_iterator(folder_)) n += entry.path().extension() == extension;
        return n;
    }
    TestClock clock_;
    std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("clrbus-keys-" + new_uuid());
};

TEST_F(KeyStoreTest, RefusesAFolderThatDoesNotAddUp) {
    const std::string thumbprint = open().current(Algorithm::kEs256).key.kid();
    const auto refused = [&](std::string_view code) {
        try {
            open();
            return std::string("nothing was refused");
        } catch (const Error& e) {
            return e.code() == code ? std::string() : e.code() + std::string(" ") + e.what();
        }
    };
    std::filesystem::permissions(folder_ / (thumbprint + ".pem"), std::filesystem::perms(0644));
    EXPECT_EQ(refused("CRYPTO-010"), "");
    std::filesystem::permissions(folder_ / (thumbprint + ".pem"), std::filesystem::perms(0600));
    EXPECT_EQ(refused(""), "nothing was refused");

    std::filesystem::rename(folder_ / "current", folder_ / "away");
    EXPECT_EQ(refused("KEYS-001"), "") << "a lost pointer must not lead to new keys in silence";
    std::filesystem::rename(folder_ / "away", folder_ / "current");

    std::ofstream(folder_ / "x.jwk") << "{}";
    EXPECT_EQ(refused("KEYS-001"), "");
    std::filesystem::remove(folder_ / "x.jwk");
    std::filesystem::copy(folder_ / (thumbprint + ".jwk"), folder_ / "x.jwk");
    EXPECT_EQ(refused("KEYS-001"), "") << "a key under another name";
    std::filesystem::remove(folder_ / "x.jwk");
    std::filesystem::remove(folder_ / (thumbprint + ".jwk"));
    EXPECT_EQ(refused("KEYS-001"), "") << "a current key that nobody could verify";
}

TEST_F(KeyStoreTest, AFirstStartThatWasCutShortGoesOn) {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "current") << "{}";
    std::filesystem::permissions(folder_ / "current", std::filesystem::perms(0600));
    const KeyStore store = open();
    EXPECT_EQ(store.list().size(), 2u);
    store.current(Algorithm::kRs256);
    EXPECT_EQ(store.list().size(), 3u);
}

TEST_F(KeyStoreTest, MakesTheSlowKeyBesideAndPublishesIt) {
    KeyStore store = open();
    EXPECT_EQ(store.jwks()->find("RSA"), std::string::npos);
    store.make_missing();
    store.make_missing();  // one is enough
    const Signer rs = store.current(Algorithm::kRs256);
    EXPECT_NE(store.jwks()->find(rs.key.kid()), std::string::npos);
    EXPECT_TRUE(store.find(rs.kid)->verify("text", rs.key.sign("text")));
    EXPECT_EQ(count(".pem"), 3u);
    EXPECT_EQ(open().current(Algorithm::kRs256).kid, rs.kid);
    EXPECT_EQ(count(".pem"), 3u) << "made once";
}

TEST_F(KeyStoreTest, EndsWhileTheSlowKeyIsBeingMadeAndGoesOnAtTheNextStart) {
    { open().make_missing(); }
    KeyStore store = open();
    EXPECT_EQ(store.current(Algorithm::kRs256).key.algorithm(), Algorithm::kRs256);
}

TEST_F(KeyStoreTest, SaysWhyTheSlowKeyCannotBeMadeAndTriesAgain) {
    const KeyStore store = open();
    const std::filesystem::path away = folder_.string() + "-away";
    std::filesystem::rename(folder_, away);
    try {
        store.current(Algorithm::kRs256);
        ADD_FAILURE() << "a key was made in a folder that is not there";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), "KEYS-002");
        EXPECT_EQ(e.fault(), Fault::kAway);
    }
    std::filesystem::rename(away, folder_);
    EXPECT_EQ(store.current(Algorithm::kRs256).key.algorithm(), Algorithm::kRs256);
}

TEST_F(KeyStoreTest, MakesKeysOnceAndKeepsThem) {
    const KeyStore first = open();
    const Signer es = first.current(Algorithm::kEs256);
    const Signer rs = first.current(Algorithm::kRs256);
    EXPECT_EQ(es.kid, "https://clr.example.edu/keys/" + es.key.kid());
    EXPECT_EQ(es.key.algorithm(), Algorithm::kEs256);
    EXPECT_EQ(rs.key.algorithm(), Algorithm::kRs256);
    struct stat status {};
    ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
    const KeyStore second = open("https://moved.example.edu/keys/");
    EXPECT_EQ(second.current(Algorithm::kEs256).kid, es.kid) << "a key keeps the name that its tokens carry";
    EXPECT_EQ(*second.jwks(), *first.jwks());
    EXPECT_TRUE(second.find(es.kid));
    EXPECT_TRUE(second.find(es.key.kid()));
    EXPECT_FALSE(second.find("https://clr.example.edu/keys/other"));
    EXPECT_FALSE(second.find(""));
    EXPECT_NE(second.jwk(es.key.kid()).find("\"crv\":\"P-256\""), std::string::npos);
    EXPECT_EQ(second.jwk("other"), "");
}

TEST_F(KeyStoreTest, RotationKeepsEveryPublicKey) {
    KeyStore store = open();
    store.current(Algorithm::kRs256);
    const Signer old = store.current(Algorithm::kEs256);
    const std::string signature = old.key.sign("text");
    clock_.time += std::chrono::hours(24);
    const Signer now = store.rotate(Algorithm::kEs256);
    EXPECT_NE(now.kid, old.kid);
    EXPECT_EQ(store.current(Algorithm::kEs256).kid, now.kid);
    for (const KeyStore* each : {&store}) EXPECT_TRUE(each->find(old.kid)->verify("text", signature));
    const KeyStore again = open();
    EXPECT_TRUE(again.find(old.kid)->verify("text", signature));
    EXPECT_EQ(again.current(Algorithm::kEs256).kid, now.kid);
    ASSERT_EQ(again.list().size(), 4u);
    EXPECT_EQ(again.list().front().kid, now.kid);
    EXPECT_TRUE(again.list().front().current);
    EXPECT_EQ(count(".pem"), 3u) << "the old private key must be gone";
    EXPECT_EQ(count(".jwk"), 4u);
}

TEST_F(KeyStoreTest, PublishesNoPrivatePart) {
    const KeyStore store = open();
    store.current(Algorithm::kRs256);
    const std::string jwks = *store.jwks();
    const auto json = crypto::FlatJson::parse(jwks);
    ASSERT_TRUE(json);
    EXPECT_EQ(json->members().size(), 1u);
    for (const auto* member : {"\"d\"", "\"p\"", "\"q\"", "\"dp\"", "\"k\""}) EXPECT_EQ(jwks.find(member), std::string::npos);
}

}  // namespace
}  // namespace clrbus::credentials
