// The write-ahead log of the queues: one writer thread, one fdatasync for all that arrived while the last one ran, no timer.
// What is written is given in runs that count whole or not at all. After a write or sync error it takes nothing more, because
// what the disk then holds is not known; a restart recovers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/file.hpp"
#include "storage/record.hpp"

namespace clrbus::storage {

// A record on its way to the journal. Its body is head + tail.
struct JournalRecord {
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::uint32_t queue = 0;
    std::uint64_t number = 0;
    std::string head;
    std::string_view tail;       // owned by the work until it is finished
    std::uint32_t body_crc = 0;  // crc32c(0, head + tail)
    Position position{};         // given by the journal

    std::uint32_t body_length() const { return static_cast<std::uint32_t>(head.size() + tail.size()); }
};

// A record as recovery reads it. body: at most the first kRecoveredBody bytes.
struct RecoveredRecord {
    RecordHeader header;
    Position position;
    std::string body;
};
inline constexpr std::size_t kRecoveredBody = 8192;

enum class JournalResult : std::uint8_t { kDurable, kFull, kFailed };

// One run to be written. Both calls come on the journal's thread, in the order of submission.
class JournalWork {
public:
    virtual ~JournalWork() = default;
    // Adds the records of the run; none: nothing is written, finished comes all the same, in its turn.
    virtual void prepare(std::vector<JournalRecord>& run) = 0;
    // After the sync. kFull: prepare was not called. kFailed: prepare may have been called.
    // end: where the log ended before this run was written (kDurable only).
    virtual void finished(JournalResult result, std::span<const JournalRecord> run, Position before) = 0;
    // Upper bounds, known before prepare: bytes of the run on disk, and of its largest record.
    virtual std::uint64_t most_bytes() const = 0;
    virtual std::uint64_t largest_record() const = 0;
};

struct JournalOptions {
    std::string directory;
    std::uint64_t id = 0;  // of this journal, random
    std::uint32_t segment_bytes = 64U << 20;
    std::uint64_t group_bytes = 8ULL << 20;                  // one sync takes at most about this much
    bool paused = false;                                     // tests: nothing is written before resume()
    std::function<void(const std::string& why)> on_failure;  // once, on the journal's thread: may only signal
};

struct JournalStart {
    Position from;               // first record that is not in the checkpoint
    std::uint64_t next_run = 1;  // number of the run that begins there
    bool fresh = false;          // there may be no segment yet
};

class Journal {
public:
    // Opens what is there, without threads. Throws Error(kConfig, "JOURNAL-0xx") with file and offset.
    Journal(Files& files, const JournalOptions& options);
    ~Journal();  // finishes what was submitted

    // Once: replays the closed runs from there on, in order, drops the unclosed end, then starts the writer.
    void recover(const JournalStart& start, const std::function<void(std::span<const RecoveredRecord>)>& replay);

    // Finishes what was submitted and ends the writer; what is submitted later fails.
    void stop();

    // Any thread, from here on.
    void submit(std::unique_ptr<JournalWork> work);
    // Reads the body at that position and checks it. Throws Error(kAway, "JOURNAL-006") when it is not what was written.
    std::string read(Position position, RecordHeader* header = nullptr) const;
    // Every record header of a segment, with positions. Blocks for disk reads.
    void scan(std::uint32_t segment, const std::function<void(const RecordHeader&, Position)>& each) const;
    // The segment holds nothing that is needed; never the one that is written.
    void free_segment(std::uint32_t segment);
    std::vector<std::uint32_t> segments() const;  // rising; those prepared ahead are among them
    std::uint32_t writing_segment() const;
    std::string segment_name(std::uint32_t segment) const;  // of its file, in the directory
    std::uint64_t next_run() const;                         // on the journal's thread only
    std::uint64_t pending_bytes() const;                    // submitted, not yet written
    std::uint64_t written_bytes() const;                    // since the start
    std::uint64_t groups() const;                           // syncs since the start
    std::uint64_t disk_bytes() const;
    std::uint64_t largest_body() const;  // that a record may have
    std::string failure() const;         // "" while it works
    void resume();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace clrbus::storage
