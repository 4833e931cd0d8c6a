#include "broker/checkpoint_file.hpp"

#include <filesystem>

#include "core/error.hpp"
#include "storage/bytes.hpp"
#include "storage/crc32c.hpp"

namespace clrbus::broker {
namespace {

using storage::ByteReader;
using storage::put_number;

constexpr std::string_view kCheckpointMagic = "CLRBUSC\n";
constexpr std::size_t kBlockHead = 16;  // length, checksum, type, number of the block
constexpr std::uint32_t kMostBlock = 64U << 20;

// The block's number is in its checksum: a lost or repeated block is seen.
std::uint32_t checkpoint_crc(std::uint8_t type, std::uint32_t number, std::string_view payload) {
    std::string head;
    put_number(head, type);
    put_number(head, number);
    return storage::crc32c(storage::crc32c(0, head), payload);
}

}  // namespace

std::string encode_checkpoint_head(const CheckpointHead& head) {
    std::string bytes(kCheckpointMagic);
    put_number(bytes, head.version);
    put_number(bytes, head.journal_id);
    put_number(bytes, head.position.segment);
    put_number(bytes, head.position.offset);
    put_number(bytes, head.next_run);
    put_number(bytes, head.next_sequence);
    put_number(bytes, static_cast<std::uint8_t>(head.fresh));
    return bytes;
}

CheckpointWriter::CheckpointWriter(storage::Files& files, std::string path)
    : files_(files), path_(std::move(path)), file_(files.open(path_ + ".new", storage::Open::kCreate)) {}

void CheckpointWriter::block(CheckpointBlock type, std::string_view payload) {
    std::string head;
    // The number of a block is where it begins.
    const auto number = static_cast<std::uint32_t>(at_);
    put_number(head, static_cast<std::uint32_t>(payload.size()));
    put_number(head, checkpoint_crc(static_cast<std::uint8_t>(type), number, payload));
    put_number(head, static_cast<std::uint32_t>(type));
    put_number(head, number);
    const std::string_view parts[] = {head, payload};
    file_->write(at_, parts);
    at_ += head.size() + payload.size();
}

std::uint64_t CheckpointWriter::finish() {
    block(CheckpointBlock::kEnd, {});
    file_->sync();
    file_.reset();
    files_.rename(path_ + ".new", path_);
    files_.sync_directory(std::filesystem::path(path_).parent_path().string());
    return at_;
}

CheckpointHead read_checkpoint(storage::Files& files, const std::string& path,
                               const std::function<void(CheckpointBlock, std::string_view)>& each) {
    const auto file = files.open(path, storage::Open::kRead);
    std::uint64_t at = 0;
    const auto fail = [&](const char* code, std::string why) {
        Where where;
        where.file = path;
        where.offset = static_cast<std::int64_t>(at);
        throw Error(Fault::kConfig, code, "reading the checkpoint", where, std::move(why));
    };
    CheckpointHead head;
    std::string payload;
    while (true) {
        char raw[kBlockHead];
        if (file->read(at, raw, sizeof raw) != sizeof raw) fail("QUEUE-011", "the file is cut off");
        ByteReader reader({raw, sizeof raw});
        const auto length = reader.number<std::uint32_t>();
        const auto crc = reader.number<std::uint32_t>();
        const auto type = reader.number<std::uint32_t>();
        const auto number = reader.number<std::uint32_t>();
        if (length > kMostBlock || number != static_cast<std::uint32_t>(at) || type > 255)
            fail("QUEUE-011", "the file is damaged");
        payload.resize(length);
        if (file->read(at + kBlockHead, payload.data(), length) != length) fail("QUEUE-011", "the file is cut off");
        if (crc != checkpoint_crc(static_cast<std::uint8_t>(type), number, payload)) fail("QUEUE-011", "the file is damaged");
        const auto block = static_cast<CheckpointBlock>(type);
        if ((at == 0) != (block == CheckpointBlock::kHead)) fail("QUEUE-011", "the file does not begin with its head");
        if (block == CheckpointBlock::kEnd) return head;
        if (block == CheckpointBlock::kHead) {
            ByteReader fields(payload);
            const auto magic = fields.take(kCheckpointMagic.size());
            head.version = fields.number<std::uint32_t>();
            if (magic != kCheckpointMagic) fail("QUEUE-011", "this is no checkpoint");
            if (head.version != kStateVersion) {
                fail("QUEUE-012", "state format version " + std::to_string(head.version) + ", this program reads version " +
                                      std::to_string(kStateVersion));
            }
            head.journal_id = fields.number<std::uint64_t>();
            head.position.segment = fields.number<std::uint32_t>();
            head.position.offset = fields.number<std::uint32_t>();
            head.next_run = fields.number<std::uint64_t>();
            head.next_sequence = fields.number<std::uint64_t>();
            head.fresh = fields.number<std::uint8_t>() != 0;
            if (!fields.ok()) fail("QUEUE-011", "the head is cut off");
        }
        each(block, payload);
        at += kBlockHead + length;
    }
}

}  // namespace clrbus::broker
