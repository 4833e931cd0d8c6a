// Keeping house: the checkpoint, and segments that are not needed any more.
#include <algorithm>
#include <condition_variable>

#include "broker/checkpoint_file.hpp"
#include "broker/embedded_state.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "storage/bytes.hpp"
#include "storage/crc32c.hpp"

namespace clrbus {
namespace {

using broker::CheckpointBlock;

constexpr std::size_t kEntriesPerBlock = 16384;
constexpr std::size_t kNotesPerBlock = 128;
constexpr std::size_t kCopiedPerRun = 64;
constexpr std::uint64_t kLiveShare = 4;  // a segment with less than a quarter alive is emptied
constexpr std::size_t kSegmentsBeforeCopying = 4;

// Lets a thread wait for the journal's thread.
class HouseSignal {
public:
    void set(storage::JournalResult result) {
        const std::lock_guard lock(mutex_);
        result_ = result;
        set_ = true;
        changed_.notify_all();
    }
    storage::JournalResult wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return set_; });
        return result_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    storage::JournalResult result_ = storage::JournalResult::kFailed;
    bool set_ = false;
};

}  // namespace

// Writes nothing: in its turn everything before is applied and nothing behind, and that is what it copies.
class EmbeddedQueues::CheckpointWork : public storage::JournalWork {
public:
    struct Copy {
        broker::CheckpointHead head;
        std::vector<EmbeddedQueue*> queues;  // never removed
        std::map<std::string, std::string, std::less<>> notes;
        State::Sums sums;
    };
    CheckpointWork(State& state, Copy& copy, HouseSignal& signal) : state_(state), copy_(copy), signal_(signal) {}
    void prepare(std::vector<storage::JournalRecord>&) override { copy_.head.next_run = state_.journal->next_run(); }
    void finished(storage::JournalResult result, std::span<const storage::JournalRecord>, storage::Position before) override {
        if (result == storage::JournalResult::kDurable) {
            const std::lock_guard lock(state_.mutex);
            copy_.head.journal_id = state_.journal_id;
            copy_.head.position = before;
            copy_.head.next_sequence = state_.next_sequence;
            for (auto* queue : state_.by_number) {
                if (queue != nullptr) copy_.queues.push_back(queue);
            }
            copy_.notes = state_.notes;
            copy_.sums = state_.sums;
        }
        signal_.set(result);
    }
    std::uint64_t most_bytes() const override { return 0; }
    std::uint64_t largest_record() const override { return 0; }

private:
    State& state_;
    Copy& copy_;
    HouseSignal& signal_;
};

// Moves messages from an old segment to the end of the log.
class EmbeddedQueues::CopyWork : public storage::JournalWork {
public:
    struct Item {
        EmbeddedQueue* queue = nullptr;
        std::uint64_t sequence = 0;
        storage::Position from{};
        std::string body;  // without the key of the duplicate window, which has it already
        bool moved = false;
    };
    CopyWork(State& state, std::vector<Item> items, HouseSignal& signal)
        : state_(state), items_(std::move(items)), signal_(signal) {
        for (const auto& item : items_) {
            most_ += storage::record_bytes(item.body.size());
            largest_ = std::max<std::uint64_t>(largest_, item.body.size());
        }
    }
    void prepare(std::vector<storage::JournalRecord>& run) override {
        const std::lock_guard lock(state_.mutex);
        for (auto& item : items_) {
            const auto* entry = item.queue->index.find(item.sequence);
            item.moved = entry != nullptr && entry->position == item.from;
            if (!item.moved) continue;
            auto& record = broker::add_record(run, broker::kMessageRecord, item.queue->number, item.sequence, {});
            record.flags = broker::kCopied;
            record.tail = item.body;
            record.body_crc = storage::crc32c(0, item.body);
        }
    }
    void finished(storage::JournalResult result, std::span<const storage::JournalRecord> run, storage::Position) override {
        if (result == storage::JournalResult::kDurable) {
            const std::lock_guard lock(state_.mutex);
            auto record = run.begin();
            for (const auto& item : items_) {
                if (!item.moved) continue;
                const auto& at = *record++;
                const auto* entry = item.queue->index.find(item.sequence);
                if (entry == nullptr) continue;
                state_.remove_live(*entry);
                item.queue->index.move(item.sequence, at.position, at.body_length());
                state_.add_live(*entry);
            }
        }
        signal_.set(result);
    }
    std::uint64_t most_bytes() const override { return most_; }
    std::uint64_t largest_record() const override { return largest_; }

private:
    State& state_;
    std::vector<Item> items_;
    HouseSignal& signal_;
    std::uint64_t most_ = 0, largest_ = 0;
};

bool EmbeddedQueues::State::checkpoint_due() const {
    const std::lock_guard lock(checkpoint_mutex);
    const auto written = journal->written_bytes() - checkpoint_written;
    const auto sealed = journal->writing_segment() - checkpointed.segment;
    return written >= std::max<std::uint64_t>(2ULL * options.segment_bytes, 4 * checkpoint_bytes) ||
           (sealed >= 4 && written > 0);
}

void EmbeddedQueues::State::write_checkpoint() {
    const std::lock_guard one_at_a_time(checkpoint_mutex);
    CheckpointWork::Copy copy;
    HouseSignal signal;
    journal->submit(std::make_unique<CheckpointWork>(*this, copy, signal));
    if (signal.wait() != storage::JournalResult::kDurable) {
        throw Error(Fault::kAway, "QUEUE-014", "writing a checkpoint", "the journal takes nothing");
    }
    // What is before it will not be read again.
    if (options.follower != nullptr) options.follower->settle();
    const auto written = journal->written_bytes();
    broker::CheckpointWriter writer(files, options.directory + "/checkpoint");
    writer.block(CheckpointBlock::kHead, broker::encode_checkpoint_head(copy.head));
    for (const auto* queue : copy.queues) {
        std::string payload;
        storage::put_number(payload, queue->number);
        storage::put_text(payload, queue->name);
        writer.block(CheckpointBlock::kQueue, payload);
    }
    for (auto it = copy.notes.begin(); it != copy.notes.end();) {
        std::string payload;
        for (std::size_t i = 0; i < kNotesPerBlock && it != copy.notes.end(); ++i, ++it) {
            storage::put_text(payload, broker::encode_note({it->first, it->second}));
        }
        writer.block(CheckpointBlock::kNotes, payload);
    }
    std::vector<LedgerEntry> entries;
    for (const auto& [key, count] : copy.sums) entries.push_back({key.first, key.second, count});
    writer.block(CheckpointBlock::kLedger, broker::encode_ledger(entries));
    for (const auto* queue : copy.queues) {
        for (std::uint64_t from = 0; true;) {
            std::string payload;
            storage::put_number(payload, queue->number);
            {
                const std::lock_guard lock(mutex);
                const auto part = queue->index.copy(from, kEntriesPerBlock);
                if (part.empty()) break;
                from = part.back().sequence + 1;
                payload.reserve(payload.size() + part.size() * (sizeof(broker::IndexEntry) + 8));
                for (const auto& entry : part) {
                    payload.append(reinterpret_cast<const char*>(&entry), sizeof entry);
                    storage::put_number(payload, queue->index.not_before(entry.sequence));
                }
            }
            writer.block(CheckpointBlock::kIndex, payload);
        }
        for (std::uint64_t after = 0; true;) {
            std::string payload;
            storage::put_number(payload, queue->number);
            {
                const std::lock_guard lock(mutex);
                // Not the key of a message whose sync is still to come: after a power cut it would refuse the sender's second
                // try.
                const auto part = queue->window.copy(after, published, kEntriesPerBlock);
                if (part.empty()) break;
                after = part.back().sequence;
                for (const auto& entry : part) payload.append(reinterpret_cast<const char*>(&entry), sizeof entry);
            }
            writer.block(CheckpointBlock::kWindow, payload);
        }
    }
    checkpoint_bytes = writer.finish();
    checkpoint_written = written;
    checkpointed = copy.head.position;
}

void EmbeddedQueues::State::compact() {
    const std::unique_lock mine(segments_mutex, std::try_to_lock);
    if (!mine) return;  // somebody copies them
    storage::Position safe{};
    {
        const std::lock_guard lock(checkpoint_mutex);
        safe = checkpointed;
    }
    const auto segments = journal->segments();
    std::vector<std::uint32_t> sparse;
    std::size_t kept = 0;
    for (const auto segment : segments) {
        if (segment >= safe.segment) break;
        Live alive;
        {
            const std::lock_guard lock(mutex);
            if (const auto found = live.find(segment); found != live.end()) alive = found->second;
        }
        if (alive.messages == 0) {
            journal->free_segment(segment);
            continue;
        }
        ++kept;
        if (alive.bytes < options.segment_bytes / kLiveShare) sparse.push_back(segment);
    }
    if (kept < kSegmentsBeforeCopying) return;
    for (const auto segment : sparse) {
        std::vector<CopyWork::Item> all;
        journal->scan(segment, [&](const storage::RecordHeader& header, storage::Position position) {
            if (header.type != broker::kMessageRecord) return;
            const std::lock_guard lock(mutex);
            auto& queue = by(header.queue);
            const auto* entry = queue.index.find(header.number);
            if (entry != nullptr && entry->position == position) all.push_back({&queue, header.number, position, {}, false});
        });
        for (std::size_t at = 0; at < all.size(); at += kCopiedPerRun) {
            const auto end = std::min(all.size(), at + kCopiedPerRun);
            std::vector<CopyWork::Item> items(std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(at)),
                                              std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(end)));
            for (auto& item : items) {
                storage::RecordHeader header;
                item.body = journal->read(item.from, &header);
                if ((header.flags & broker::kHasKey) != 0) item.body.erase(sizeof(std::int64_t), 2 * sizeof(broker::KeyHash));
            }
            HouseSignal signal;
            journal->submit(std::make_unique<CopyWork>(*this, std::move(items), signal));
            if (signal.wait() != storage::JournalResult::kDurable) return;
        }
    }  // the next round frees them
}

}  // namespace clrbus
