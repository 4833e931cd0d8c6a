#include "storage/originals.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.hpp"
#include "storage/state_directory.hpp"
#include "support/power_cut_files.hpp"
#include "support/test_directory.hpp"

namespace clrbus::storage {
namespace {

constexpr std::string_view kHello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
constexpr std::string_view kHelloPath = "/o/2c/f24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

template <typename Function>
std::string original_code(Function function) {
    try {
        function();
    } catch (const Error& e) {
        return e.code();
    }
    return "no error";
}

TEST(Originals, RefusesReferencesThatAreNone) {
    PowerCutFiles files;
    Originals originals("/o", files);
    for (const std::string reference : {"", "sha256:", "sha256:../../etc/passwd", "sha256:ABCD", "md5:00", "sha256:2CF24DBA",
                                        "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b982/"}) {
        EXPECT_EQ(original_code([&] { originals.open(reference); }), "ORIGINAL-001") << reference;
    }
    EXPECT_EQ(original_code([&] { originals.open(kHello); }), "ORIGINAL-002");
    EXPECT_FALSE(originals.exists(kHello));
    EXPECT_EQ(originals.size(kHello), std::nullopt);
}

TEST(Originals, StoresTheSameBytesOnce) {
    PowerCutFiles files;
    Originals originals("/o", files);
    EXPECT_EQ(originals.store("hello"), kHello);
    const auto before = files.operations();
    EXPECT_EQ(originals.store("hello"), kHello);
    EXPECT_EQ(files.operations(), before + 1) << "a sync of the folder, no write";
    EXPECT_EQ(originals.read(kHello), "hello");
    EXPECT_EQ(originals.read(std::string(kHello) + ":spooled"), "hello");
    EXPECT_EQ(originals.size(kHello), 5U);
    originals.remove(kHello);
    EXPECT_FALSE(originals.exists(kHello));
}

TEST(Originals, IsOnDiskWhenStoreReturns) {
    PowerCutFiles files;
    Originals(std::string("/o"), files).store("hello");
    for (std::uint32_t seed = 0; seed < 8; ++seed) {
        auto found = files.after_cut(seed);
        EXPECT_EQ(Originals("/o", *found).read(kHello), "hello");
    }
}

TEST(Originals, TellsADamagedFile) {
    PowerCutFiles files;
    Originals originals("/o", files);
    originals.store("hello");
    files.flip(std::string(kHelloPath), 2);
    EXPECT_EQ(original_code([&] { originals.read(kHello); }), "ORIGINAL-003");
}

TEST(Originals, LeavesNothingOfAWriterThatWasDropped) {
    PowerCutFiles files;
    Originals originals("/o", files);
    {
        auto writer = originals.begin();
        writer->write("half");
        EXPECT_EQ(files.list("/o").size(), 1U);
    }
    EXPECT_TRUE(files.list("/o").empty());
}

TEST(Originals, SweepsWhatNobodyRefersTo) {
    PowerCutFiles files;
    Originals originals("/o", files);
    originals.store("hello");
    const auto other = originals.store("other");
    files.open("/o/unfinished-1", Open::kCreate)->write(0, "x");
    EXPECT_EQ(originals.sweep([&](const std::string& reference) { return reference == kHello; }), 2U);
    EXPECT_TRUE(originals.exists(kHello));
    EXPECT_FALSE(originals.exists(other));
}

TEST(Originals, StreamsAFileAndReadsFromAnOffset) {
    const TestDirectory directory;
    std::string bytes;
    for (int i = 0; i < 200'000; ++i) bytes += std::to_string(i);
    std::ofstream(directory.path() + "/in", std::ios::binary) << bytes;
    Originals originals(directory.path() + "/originals");
    const auto reference = originals.store_file(directory.path() + "/in");
    EXPECT_EQ(originals.read(reference), bytes);
    const auto reader = originals.open(reference);
    reader->seek(bytes.size() - 4);
    char tail[16];
    EXPECT_EQ(reader->read(tail, sizeof tail), 4U);
    EXPECT_EQ(std::string_view(tail, 4), bytes.substr(bytes.size() - 4));
    EXPECT_EQ(reader->read(tail, sizeof tail), 0U);
}

TEST(StateDirectory, IsHeldByOneAndKnowsItsVersion) {
    const TestDirectory directory;
    const auto path = directory.path() + "/a/state";
    {
        const StateDirectory first(path);
        EXPECT_EQ(original_code([&] { StateDirectory second(path); }), "DISK-003");
    }
    { const StateDirectory again(path); }
    std::ofstream(path + "/format") << "clrbus state 9\n";
    EXPECT_EQ(original_code([&] { StateDirectory newer(path); }), "STATE-001");
    std::ofstream(path + "/format") << "garbage";
    EXPECT_EQ(original_code([&] { StateDirectory damaged(path); }), "STATE-002");
}

TEST(RealFiles, SaysWhatFailedAndWhere) {
    const TestDirectory directory;
    try {
        real_files().open(directory.path() + "/missing", Open::kRead);
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), "DISK-001");
        EXPECT_EQ(e.where().file, directory.path() + "/missing");
    }
    const auto full = real_files().open("/dev/full", Open::kWrite);
    EXPECT_EQ(original_code([&] { full->write(0, "x"); }), "DISK-002");
}

TEST(RealFiles, WritesManyParts) {
    const TestDirectory directory;
    const auto file = real_files().open(directory.path() + "/f", Open::kCreate);
    std::vector<std::string> owned;
    std::string all;
    owned.reserve(2000);
    for (int i = 0; i < 2000; ++i) owned.push_back(i % 3 == 0 ? "" : std::to_string(i));
    std::vector<std::string_view> parts(owned.begin(), owned.end());
    for (const auto& part : owned) all += part;
    file->write(3, parts);
    std::string found(all.size() + 10, '\0');
    EXPECT_EQ(file->read(3, found.data(), found.size()), all.size());
    found.resize(all.size());
    EXPECT_EQ(found, all);
    file->write(0, std::vector<std::string_view>(600));
    EXPECT_EQ(file->size(), all.size() + 3);
}

}  // namespace
}  // namespace clrbus::storage
