// The runs that the embedded queues write: each class is one call of the interface on its way through the journal.
#pragma once

#include "broker/embedded_state.hpp"

namespace clrbus {

// What put and a Unit's outputs share: a message with everything that can be computed before its turn.
struct OutgoingPut {
    OutgoingPut(const EmbeddedQueues::State& state, Put&& given, std::int64_t now);

    Put put;
    EmbeddedQueue* queue = nullptr;
    std::string head;
    std::uint32_t crc = 0;
    std::uint8_t flags = 0;
    broker::MessageHead fields;
    std::uint64_t sequence = 0;  // given in its turn; 0: not stored

    std::uint64_t body_bytes() const { return head.size() + put.message.size(); }
};

// Tells who follows: arrivals in inboxes, then the visits of a Unit. Without the lock.
void works_tell(EmbeddedQueues::State& state, const std::vector<OutgoingPut>& puts, std::string&& visits,
                storage::Position position);

class EmbeddedQueues::PutWork : public storage::JournalWork {
public:
    PutWork(std::shared_ptr<State> state, std::vector<Put> batch, Executor& executor, PutDone done);
    void prepare(std::vector<storage::JournalRecord>& run) override;
    void finished(storage::JournalResult result, std::span<const storage::JournalRecord> run,
                  storage::Position before) override;
    std::uint64_t most_bytes() const override { return most_; }
    std::uint64_t largest_record() const override { return largest_; }

private:
    std::shared_ptr<State> state_;
    std::vector<OutgoingPut> puts_;
    std::vector<PutResult> results_;
    std::vector<LedgerEntry> sums_;
    Executor& executor_;
    PutDone done_;
    std::uint64_t most_ = 0, largest_ = 0;
};

class EmbeddedQueues::CommitWork : public storage::JournalWork {
public:
    CommitWork(std::shared_ptr<State> state, Unit unit, Executor& executor, CommitDone done);
    void prepare(std::vector<storage::JournalRecord>& run) override;
    void finished(storage::JournalResult result, std::span<const storage::JournalRecord> run,
                  storage::Position before) override;
    std::uint64_t most_bytes() const override { return most_; }
    std::uint64_t largest_record() const override { return largest_; }

private:
    std::shared_ptr<State> state_;
    Unit unit_;
    std::vector<OutgoingPut> outputs_;
    std::vector<std::pair<EmbeddedQueue*, std::uint64_t>> settling_;
    std::vector<std::string> visits_;  // a record each
    std::vector<LedgerEntry> sums_;
    CommitState state_found_ = CommitState::kDone;
    bool dropped_ = false;
    Executor& executor_;
    CommitDone done_;
    std::uint64_t most_ = 0, largest_ = 0;
};

class EmbeddedQueues::ReleaseWork : public storage::JournalWork {
public:
    ReleaseWork(std::shared_ptr<State> state, EmbeddedQueue& queue, std::uint64_t sequence, std::int64_t not_before,
                bool failed, Executor& executor, CommitDone done)
        : state_(std::move(state)),
          queue_(queue),
          sequence_(sequence),
          body_{not_before, 0},
          failed_(failed),
          executor_(executor),
          done_(std::move(done)) {}
    void prepare(std::vector<storage::JournalRecord>& run) override;
    void finished(storage::JournalResult result, std::span<const storage::JournalRecord> run,
                  storage::Position before) override;
    std::uint64_t most_bytes() const override { return storage::record_bytes(16); }
    std::uint64_t largest_record() const override { return 16; }

private:
    std::shared_ptr<State> state_;
    EmbeddedQueue& queue_;
    std::uint64_t sequence_;
    broker::ReleaseBody body_;
    bool failed_;
    Executor& executor_;
    CommitDone done_;
};

// Writes nothing: it has its turn behind the release that it is about.
class EmbeddedQueues::WakeWork : public storage::JournalWork {
public:
    WakeWork(std::shared_ptr<State> state, EmbeddedQueue& queue, std::uint64_t sequence)
        : state_(std::move(state)), queue_(queue), sequence_(sequence) {}
    void prepare(std::vector<storage::JournalRecord>&) override {}
    void finished(storage::JournalResult result, std::span<const storage::JournalRecord> run,
                  storage::Position before) override;
    std::uint64_t most_bytes() const override { return 0; }
    std::uint64_t largest_record() const override { return 0; }

private:
    std::shared_ptr<State> state_;
    EmbeddedQueue& queue_;
    std::uint64_t sequence_;
};

class EmbeddedQueues::DeclareWork : public storage::JournalWork {
public:
    DeclareWork(State& state, EmbeddedQueue& queue) : state_(state), queue_(queue) {}
    void prepare(std::vector<storage::JournalRecord>& run) override {
        const std::lock_guard lock(state_.mutex);
        state_.define(run, queue_);
    }
    void finished(storage::JournalResult, std::span<const storage::JournalRecord>, storage::Position) override {}
    std::uint64_t most_bytes() const override { return storage::record_bytes(queue_.name.size()); }
    std::uint64_t largest_record() const override { return queue_.name.size(); }

private:
    State& state_;
    EmbeddedQueue& queue_;
};

}  // namespace clrbus
