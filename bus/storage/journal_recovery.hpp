// Reads the journal after a start: finds the closed runs, the end, and tells a torn end from damage in the middle.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "storage/journal.hpp"
#include "storage/segments.hpp"

namespace clrbus::storage {

struct RecoveredEnd {
    Position end;  // after the last closed run
    std::uint64_t next_run = 1;
    std::uint64_t dropped_bytes = 0;   // of an unclosed end, at least
    std::vector<std::uint32_t> stale;  // segments behind the end: never answered for. Not before the log goes on elsewhere
};

// Reads one segment in order through a buffer.
class SegmentReader {
public:
    explicit SegmentReader(Segment segment) : segment_(std::move(segment)) {}
    // The record at that offset, or nothing when there is no whole and correct one. body may be null.
    bool record(std::uint32_t offset, RecordHeader& header, std::string_view* body);
    bool header(std::uint32_t offset, RecordHeader& header);
    const Segment& segment() const { return segment_; }

private:
    std::string_view bytes(std::uint32_t offset, std::uint64_t size);

    Segment segment_;
    std::string buffer_;
    std::uint32_t start_ = 0;
};

RecoveredEnd recover_journal(Segments& segments, const JournalStart& start,
                             const std::function<void(std::span<const RecoveredRecord>)>& replay);

}  // namespace clrbus::storage
