// The queues of the process that keeps the books, when workers in other processes share its inboxes over another broker. Every
// message is on this process's own journal until its Unit is; the broker carries copies of what waits in inboxes to whoever has
// time, and brings back Units, which are applied here, whole, once. So all that is promised of the embedded queues holds,
// whatever is delivered twice or lost on the way. Consumers in this process get their messages over the broker, too. Any
// thread.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/embedded_queues.hpp"
#include "broker/link_options.hpp"

namespace clrbus {

class LinkQueues : public Queues {
public:
    // local outlives it. Connects with start().
    LinkQueues(EmbeddedQueues& local, LinkOptions options);
    ~LinkQueues() override;  // takers are gone by then

    void start();
    void stop(std::chrono::milliseconds at_most);  // sends nothing more, applies what has come

    void declare(const std::string& queue, const QueueLimits& limits) override;
    bool exists(const std::string& queue) const override;
    void put(std::vector<Put> batch, Executor& executor, PutDone done) override;
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

    // These inboxes stay from now on, the others travel; for consumers that take afterwards. What is out of an inbox that stays
    // now comes back, and what a worker still makes of it is dropped.
    void stay(std::set<std::string, std::less<>> queues);

    amqp::ClientHealth health() const;  // of both connections; the one that is worse

    struct State;

private:
    class LinkTaker;
    struct Thread;

    std::shared_ptr<State> state_;    // shared with callbacks of executors
    std::unique_ptr<Thread> thread_;  // last: uses the state
};

}  // namespace clrbus
