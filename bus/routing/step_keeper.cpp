#include "routing/step_keeper.hpp"

#include <algorithm>
#include <future>
#include <limits>
#include <stdexcept>
#include <utility>

#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "crypto/aead.hpp"
#include "routing/faults.hpp"
#include "routing/journey.hpp"
#include "routing/replies.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kMostAtATime = 256;
constexpr std::uint64_t kMostBytesAtATime = 4U << 20;
constexpr std::size_t kMostGoOn = 64;  // messages in one Unit
constexpr std::size_t kGroupsALook = 32;
constexpr std::uint32_t kMostArrivals = 1024;
constexpr std::size_t kMostRepliesAtATime = 64, kMostMovesALook = 16;
constexpr auto kKeeperPoll = std::chrono::milliseconds(250);  // a clock that is set, a breaker that may let one through
constexpr auto kKeeperRetry = std::chrono::seconds(1);
constexpr std::int64_t kAnyNumber = std::numeric_limits<std::int64_t>::max();
constexpr Time kNever = Time::max();

class InPlace : public Executor {
public:
    void post(Job job) override { job(); }
};
InPlace& in_place() {
    static InPlace executor;
    return executor;
}

}  // namespace

StepKeeper::StepKeeper(Parts parts) : parts_(std::move(parts)) {}

StepKeeper::~StepKeeper() {
    stop();
    arrivals_.clear();  // the takers wait for a callback that runs
    if (arrivals_pool_) arrivals_pool_->stop();
}

storage::StepState& StepKeeper::state() const {
    if (state_ == nullptr) throw std::logic_error("no route has a step that keeps state");
    return *state_;
}

void StepKeeper::use(const std::shared_ptr<const CompiledRoute>& route) {
    const std::string prefix = "step/" + route->id() + "/";
    std::map<std::string, std::shared_ptr<Entry>> made;
    for (const StatefulStep* step : route->stateful()) {
        const auto entry = std::make_shared<Entry>();
        entry->route = route;
        entry->step = step;
        entry->queue = step->queue(route->id());
        if (step->parks()) parts_.queues.declare(entry->queue, QueueLimits{step->most_waiting(), ~0ULL});
        if (const std::string asks = step->asks_in(route->id()); !asks.empty())
            parts_.queues.declare(asks, QueueLimits{step->most_waiting(), ~0ULL});
        if (step->most_reply_bytes() != 0)
            parts_.queues.declare(step->reply_queue(route->id()), QueueLimits{step->most_waiting(), ~0ULL});
        made[entry->queue] = entry;
    }
    for (const QueueState& state : parts_.queues.states()) {
        if (state.name.rfind(prefix, 0) != 0 || made.count(state.name) != 0 || state.ready + state.in_hand + state.delayed == 0)
            continue;
        const auto gone = std::make_shared<Entry>();
        gone->route = route;
        gone->queue = state.name;
        made[state.name] = gone;
    }
    if (made.empty() && entries_.empty()) return;
    if (state_ == nullptr) {
        const auto keys = crypto::KeyFile::load_or_create(parts_.state_dir / "storage.key");
        state_ = std::make_unique<storage::StepState>(parts_.state_dir / "state.db", keys.derive("step state"));
    }
    for (const auto& [queue, entry] : made) {
        entry->size_at_start = size_of(queue);
        const bool known = state_->write([&, e = entry.get()](storage::StepTables& tables) {
            e->number = tables.step(e->queue);
            if (e->step == nullptr) return;
            StatefulStep::Look look{parts_.queues, *route, e->queue, e->number, parts_.clock.now(), tables, *state_};
            e->step->restore(look);
        });
        if (!known) throw Error(Fault::kConfig, "STEP-010", "opening the state of steps", "state.db takes nothing");
    }
    {
        const std::lock_guard lock(mutex_);
        for (auto& [queue, entry] : entries_) {
            // An earlier generation may still put there: whatever comes is looked after.
            if (queue.rfind(prefix, 0) == 0 && made.count(queue) == 0) {
                const auto gone = std::make_shared<Entry>();
                gone->route = route;
                gone->queue = queue;
                gone->number = entry->number;
                entry = gone;
                dirty_.insert(queue);
            }
        }
        for (auto& [queue, entry] : made) {
            entries_[queue] = entry;
            dirty_.insert(queue);
        }
    }
    for (const auto& [queue, entry] : made) {
        if (entry->step != nullptr && entry->step->most_reply_bytes() != 0)
            look_after_replies(queue, entry->step->reply_queue(route->id()));
    }
    wake_.notify_all();
}

// Where they are read is move_replies: the taker only says that there are some.
void StepKeeper::look_after_replies(const std::string& queue, const std::string& replies) {
    {
        const std::lock_guard lock(mutex_);
        if (arrivals_.count(queue) != 0) return;
    }
    if (arrivals_pool_ == nullptr) arrivals_pool_ = std::make_unique<ThreadPool>(1, "replies");
    const auto made = std::make_shared<Arrivals>();
    made->taker = parts_.queues.take(replies, *arrivals_pool_, [this, queue, seen = &made->seen](const TakenMessage&) {
        ++*seen;
        wake(queue);
    });
    {
        const std::lock_guard lock(mutex_);
        arrivals_[queue] = made;
    }
    made->taker->grant(kMostArrivals);
}

void StepKeeper::start() {
    const std::lock_guard lock(mutex_);
    if (thread_.joinable()) return;
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void StepKeeper::stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void StepKeeper::wake(const std::string& queue) {
    {
        const std::lock_guard lock(mutex_);
        dirty_.insert(queue);
    }
    wake_.notify_all();
}

void StepKeeper::later(std::function<void(storage::StepTables&)> change) {
    state().apply(std::move(change), in_place(), [](bool) {});
}

bool StepKeeper::room(const CompiledRoute& route) const {
    const auto& steps = route.stateful();
    return std::all_of(steps.begin(), steps.end(), [&](const StatefulStep* step) {
        const std::string asks = step->asks_in(route.id());
        return (!step->parks() || parts_.queues.accepts(step->queue(route.id()))) &&
               (asks.empty() || parts_.queues.accepts(asks));
    });
}

std::int64_t StepKeeper::number(const std::string& queue) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(queue);
    return found == entries_.end() ? 0 : found->second->number;
}

void StepKeeper::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        const Time now = parts_.clock.now();
        Time next = kNever;
        std::shared_ptr<Entry> entry;
        bool put = false;
        auto turn = entries_.upper_bound(last_);
        for (std::size_t i = 0; i < entries_.size(); ++i, ++turn) {
            if (turn == entries_.end()) turn = entries_.begin();
            put = dirty_.erase(turn->first) != 0;
            if (put || turn->second->look_again <= now) {
                entry = turn->second;
                last_ = turn->first;
                break;
            }
            next = std::min(next, turn->second->look_again);
        }
        if (!entry) {
            if (next == kNever) {
                wake_.wait(lock, stop, [this] { return !dirty_.empty(); });
            } else {
                const auto wait = std::min<std::chrono::milliseconds>(next - now, kKeeperPoll);
                wake_.wait_for(lock, stop, wait, [this] { return !dirty_.empty(); });
            }
            // Queues that nobody looks after: deduplicate has none.
            std::erase_if(dirty_, [this](const std::string& queue) { return entries_.count(queue) == 0; });
            continue;
        }
        lock.unlock();
        bool more = false;
        try {
            more = look(*entry, put);
        } catch (const Error& e) {
            log::error("steps", "'" + entry->queue + "': " + e.what());
            counter("clrbus_step_keeper_errors_total").add();
            entry->look_again = parts_.clock.now() + kKeeperRetry;
        } catch (const std::exception& e) {
            log::error("steps", "'" + entry->queue + "': an unexpected error: " + typeid(e).name());
            counter("clrbus_step_keeper_errors_total").add();
            entry->look_again = parts_.clock.now() + kKeeperRetry;
        }
        lock.lock();
        if (more) dirty_.insert(entry->queue);
    }
}

bool StepKeeper::look(Entry& entry, bool put) {
    if (entry.step == nullptr) return bury(entry);
    if (!entry.step->parks()) {
        entry.look_again = kNever;
        return false;
    }
    if (!entry.loaded) state_->read([&](storage::StepTables& tables) { entry.watermark = tables.watermark(entry.number); });
    entry.loaded = true;
    bool more = false;
    // In front of what time decides: a reply that came while the bus was down came in time.
    const bool replied = entry.step->most_reply_bytes() != 0;
    for (std::size_t moves = 0; replied && move_replies(entry);) {
        put = true;
        if (++moves == kMostMovesALook) return true;  // others have their turn
    }
    if (put || !entry.checked) more = take_new(entry);
    if (replied && more) return true;
    const Time now = parts_.clock.now();
    std::optional<std::int64_t> due;
    state_->read([&](storage::StepTables& tables) { due = tables.next_due(entry.number); });
    if (due && *due <= now.time_since_epoch().count()) {
        if (!change(entry, [&](StatefulStep::Look& look) { entry.step->on_time(look); }))
            throw Error(Fault::kAway, "STEP-010", "using the state of steps", "state.db takes nothing now");
        if (let_due_go(entry)) more = true;
    }
    if (settle_groups(entry)) more = true;
    if (more) return true;
    if (!entry.checked) {
        if (rebuilt(entry)) return true;
        entry.checked = true;
    }
    state_->read([&](storage::StepTables& tables) { due = tables.next_due(entry.number); });
    entry.look_again = !due ? kNever : std::max(Time(std::chrono::milliseconds(*due)), now + std::chrono::milliseconds(1));
    if (due && *due <= now.time_since_epoch().count()) entry.look_again = now + kKeeperPoll;  // a gate is closed
    return false;
}

bool StepKeeper::change(Entry& entry, const std::function<void(StatefulStep::Look&)>& what) {
    return state_->write([&](storage::StepTables& tables) {
        StatefulStep::Look look{parts_.queues, *entry.route, entry.queue, entry.number, parts_.clock.now(), tables, *state_};
        what(look);
    });
}

// Out of their own queue, which others fill, into the step's: from there on they are as any message that came there, and the
// ledger counts them. One Unit; false when there was none.
bool StepKeeper::move_replies(Entry& entry) {
    const std::string replies = entry.step->reply_queue(entry.route->id());
    auto messages = parts_.queues.browse(replies, 0, entry.replies_at_a_time);
    if (messages.empty()) return false;
    Unit unit;
    std::uint64_t bytes = 0;
    for (BrowsedMessage& message : messages) {
        bytes += message.message.size();
        unit.settled.push_back({replies, message.sequence});
        unit.outputs.push_back(waiting_reply(std::move(message), entry.queue, entry.step->most_reply_bytes()));
    }
    unit.ledger.push_back({entry.route->id(), Outcome::kMade, static_cast<std::int64_t>(messages.size())});
    if (!commit(std::move(unit))) throw Error(Fault::kAway, "STEP-014", "taking replies", "the queues take nothing now");
    if (bytes > kMostBytesAtATime) {
        entry.replies_at_a_time = std::max<std::size_t>(entry.replies_at_a_time / 2, 1);
    } else {
        entry.replies_at_a_time = std::min(entry.replies_at_a_time * 2, kMostRepliesAtATime);
    }
    std::shared_ptr<Arrivals> arrivals;
    {
        const std::lock_guard lock(mutex_);
        const auto found = arrivals_.find(entry.queue);
        if (found != arrivals_.end()) arrivals = found->second;
    }
    if (arrivals) arrivals->taker->grant(arrivals->seen.exchange(0));
    return true;
}

bool StepKeeper::take_new(Entry& entry) {
    const auto messages = parts_.queues.browse(entry.queue, entry.watermark + 1, entry.at_a_time);
    if (messages.empty()) return false;
    const bool held = change(entry, [&](StatefulStep::Look& look) {
        for (const BrowsedMessage& message : messages) entry.step->take(look, message);
        look.tables.watermark(entry.number, messages.back().sequence);
    });
    if (!held) throw Error(Fault::kAway, "STEP-010", "using the state of steps", "state.db takes nothing now");
    entry.watermark = messages.back().sequence;
    // As many at a time as memory allows for messages of this size.
    std::uint64_t bytes = 0;
    for (const BrowsedMessage& message : messages) bytes += message.message.size();
    if (bytes > kMostBytesAtATime) {
        entry.at_a_time = std::max<std::size_t>(entry.at_a_time / 2, 1);
    } else if (bytes < kMostBytesAtATime / 4) {
        entry.at_a_time = std::min(entry.at_a_time * 2, kMostAtATime);
    }
    return true;
}

std::vector<BrowsedMessage> StepKeeper::find(const Entry& entry, const std::vector<storage::StepMember>& members) const {
    std::vector<BrowsedMessage> out;
    out.reserve(members.size());
    for (const storage::StepMember& member : members) {
        auto found = parts_.queues.browse(entry.queue, member.sequence, 1);
        if (found.empty() || found.front().sequence != member.sequence) continue;  // settled before a crash, or by hand
        if (found.front().message.size() == 0)
            throw Error(Fault::kAway, "STEP-013", "reading a waiting message", "it is damaged on disk");
        out.push_back(std::move(found.front()));
    }
    return out;
}

bool StepKeeper::commit(Unit unit) {
    if (unit.settled.empty()) return true;
    const auto done = std::make_shared<std::promise<CommitState>>();  // shared with the journal's thread
    auto state = done->get_future();
    parts_.queues.commit(std::move(unit), in_place(), [done](CommitState s) { done->set_value(s); });
    return state.get() == CommitState::kDone;
}

namespace {

// The first ones that fit into one Unit.
void keep_some(std::vector<storage::StepMember>& members) {
    std::uint64_t bytes = 0;
    std::size_t n = 0;
    while (n < members.size() && (n == 0 || bytes + members[n].bytes <= kMostBytesAtATime)) bytes += members[n++].bytes;
    members.resize(n);
}

}  // namespace

bool StepKeeper::let_due_go(Entry& entry) {
    const Time now = parts_.clock.now();
    const std::size_t most = std::min(entry.step->gate(now), kMostGoOn);
    if (most == 0) return false;
    std::vector<storage::StepMember> members;
    state_->read(
        [&](storage::StepTables& tables) { members = tables.due(entry.number, now.time_since_epoch().count(), most); });
    if (members.empty()) return false;
    keep_some(members);
    const StatefulStep::Settle parts{*entry.route, entry.queue, parts_.receipts, now};
    Unit unit;
    for (const BrowsedMessage& message : find(entry, members)) entry.step->go_on(unit, parts, message);
    if (!commit(std::move(unit)))
        throw Error(Fault::kAway, "STEP-014", "letting messages go on", "the queues take nothing now");
    entry.removed += members.size();
    return change(entry, [&](StatefulStep::Look& look) {
        for (const storage::StepMember& member : members) look.tables.remove(entry.number, member.sequence);
    });
}

bool StepKeeper::settle_groups(Entry& entry) {
    std::vector<storage::StepGroup> groups;
    state_->read([&](storage::StepTables& tables) {
        groups = tables.groups(entry.number, storage::StepGroup::State::kClosing, kGroupsALook);
        const auto releasing = tables.groups(entry.number, storage::StepGroup::State::kReleasing, kGroupsALook);
        groups.insert(groups.end(), releasing.begin(), releasing.end());
    });
    for (const storage::StepGroup& group : groups) {
        while (drain(entry, group)) {
        }
    }
    return !groups.empty();
}

// One Unit of a group; false when nothing of it is left.
bool StepKeeper::drain(Entry& entry, const storage::StepGroup& group) {
    const bool whole = entry.step->whole(group);
    const bool releasing = group.state == storage::StepGroup::State::kReleasing;
    std::vector<storage::StepMember> members;
    state_->read([&](storage::StepTables& tables) {
        const std::size_t most = whole ? 1'000'000 : kMostGoOn;
        members = whole ? tables.members(group.instance, most)
                        : tables.below(group.instance, releasing ? group.next : kAnyNumber, most);
    });
    if (!whole) keep_some(members);
    if (!members.empty()) {
        auto messages = find(entry, members);
        Unit unit;
        if (!messages.empty())
            unit = entry.step->settle({*entry.route, entry.queue, parts_.receipts, parts_.clock.now()}, group,
                                      std::move(messages));
        if (!commit(std::move(unit)))
            throw Error(Fault::kAway, "STEP-014", "letting messages go on", "the queues take nothing now");
        entry.removed += members.size();
    }
    const bool ends = whole || members.empty();
    const bool held = change(entry, [&](StatefulStep::Look& look) {
        for (const storage::StepMember& member : members) look.tables.remove(entry.number, member.sequence);
        if (ends) entry.step->finished(look, group);
    });
    if (!held) throw Error(Fault::kAway, "STEP-010", "using the state of steps", "state.db takes nothing now");
    return !ends;
}

// What is said about the queue must be about what is in it. Where it is not (a state directory put together from two backups),
// it is made again.
bool StepKeeper::rebuilt(Entry& entry) {
    std::uint64_t known = 0;
    state_->read([&](storage::StepTables& tables) { known = tables.count(entry.number); });
    const std::uint64_t there = size_of(entry.queue);
    if (known <= there && known + entry.removed >= entry.size_at_start) return false;
    log::warn("steps", "'" + entry.queue + "': state.db knows " + std::to_string(known) + " of " + std::to_string(there) +
                           " messages: read again from the queue");
    counter("clrbus_step_rebuilt_total").add();
    if (!change(entry, [&](StatefulStep::Look& look) { look.tables.clear(entry.number); }))
        throw Error(Fault::kAway, "STEP-010", "using the state of steps", "state.db takes nothing now");
    entry.watermark = entry.removed = entry.size_at_start = 0;
    return true;
}

bool StepKeeper::bury(Entry& entry) {
    const auto messages = parts_.queues.browse(entry.queue, 0, 16);
    entry.look_again = kNever;
    if (messages.empty()) return false;
    const Error error(Fault::kPoison, "STEP-004", "going on",
                      "the step that it waited in ('" + entry.queue + "') is no longer in the route");
    Unit unit;
    for (const BrowsedMessage& message : messages) {
        Headers headers = StatefulStep::without_wait_facts(message.headers);
        headers.set(header::kDeadStep, headers.get(header::kAtStep));
        trace::Visit visit = visit_of(entry.queue, message, parts_.clock.now());
        add_fault(visit, error, headers.get(header::kDeadStep));
        trace::append_visit(unit.visits, visit);
        unit.outputs.push_back(dead_letter(*entry.route, message.message, headers, error, parts_.clock.now()));
        unit.settled.push_back({entry.queue, message.sequence});
        unit.ledger.push_back({entry.route->id(), Outcome::kDead, 1});
    }
    log::warn("steps", "'" + entry.queue + "' is no longer in the route: " + std::to_string(messages.size()) + " dead letters");
    if (!commit(std::move(unit))) throw Error(Fault::kAway, "STEP-014", "dead-lettering", "the queues take nothing now");
    return change(entry, [&](StatefulStep::Look& look) { look.tables.clear(entry.number); });
}

std::uint64_t StepKeeper::size_of(const std::string& queue) const {
    for (const QueueState& state : parts_.queues.states()) {
        if (state.name == queue) return state.ready + state.in_hand + state.delayed;
    }
    return 0;
}

std::vector<StepKeeper::Waiting> StepKeeper::waiting() const {
    std::vector<std::shared_ptr<Entry>> entries;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [queue, entry] : entries_) entries.push_back(entry);
    }
    std::map<std::string, QueueState> queues;
    for (QueueState& state : parts_.queues.states()) queues[state.name] = std::move(state);
    std::vector<Waiting> out;
    for (const auto& entry : entries) {
        if (entry->step == nullptr) continue;
        Waiting& one = out.emplace_back();
        one.route = entry->route->id();
        one.step = entry->step->name();
        one.queue = entry->queue;
        one.condition = entry->step->condition(parts_.clock.now());
        const QueueState& state = queues[entry->queue];
        one.messages = state.ready + state.in_hand + state.delayed;
        state_->read([&](storage::StepTables& tables) {
            one.groups = tables.open_groups(entry->number);
            const auto due = tables.next_due(entry->number);
            if (due && *due != 0) one.next = Time(std::chrono::milliseconds(*due));
        });
    }
    return out;
}

}  // namespace clrbus
