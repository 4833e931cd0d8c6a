#include "broker/embedded_works.hpp"

#include <algorithm>

#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "storage/crc32c.hpp"

namespace clrbus {
namespace {

using storage::JournalRecord;
using storage::JournalResult;
using storage::record_bytes;

constexpr std::size_t kLedgerEntriesPerRecord = 64;

broker::IndexEntry works_entry(const OutgoingPut& put, storage::Position position) {
    broker::IndexEntry entry;
    entry.sequence = put.sequence;
    entry.accepted = put.fields.accepted;
    entry.position = position;
    entry.length = static_cast<std::uint32_t>(put.body_bytes());
    return entry;
}

// With the lock held: the message gets its sequence and its record.
void works_store(EmbeddedQueues::State& state, OutgoingPut& put, std::vector<JournalRecord>& run) {
    auto& queue = *put.queue;
    put.sequence = state.next_sequence++;
    ++queue.reserved_messages;
    queue.reserved_bytes += put.body_bytes();
    if (put.fields.key) queue.window.add({*put.fields.key, put.fields.id, put.sequence, put.fields.accepted});
    state.define(run, queue);
    auto& record = run.emplace_back();
    record.type = broker::kMessageRecord;
    record.flags = put.flags;
    record.queue = queue.number;
    record.number = put.sequence;
    record.head = std::move(put.head);
    record.tail = put.put.message.bytes();
    record.body_crc = put.crc;
}

// With the lock held, after the sync: consumers may see it.
void works_publish(EmbeddedQueues::State& state, OutgoingPut& put, const JournalRecord& record) {
    auto& queue = *put.queue;
    auto entry = works_entry(put, record.position);
    entry.length = record.body_length();
    --queue.reserved_messages;
    queue.reserved_bytes -= entry.length;
    queue.index.add(entry);
    state.published = put.sequence;
    state.add_live(entry);
    if (!queue.takers.empty()) state.recent.add(put.sequence, put.put.message, put.put.headers);
}

void works_ledger(std::vector<JournalRecord>& run, const std::vector<LedgerEntry>& entries) {
    for (std::size_t at = 0; at < entries.size(); at += kLedgerEntriesPerRecord) {
        const auto end = std::min(entries.size(), at + kLedgerEntriesPerRecord);
        broker::add_record(run, broker::kLedgerRecord, 0, 0,
                           broker::encode_ledger({entries.begin() + static_cast<std::ptrdiff_t>(at),
                                                  entries.begin() + static_cast<std::ptrdiff_t>(end)}));
    }
}

void works_sum(std::vector<LedgerEntry>& sums, const std::string& account, Outcome outcome, std::int64_t count = 1) {
    for (auto& sum : sums) {
        if (sum.outcome == outcome && sum.account == account) {
            sum.count += count;
            return;
        }
    }
    sums.push_back({account, outcome, count});
}

}  // namespace

void works_tell(EmbeddedQueues::State& state, const std::vector<OutgoingPut>& puts, std::string&& visits,
                storage::Position position) {
    QueueFollower* follower = state.options.follower;
    if (follower == nullptr) return;
    const std::uint64_t at = std::uint64_t{position.segment} << 32 | position.offset;
    std::vector<std::uint64_t> dead;
    for (const OutgoingPut& put : puts) {
        if (put.sequence == 0) continue;
        if (!put.queue->account.empty()) {
            follower->arrived({put.queue->name, put.sequence, put.fields.accepted, put.put.message.message_id(),
                               put.put.message.body().size(), at});
        } else if (!visits.empty() && broker::is_dead_queue(put.queue->name)) {
            dead.push_back(put.sequence);
        }
    }
    if (!visits.empty()) follower->visited(std::move(visits), dead, at);
}

OutgoingPut::OutgoingPut(const EmbeddedQueues::State& state, Put&& given, std::int64_t now)
    : put(std::move(given)), queue(&state.at(put.queue)) {
    fields.accepted = now;
    if (!put.duplicate_key.empty()) {
        fields.key = broker::key_hash(put.duplicate_key);
        fields.id = broker::pack_id(put.message.message_id());
        flags |= broker::kHasKey;
    }
    head = broker::encode_message_head(fields, put.headers.empty() ? std::string() : put.headers.encode());
    if (body_bytes() > state.journal->largest_body()) {
        throw Error(Fault::kPoison, "QUEUE-002", "putting into queue '" + put.queue + "'",
                    "the message has " + std::to_string(body_bytes()) + " bytes, the journal takes " +
                        std::to_string(state.journal->largest_body()));
    }
    crc = storage::crc32c(storage::crc32c(0, head), put.message.bytes());
}

EmbeddedQueues::PutWork::PutWork(std::shared_ptr<State> state, std::vector<Put> batch, Executor& executor, PutDone done)
    : state_(std::move(state)), executor_(executor), done_(std::move(done)) {
    const auto now = state_->now_ms();
    puts_.reserve(batch.size());
    results_.resize(batch.size());
    most_ = record_bytes(64 + 2 * kMostQueueName);  // the count of duplicates
    for (auto& put : batch) {
        auto& outgoing = puts_.emplace_back(*state_, std::move(put), now);
        results_[puts_.size() - 1].id = outgoing.put.message.message_id();
        if (!outgoing.queue->account.empty()) outgoing.flags |= broker::kCountsAccepted;
        most_ += record_bytes(outgoing.body_bytes()) + record_bytes(outgoing.queue->name.size());
        largest_ = std::max(largest_, outgoing.body_bytes());
    }
}

void EmbeddedQueues::PutWork::prepare(std::vector<JournalRecord>& run) {
    const std::lock_guard lock(state_->mutex);
    for (std::size_t i = 0; i < puts_.size(); ++i) {
        auto& put = puts_[i];
        auto& queue = *put.queue;
        auto& result = results_[i];
        if (put.fields.key) {
            if (const auto* first = queue.window.find(*put.fields.key, put.fields.accepted)) {
                result = {PutState::kDuplicate, first->sequence, broker::unpack_id(first->id)};
                if (!queue.account.empty()) {
                    works_sum(sums_, queue.account, Outcome::kAccepted);
                    works_sum(sums_, queue.account, Outcome::kDuplicate);
                }
                continue;
            }
        }
        if (state_->refuse_puts || queue.index.size() + queue.reserved_messages >= queue.limits.max_messages ||
            queue.index.bytes() + queue.reserved_bytes + put.body_bytes() > queue.limits.max_bytes) {
            result = {PutState::kFull, 0, {}};
            continue;
        }
        works_store(*state_, put, run);
        result.state = PutState::kStored;
        result.sequence = put.sequence;
    }
    works_ledger(run, sums_);
}

void EmbeddedQueues::PutWork::finished(JournalResult result, std::span<const JournalRecord> run, storage::Position) {
    bool look_for_ids = false;
    if (result == JournalResult::kDurable) {
        if (!run.empty()) works_tell(*state_, puts_, {}, run.front().position);
        const std::lock_guard lock(state_->mutex);
        auto record = run.begin();
        EmbeddedQueue* last = nullptr;
        for (std::size_t i = 0; i < puts_.size(); ++i) {
            auto& put = puts_[i];
            look_for_ids = look_for_ids || (results_[i].state == PutState::kDuplicate && results_[i].id.empty());
            if (put.sequence == 0) continue;
            while (record->type != broker::kMessageRecord) ++record;
            works_publish(*state_, put, *record++);
            if (!put.queue->account.empty()) state_->add_sum(put.queue->account, Outcome::kAccepted, 1);
            if (last != nullptr && last != put.queue) state_->wake_takers(*last);
            last = put.queue;
        }
        if (last != nullptr) state_->wake_takers(*last);
        for (const auto& sum : sums_) state_->add_sum(sum.account, sum.outcome, sum.count);
    } else {
        const auto state = result == JournalResult::kFull ? PutState::kFull : PutState::kFailed;
        results_.assign(results_.size(), PutResult{state, 0, {}});
    }
    if (!look_for_ids) {
        executor_.post([done = std::move(done_), results = std::move(results_)]() mutable { done(std::move(results)); });
        return;
    }
    std::vector<EmbeddedQueue*> queues;
    for (const auto& put : puts_) queues.push_back(put.queue);
    executor_.post(
        [state = state_, queues = std::move(queues), done = std::move(done_), results = std::move(results_)]() mutable {
            for (std::size_t i = 0; i < results.size(); ++i) {
                if (results[i].state != PutState::kDuplicate || !results[i].id.empty()) continue;
                try {
                    results[i].id = state->read(*queues[i], results[i].sequence).message.message_id();
                } catch (const Error&) {
                    // The first one is gone: its id is not known any more.
                }
            }
            done(std::move(results));
        });
}

EmbeddedQueues::CommitWork::CommitWork(std::shared_ptr<State> state, Unit unit, Executor& executor, CommitDone done)
    : state_(std::move(state)), unit_(std::move(unit)), executor_(executor), done_(std::move(done)) {
    const auto now = state_->now_ms();
    const auto add = [&](std::uint64_t body) {
        most_ += record_bytes(body);
        largest_ = std::max(largest_, body);
    };
    for (const auto& input : unit_.settled) {
        state_->at(input.queue);
        add(0);
    }
    outputs_.reserve(unit_.outputs.size());
    for (auto& put : unit_.outputs) {
        const auto& outgoing = outputs_.emplace_back(*state_, std::move(put), now);
        add(outgoing.body_bytes());
        add(outgoing.queue->name.size());
    }
    unit_.outputs.clear();
    for (const auto& note : unit_.notes) {
        if (note.name.size() > kMostNoteName || (note.value && note.value->size() > kMostNote)) {
            throw Error(Fault::kPoison, "QUEUE-003", "writing a note", "the note is too large: a value has at most 4096 bytes");
        }
        add(16 + note.name.size() + (note.value ? note.value->size() : 0));
    }
    for (const auto& entry : unit_.ledger) {
        works_sum(sums_, entry.account, entry.outcome, entry.count);
        add(32 + entry.account.size());
    }
    if (!unit_.visits.empty()) {
        visits_ = unit_.visits.size() <= broker::kVisitsPerRecord ? std::vector<std::string>{unit_.visits}
                                                                  : broker::split_visits(unit_.visits);
        for (const auto& part : visits_) add(part.size());
    }
    add(64 + outputs_.size() * 64);  // the count of duplicates
}

void EmbeddedQueues::CommitWork::prepare(std::vector<JournalRecord>& run) {
    const std::lock_guard lock(state_->mutex);
    if (state_->refuse_outputs && !outputs_.empty()) {
        state_found_ = CommitState::kFull;
        return;
    }
    for (const auto& input : unit_.settled) {
        auto& queue = *state_->find(input.queue);
        if (!queue.index.begin_settle(input.sequence)) continue;
        settling_.emplace_back(&queue, input.sequence);
        queue.in_hand.erase(input.sequence);
        broker::add_record(run, broker::kSettleRecord, queue.number, input.sequence, {});
    }
    if (!unit_.settled.empty() && settling_.empty()) {
        dropped_ = true;
        return;
    }
    for (auto& put : outputs_) {
        auto& queue = *put.queue;
        if (put.fields.key && queue.window.find(*put.fields.key, put.fields.accepted) != nullptr) {
            if (!queue.account.empty()) works_sum(sums_, queue.account, Outcome::kDuplicate);
            continue;
        }
        works_store(*state_, put, run);
    }
    for (const auto& note : unit_.notes) broker::add_record(run, broker::kNoteRecord, 0, 0, broker::encode_note(note));
    works_ledger(run, sums_);
    for (auto& part : visits_) broker::add_record(run, broker::kVisitRecord, 0, 0, std::move(part));
}

void EmbeddedQueues::CommitWork::finished(JournalResult result, std::span<const JournalRecord> run, storage::Position) {
    auto state = state_found_;
    if (result != JournalResult::kDurable) {
        state = result == JournalResult::kFull ? CommitState::kFull : CommitState::kFailed;
    } else if (dropped_) {
        counter("clrbus_queue_settled_twice_total").add();
        log::warn("queues", "a unit was dropped: its input was settled before");
    } else if (state == CommitState::kDone) {
        if (!run.empty()) works_tell(*state_, outputs_, std::move(unit_.visits), run.front().position);
        const std::lock_guard lock(state_->mutex);
        for (const auto& [queue, sequence] : settling_) {
            if (const auto* entry = queue->index.find(sequence)) state_->remove_live(*entry);
            queue->index.settle(sequence);
        }
        auto record = run.begin();
        std::vector<EmbeddedQueue*> touched;
        for (auto& put : outputs_) {
            if (put.sequence == 0) continue;
            while (record->type != broker::kMessageRecord) ++record;
            works_publish(*state_, put, *record++);
            if (std::find(touched.begin(), touched.end(), put.queue) == touched.end()) touched.push_back(put.queue);
        }
        for (auto* queue : touched) state_->wake_takers(*queue);
        for (auto& note : unit_.notes) {
            if (note.value) {
                state_->notes[note.name] = std::move(*note.value);
            } else if (const auto found = state_->notes.find(note.name); found != state_->notes.end()) {
                state_->notes.erase(found);
            }
        }
        for (const auto& sum : sums_) state_->add_sum(sum.account, sum.outcome, sum.count);
    }
    executor_.post([done = std::move(done_), state] { done(state); });
}

void EmbeddedQueues::ReleaseWork::prepare(std::vector<JournalRecord>& run) {
    const std::lock_guard lock(state_->mutex);
    const auto* entry = queue_.index.find(sequence_);
    if (entry == nullptr || entry->state == broker::EntryState::kSettling) return;
    body_.attempts = std::min<std::uint32_t>(entry->attempts + (failed_ ? 1U : 0U), 0xFFFF);
    broker::add_record(run, broker::kReleaseRecord, queue_.number, sequence_, broker::encode_release(body_));
}

void EmbeddedQueues::ReleaseWork::finished(JournalResult result, std::span<const JournalRecord> run, storage::Position) {
    if (result == JournalResult::kDurable && !run.empty()) {
        const std::lock_guard lock(state_->mutex);
        queue_.in_hand.erase(sequence_);
        const auto attempts = static_cast<std::uint16_t>(body_.attempts);
        if (body_.not_before > state_->now_ms()) {
            queue_.index.delay(sequence_, body_.not_before, attempts);
            state_->timer_may_change();
        } else {
            queue_.index.release(sequence_, attempts);
            state_->wake_takers(queue_);
        }
    }
    const auto state = result == JournalResult::kDurable ? CommitState::kDone
                       : result == JournalResult::kFull  ? CommitState::kFull
                                                         : CommitState::kFailed;
    executor_.post([done = std::move(done_), state] { done(state); });
}

void EmbeddedQueues::WakeWork::finished(JournalResult, std::span<const JournalRecord>, storage::Position) {
    const std::lock_guard lock(state_->mutex);
    const auto* entry = queue_.index.find(sequence_);
    if (entry == nullptr || entry->state != broker::EntryState::kDelayed) return;
    queue_.index.release(sequence_, entry->attempts);
    state_->wake_takers(queue_);
}

}  // namespace clrbus
