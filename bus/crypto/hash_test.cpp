#include "crypto/hash.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "core/error.hpp"
#include "crypto/base64.hpp"

namespace clrbus::crypto {
namespace {

TEST(Hash, GivesTheKnownHashes) {
    EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256_hex("a@example.comKosher"), "b5809d8a92f8858436d7e6b87c12ebc0ae1eac4baecc2c0b913aee2c922ef399");
    EXPECT_EQ(sha256(std::string_view{}).size(), 32u);
}

TEST(Hash, StreamsInPiecesOfAnySize) {
    const std::string text(100'003, 'x');
    Sha256 hash;
    for (std::size_t at = 0; at < text.size(); at += 997) hash.update(std::string_view(text).substr(at, 997));
    EXPECT_EQ(hash.hex(), sha256_hex(text));
    EXPECT_EQ(hash.hex(), sha256_hex(text)) << "asking twice must not change it";
    hash.update("y");
    EXPECT_EQ(hash.hex(), sha256_hex(text + "y"));
    hash.reset();
    EXPECT_EQ(hash.hex(), sha256_hex(""));
}

TEST(Hash, KeyedAsInRfc4231) {
    const std::string key(20, '\x0b');
    const std::string expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
    EXPECT_EQ(to_hex(hmac_sha256(key, "Hi There")), expected);
    EXPECT_EQ(KeyedHash(key).hex("Hi There"), expected);
    EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hmac_sha256("", "").size(), 32u);
    EXPECT_EQ(KeyedHash(key).raw(""), hmac_sha256(key, ""));
}

TEST(Hash, RefusesAShortKey) {
    EXPECT_THROW(KeyedHash("short"), Error);
    EXPECT_THROW(KeyedHash(""), Error);
}

TEST(Hash, OneKeyServesManyThreads) {
    const KeyedHash hash("0123456789abcdef");
    const std::string expected = hash.hex("value");
    std::vector<int> wrong(4, 0);
    {
        std::vector<std::jthread> threads;
        threads.reserve(4);
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&, t] {
                for (int i = 0; i < 500; ++i) wrong[static_cast<std::size_t>(t)] += hash.hex("value") != expected;
            });
    }
    EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(Hash, ComparesAndReadsHex) {
    EXPECT_TRUE(constant_time_equal("", ""));
    EXPECT_TRUE(constant_time_equal("abc", "abc"));
    EXPECT_FALSE(constant_time_equal("abc", "abd"));
    EXPECT_FALSE(constant_time_equal("abc", "abcd"));
    EXPECT_EQ(from_hex("00fFaB"), std::string("\x00\xff\xab", 3));
    for (const auto* bad : {"0", "0g", "0x00", " 00", "00 ", "-1"}) EXPECT_FALSE(from_hex(bad)) << bad;
}

TEST(Base64, WritesTheVectorsOfRfc4648) {
    const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                     {"f", "Zg=="},
                                                                     {"fo", "Zm8="},
                                                                     {"foo", "Zm9v"},
                                                                     {"foob", "Zm9vYg=="},
                                                                     {"fooba", "Zm9vYmE="},
                                                                     {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, text] : vectors) {
        EXPECT_EQ(base64(plain), text);
        EXPECT_EQ(from_base64(text), plain);
        const std::string_view bare = text.substr(0, text.find('='));
        EXPECT_EQ(base64url(plain), bare);
        EXPECT_EQ(from_base64url(bare), plain);
    }
    EXPECT_EQ(base64url("\xff\xfe\xfd\xfb"), "__79-w");
    EXPECT_EQ(base64("\xff\xfe\xfd\xfb"), "//79+w==");
}

TEST(Base64, RefusesASecondSpelling) {
    for (const auto* bad : {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm8=\n", " Zm8", "Zm-_", "====", "=", "Zg==Zg=="})
        EXPECT_FALSE(from_base64(bad)) << bad;
    for (const auto* bad : {"Z", "Zh", "Zm9", "Zg==", "Zm8=", "//79", "Zm 8", "Zm8\n"})
        EXPECT_FALSE(from_base64url(bad)) << bad;
    EXPECT_FALSE(from_base64url(std::string_view("Zg\0Z", 4)));
}

TEST(Base64, ReadsAndWritesBase58) {
    EXPECT_EQ(base58btc(""), "");
    EXPECT_EQ(base58btc("Hello World!"), "2NEpo7TZRRrLZSi2U");
    EXPECT_EQ(base58btc(std::string("\0\0\x28\x7f\xb4\xcd", 6)), "11233QC4");
    EXPECT_EQ(from_base58btc("11233QC4"), std::string("\0\0\x28\x7f\xb4\xcd", 6));
    std::string all;
    for (int i = 255; i >= 0; --i) all += static_cast<char>(i);
    EXPECT_EQ(from_base58btc(base58btc(all)), all);
    for (const auto* bad : {"0", "O", "I", "l", "abc ", "+"}) EXPECT_FALSE(from_base58btc(bad)) << bad;
    EXPECT_FALSE(from_base58btc(std::string(1401, '2')));
    EXPECT_THROW(base58btc(std::string(1025, 'x')), Error);
}

}  // namespace
}  // namespace clrbus::crypto
