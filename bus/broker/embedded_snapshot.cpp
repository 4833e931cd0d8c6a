// A copy of the queues while they go on: the checkpoint, and the log up to one moment behind it.
#include <algorithm>
#include <condition_variable>

#include "broker/embedded_state.hpp"
#include "core/error.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kCopyBuffer = 1U << 20;

// Lets the thread that copies wait for the journal's.
struct SnapshotSignal {
    std::mutex mutex;
    std::condition_variable changed;
    bool set = false;
    storage::JournalResult result = storage::JournalResult::kFailed;
    storage::Position end{};
};

void copy_part(storage::Files& files, const std::string& from, const std::string& to, std::uint64_t bytes) {
    const auto source = files.open(from, storage::Open::kRead);
    const auto target = files.open(to, storage::Open::kCreate);
    std::string buffer(kCopyBuffer, '\0');
    for (std::uint64_t at = 0; at < bytes;) {
        const std::size_t n = source->read(at, buffer.data(), std::min<std::uint64_t>(buffer.size(), bytes - at));
        if (n == 0)
            throw Error(Fault::kAway, "QUEUE-016", "copying the queues", Where{.file = from}, "it ended before its time");
        target->write(at, std::string_view(buffer).substr(0, n));
        at += n;
    }
    // A segment is as long as its header says; what is not copied reads as zeros, which no record is.
    const std::uint64_t size = source->size();
    if (size > bytes) target->write(size - 1, std::string_view("\0", 1));
    target->sync();
}

}  // namespace

// Writes nothing: tells where the log ends in its turn.
class EmbeddedQueues::EndWork : public storage::JournalWork {
public:
    explicit EndWork(SnapshotSignal& signal) : signal_(signal) {}
    void prepare(std::vector<storage::JournalRecord>&) override {}
    void finished(storage::JournalResult result, std::span<const storage::JournalRecord>, storage::Position before) override {
        const std::lock_guard lock(signal_.mutex);
        signal_.result = result;
        signal_.end = before;
        signal_.set = true;
        signal_.changed.notify_all();
    }
    std::uint64_t most_bytes() const override { return 0; }
    std::uint64_t largest_record() const override { return 0; }

private:
    SnapshotSignal& signal_;
};

void EmbeddedQueues::snapshot(const std::string& directory) {
    State& state = *state_;
    // No segment is given back meanwhile: what the checkpoint names stays where it is.
    const std::lock_guard keep(state.segments_mutex);
    state.files.make_directory(directory);
    state.write_checkpoint();
    SnapshotSignal signal;
    {
        const std::lock_guard same(state.checkpoint_mutex);
        const std::string checkpoint = state.options.directory + "/checkpoint";
        copy_part(state.files, checkpoint, directory + "/checkpoint",
                  state.files.open(checkpoint, storage::Open::kRead)->size());
        // Its indexes were copied while the queues went on: the log must be there up to where it was written.
        state.journal->submit(std::make_unique<EndWork>(signal));
        std::unique_lock lock(signal.mutex);
        signal.changed.wait(lock, [&] { return signal.set; });
    }
    if (signal.result != storage::JournalResult::kDurable)
        throw Error(Fault::kAway, "QUEUE-014", "copying the queues", "the journal takes nothing");
    for (const std::uint32_t segment : state.journal->segments()) {
        if (segment > signal.end.segment) break;
        const std::string name = state.journal->segment_name(segment);
        const std::string from = state.options.directory + "/" + name;
        const std::uint64_t size = state.files.open(from, storage::Open::kRead)->size();
        copy_part(state.files, from, directory + "/" + name,
                  segment == signal.end.segment ? std::min<std::uint64_t>(size, signal.end.offset) : size);
    }
    state.files.sync_directory(directory);
}

}  // namespace clrbus
