// What happens at a start: the checkpoint, then the log behind it.
#include <algorithm>
#include <cstring>
#include <random>

#include "broker/checkpoint_file.hpp"
#include "broker/embedded_state.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "storage/bytes.hpp"

namespace clrbus {
namespace {

using broker::CheckpointBlock;

constexpr std::uint32_t kSmallestSegment = 16U << 10;

std::string recovery_checkpoint_path(const EmbeddedOptions& options) {
    return options.directory + "/checkpoint";
}

std::uint64_t recovery_new_id() {
    std::random_device random;
    return (std::uint64_t{random()} << 32 | random()) | 1;
}

}  // namespace

void EmbeddedQueues::State::write_first_checkpoint() {
    // Segments without a checkpoint mean that it was lost, not that the state is new.
    for (const auto& name : files.list(options.directory)) {
        if (!name.ends_with(".log")) continue;
        Where where;
        where.file = recovery_checkpoint_path(options);
        throw Error(Fault::kConfig, "QUEUE-013", "opening the queues", where,
                    "the file is missing, and the journal beside it is not: restore it from a backup");
    }
    broker::CheckpointHead head;
    head.journal_id = recovery_new_id();
    head.position = {1, storage::kSegmentHeaderBytes};
    head.fresh = true;
    broker::CheckpointWriter writer(files, recovery_checkpoint_path(options));
    writer.block(CheckpointBlock::kHead, broker::encode_checkpoint_head(head));
    writer.finish();
}

storage::JournalStart EmbeddedQueues::State::load_checkpoint() {
    const auto malformed = [&] {
        Where where;
        where.file = recovery_checkpoint_path(options);
        throw Error(Fault::kConfig, "QUEUE-011", "reading the checkpoint", where, "a block is malformed");
    };
    const auto head =
        broker::read_checkpoint(files, recovery_checkpoint_path(options), [&](CheckpointBlock type, std::string_view payload) {
            storage::ByteReader reader(payload);
            switch (type) {
                case CheckpointBlock::kQueue: {
                    const auto number = reader.number<std::uint32_t>();
                    const auto name = reader.text();
                    if (!reader.ok() || number == 0 || number > (1U << 20)) malformed();
                    make_queue(number, std::string(name)).defined = true;
                    break;
                }
                case CheckpointBlock::kNotes:
                    while (reader.ok() && !reader.at_end()) {
                        const auto note = broker::decode_note(reader.text());
                        if (note.value) notes[note.name] = *note.value;
                    }
                    break;
                case CheckpointBlock::kLedger:
                    for (const auto& entry : broker::decode_ledger(payload)) add_sum(entry.account, entry.outcome, entry.count);
                    break;
                case CheckpointBlock::kIndex: {
                    auto& queue = by(reader.number<std::uint32_t>());
                    while (!reader.at_end()) {
                        broker::IndexEntry entry;
                        const auto raw = reader.take(sizeof entry);
                        const auto not_before = reader.number<std::int64_t>();
                        if (!reader.ok()) malformed();
                        std::memcpy(&entry, raw.data(), sizeof entry);
                        if (queue.index.add(entry) && not_before != 0)
                            queue.index.delay(entry.sequence, not_before, entry.attempts);
                    }
                    break;
                }
                case CheckpointBlock::kWindow: {
                    auto& queue = by(reader.number<std::uint32_t>());
                    while (!reader.at_end()) {
                        broker::DuplicateWindow::Entry entry;
                        const auto raw = reader.take(sizeof entry);
                        if (!reader.ok()) malformed();
                        std::memcpy(&entry, raw.data(), sizeof entry);
                        queue.window.add(entry);
                    }
                    break;
                }
                case CheckpointBlock::kHead:
                case CheckpointBlock::kEnd:
                    break;
            }
        });
    journal_id = head.journal_id;
    next_sequence = head.next_sequence;
    checkpointed = head.position;
    return {head.position, head.next_run, head.fresh};
}

void EmbeddedQueues::State::replay(std::span<const storage::RecoveredRecord> run) {
    for (const auto& record : run) {
        const auto& header = record.header;
        switch (header.type) {
            case broker::kQueueRecord: {
                if (header.queue == 0 || header.queue > (1U << 20)) by(0);
                const auto* known = header.queue <= by_number.size() ? by_number[header.queue - 1] : nullptr;
                if (known == nullptr) {
                    make_queue(header.queue, record.body).defined = true;
                } else if (known->name != record.body) {
                    by(0);
                }
                break;
            }
            case broker::kMessageRecord: {
                auto& queue = by(header.queue);
                if ((header.flags & broker::kCopied) != 0) {
                    queue.index.move(header.number, record.position, header.body_length);
                    break;
                }
                const auto head = broker::decode_message_head(record.body, header.flags);
                broker::IndexEntry entry;
                entry.sequence = header.number;
                entry.accepted = head.accepted;
                entry.position = record.position;
                entry.length = header.body_length;
                queue.index.add(entry);
                if (head.key) {
                    // Forgets what is too old by then, as when the message came.
                    queue.window.find(*head.key, head.accepted);
                    queue.window.add({*head.key, head.id, header.number, head.accepted});
                }
                if ((header.flags & broker::kCountsAccepted) != 0) add_sum(queue.account, Outcome::kAccepted, 1);
                next_sequence = std::max(next_sequence, header.number + 1);
                break;
            }
            case broker::kSettleRecord:
                by(header.queue).index.settle(header.number);
                break;
            case broker::kReleaseRecord: {
                const auto body = broker::decode_release(record.body);
                by(header.queue).index.delay(header.number, body.not_before, static_cast<std::uint16_t>(body.attempts));
                break;
            }
            case broker::kNoteRecord: {
                auto note = broker::decode_note(record.body);
                if (note.value) {
                    notes[note.name] = std::move(*note.value);
                } else {
                    notes.erase(note.name);
                }
                break;
            }
            case broker::kLedgerRecord:
                for (const auto& entry : broker::decode_ledger(record.body)) add_sum(entry.account, entry.outcome, entry.count);
                break;
            case broker::kVisitRecord:
                break;  // for who follows
            default:
                throw Error(Fault::kConfig, "QUEUE-010", "reading the journal",
                            "a record of type " + std::to_string(header.type) + ", which this version does not know");
        }
    }
}

// As works_tell told it, when it was told.
void EmbeddedQueues::State::retell(std::span<const storage::RecoveredRecord> run) {
    if (options.follower == nullptr || run.empty()) return;
    const std::uint64_t at = std::uint64_t{run.front().position.segment} << 32 | run.front().position.offset;
    std::string visits;
    std::vector<std::uint64_t> dead;
    for (const auto& record : run) {
        const auto& header = record.header;
        if (header.type == broker::kVisitRecord) visits += record.body;
        if (header.type != broker::kMessageRecord || (header.flags & broker::kCopied) != 0) continue;
        const auto& queue = by(header.queue);
        if (broker::is_dead_queue(queue.name)) dead.push_back(header.number);
        if (queue.account.empty()) continue;
        std::string id;
        std::uint64_t bytes = 0;
        try {
            std::string body = record.body;
            const auto stored = broker::decode_stored_message(std::move(body), header.flags);
            id = stored.message.message_id();
            bytes = stored.message.body().size();
        } catch (const Error&) {
            continue;  // longer than what recovery reads of it: its end will be told
        }
        options.follower->arrived(
            {queue.name, header.number, broker::decode_message_head(record.body, header.flags).accepted, id, bytes, at});
    }
    if (!visits.empty()) options.follower->visited(std::move(visits), dead, at);
}

void EmbeddedQueues::State::open() {
    if (options.segment_bytes < kSmallestSegment) {
        throw Error(Fault::kConfig, "QUEUE-015", "opening the queues", "a segment must have at least 16384 bytes");
    }
    files.make_directory(options.directory);
    lock_file = files.lock(options.directory + "/lock");
    if (!files.exists(recovery_checkpoint_path(options))) write_first_checkpoint();
    const auto start = load_checkpoint();
    storage::JournalOptions journal_options;
    journal_options.directory = options.directory;
    journal_options.id = journal_id;
    journal_options.segment_bytes = options.segment_bytes;
    journal_options.on_failure = options.on_failure;
    journal = std::make_unique<storage::Journal>(files, journal_options);
    std::uint64_t runs = 0;
    if (options.follower != nullptr) options.follower->follows(journal_id);
    journal->recover(start, [&](std::span<const storage::RecoveredRecord> run) {
        replay(run);
        retell(run);
        ++runs;
    });
    published = next_sequence - 1;
    std::uint64_t messages = 0;
    const auto now = now_ms();
    for (const auto& [name, queue] : queues) {
        queue->index.wake(now);
        messages += queue->index.size();
        for (std::uint64_t from = 0; true;) {
            const auto entries = queue->index.copy(from, 4096);
            for (const auto& entry : entries) add_live(entry);
            if (entries.empty()) break;
            from = entries.back().sequence + 1;
        }
    }
    const auto have = journal->segments();
    for (const auto& [segment, count] : live) {
        if (std::binary_search(have.begin(), have.end(), segment)) continue;
        Where where;
        where.file = options.directory;
        throw Error(Fault::kConfig, "JOURNAL-005", "opening the queues", where,
                    "segment " + std::to_string(segment) + " of the journal is missing: " + std::to_string(count.messages) +
                        " messages are in it");
    }
    log::info("queues", std::to_string(messages) + " messages in " + std::to_string(queues.size()) + " queues, " +
                            std::to_string(runs) + " runs read from the journal");
}

}  // namespace clrbus
