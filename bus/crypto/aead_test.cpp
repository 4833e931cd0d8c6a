#include "crypto/aead.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "crypto/secret_file.hpp"

namespace clrbus::crypto {
namespace {

class AeadFolder : public testing::Test {
protected:
    void SetUp() override { std::filesystem::create_directories(folder_); }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    void write(const std::string& name, std::string_view text, mode_t mode) const {
        std::ofstream(folder_ / name) << text;
        ::chmod((folder_ / name).c_str(), mode);
    }
    static std::string code_of(const std::function<void()>& action) {
        try {
            action();
        } catch (const Error& e) {
            return e.code();
        }
        return "";
    }
    std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("clrbus-aead-" + new_uuid());
};

TEST(Aead, EveryChangedBitIsSeen) {
    const AeadKey key(std::string(32, 'k'));
    const std::string sealed = key.seal("secret", "row 1");
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string changed = sealed;
            changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
            EXPECT_THROW(key.open(changed, "row 1"), Error) << i;
        }
    }
    for (std::size_t size = 0; size < sealed.size(); ++size) EXPECT_THROW(key.open(sealed.substr(0, size), "row 1"), Error);
    EXPECT_THROW(key.open(sealed + "x", "row 1"), Error);
}

TEST(Aead, DoesNotOpenInAnotherPlaceOrWithAnotherKey) {
    const AeadKey key(std::string(32, 'k'));
    const AeadKey other(std::string(32, 'o'));
    const std::string sealed = key.seal("secret", "row 1");
    EXPECT_THROW(key.open(sealed, "row 2"), Error);
    EXPECT_THROW(key.open(sealed, ""), Error);
    EXPECT_THROW(other.open(sealed, "row 1"), Error);
    EXPECT_THROW(AeadKey("short"), Error);
    EXPECT_THROW(AeadKey(std::string(33, 'k')), Error);
}

TEST(Aead, OpensWhatItSealed) {
    const AeadKey key(std::string(32, 'k'));
    std::set<std::string> nonces;
    for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 1000u, 70'000u}) {
        const std::string plain(size, 'p');
        const std::string sealed = key.seal(plain, "");
        EXPECT_EQ(sealed.size(), size + AeadKey::kOverhead);
        EXPECT_EQ(key.open(sealed, ""), plain);
    }
    for (int i = 0; i < 1000; ++i) nonces.insert(key.seal("x", "").substr(5, 12));
    EXPECT_EQ(nonces.size(), 1000u) << "a nonce came twice";
}

TEST_F(AeadFolder, RefusesAFileThatOthersMayRead) {
    const std::string key(64, 'a');
    for (const mode_t mode : {0640, 0604, 0644, 0620, 0601}) {
        write("keys", key, mode);
        EXPECT_EQ(code_of([&] { KeyFile::load_or_create(folder_ / "keys"); }), "CRYPTO-010") << mode;
    }
    write("keys", key, 0600);
    EXPECT_EQ(KeyFile::load_or_create(folder_ / "keys").size(), 1u);
}

TEST_F(AeadFolder, RefusesWhatIsNoKeyFile) {
    for (const std::string& text : {std::string(), std::string("\n"), std::string(62, 'a'), std::string(66, 'a'),
                                    std::string(64, 'x'), std::string(64, 'a') + "\n\n", std::string(64, 'a') + "\r\n"}) {
        write("keys", text, 0600);
        EXPECT_EQ(code_of([&] { KeyFile::load_or_create(folder_ / "keys"); }), "CRYPTO-032") << text.size();
    }
    write("keys", std::string((1u << 20) + 1, 'a'), 0600);
    EXPECT_EQ(code_of([&] { KeyFile::load(folder_ / "keys"); }), "CRYPTO-010");
    std::filesystem::remove(folder_ / "keys");
    ASSERT_EQ(::mkfifo((folder_ / "keys").c_str(), 0600), 0);
    EXPECT_EQ(code_of([&] { KeyFile::load(folder_ / "keys"); }), "CRYPTO-010");
    EXPECT_EQ(code_of([&] { KeyFile::load(folder_ / "none"); }), "CRYPTO-010");
    EXPECT_EQ(code_of([&] { KeyFile::load_or_create(folder_ / "no-folder" / "keys"); }), "CRYPTO-011");
}

TEST_F(AeadFolder, MakesAFileOnceAndRotatesIt) {
    const auto file = folder_ / "keys";
    const KeyFile first = KeyFile::load_or_create(file);
    struct stat status {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    const std::string sealed = first.seal("old", "a");
    KeyFile::rotate(file);
    const KeyFile second = KeyFile::load_or_create(file);
    EXPECT_EQ(second.size(), 2u);
    EXPECT_EQ(second.open(sealed, "a"), "old");
    EXPECT_NE(second.current().id(), first.current().id());
    EXPECT_EQ(second.ids().back(), first.current().id());
    EXPECT_EQ(code_of([&] { first.open(second.seal("new", "a"), "a"); }), "CRYPTO-033");
    EXPECT_EQ(second.derive("identifiers"), first.derive("identifiers")) << "rotation must not change keyed hashes";
    EXPECT_NE(second.derive("identifiers"), second.derive("other"));
}

TEST_F(AeadFolder, ASecondMakerKeepsTheFirstFile) {
    EXPECT_TRUE(create_secret_file(folder_ / "f", "one"));
    EXPECT_FALSE(create_secret_file(folder_ / "f", "two"));
    EXPECT_EQ(read_secret_file(folder_ / "f"), "one");
    write_secret_file(folder_ / "f", "three");
    EXPECT_EQ(read_secret_file(folder_ / "f"), "three");
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++files;
    EXPECT_EQ(files, 1u) << "a temporary file was left behind";
}

}  // namespace
}  // namespace clrbus::crypto
