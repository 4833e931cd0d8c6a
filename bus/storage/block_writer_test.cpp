#include "storage/block_writer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "storage/file.hpp"
#include "support/power_cut_files.hpp"
#include "support/test_directory.hpp"

namespace clrbus::storage {
namespace {

std::string numbered(std::size_t bytes, char first) {
    std::string out(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(first + static_cast<char>(i % 23));
    return out;
}

void make_file(Files& files, const std::string& path, std::size_t size, char with) {
    const auto file = files.open(path, Open::kCreate);
    file->write(0, std::string(size, with));
    file->sync();
}

std::string content(Files& files, const std::string& path, std::size_t offset, std::size_t size) {
    std::string out(size, '\0');
    out.resize(files.open(path, Open::kRead)->read(offset, out.data(), size));
    return out;
}

TEST(BlockWriterTest, WhatWasFlushedIsReadBackThroughTheCacheEachTime) {
    const TestDirectory directory;
    const auto path = directory.path() + "/file";
    auto& files = real_files();
    make_file(files, path, 8U << 20, '\0');
    const auto reader = files.open(path, Open::kRead);
    std::string whole(8U << 20, '\0');
    reader->read(0, whole.data(), whole.size());  // every page is in the cache: each write must make its own stale

    BlockWriter writer;
    writer.begin(files.open(path, Open::kWriteDirect), 8U << 20, kDirectUnit);
    std::string expected;
    char first = 'a';
    // Below a block, a whole one, across the end of the buffer, several buffers, nothing.
    for (const std::size_t bytes : {1UL, 31UL, 4064UL, 4096UL, 2'000'000UL, 300'000UL, 4'500'000UL, 0UL, 7UL}) {
        const auto part = numbered(bytes, first++);
        writer.append(part);
        EXPECT_EQ(writer.flushed(), bytes == 0);
        writer.flush();
        expected += part;
        EXPECT_TRUE(writer.flushed());
        ASSERT_EQ(writer.end(), kDirectUnit + expected.size());
        std::string found(expected.size(), '\0');
        ASSERT_EQ(reader->read(kDirectUnit, found.data(), found.size()), found.size());
        ASSERT_TRUE(found == expected) << "after " << bytes << " more";
    }
}

TEST(BlockWriterTest, ReadersOfTheBlockThatIsWrittenNeitherFailItNorSeeLessThanWasFlushed) {
    const TestDirectory directory;
    const auto path = directory.path() + "/file";
    auto& files = real_files();
    constexpr std::size_t kSize = 1U << 20, kPart = 900;
    make_file(files, path, kSize, '\0');
    std::atomic<std::size_t> flushed{0};
    std::atomic<bool> done{false};
    std::atomic<std::size_t> wrong{0};
    {
        std::vector<std::jthread> readers;
        for (int i = 0; i < 2; ++i) {
            readers.emplace_back([&] {
                const auto reader = files.open(path, Open::kRead);
                std::string found(2 * kPart, '\0');
                while (!done) {
                    const std::size_t end = flushed;
                    const std::size_t from = end < found.size() ? 0 : end - found.size();
                    if (reader->read(from, found.data(), end - from) != end - from || found.find_first_not_of('x') < end - from)
                        ++wrong;
                }
            });
        }
        BlockWriter writer;
        writer.begin(files.open(path, Open::kWriteDirect), kSize, 0);
        for (int i = 0; i < 200; ++i) {
            writer.append(std::string(kPart, 'x'));
            writer.flush();
            flushed = writer.end();
        }
        done = true;
    }
    EXPECT_EQ(wrong, 0);
}

TEST(BlockWriterTest, KeepsWhatStandsInFrontAndClearsTheRestOfTheBlock) {
    const TestDirectory directory;
    const auto path = directory.path() + "/file";
    auto& files = real_files();
    make_file(files, path, 4 * kDirectUnit, 'o');
    BlockWriter writer;
    writer.begin(files.open(path, Open::kWrite), 4 * kDirectUnit, kDirectUnit + 100);
    writer.append("new");
    writer.flush();
    EXPECT_EQ(
        content(files, path, 0, 4 * kDirectUnit),
        std::string(kDirectUnit + 100, 'o') + "new" + std::string(kDirectUnit - 103, '\0') + std::string(2 * kDirectUnit, 'o'));
}

TEST(BlockWriterTest, AFileThatDoesNotEndWithABlockDoesNotGrow) {
    const TestDirectory directory;
    const auto path = directory.path() + "/file";
    auto& files = real_files();
    make_file(files, path, kDirectUnit + 1000, 'o');
    BlockWriter writer;
    writer.begin(files.open(path, Open::kWriteDirect), kDirectUnit + 1000, kDirectUnit);
    writer.append("end");
    writer.flush();  // no whole block: through the cache
    EXPECT_EQ(content(files, path, kDirectUnit, 4096), "end" + std::string(997, '\0'));
}

TEST(BlockWriterTest, BeginsAnotherFileWithNothingOfTheOldOne) {
    const TestDirectory directory;
    const auto one = directory.path() + "/one", two = directory.path() + "/two";
    auto& files = real_files();
    make_file(files, one, 2 * kDirectUnit, '\0');
    make_file(files, two, 2 * kDirectUnit, '\0');
    BlockWriter writer;
    writer.begin(files.open(one, Open::kWriteDirect), 2 * kDirectUnit, 0);
    writer.append("secret of the first");
    writer.flush();
    writer.begin(files.open(two, Open::kWriteDirect), 2 * kDirectUnit, 0);
    writer.append("x");
    writer.flush();
    EXPECT_EQ(content(files, two, 0, kDirectUnit), "x" + std::string(kDirectUnit - 1, '\0'));
}

TEST(BlockWriterTest, WhatWasFlushedOutlivesAPowerCutInTheMiddleOfItsBlock) {
    for (std::uint64_t operation = 1; operation <= 4; ++operation) {
        PowerCutFiles files;
        make_file(files, "/d/file", 2 * kDirectUnit, '\0');
        files.sync_directory("/d");
        BlockWriter writer;
        writer.begin(files.open("/d/file", Open::kWriteDirect), 2 * kDirectUnit, 0);
        writer.append(numbered(700, 'a'));
        writer.flush();
        files.cut_before(operation);
        std::string later;
        try {
            for (int i = 0; i < 2; ++i) {
                writer.append(numbered(300, 'A'));
                writer.flush();
            }
        } catch (const Error&) {
            later = "cut";
        }
        EXPECT_EQ(later, "cut");
        for (std::uint32_t seed = 0; seed < 8; ++seed) {
            const auto found = files.after_cut(seed);
            EXPECT_EQ(content(*found, "/d/file", 0, 700), numbered(700, 'a')) << "operation " << operation;
        }
    }
}

TEST(BlockWriterTest, AFullDiskIsSaid) {
    PowerCutFiles files;
    make_file(files, "/d/file", 2 * kDirectUnit, '\0');
    BlockWriter writer;
    writer.begin(files.open("/d/file", Open::kWriteDirect), 2 * kDirectUnit, 0);
    writer.append("x");
    files.set_fault(PowerCutFiles::Fault::kWriteFails);
    EXPECT_THROW(writer.flush(), Error);
    EXPECT_FALSE(writer.flushed());
}

}  // namespace
}  // namespace clrbus::storage
