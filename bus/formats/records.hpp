// Files of many records, read as a stream: each record becomes a Document of its own, and memory holds one. JSON and CSV
// implement it; XML batches are split by xml/parser.hpp. One thread each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "xml/document.hpp"

namespace clrbus {

// Where a stream goes on: the number of the next record (from 1) and the place of its first byte, or of the white space or
// comma before it. Small enough for a note.
struct StreamPosition {
    std::uint64_t record = 1;
    std::uint64_t offset = 0;
    std::uint64_t line = 1;
    std::string state;  // what the format must know besides: the envelope of X12, totals of fixed width; under 1 KB
    friend bool operator==(const StreamPosition&, const StreamPosition&) = default;
};

// What a handler throws passes through write() and finish(); the splitter is then of no more use. raw is valid during the call.
struct RecordHandlers {
    std::function<void(std::uint64_t number, std::uint64_t offset, std::string_view raw, Document record)> on_record;
    // A record that cannot be read, alone. raw is empty when its bytes are not to be kept (too large, refused at the door).
    std::function<void(std::uint64_t number, std::uint64_t offset, std::string_view raw, const Error& error)> on_broken;
};

class RecordSplitter {
public:
    virtual ~RecordSplitter() = default;
    // Chunks of any size. Throws Error(kPoison) where the stream itself is broken: the records before it were delivered.
    virtual void write(std::string_view chunk) = 0;
    virtual void finish() = 0;
    // After the record that was delivered last; asked in a handler, after the record in hand.
    virtual StreamPosition next() const = 0;
    // What makes the raw bytes of a record a file of their own when it stands before them: a CSV header with its line end.
    virtual std::string_view head() const { return {}; }

    // To resume: resume() on a new splitter, write the input from its start while needs_head() (a CSV header; no record is
    // delivered from it), then from position.offset. Where the head ends at a known byte, resume() may also follow it.
    virtual void resume(const StreamPosition& position) = 0;
    virtual bool needs_head() const = 0;
};

// Drives a splitter over a file from a position (StreamPosition{} = the start). Throws what the splitter throws, and
// Error(kAway, "FILE-001") when the file cannot be read.
void split_file(RecordSplitter& splitter, const std::filesystem::path& file, const StreamPosition& from = StreamPosition{});

}  // namespace clrbus
