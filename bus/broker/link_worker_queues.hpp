// The queues as a worker process sees them: messages of inboxes come over another broker, and what they caused goes back to the
// process that keeps the books (broker/link_queues.hpp) as one message that is confirmed before the input is settled. At least
// once; the books apply each Unit once. Notes come with the message that they concern. Any thread.
//
// What is not to be had in a worker: put (doors are in the process that keeps the books), browse, sums of the ledger. States
// tell what this worker has in hand.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/embedded_queues.hpp"
#include "broker/link_options.hpp"

namespace clrbus {

class WorkerQueues : public Queues {
public:
    // own: a small place of this worker's for the notes that concern it alone; outlives it.
    WorkerQueues(EmbeddedQueues& own, LinkOptions options);
    ~WorkerQueues() override;

    void start();
    // Waits for the confirms of what was committed; what is still in hand goes back to the broker.
    void stop(std::chrono::milliseconds at_most);

    void declare(const std::string& queue, const QueueLimits& limits) override;
    bool exists(const std::string& queue) const override;
    void put(std::vector<Put> batch, Executor& executor, PutDone done) override;  // kFailed, always
    std::unique_ptr<Taker> take(const std::string& queue, Executor& executor, std::function<void(TakenMessage)> ready) override;
    void commit(Unit unit, Executor& executor, CommitDone done) override;
    void release(const std::string& queue, std::uint64_t sequence, Time not_before, bool failed, Executor& executor,
                 CommitDone done) override;
    std::vector<BrowsedMessage> browse(const std::string& queue, std::uint64_t from, std::size_t most) const override;
    std::vector<QueueState> states() const override;
    std::optional<std::string> note(std::string_view name) const override;
    std::vector<Note> notes(std::string_view prefix) const override;
    std::vector<LedgerEntry> ledger() const override;
    bool accepts(const std::string& queue) const override;

    amqp::ClientHealth health() const;  // of both connections; the one that is worse

    struct State;

private:
    class WorkerTaker;
    struct Thread;

    std::shared_ptr<State> state_;    // shared with callbacks of executors
    std::unique_ptr<Thread> thread_;  // last: uses the state
};

}  // namespace clrbus
