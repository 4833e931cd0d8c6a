// The journal's format on disk. A segment is a 4096-byte header and records; a record is a 32-byte header and its body, padded
// to 8 bytes. A run is a sequence of records closed by a commit record: it counts whole or not at all.
//
// The header checksum is seeded with the journal's id, the segment's generation and the record's offset, so that nothing of an
// earlier use of a recycled file is taken for a record. The body has a checksum of its own, so that it can be computed before
// the place is known.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace clrbus::storage {

struct Position {
    std::uint32_t segment = 0;  // generation, from 1
    std::uint32_t offset = 0;
    friend auto operator<=>(const Position&, const Position&) = default;
};

// Types below 200 belong to who uses the journal.
inline constexpr std::uint8_t kCommitRecord =
    200;  // number: of the run; queue: records in it; body: end of what was synced before
inline constexpr std::uint8_t kEndRecord = 201;  // number: generation of the segment in which the log goes on

struct RecordHeader {
    std::uint32_t body_crc = 0;
    std::uint32_t body_length = 0;
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::uint16_t key_id = 0;  // of the encryption key; 0: not encrypted. Any other is refused by this version
    std::uint64_t number = 0;  // sequence of a message, number of a run
    std::uint32_t queue = 0;
};

inline constexpr std::uint32_t kRecordHeaderBytes = 32;
inline constexpr std::uint32_t kSegmentHeaderBytes = 4096;
inline constexpr std::uint32_t kCommitBodyBytes = 8;
inline constexpr std::uint32_t kJournalVersion = 1;

constexpr std::uint64_t record_bytes(std::uint64_t body) {
    return (kRecordHeaderBytes + body + 7) & ~std::uint64_t{7};
}

std::uint32_t record_seed(std::uint64_t journal_id, std::uint32_t generation);
void encode_record_header(char* into, const RecordHeader& header, std::uint32_t seed, std::uint32_t offset);
std::optional<RecordHeader> decode_record_header(std::string_view bytes, std::uint32_t seed, std::uint32_t offset);

struct SegmentHeader {
    std::uint32_t version = kJournalVersion;
    std::uint32_t generation = 0;
    std::uint64_t journal_id = 0;
    std::uint32_t size = 0;  // of the file
};
std::string encode_segment_header(const SegmentHeader& header);  // kSegmentHeaderBytes
// Throws Error(kConfig): JOURNAL-001 damaged, JOURNAL-002 written by another version.
SegmentHeader decode_segment_header(std::string_view bytes, const std::string& file);

}  // namespace clrbus::storage
