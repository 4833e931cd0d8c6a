#include "broker/link_worker_queues.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_set>
#include <utility>

#include "broker/embedded_state.hpp"
#include "broker/link_delivery.hpp"
#include "broker/link_envelope.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kMostDone = 10'000;  // deliveries that are remembered as done
constexpr auto kWorkerTick = std::chrono::milliseconds(200);
constexpr auto kAdmitAgain = std::chrono::seconds(2);  // after a message that may not be worked on here

using Steady = std::chrono::steady_clock::time_point;

}  // namespace

struct WorkerQueues::State {
    struct Consumer {
        std::string queue;
        std::shared_ptr<broker::LinkDelivery> delivery;
        std::shared_ptr<amqp::Receiver> receiver;
        bool stopped = false;
    };
    struct Held {
        std::uint64_t delivery = 0;
        std::uint64_t token = 0;  // 0: the link over which it came is gone
        std::shared_ptr<Consumer> consumer;
        std::vector<std::string> notes;
        bool answered = false;                 // what settles it is on its way, not confirmed
        std::optional<broker::LinkWork> next;  // given out again meanwhile: the books may have refused that
        std::uint64_t next_token = 0;
        std::shared_ptr<Consumer> next_consumer;
    };
    using Key = std::pair<std::string, std::uint64_t>;

    State(EmbeddedQueues& notes_of_its_own, LinkOptions with)
        : own(notes_of_its_own), options(std::move(with)), sending(options.client), taking(options.client) {
        results = sending.sender(options.address_of(options.results_name()));
        probe = taking.receiver(options.address_of(options.results_name()),
                                {.on_message = [](std::uint64_t, const std::string&) {},
                                 .on_lost =
                                     [this] {
                                         const std::lock_guard lock(mutex);
                                         open = false;
                                     },
                                 .on_attached =
                                     [this](bool) {
                                         const std::lock_guard lock(mutex);
                                         open = true;
                                         for (auto& [message, answered] : unsent)
                                             results->send(std::move(message), std::move(answered));
                                         unsent.clear();
                                     }});
    }

    bool is_own(std::string_view note) const {
        return std::any_of(options.own_notes.begin(), options.own_notes.end(),
                           [&](const std::string& prefix) { return note.starts_with(prefix); });
    }

    // Waits while the queue is not there: a broker accepts what it then throws away.
    void send(const broker::LinkResult& result, amqp::Sender::Answered answered) {
        Message message = broker::encode_result(result);
        const std::lock_guard lock(mutex);
        if (open) {
            results->send(std::move(message), std::move(answered));
        } else {
            unsent.emplace_back(std::move(message), std::move(answered));
        }
    }

    void answer(Consumer& consumer, std::uint64_t token, amqp::DeliveryState how) {
        amqp::Settlement settlement{.token = token, .state = how};
        if (how == amqp::DeliveryState::kRejected) settlement.error = {"amqp:decode-error", "not a message of this bus"};
        consumer.receiver->settle({settlement});
    }

    void arrived(const std::shared_ptr<Consumer>& consumer, std::uint64_t token, std::string encoded) {
        std::optional<broker::LinkWork> work;
        try {
            work = broker::decode_work(std::move(encoded));
        } catch (const Error& e) {
            counter("clrbus_link_unreadable_total").add();
            log::error("links", std::string("a message that is not of this bus is refused: ") + e.what());
        }
        const bool here = work && work->taken.queue == consumer->queue;
        const bool admitted = here && (!options.admits || options.admits(work->taken, work->notes));
        std::unique_lock lock(mutex);
        if (!here) {
            answer(*consumer, token, amqp::DeliveryState::kRejected);
            return consumer->receiver->grant(1);
        }
        if (consumer->stopped) return answer(*consumer, token, amqp::DeliveryState::kReleased);
        if (!admitted) return give_back(consumer, token, *work, lock);
        if (done.contains(work->delivery)) {
            answer(*consumer, token, amqp::DeliveryState::kAccepted);
            return consumer->receiver->grant(1);
        }
        const auto at = held.find({work->taken.queue, work->taken.sequence});
        if (at == held.end()) return begin(consumer, token, std::move(*work));
        Held& in_hand = at->second;
        if (in_hand.answered && in_hand.delivery != work->delivery) {
            if (in_hand.next) {
                answer(*in_hand.next_consumer, in_hand.next_token, amqp::DeliveryState::kAccepted);
                in_hand.next_consumer->receiver->grant(1);
            }
            in_hand.next = std::move(work);
            in_hand.next_token = token;
            in_hand.next_consumer = consumer;
            return;
        } else {
            // In hand already: given out again after the link was lost, or sent again by the books. One is enough.
            if (in_hand.token != 0 && in_hand.consumer)
                answer(*in_hand.consumer, in_hand.token, amqp::DeliveryState::kAccepted);
            in_hand.token = token;
            in_hand.delivery = work->delivery;
            in_hand.consumer = consumer;
        }
        consumer->receiver->grant(1);
    }

    // May not be worked on here: the books send it again with what they know then, perhaps to another worker. This copy may say
    // what is no longer so, of a generation that is gone, and would go round for ever.
    void give_back(const std::shared_ptr<Consumer>& consumer, std::uint64_t token, const broker::LinkWork& work,
                   std::unique_lock<std::mutex>& lock) {
        later.emplace_back(std::chrono::steady_clock::now() + kAdmitAgain, consumer);
        const Key key{work.taken.queue, work.taken.sequence};
        if (done.contains(work.delivery) || held.contains(key)) return answer(*consumer, token, amqp::DeliveryState::kReleased);
        Held& given = held[key];
        given.delivery = work.delivery;
        given.token = token;
        given.consumer = consumer;
        given.answered = true;
        lock.unlock();
        Clock& clock = options.clock != nullptr ? *options.clock : system_clock();
        counter("clrbus_link_not_admitted_total").add();
        send(broker::LinkRelease{.queue = key.first,
                                 .sequence = key.second,
                                 .delivery = work.delivery,
                                 .not_before = clock.now() + kAdmitAgain,
                                 .failed = false},
             [this, key](const amqp::Settlement& confirm) {
                 const bool taken = confirm.state == amqp::DeliveryState::kAccepted;
                 const std::lock_guard inner(mutex);
                 settle(key, taken ? amqp::DeliveryState::kAccepted : amqp::DeliveryState::kReleased, taken);
             });
    }

    // With the mutex held.
    void begin(const std::shared_ptr<Consumer>& consumer, std::uint64_t token, broker::LinkWork work) {
        Held& in_hand = held[{work.taken.queue, work.taken.sequence}];
        in_hand.delivery = work.delivery;
        in_hand.token = token;
        in_hand.consumer = consumer;
        for (Note& note : work.notes) {
            in_hand.notes.push_back(note.name);
            known[note.name] = std::move(note.value);
        }
        consumer->delivery->add(std::move(work.taken));
    }

    void lost(const std::shared_ptr<Consumer>& consumer) {
        const std::lock_guard lock(mutex);
        for (auto& [key, each] : held) {
            if (each.consumer == consumer) each.token = 0;
            if (!each.next || each.next_consumer != consumer) continue;
            each.next.reset();
            consumer->receiver->grant(1);
        }
    }

    // With the mutex held.
    void settle(const Key& key, amqp::DeliveryState how, bool finished) {
        const auto found = held.find(key);
        if (found == held.end()) return;
        Held& each = found->second;
        if (each.token != 0) answer(*each.consumer, each.token, how);
        for (const std::string& name : each.notes) known.erase(name);
        if (finished && done.insert(each.delivery).second) {
            done_order.push_back(each.delivery);
            if (done_order.size() > kMostDone) {
                done.erase(done_order.front());
                done_order.pop_front();
            }
        }
        auto next = std::move(each.next);
        const auto next_consumer = each.next_consumer;
        const std::uint64_t next_token = each.next_token;
        held.erase(found);
        if (!next) return;
        if (next_consumer->stopped) return answer(*next_consumer, next_token, amqp::DeliveryState::kReleased);
        begin(next_consumer, next_token, std::move(*next));
    }

    void tick() {
        const std::lock_guard lock(mutex);
        const auto now = std::chrono::steady_clock::now();
        while (!later.empty() && later.front().first <= now) {
            if (!later.front().second->stopped) later.front().second->receiver->grant(1);
            later.pop_front();
        }
    }

    EmbeddedQueues& own;
    const LinkOptions options;
    std::shared_ptr<amqp::Sender> results;
    std::shared_ptr<amqp::Receiver> probe;  // no credit: attached as long as the queue of results is there

    mutable std::mutex mutex;
    bool open = false;
    std::vector<std::pair<Message, amqp::Sender::Answered>> unsent;
    std::set<std::string, std::less<>> declared;
    std::map<Key, Held> held;
    std::map<std::string, std::optional<std::string>, std::less<>> known;  // notes of what is in hand
    std::unordered_set<std::uint64_t> done;                                // deliveries whose Unit is on its way
    std::deque<std::uint64_t> done_order;
    std::deque<std::pair<Steady, std::shared_ptr<Consumer>>> later;  // credit to be granted then
    amqp::Client sending, taking;                                    // last: their threads use all of the above
};

class WorkerQueues::WorkerTaker : public Taker {
public:
    WorkerTaker(std::shared_ptr<State> state, std::shared_ptr<State::Consumer> consumer)
        : state_(std::move(state)), consumer_(std::move(consumer)) {}

    ~WorkerTaker() override {
        stop();
        const std::lock_guard lock(state_->mutex);
        std::vector<State::Key> left;
        for (const auto& [key, each] : state_->held) {
            if (each.consumer == consumer_) left.push_back(key);
        }
        for (const auto& key : left) state_->settle(key, amqp::DeliveryState::kReleased, false);
        consumer_->receiver->close();
    }

    void grant(std::uint32_t credit) override {
        const std::lock_guard lock(state_->mutex);
        if (!consumer_->stopped) consumer_->receiver->grant(credit);
    }

    void stop() override {
        {
            const std::lock_guard lock(state_->mutex);
            consumer_->stopped = true;
        }
        const auto left = consumer_->delivery->stop();
        const std::lock_guard lock(state_->mutex);
        for (const TakenMessage& message : left)
            state_->settle({message.queue, message.sequence}, amqp::DeliveryState::kReleased, false);
    }

private:
    const std::shared_ptr<State> state_;  // shared with callbacks
    const std::shared_ptr<State::Consumer> consumer_;
};

struct WorkerQueues::Thread {
    explicit Thread(State& state)
        : thread([&state](const std::stop_token& stop) {
              std::mutex mutex;
              std::condition_variable_any wait;
              std::unique_lock lock(mutex);
              while (!stop.stop_requested()) {
                  wait.wait_for(lock, stop, kWorkerTick, [] { return false; });
                  state.tick();
              }
          }) {}
    std::jthread thread;
};

WorkerQueues::WorkerQueues(EmbeddedQueues& own, LinkOptions options)
    : state_(std::make_shared<State>(own, std::move(options))) {}

WorkerQueues::~WorkerQueues() {
    stop(std::chrono::milliseconds(0));
}

void WorkerQueues::start() {
    state_->sending.start();
    state_->taking.start();
    thread_ = std::make_unique<Thread>(*state_);
}

void WorkerQueues::stop(std::chrono::milliseconds at_most) {
    thread_.reset();
    state_->sending.stop(at_most);
    state_->taking.stop(at_most);
}

void WorkerQueues::declare(const std::string& queue, const QueueLimits&) {
    const std::lock_guard lock(state_->mutex);
    state_->declared.insert(queue);
}

bool WorkerQueues::exists(const std::string& queue) const {
    const std::lock_guard lock(state_->mutex);
    return state_->declared.contains(queue);
}

void WorkerQueues::put(std::vector<Put> batch, Executor& executor, PutDone done) {
    std::vector<PutResult> results(batch.size());
    executor.post([done = std::move(done), results = std::move(results)]() mutable { done(std::move(results)); });
}

std::unique_ptr<Taker> WorkerQueues::take(const std::string& queue, Executor& executor,
                                          std::function<void(TakenMessage)> ready) {
    if (!exists(queue) || !queue.starts_with("in/"))
        throw Error(Fault::kPoison, "QUEUE-001", "looking for a queue", "no queue of that name is shared with workers");
    auto consumer = std::make_shared<State::Consumer>();
    consumer->queue = queue;
    consumer->delivery = std::make_shared<broker::LinkDelivery>(executor, std::move(ready));
    const std::weak_ptr<State::Consumer> weak = consumer;
    consumer->receiver = state_->taking.receiver(state_->options.address_of(state_->options.name_of(queue)),
                                                 {.on_message =
                                                      [state = state_.get(), weak](std::uint64_t token, std::string encoded) {
                                                          if (const auto taker = weak.lock())
                                                              state->arrived(taker, token, std::move(encoded));
                                                      },
                                                  .on_lost =
                                                      [state = state_.get(), weak] {
                                                          if (const auto taker = weak.lock()) state->lost(taker);
                                                      }});
    return std::make_unique<WorkerTaker>(state_, std::move(consumer));
}

void WorkerQueues::commit(Unit unit, Executor& executor, CommitDone done) {
    broker::LinkUnit with;
    Unit own;
    for (Note& note : unit.notes) {
        if (note.name.size() > kMostNoteName || (note.value && note.value->size() > kMostNote))
            throw Error(Fault::kPoison, "QUEUE-003", "writing a note", "the note is too large: a value has at most 4096 bytes");
        (state_->is_own(note.name) ? own.notes : with.unit.notes).push_back(std::move(note));
    }
    with.unit.settled = std::move(unit.settled);
    with.unit.outputs = std::move(unit.outputs);
    with.unit.ledger = std::move(unit.ledger);
    with.unit.visits = std::move(unit.visits);
    {
        const std::lock_guard lock(state_->mutex);
        for (const Note& note : with.unit.notes) {
            if (const auto found = state_->known.find(note.name); found != state_->known.end())
                with.believed.push_back({found->first, found->second});
        }
        // A Unit that settles is told apart by that; one that does not, a chunk, by the message whose notes it changes.
        if (with.unit.settled.empty() && !with.believed.empty()) {
            for (const auto& [key, each] : state_->held) {
                const bool its = std::any_of(with.believed.begin(), with.believed.end(), [&each = each](const Note& note) {
                    return std::find(each.notes.begin(), each.notes.end(), note.name) != each.notes.end();
                });
                if (its) with.during.push_back({key.first, key.second});
            }
        }
        for (const Unit::Input& input : with.unit.settled) {
            if (const auto found = state_->held.find({input.queue, input.sequence}); found != state_->held.end())
                found->second.answered = true;
        }
    }
    const bool leaves =
        !with.unit.settled.empty() || !with.unit.outputs.empty() || !with.unit.ledger.empty() || !with.unit.notes.empty();
    if (!leaves) return state_->own.commit(std::move(own), executor, std::move(done));
    if (!own.notes.empty()) state_->own.commit(std::move(own), executor, [](CommitState) {});
    auto settled = with.unit.settled;
    auto notes = with.unit.notes;
    state_->send(std::move(with), [state = state_.get(), settled = std::move(settled), notes = std::move(notes), &executor,
                                   done = std::move(done)](const amqp::Settlement& answer) {
        const bool taken = answer.state == amqp::DeliveryState::kAccepted;
        if (taken) {
            const std::lock_guard lock(state->mutex);
            for (const Note& note : notes) {
                if (const auto found = state->known.find(note.name); found != state->known.end()) found->second = note.value;
            }
            for (const Unit::Input& input : settled)
                state->settle({input.queue, input.sequence}, amqp::DeliveryState::kAccepted, true);
        } else {
            counter("clrbus_link_not_taken_total").add();
            const std::lock_guard lock(state->mutex);
            for (const Unit::Input& input : settled) {
                if (const auto found = state->held.find({input.queue, input.sequence}); found != state->held.end())
                    found->second.answered = false;
            }
        }
        executor.post([done, taken] { done(taken ? CommitState::kDone : CommitState::kFull); });
    });
}

void WorkerQueues::release(const std::string& queue, std::uint64_t sequence, Time not_before, bool failed, Executor& executor,
                           CommitDone done) {
    broker::LinkRelease given{.queue = queue, .sequence = sequence, .not_before = not_before, .failed = failed};
    {
        const std::lock_guard lock(state_->mutex);
        const auto found = state_->held.find({queue, sequence});
        if (found == state_->held.end() || (!failed && not_before == Time{})) {
            // At once and as if it had never been here: the broker can do that by itself.
            state_->settle({queue, sequence}, amqp::DeliveryState::kReleased, false);
            return executor.post([done = std::move(done)] { done(CommitState::kDone); });
        }
        given.delivery = found->second.delivery;
        found->second.answered = true;
    }
    state_->send(given, [state = state_.get(), key = State::Key{queue, sequence}, &executor,
                         done = std::move(done)](const amqp::Settlement& answer) {
        const bool taken = answer.state == amqp::DeliveryState::kAccepted;
        {
            const std::lock_guard lock(state->mutex);
            state->settle(key, taken ? amqp::DeliveryState::kAccepted : amqp::DeliveryState::kReleased, taken);
        }
        executor.post([done, taken] { done(taken ? CommitState::kDone : CommitState::kFull); });
    });
}

std::vector<BrowsedMessage> WorkerQueues::browse(const std::string&, std::uint64_t, std::size_t) const {
    return {};
}

std::vector<QueueState> WorkerQueues::states() const {
    const std::lock_guard lock(state_->mutex);
    std::map<std::string, QueueState> by_name;
    for (const std::string& name : state_->declared) by_name[name].name = name;
    for (const auto& [key, each] : state_->held) ++by_name[key.first].in_hand;
    std::vector<QueueState> out;
    for (auto& [name, each] : by_name) {
        if (name.starts_with("in/")) out.push_back(std::move(each));
    }
    return out;
}

std::optional<std::string> WorkerQueues::note(std::string_view name) const {
    if (state_->is_own(name)) return state_->own.note(name);
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->known.find(name);
    return found == state_->known.end() ? std::nullopt : found->second;
}

std::vector<Note> WorkerQueues::notes(std::string_view prefix) const {
    return state_->is_own(prefix) ? state_->own.notes(prefix) : std::vector<Note>{};
}

std::vector<LedgerEntry> WorkerQueues::ledger() const {
    return {};
}

bool WorkerQueues::accepts(const std::string& queue) const {
    return exists(queue);  // what is out of it is bounded by the books
}

amqp::ClientHealth WorkerQueues::health() const {
    const auto out = state_->sending.health();
    auto in = state_->taking.health();
    auto links = in.links;
    links.insert(links.end(), out.links.begin(), out.links.end());
    amqp::ClientHealth worse = out.open ? in : out;
    worse.links = std::move(links);
    return worse;
}

}  // namespace clrbus
