#include "storage/record.hpp"

#include <cstring>

#include "core/error.hpp"
#include "storage/bytes.hpp"
#include "storage/crc32c.hpp"

namespace clrbus::storage {
namespace {

constexpr std::string_view kSegmentMagic = "CLRBUSJ\n";

std::uint32_t offset_seed(std::uint32_t seed, std::uint32_t offset) {
    return crc32c(seed, {reinterpret_cast<const char*>(&offset), sizeof offset});
}

}  // namespace

std::uint32_t record_seed(std::uint64_t journal_id, std::uint32_t generation) {
    std::string bytes;
    put_number(bytes, journal_id);
    put_number(bytes, generation);
    return crc32c(0, bytes);
}

void encode_record_header(char* into, const RecordHeader& header, std::uint32_t seed, std::uint32_t offset) {
    std::memcpy(into + 4, &header.body_crc, 4);
    std::memcpy(into + 8, &header.body_length, 4);
    into[12] = static_cast<char>(header.type);
    into[13] = static_cast<char>(header.flags);
    std::memcpy(into + 14, &header.key_id, 2);
    std::memcpy(into + 16, &header.number, 8);
    std::memcpy(into + 24, &header.queue, 4);
    std::memset(into + 28, 0, 4);
    const auto crc = crc32c(offset_seed(seed, offset), {into + 4, kRecordHeaderBytes - 4});
    std::memcpy(into, &crc, 4);
}

std::optional<RecordHeader> decode_record_header(std::string_view bytes, std::uint32_t seed, std::uint32_t offset) {
    if (bytes.size() < kRecordHeaderBytes || bytes[12] == 0) return std::nullopt;
    std::uint32_t crc = 0, reserved = 0;
    std::memcpy(&reserved, bytes.data() + 28, 4);
    if (reserved != 0) return std::nullopt;
    std::memcpy(&crc, bytes.data(), 4);
    if (crc != crc32c(offset_seed(seed, offset), bytes.substr(4, kRecordHeaderBytes - 4))) return std::nullopt;
    RecordHeader header;
    std::memcpy(&header.body_crc, bytes.data() + 4, 4);
    std::memcpy(&header.body_length, bytes.data() + 8, 4);
    header.type = static_cast<std::uint8_t>(bytes[12]);
    header.flags = static_cast<std::uint8_t>(bytes[13]);
    std::memcpy(&header.key_id, bytes.data() + 14, 2);
    std::memcpy(&header.number, bytes.data() + 16, 8);
    std::memcpy(&header.queue, bytes.data() + 24, 4);
    return header;
}

std::string encode_segment_header(const SegmentHeader& header) {
    std::string bytes(kSegmentMagic);
    put_number(bytes, header.version);
    put_number(bytes, header.generation);
    put_number(bytes, header.journal_id);
    put_number(bytes, header.size);
    put_number(bytes, crc32c(0, bytes));
    bytes.resize(kSegmentHeaderBytes, '\0');
    return bytes;
}

SegmentHeader decode_segment_header(std::string_view bytes, const std::string& file) {
    Where where;
    where.file = file;
    where.offset = 0;
    ByteReader reader(bytes);
    const auto magic = reader.take(kSegmentMagic.size());
    SegmentHeader header;
    header.version = reader.number<std::uint32_t>();
    header.generation = reader.number<std::uint32_t>();
    header.journal_id = reader.number<std::uint64_t>();
    header.size = reader.number<std::uint32_t>();
    const auto checked = bytes.substr(0, kSegmentMagic.size() + 20);
    const auto crc = reader.number<std::uint32_t>();
    if (reader.ok() && magic == kSegmentMagic && header.version != kJournalVersion) {
        throw Error(Fault::kConfig, "JOURNAL-002", "opening the journal", where,
                    "state format version " + std::to_string(header.version) + ", this program reads version " +
                        std::to_string(kJournalVersion));
    }
    if (!reader.ok() || magic != kSegmentMagic || crc != crc32c(0, checked)) {
        throw Error(Fault::kConfig, "JOURNAL-001", "opening the journal", where, "the header of the segment is damaged");
    }
    return header;
}

}  // namespace clrbus::storage
