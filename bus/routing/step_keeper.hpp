// Keeps what waits in the stateful steps of all routes: reads their queues from where it was, writes into state.db what the
// steps say about it, and lets go on what is complete, due or let through. One thread.
//
// Two places, one truth: a message is where the journal says. A group is marked as closing in state.db first, then one Unit
// settles its messages and puts what they became, then the group is removed. After a crash in between the mark is found, and
// the Unit is made again: with the same ids, and dropped whole by the queues when it was there already.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.hpp"
#include "core/executor.hpp"
#include "routing/receipts.hpp"
#include "routing/route.hpp"
#include "routing/stateful.hpp"
#include "storage/step_state.hpp"

namespace clrbus {

class StepKeeper {
public:
    struct Parts {
        Queues& queues;
        Receipts& receipts;
        Clock& clock;
        std::filesystem::path state_dir;  // state.db, and the key in storage.key
    };
    explicit StepKeeper(Parts parts);
    ~StepKeeper();
    StepKeeper(const StepKeeper&) = delete;
    StepKeeper& operator=(const StepKeeper&) = delete;

    // Before the first message of this route, or of this generation of it, is taken: declares its queues. What waits in a step
    // that is no longer there is dead-lettered. Opens state.db when it is the first route that needs it.
    void use(const std::shared_ptr<const CompiledRoute>& route);
    void start();
    void stop();

    // Any thread.
    void wake(const std::string& queue);                  // something was put there, or may go on
    bool room(const CompiledRoute& route) const;          // false: as much waits as may; take nothing more
    storage::StepState& state() const;                    // throws std::logic_error when no route needs it
    std::int64_t number(const std::string& queue) const;  // of a step in state.db

    void later(std::function<void(storage::StepTables&)> change);  // soon, on disk; nobody waits for it

    struct Waiting {
        std::string route, step, queue, condition;
        std::uint64_t messages = 0;
        std::uint64_t groups = 0;
        Time next{};  // when time decides next; Time{} when it does not
    };
    std::vector<Waiting> waiting() const;

private:
    struct Entry {
        std::shared_ptr<const CompiledRoute> route;  // shared with the engine
        const StatefulStep* step = nullptr;          // of the route; null: it is gone, and what waits dies
        std::string queue;
        std::int64_t number = 0;
        std::uint64_t watermark = 0, size_at_start = 0, removed = 0;
        std::size_t at_a_time = 16, replies_at_a_time = 4;
        bool loaded = false, checked = false;
        Time look_again{};  // not before
    };
    void run(const std::stop_token& stop);
    bool look(Entry& entry, bool put);  // true: there may be more
    void look_after_replies(const std::string& queue, const std::string& replies);
    bool move_replies(Entry& entry);
    bool take_new(Entry& entry);
    bool let_due_go(Entry& entry);
    bool settle_groups(Entry& entry);
    bool drain(Entry& entry, const storage::StepGroup& group);
    bool bury(Entry& entry);
    bool rebuilt(Entry& entry);
    bool commit(Unit unit);
    bool change(Entry& entry, const std::function<void(StatefulStep::Look&)>& what);
    std::vector<BrowsedMessage> find(const Entry& entry, const std::vector<storage::StepMember>& members) const;
    std::uint64_t size_of(const std::string& queue) const;

    Parts parts_;
    std::unique_ptr<storage::StepState> state_;  // made once, by use

    mutable std::mutex mutex_;  // guards all below up to the thread
    std::condition_variable_any wake_;
    std::set<std::string> dirty_;
    std::string last_;                                       // looked at; the next one has its turn
    std::map<std::string, std::shared_ptr<Entry>> entries_;  // by queue; shared with the thread's own look
    std::unique_ptr<ThreadPool> arrivals_pool_;              // made once, by use
    // Of the queues of replies, by the step's queue: they say that something came.
    struct Arrivals {
        std::atomic<std::uint32_t> seen{0};
        std::unique_ptr<Taker> taker;  // last: calls back into the others
    };
    std::map<std::string, std::shared_ptr<Arrivals>> arrivals_;  // shared with the thread's own look
    std::jthread thread_;                                        // last: uses the members above
};

}  // namespace clrbus
