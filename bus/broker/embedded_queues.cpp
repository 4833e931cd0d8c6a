#include "broker/embedded_queues.hpp"

#include <algorithm>

#include "broker/embedded_state.hpp"
#include "broker/embedded_works.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus {
namespace {

constexpr auto kHousekeeping = std::chrono::seconds(1);
constexpr auto kLongestTimer = std::chrono::minutes(1);  // a clock that is set is noticed by then
constexpr std::string_view kInboxPrefix = "in/";

std::string queue_account(const std::string& name) {
    return name.starts_with(kInboxPrefix) ? name.substr(kInboxPrefix.size()) : std::string();
}

}  // namespace

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::kAccepted:
            return "accepted";
        case Outcome::kMade:
            return "made";
        case Outcome::kDelivered:
            return "delivered";
        case Outcome::kFiltered:
            return "filtered";
        case Outcome::kSplit:
            return "split";
        case Outcome::kAggregated:
            return "aggregated";
        case Outcome::kDuplicate:
            return "duplicate";
        case Outcome::kDead:
            return "dead";
        case Outcome::kDiscarded:
            return "discarded";
        case Outcome::kExpired:
            return "expired";
        case Outcome::kTaken:
            return "taken";
        case Outcome::kApplied:
            return "applied";
        case Outcome::kUnchanged:
            return "unchanged";
        case Outcome::kSuperseded:
            return "superseded";
        case Outcome::kHeld:
            return "held";
    }
    return "unknown";
}

EmbeddedQueue::EmbeddedQueue(std::uint32_t queue_number, std::string queue_name, const EmbeddedOptions& options)
    : number(queue_number),
      name(std::move(queue_name)),
      account(queue_account(name)),
      window(options.window_ids, options.window_age.count()) {}

EmbeddedQueues::State::State(EmbeddedOptions given)
    : options(std::move(given)),
      clock(options.clock != nullptr ? *options.clock : system_clock()),
      files(options.files != nullptr ? *options.files : storage::real_files()) {}

EmbeddedQueue* EmbeddedQueues::State::find(std::string_view queue) const {
    const auto found = queues.find(queue);
    return found == queues.end() ? nullptr : found->second.get();
}

EmbeddedQueue& EmbeddedQueues::State::at(std::string_view queue) const {
    {
        const std::lock_guard lock(mutex);
        if (auto* found = find(queue)) return *found;
    }
    throw Error(Fault::kPoison, "QUEUE-001", "looking for a queue", "no queue of that name was declared");
}

EmbeddedQueue& EmbeddedQueues::State::by(std::uint32_t number) const {
    if (number == 0 || number > by_number.size() || by_number[number - 1] == nullptr) {
        throw Error(Fault::kConfig, "QUEUE-010", "reading the journal", "a record names a queue that is not defined");
    }
    return *by_number[number - 1];
}

EmbeddedQueue& EmbeddedQueues::State::make_queue(std::uint32_t number, const std::string& name) {
    if (by_number.size() < number) by_number.resize(number);
    auto& slot = queues[name];
    slot = std::make_unique<EmbeddedQueue>(number, name, options);
    by_number[number - 1] = slot.get();
    return *slot;
}

void EmbeddedQueues::State::define(std::vector<storage::JournalRecord>& run, EmbeddedQueue& queue) {
    if (queue.defined) return;
    queue.defined = true;
    broker::add_record(run, broker::kQueueRecord, queue.number, 0, queue.name);
}

void EmbeddedQueues::State::add_sum(const std::string& account, Outcome outcome, std::int64_t count) {
    sums[{account, outcome}] += count;
}

void EmbeddedQueues::State::add_live(const broker::IndexEntry& entry) {
    auto& segment = live[entry.position.segment];
    ++segment.messages;
    segment.bytes += entry.length;
}

void EmbeddedQueues::State::remove_live(const broker::IndexEntry& entry) {
    const auto found = live.find(entry.position.segment);
    if (found == live.end()) return;
    found->second.bytes -= entry.length;
    if (--found->second.messages == 0) live.erase(found);
}

void EmbeddedQueues::State::check_disk() {
    const auto free = options.free_bytes ? options.free_bytes() : files.free_bytes(options.directory);
    const bool puts = free < options.disk_reserve, outputs = free < options.disk_reserve / 2;
    const std::lock_guard lock(mutex);
    if (puts != refuse_puts) {
        log::warn("queues", puts ? "the disk is nearly full: new messages are refused"
                                 : "the disk has space again: new messages are taken");
    }
    refuse_puts = puts;
    refuse_outputs = outputs;
}

// Housekeeping and the timer of delayed messages.
struct EmbeddedQueues::Threads {
    explicit Threads(State& s) : state(s), housekeeping([this] { keep_house(); }), timer([this] { wake(); }) {}
    ~Threads() {
        {
            const std::lock_guard lock(state.mutex);
            state.stopping = true;
        }
        state.timer.notify_all();
    }

    void keep_house() {
        std::unique_lock lock(state.mutex);
        while (!state.stopping) {
            state.timer.wait_for(lock, kHousekeeping, [&] { return state.stopping; });
            if (state.stopping) return;
            lock.unlock();
            try {
                state.check_disk();
                if (state.checkpoint_due()) state.write_checkpoint();
                state.compact();
            } catch (const Error& e) {
                log::error("queues", std::string("housekeeping: ") + e.what());
            }
            lock.lock();
        }
    }

    void wake() {
        std::unique_lock lock(state.mutex);
        while (!state.stopping) {
            std::optional<std::int64_t> first;
            for (const auto& [name, queue] : state.queues) {
                const auto next = queue->index.next_wake();
                if (next && (!first || *next < *first)) first = next;
            }
            const auto now = state.now_ms();
            if (!first) {
                state.timer.wait(lock);
            } else if (*first > now) {
                state.timer.wait_for(
                    lock, std::min<std::chrono::milliseconds>(std::chrono::milliseconds(*first - now), kLongestTimer));
            } else {
                lock.unlock();
                state.wake_delayed();
                lock.lock();
            }
        }
    }

    State& state;
    std::jthread housekeeping, timer;  // last: use the state
};

EmbeddedQueues::EmbeddedQueues(EmbeddedOptions options) : state_(std::make_shared<State>(std::move(options))) {
    state_->open();
    state_->check_disk();
    threads_ = std::make_unique<Threads>(*state_);
}

EmbeddedQueues::~EmbeddedQueues() {
    threads_.reset();
    try {
        if (state_->journal->failure().empty()) state_->write_checkpoint();
    } catch (const Error& e) {
        log::error("queues", std::string("closing: ") + e.what());  // the next start reads more of the journal instead
    }
    state_->journal->stop();
    state_->lock_file.reset();  // jobs that still wait in executors may keep the state alive
}

void EmbeddedQueues::declare(const std::string& queue, const QueueLimits& limits) {
    if (queue.empty() || queue.size() > kMostQueueName) {
        throw Error(Fault::kConfig, "QUEUE-005", "declaring a queue", "its name must have 1 to 256 characters");
    }
    EmbeddedQueue* made = nullptr;
    {
        const std::lock_guard lock(state_->mutex);
        if (auto* found = state_->find(queue)) {
            found->limits = limits;
            return;
        }
        made = &state_->make_queue(static_cast<std::uint32_t>(state_->by_number.size() + 1), queue);
        made->limits = limits;
    }
    state_->journal->submit(std::make_unique<DeclareWork>(*state_, *made));
}

bool EmbeddedQueues::exists(const std::string& queue) const {
    const std::lock_guard lock(state_->mutex);
    return state_->find(queue) != nullptr;
}

void EmbeddedQueues::put(std::vector<Put> batch, Executor& executor, PutDone done) {
    if (state_->journal->pending_bytes() > state_->options.pending_bytes) {
        std::vector<PutResult> results(batch.size(), PutResult{PutState::kFull, 0, {}});
        executor.post([done = std::move(done), results = std::move(results)]() mutable { done(std::move(results)); });
        return;
    }
    state_->journal->submit(std::make_unique<PutWork>(state_, std::move(batch), executor, std::move(done)));
}

void EmbeddedQueues::commit(Unit unit, Executor& executor, CommitDone done) {
    state_->journal->submit(std::make_unique<CommitWork>(state_, std::move(unit), executor, std::move(done)));
}

void EmbeddedQueues::release(const std::string& queue, std::uint64_t sequence, Time not_before, bool failed, Executor& executor,
                             CommitDone done) {
    auto& found = state_->at(queue);
    state_->journal->submit(std::make_unique<ReleaseWork>(state_, found, sequence, not_before.time_since_epoch().count(),
                                                          failed, executor, std::move(done)));
}

void EmbeddedQueues::wake(const std::string& queue, std::uint64_t sequence) {
    state_->journal->submit(std::make_unique<WakeWork>(state_, state_->at(queue), sequence));
}

class EmbeddedQueues::EmbeddedTaker : public Taker {
public:
    EmbeddedTaker(std::shared_ptr<State> state, std::shared_ptr<Delivery> delivery)
        : state_(std::move(state)), delivery_(std::move(delivery)) {}

    ~EmbeddedTaker() override {
        stop();
        const std::lock_guard lock(state_->mutex);
        auto& queue = *delivery_->queue;
        std::erase(queue.takers, delivery_);
        for (auto it = queue.in_hand.begin(); it != queue.in_hand.end();) {
            if (it->second != delivery_.get()) {
                ++it;
                continue;
            }
            queue.index.give_back(it->first);
            it = queue.in_hand.erase(it);
        }
        state_->wake_takers(queue);
    }

    void grant(std::uint32_t credit) override {
        const std::lock_guard lock(state_->mutex);
        delivery_->credit += credit;
        if (!delivery_->stopped && !delivery_->scheduled && delivery_->queue->index.ready() > 0) state_->schedule(delivery_);
    }

    void stop() override {
        std::unique_lock lock(state_->mutex);
        delivery_->stopped = true;
        // From within its own callback there is nothing to wait for: what is delivered is delivered.
        const auto self = std::this_thread::get_id();
        state_->idle.wait(lock, [&] { return !delivery_->running || delivery_->running_on == self; });
    }

private:
    std::shared_ptr<State> state_;        // shared: it may be stopped by a job that is still in an executor
    std::shared_ptr<Delivery> delivery_;  // shared with its job
};

std::unique_ptr<Taker> EmbeddedQueues::take(const std::string& queue, Executor& executor,
                                            std::function<void(TakenMessage)> ready) {
    auto delivery = std::make_shared<Delivery>();
    delivery->queue = &state_->at(queue);
    delivery->executor = &executor;
    delivery->ready = std::move(ready);
    {
        const std::lock_guard lock(state_->mutex);
        delivery->queue->takers.push_back(delivery);
    }
    return std::make_unique<EmbeddedTaker>(state_, std::move(delivery));
}

std::vector<BrowsedMessage> EmbeddedQueues::browse(const std::string& queue, std::uint64_t from, std::size_t most) const {
    auto& found = state_->at(queue);
    std::vector<broker::IndexEntry> entries;
    std::vector<BrowsedMessage> browsed;
    {
        const std::lock_guard lock(state_->mutex);
        entries = found.index.copy(from, most);
        for (const auto& entry : entries) {
            auto& message = browsed.emplace_back();
            message.sequence = entry.sequence;
            message.attempts = entry.attempts;
            message.in_hand = entry.state == broker::EntryState::kInHand || entry.state == broker::EntryState::kSettling;
            message.not_before = Time(std::chrono::milliseconds(found.index.not_before(entry.sequence)));
        }
    }
    std::vector<BrowsedMessage> read;
    for (auto& message : browsed) {
        try {
            auto stored = state_->read(found, message.sequence);
            message.message = std::move(stored.message);
            message.headers = std::move(stored.headers);
            read.push_back(std::move(message));
        } catch (const Error& e) {
            if (e.code() == "QUEUE-004") continue;  // settled in between
            log::error("queues", e.what());
            read.push_back(std::move(message));  // damaged on disk: seen, without its body
        }
    }
    return read;
}

std::vector<QueueState> EmbeddedQueues::states() const {
    const std::lock_guard lock(state_->mutex);
    std::vector<QueueState> states;
    for (const auto& [name, queue] : state_->queues) {
        auto& state = states.emplace_back();
        state.name = name;
        state.ready = queue->index.ready();
        state.in_hand = queue->index.size() - queue->index.ready() - queue->index.delayed();
        state.delayed = queue->index.delayed();
        state.bytes = queue->index.bytes();
        state.oldest = Time(std::chrono::milliseconds(queue->index.oldest()));
    }
    return states;
}

std::optional<std::string> EmbeddedQueues::note(std::string_view name) const {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->notes.find(name);
    if (found == state_->notes.end()) return std::nullopt;
    return found->second;
}

std::vector<Note> EmbeddedQueues::notes(std::string_view prefix) const {
    const std::lock_guard lock(state_->mutex);
    std::vector<Note> found;
    for (auto it = state_->notes.lower_bound(prefix); it != state_->notes.end() && it->first.starts_with(prefix); ++it) {
        found.push_back({it->first, it->second});
    }
    return found;
}

std::vector<LedgerEntry> EmbeddedQueues::ledger() const {
    const std::lock_guard lock(state_->mutex);
    std::vector<LedgerEntry> entries;
    for (const auto& [key, count] : state_->sums) entries.push_back({key.first, key.second, count});
    return entries;
}

bool EmbeddedQueues::accepts(const std::string& queue) const {
    if (state_->journal->pending_bytes() > state_->options.pending_bytes || !state_->journal->failure().empty()) return false;
    const std::lock_guard lock(state_->mutex);
    const auto* found = state_->find(queue);
    return found != nullptr && !state_->refuse_puts &&
           found->index.size() + found->reserved_messages < found->limits.max_messages &&
           found->index.bytes() + found->reserved_bytes < found->limits.max_bytes;
}

std::string EmbeddedQueues::failure() const {
    return state_->journal->failure();
}
std::uint64_t EmbeddedQueues::disk_bytes() const {
    return state_->journal->disk_bytes();
}
std::uint64_t EmbeddedQueues::syncs() const {
    return state_->journal->groups();
}
std::uint64_t EmbeddedQueues::written_bytes() const {
    return state_->journal->written_bytes();
}
void EmbeddedQueues::checkpoint() {
    state_->write_checkpoint();
}
void EmbeddedQueues::compact() {
    state_->compact();
}
void EmbeddedQueues::check_disk() {
    state_->check_disk();
}
void EmbeddedQueues::wake_delayed() {
    state_->wake_delayed();
}

}  // namespace clrbus
