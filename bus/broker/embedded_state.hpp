// Inside of the embedded queues: what is in memory, and the lock that guards it. Only the embedded_*.cpp files include this.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "broker/duplicate_window.hpp"
#include "broker/embedded_queues.hpp"
#include "broker/queue_index.hpp"
#include "broker/queue_records.hpp"
#include "storage/journal.hpp"

namespace clrbus {

inline constexpr std::size_t kMostNote = 4096, kMostNoteName = 512, kMostQueueName = 256;

struct Delivery;  // a consumer, as the state sees it

struct EmbeddedQueue {
    EmbeddedQueue(std::uint32_t queue_number, std::string queue_name, const EmbeddedOptions& options);

    const std::uint32_t number;
    const std::string name;
    const std::string account;  // of the ledger, for in/ROUTE; else ""
    QueueLimits limits;
    bool defined = false;  // its name is in the journal, or in this run
    broker::QueueIndex index;
    broker::DuplicateWindow window;
    std::uint64_t reserved_messages = 0, reserved_bytes = 0;  // on the way to the disk
    std::map<std::uint64_t, Delivery*> in_hand;               // sequence -> who has it
    std::vector<std::shared_ptr<Delivery>> takers;
    std::size_t next_taker = 0;
};

// Bodies that were just written, so that a consumer who waits for them does not read them from disk. Bounded in bytes.
class RecentMessages {
public:
    void add(std::uint64_t sequence, const Message& message, const Headers& headers);
    std::optional<broker::StoredMessage> take(std::uint64_t sequence);

private:
    struct Kept {
        broker::StoredMessage stored;
        std::uint64_t bytes = 0;
    };
    std::map<std::uint64_t, Kept> kept_;
    std::uint64_t bytes_ = 0;
};

struct EmbeddedQueues::State : std::enable_shared_from_this<State> {
    explicit State(EmbeddedOptions given);

    using Sums = std::map<std::pair<std::string, Outcome>, std::int64_t>;

    const EmbeddedOptions options;
    Clock& clock;
    storage::Files& files;
    std::unique_ptr<storage::FileLock> lock_file;

    mutable std::mutex mutex;       // guards all up to the journal; never held while calling out or reading the disk
    std::condition_variable timer;  // the first due time may have changed, or stopping
    std::condition_variable idle;   // a delivery ended
    std::map<std::string, std::unique_ptr<EmbeddedQueue>, std::less<>> queues;
    std::vector<EmbeddedQueue*> by_number;  // from 1
    std::map<std::string, std::string, std::less<>> notes;
    Sums sums;
    std::uint64_t next_sequence = 1;
    std::uint64_t published = 0;  // the highest sequence that is on disk
    struct Live {
        std::uint64_t messages = 0, bytes = 0;
    };
    std::unordered_map<std::uint32_t, Live> live;  // messages whose body is in that segment
    RecentMessages recent;
    bool refuse_puts = false, refuse_outputs = false;  // the disk is (nearly) full
    bool stopping = false;
    std::int64_t timer_at = 0;  // for what the timer waits

    std::uint64_t journal_id = 0;
    storage::Position checkpointed{};                            // the log before this is in the checkpoint
    std::uint64_t checkpoint_bytes = 0, checkpoint_written = 0;  // size of the last one; journal bytes at that time
    std::mutex segments_mutex;            // held while segments are given back, or must not be; taken before checkpoint_mutex
    mutable std::mutex checkpoint_mutex;  // one at a time; guards the three above

    std::unique_ptr<storage::Journal> journal;  // last: its thread uses all of the above

    std::int64_t now_ms() const { return clock.now().time_since_epoch().count(); }
    EmbeddedQueue* find(std::string_view queue) const;                         // null when not there
    EmbeddedQueue& at(std::string_view queue) const;                           // throws QUEUE-001; takes the lock
    EmbeddedQueue& by(std::uint32_t number) const;                             // throws QUEUE-010
    EmbeddedQueue& make_queue(std::uint32_t number, const std::string& name);  // with the lock held
    void add_sum(const std::string& account, Outcome outcome, std::int64_t count);
    void add_live(const broker::IndexEntry& entry);
    void remove_live(const broker::IndexEntry& entry);
    void define(std::vector<storage::JournalRecord>& run, EmbeddedQueue& queue);  // its name, when it is not there yet

    // Recovery.
    void open();
    storage::JournalStart load_checkpoint();
    void write_first_checkpoint();
    void write_checkpoint();
    bool checkpoint_due() const;
    void replay(std::span<const storage::RecoveredRecord> run);
    void retell(std::span<const storage::RecoveredRecord> run);
    void compact();
    void check_disk();

    // Delivery. With the lock held; posts jobs, which is not calling out.
    void wake_takers(EmbeddedQueue& queue);
    void schedule(const std::shared_ptr<Delivery>& delivery);
    void wake_delayed();                                                             // takes the lock
    void timer_may_change();                                                         // with the lock held
    broker::StoredMessage read(EmbeddedQueue& queue, std::uint64_t sequence) const;  // without the lock
};

struct Delivery {
    EmbeddedQueue* queue = nullptr;
    Executor* executor = nullptr;
    std::function<void(TakenMessage)> ready;
    // Under the state's lock:
    std::uint64_t credit = 0;
    bool stopped = false, scheduled = false, running = false;
    std::thread::id running_on;
};

}  // namespace clrbus
