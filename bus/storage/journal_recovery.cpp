#include "storage/journal_recovery.hpp"

#include <algorithm>
#include <optional>

#include "core/error.hpp"
#include "core/log.hpp"
#include "storage/bytes.hpp"
#include "storage/crc32c.hpp"

namespace clrbus::storage {
namespace {

constexpr std::size_t kReadAhead = 1U << 20;
constexpr std::uint32_t kEvidenceBytes = 40U << 20;  // the longest record and two groups

Position commit_durable(std::string_view body) {
    ByteReader reader(body);
    Position position;
    position.segment = reader.number<std::uint32_t>();
    position.offset = reader.number<std::uint32_t>();
    return position;
}

// Every commit record says up to where the log was synced when it was written. One that lies behind the bad place and says
// "beyond it" proves that the bad place was good once: damage, not the torn end of a group that nobody was told about.
std::optional<Position> journal_evidence(const Segments& segments, Position bad) {
    for (const auto generation : segments.generations()) {
        if (generation < bad.segment) continue;
        SegmentReader reader(segments.open(generation));
        const std::uint32_t first = generation == bad.segment ? bad.offset + 8 : kSegmentHeaderBytes;
        const auto limit = std::min<std::uint64_t>(std::uint64_t{first} + kEvidenceBytes, reader.segment().size);
        for (std::uint64_t offset = first; offset + kRecordHeaderBytes <= limit;) {
            RecordHeader header;
            std::string_view body;
            const auto at = static_cast<std::uint32_t>(offset);
            if (!reader.header(at, header) || !reader.record(at, header, &body)) {
                offset += 8;
                continue;
            }
            if (header.type == kCommitRecord && commit_durable(body) > bad) return Position{generation, at};
            offset += record_bytes(header.body_length);
        }
    }
    return std::nullopt;
}

}  // namespace

std::string_view SegmentReader::bytes(std::uint32_t offset, std::uint64_t size) {
    if (std::uint64_t{offset} + size > segment_.size) return {};
    if (offset < start_ || offset + size > start_ + buffer_.size()) {
        const auto want = std::min<std::uint64_t>(std::max<std::uint64_t>(size, kReadAhead), segment_.size - offset);
        buffer_.resize(want);
        buffer_.resize(segment_.file->read(offset, buffer_.data(), want));
        start_ = offset;
        if (buffer_.size() < size) return {};
    }
    return std::string_view(buffer_).substr(offset - start_, size);
}

bool SegmentReader::header(std::uint32_t offset, RecordHeader& header) {
    const auto raw = bytes(offset, kRecordHeaderBytes);
    if (raw.empty()) return false;
    const auto decoded = decode_record_header(raw, segment_.seed, offset);
    if (!decoded) return false;
    header = *decoded;
    return true;
}

bool SegmentReader::record(std::uint32_t offset, RecordHeader& header, std::string_view* body) {
    if (!this->header(offset, header)) return false;
    const auto whole = bytes(offset, std::uint64_t{kRecordHeaderBytes} + header.body_length);
    if (whole.empty()) return false;
    const auto found = whole.substr(kRecordHeaderBytes);
    if (crc32c(0, found) != header.body_crc) return false;
    if (body != nullptr) *body = found;
    return true;
}

RecoveredEnd recover_journal(Segments& segments, const JournalStart& start,
                             const std::function<void(std::span<const RecoveredRecord>)>& replay) {
    const auto fail = [&](const char* code, Position at, std::string why) {
        Where where;
        where.file = segments.path(at.segment);
        where.offset = at.offset;
        throw Error(Fault::kConfig, code, "recovering the journal", where, std::move(why));
    };
    RecoveredEnd result;
    result.end = start.from;
    result.next_run = start.next_run;
    const auto have = segments.generations();
    const auto there = [&](std::uint32_t generation) { return std::binary_search(have.begin(), have.end(), generation); };
    if (!there(start.from.segment)) {
        const bool later = std::any_of(have.begin(), have.end(), [&](auto g) { return g > start.from.segment; });
        if (start.fresh && !later) return result;
        fail("JOURNAL-005", start.from, "the file is missing: the checkpoint needs it");
    }
    std::vector<RecoveredRecord> run;
    Position at = start.from;
    auto reader = std::make_unique<SegmentReader>(segments.open(at.segment));
    while (true) {
        RecordHeader header;
        std::string_view body;
        if (!reader->record(at.offset, header, &body)) break;
        if (header.key_id != 0) fail("JOURNAL-007", at, "the record is encrypted, which this version cannot read");
        if (header.type == kEndRecord) {
            const Position next{static_cast<std::uint32_t>(header.number), kSegmentHeaderBytes};
            if (!there(next.segment)) fail("JOURNAL-005", next, "the file is missing: the log goes on in it");
            if (run.empty()) result.end = next;
            at = next;
            reader = std::make_unique<SegmentReader>(segments.open(at.segment));
            continue;
        }
        const Position position = at;
        at.offset += static_cast<std::uint32_t>(record_bytes(header.body_length));
        if (header.type != kCommitRecord) {
            run.push_back({header, position, std::string(body.substr(0, kRecoveredBody))});
            continue;
        }
        if (header.number != result.next_run || header.queue != run.size()) {
            fail("JOURNAL-008", position, "a commit record does not fit the run that it closes");
        }
        replay(run);
        run.clear();
        ++result.next_run;
        result.end = at;
    }
    if (const auto proof = journal_evidence(segments, at)) {
        fail("JOURNAL-009", at,
             "a record is damaged, and what follows is not (" + segments.path(proof->segment) + " at " +
                 std::to_string(proof->offset) + "): restore the file from a backup");
    }
    result.dropped_bytes = at.segment == result.end.segment ? at.offset - result.end.offset : at.offset;
    if (result.dropped_bytes > 0) {
        log::info("journal", "dropped an unclosed end of " + std::to_string(result.dropped_bytes) + " bytes in " +
                                 segments.path(result.end.segment) + " at " + std::to_string(result.end.offset));
    }
    for (const auto generation : have) {
        if (generation > result.end.segment) result.stale.push_back(generation);
    }
    return result;
}

}  // namespace clrbus::storage
