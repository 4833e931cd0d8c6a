// What the tests of all splitters do: collect, resume at every record, measure, damage.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/records.hpp"
#include "support/sanitized.hpp"

namespace clrbus {

struct Split {
    std::vector<std::uint64_t> numbers, offsets, broken_numbers, broken_offsets;
    std::vector<std::string> raw, documents, broken_raw;
    std::vector<Error> broken;
    std::vector<StreamPosition> next;  // after each record, broken ones included
    std::string stream_error;          // code, "" when the stream is whole
};

using MakeSplitter = std::function<std::unique_ptr<RecordSplitter>(RecordHandlers)>;

inline RecordHandlers collect(Split& out, const std::unique_ptr<RecordSplitter>& splitter) {
    return {[&](std::uint64_t number, std::uint64_t offset, std::string_view raw, const Document& record) {
                out.numbers.push_back(number);
                out.offsets.push_back(offset);
                out.raw.emplace_back(raw);
                out.documents.push_back(record.write());
                out.next.push_back(splitter->next());
            },
            [&](std::uint64_t number, std::uint64_t offset, std::string_view raw, const Error& error) {
                out.broken_numbers.push_back(number);
                out.broken_offsets.push_back(offset);
                out.broken_raw.emplace_back(raw);
                out.broken.push_back(error);
                out.next.push_back(splitter->next());
            }};
}

inline void feed(RecordSplitter& splitter, std::string_view bytes, std::size_t chunk) {
    for (std::size_t i = 0; i < bytes.size(); i += chunk) splitter.write(std::string(bytes.substr(i, chunk)));
}

inline Split split(const MakeSplitter& make, std::string_view bytes, std::size_t chunk) {
    Split out;
    std::unique_ptr<RecordSplitter> splitter;
    try {
        splitter = make(collect(out, splitter));
        feed(*splitter, bytes, chunk);
        splitter->finish();
    } catch (const Error& e) {
        out.stream_error = e.code();
    }
    return out;
}

// Stopped after each record and started again, the rest is the same as without a stop.
inline void expect_resumes(const MakeSplitter& make, std::string_view bytes, std::size_t records) {
    const Split whole = split(make, bytes, 1000);
    ASSERT_EQ(whole.next.size(), records);
    ASSERT_EQ(whole.stream_error, "");
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{3}, std::size_t{1000}}) {
        std::size_t done = 0;
        for (const StreamPosition& from : whole.next) {
            ++done;
            Split rest;
            std::unique_ptr<RecordSplitter> splitter;
            splitter = make(collect(rest, splitter));
            splitter->resume(from);
            for (std::size_t i = 0; i < bytes.size() && splitter->needs_head(); i += chunk)
                splitter->write(bytes.substr(i, chunk));
            feed(*splitter, bytes.substr(from.offset), chunk);
            splitter->finish();
            const auto tail = [](const auto& all, const auto& part) {
                return std::vector(all.end() - static_cast<std::ptrdiff_t>(part.size()), all.end());
            };
            EXPECT_EQ(rest.numbers.size() + rest.broken_numbers.size(), records - done) << from.record;
            EXPECT_EQ(tail(whole.numbers, rest.numbers), rest.numbers);
            EXPECT_EQ(tail(whole.offsets, rest.offsets), rest.offsets);
            EXPECT_EQ(tail(whole.raw, rest.raw), rest.raw);
            EXPECT_EQ(tail(whole.documents, rest.documents), rest.documents);
            EXPECT_EQ(tail(whole.broken_numbers, rest.broken_numbers), rest.broken_numbers);
            EXPECT_EQ(tail(whole.next, rest.next), rest.next);
        }
    }
}

inline std::uint64_t resident_bytes() {
    std::ifstream in("/proc/self/statm");
    std::uint64_t size = 0, resident = 0;
    in >> size >> resident;
    return resident * 4096;
}

// A stream of that many bytes makes the process grow by less than 16 MB.
inline void expect_bounded(RecordSplitter& splitter, const std::function<std::string(std::uint64_t)>& piece,
                           std::uint64_t bytes) {
    std::uint64_t written = 0, before = 0;
    for (std::uint64_t i = 0; written < bytes; ++i) {
        const std::string part = piece(i);
        splitter.write(part);
        written += part.size();
        if (i == 100) before = resident_bytes();
    }
    if (!kSanitized) {
        EXPECT_LT(resident_bytes(), before + (16u << 20));
    }
}

// Any change of bytes ends in records, broken records and Errors, in every chunk size alike.
inline void expect_survives(const MakeSplitter& make, const std::string& bytes) {
    std::uint64_t random = 42;
    const auto next = [&random] { return (random = random * 6364136223846793005u + 1442695040888963407u) >> 33; };
    constexpr std::string_view kLikely = "\"\\,;{}[]:\n\r\t 0e.-\x80\xC3\xFF";
    for (int i = 0; i < 3000; ++i) {
        std::string damaged = bytes;
        for (std::uint64_t n = next() % 3 + 1; n > 0; --n) {
            const std::size_t at = next() % damaged.size();
            switch (next() % 4) {
                case 0:
                    damaged[at] = kLikely[next() % kLikely.size()];
                    break;
                case 1:
                    damaged.insert(at, 1, kLikely[next() % kLikely.size()]);
                    break;
                case 2:
                    damaged.erase(at, next() % 5 + 1);
                    break;
                default:
                    damaged[at] = static_cast<char>(next());
            }
            if (damaged.empty()) damaged = " ";
        }
        const Split whole = split(make, damaged, 10'000);
        const Split bit = split(make, damaged, next() % 7 + 1);
        ASSERT_EQ(whole.documents, bit.documents) << damaged;
        ASSERT_EQ(whole.offsets, bit.offsets) << damaged;
        ASSERT_EQ(whole.broken_numbers, bit.broken_numbers) << damaged;
        ASSERT_EQ(whole.broken_raw, bit.broken_raw) << damaged;
        ASSERT_EQ(whole.stream_error, bit.stream_error) << damaged;
    }
}

}  // namespace clrbus
