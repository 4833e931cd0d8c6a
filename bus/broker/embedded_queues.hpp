// The embedded broker's queues: in this process, on the journal of a state directory. No socket, no second encoding. Any
// thread.
//
// An output of a Unit counts nothing in the ledger by itself, wherever it goes: Unit.ledger does. A duplicate among outputs for
// in/… is dropped and counted. A Unit whose inputs are all settled already is dropped whole and answered with kDone. put,
// commit, take and release throw Error(kPoison): QUEUE-001 no such queue, QUEUE-002 message too large for the journal (16 MB;
// doors spool larger ones), QUEUE-003 note too large.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "broker/follower.hpp"
#include "broker/queues.hpp"
#include "storage/file.hpp"

namespace clrbus {

struct EmbeddedOptions {
    std::string directory;                    // DIR/queues: made when it is not there; one process at a time
    std::uint32_t segment_bytes = 64U << 20;  // of a journal file
    std::uint64_t disk_reserve =
        1ULL << 30;  // below this much free space new messages are refused; outputs of Units below half
    std::uint64_t pending_bytes = 64ULL << 20;  // accepted for writing, not yet written: above, put answers kFull
    std::size_t window_ids = 1'000'000;         // duplicate window of each queue
    std::chrono::milliseconds window_age = std::chrono::hours(7 * 24);
    Clock* clock = nullptr;             // system_clock() when null
    storage::Files* files = nullptr;    // real_files() when null
    QueueFollower* follower = nullptr;  // is told what is on disk; outlives the queues
    // The journal failed and takes nothing more: the process should end. Once, on the journal's thread: may only signal.
    std::function<void(const std::string& why)> on_failure;
    std::function<std::uint64_t()> free_bytes;  // of the disk; from files when empty
};

class EmbeddedQueues : public Queues {
public:
    // Recovers what the directory holds. Throws Error(kConfig) with file and offset when it must not go on.
    explicit EmbeddedQueues(EmbeddedOptions options);
    ~EmbeddedQueues() override;  // writes what was given to it, then a checkpoint; takers are gone by then

    void declare(const std::string& queue, const QueueLimits& limits) override;
    bool exists(const std::string& queue) const override;
    void put(std::vector<Put> batch, Executor& executor, PutDone done) override;
    std::unique_ptr<Taker> take(const std::string& queue, Executor& executor, std::function<void(TakenMessage)> ready) override;
    void commit(Unit unit, Executor& executor, CommitDone done) override;
    void release(const std::string& queue, std::uint64_t sequence, Time not_before, bool failed, Executor& executor,
                 CommitDone done) override;
    void wake(const std::string& queue, std::uint64_t sequence) override;
    std::vector<BrowsedMessage> browse(const std::string& queue, std::uint64_t from, std::size_t most) const override;
    std::vector<QueueState> states() const override;
    std::optional<std::string> note(std::string_view name) const override;
    std::vector<Note> notes(std::string_view prefix) const override;
    std::vector<LedgerEntry> ledger() const override;
    bool accepts(const std::string& queue) const override;

    std::string failure() const;       // why the journal takes nothing more; "" while it works
    std::uint64_t disk_bytes() const;  // of the journal's files
    std::uint64_t syncs() const;       // since the start
    std::uint64_t written_bytes() const;
    void checkpoint();  // now; returns when it is on disk. Blocks
    void compact();     // frees what can be freed, copies the few live messages of old segments forward. Blocks
    // A copy that another process can recover, as the queues are at one moment during the call; they go on meanwhile. The
    // directory is made. Throws Error(kAway). Blocks.
    void snapshot(const std::string& directory);
    void check_disk();    // looks at the free space now; done every second by itself
    void wake_delayed();  // looks at the clock now; done when a message is due by itself

    // Inside, see embedded_state.hpp and embedded_works.hpp.
    struct State;
    class PutWork;
    class CommitWork;
    class ReleaseWork;
    class WakeWork;
    class DeclareWork;
    class CheckpointWork;
    class CopyWork;
    class EndWork;

private:
    class EmbeddedTaker;
    struct Threads;

    std::shared_ptr<State> state_;      // shared with jobs that wait in executors
    std::unique_ptr<Threads> threads_;  // last: uses the state
};

}  // namespace clrbus
