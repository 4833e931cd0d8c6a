// The file `checkpoint`: what a restart needs of the log before a position. Written in blocks of at most about 1 MB with a
// checksum each, read the same way; replaced by rename.
//
// Ledger, notes and numbers are those at the position. Indexes and duplicate windows are copied later, in pieces, while the
// queues go on: replaying the log from the position on ends in the same state, whatever of it the copies already show.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "storage/file.hpp"
#include "storage/record.hpp"

namespace clrbus::broker {

inline constexpr std::uint32_t kStateVersion = 1;

enum class CheckpointBlock : std::uint8_t { kEnd = 0, kHead = 1, kQueue = 2, kNotes = 3, kLedger = 4, kIndex = 5, kWindow = 6 };

struct CheckpointHead {
    std::uint32_t version = kStateVersion;
    std::uint64_t journal_id = 0;
    storage::Position position{};
    std::uint64_t next_run = 1;
    std::uint64_t next_sequence = 1;
    bool fresh = false;  // nothing was written yet
};
std::string encode_checkpoint_head(const CheckpointHead& head);

class CheckpointWriter {
public:
    CheckpointWriter(storage::Files& files, std::string path);
    void block(CheckpointBlock type, std::string_view payload);
    std::uint64_t finish();  // syncs, renames, syncs the directory; the size

private:
    storage::Files& files_;
    const std::string path_;
    std::unique_ptr<storage::File> file_;
    std::uint64_t at_ = 0;
};

// Calls back for each block, the head's first. Throws Error(kConfig): QUEUE-011 damaged (file, offset), QUEUE-012 unknown
// version.
CheckpointHead read_checkpoint(storage::Files& files, const std::string& path,
                               const std::function<void(CheckpointBlock, std::string_view)>& each);

}  // namespace clrbus::broker
