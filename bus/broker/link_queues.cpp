#include "broker/link_queues.hpp"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <thread>
#include <utility>

#include "broker/link_state.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "crypto/password.hpp"

namespace clrbus {
namespace {

constexpr std::uint32_t kMostAsked = 32;  // of one local queue at once: bounds what is read into memory
constexpr auto kLinkTick = std::chrono::milliseconds(100);
constexpr auto kSendAgain = std::chrono::seconds(1);  // what the broker did not take
constexpr auto kLease = std::chrono::minutes(30);     // after it a message that is out is taken for lost
constexpr std::string_view kRecordsQueue = "records";

std::uint64_t link_start() {
    const std::string bytes = crypto::random_bytes(4);
    std::uint64_t out = 0;
    for (const char c : bytes) out = out << 8 | static_cast<std::uint8_t>(c);
    return out << 32;
}

std::optional<broker::LinkWork> work_or_nothing(std::string encoded) {
    try {
        return broker::decode_work(std::move(encoded));
    } catch (const Error& e) {
        counter("clrbus_link_unreadable_total").add();
        log::error("links", std::string("a message that is not of this bus is refused: ") + e.what());
        return std::nullopt;
    }
}

}  // namespace

LinkQueues::State::State(EmbeddedQueues& from, LinkOptions with)
    : local(from),
      options(std::move(with)),
      start(link_start()),
      staying(options.stay),
      sending(options.client),
      taking(options.client) {}

bool LinkQueues::State::travels(std::string_view queue) {
    const std::lock_guard lock(mutex);
    return queue.starts_with("in/") && !staying.contains(queue);
}

void LinkQueues::State::stay(std::set<std::string, std::less<>> queues) {
    std::vector<std::pair<std::string, std::uint64_t>> back;
    {
        const std::lock_guard lock(mutex);
        staying = std::move(queues);
        for (auto& [name, inbox] : inboxes) {
            if (std::exchange(inbox.stays, staying.contains(name)) == inbox.stays) continue;
            if (!inbox.stays) {
                pump(inbox);
                continue;
            }
            for (const auto& [sequence, out] : inbox.out) {
                if (!out.holder) back.emplace_back(name, sequence);
            }
        }
    }
    for (const auto& [name, sequence] : back) {
        if (take_back(name, sequence)) local.release(name, sequence, Time{}, false, pool, [](CommitState) {});
    }
}

void LinkQueues::State::add_inbox(const std::string& queue) {
    const std::lock_guard lock(mutex);
    auto [at, made] = inboxes.try_emplace(queue);
    if (!made) return;
    Inbox& inbox = at->second;
    inbox.queue = queue;
    const auto address = options.address_of(options.name_of(queue));
    inbox.sender = sending.sender(address);
    inbox.taker = local.take(queue, pool, [this, &inbox](TakenMessage taken) { send(inbox, std::move(taken)); });
    inbox.probe = taking.receiver(address, {.on_message = [](std::uint64_t, const std::string&) {},
                                            .on_lost =
                                                [this, &inbox] {
                                                    const std::lock_guard inner(mutex);
                                                    inbox.attached = false;
                                                },
                                            .on_attached =
                                                [this, &inbox](bool refused) {
                                                    const std::lock_guard inner(mutex);
                                                    inbox.attached = true;
                                                    const auto now = std::chrono::steady_clock::now();
                                                    // Another queue of that name, perhaps: what was in the old one is gone.
                                                    for (const auto& [sequence, out] : inbox.out) {
                                                        if (refused && !out.holder) inbox.again[sequence] = now;
                                                    }
                                                    pump(inbox);
                                                }});
}

// As many are out as consumers here have asked for, or as the window says; none while the records take nothing more.
void LinkQueues::State::pump(Inbox& inbox) {
    if (stopping || inbox.stays || !inbox.attached || inbox.asked >= kMostAsked) return;
    std::uint64_t target = options.window;
    std::uint64_t here = 0;
    for (const auto& consumer : inbox.consumers) here += consumer->credit;
    target = std::max(target, here);
    const std::uint64_t out = inbox.abroad + inbox.asked;
    if (out >= target) return;
    const std::string records(kRecordsQueue);
    if (local.exists(records) && !local.accepts(records)) return;
    const auto more = static_cast<std::uint32_t>(std::min<std::uint64_t>(target - out, kMostAsked - inbox.asked));
    inbox.asked += more;
    inbox.taker->grant(more);
}

void LinkQueues::State::pump_all() {
    for (auto& [name, inbox] : inboxes) pump(inbox);
}

void LinkQueues::State::send(Inbox& inbox, TakenMessage taken) {
    broker::LinkWork work;
    if (options.notes_of) {
        for (std::string& name : options.notes_of(taken)) {
            auto value = local.note(name);
            work.notes.push_back({std::move(name), std::move(value)});
        }
    }
    const std::uint64_t sequence = taken.sequence;
    work.taken = std::move(taken);
    {
        std::unique_lock lock(mutex);
        if (inbox.stays) {  // asked for before
            if (inbox.asked > 0) --inbox.asked;
            lock.unlock();
            return local.release(inbox.queue, sequence, Time{}, false, pool, [](CommitState) {});
        }
        work.delivery = start | ++last_delivery;
        auto [at, made] = inbox.out.try_emplace(sequence);
        if (made) {
            ++inbox.abroad;
            if (inbox.asked > 0) --inbox.asked;
        }
        at->second.delivery = work.delivery;
        at->second.since = std::chrono::steady_clock::now();
        pump(inbox);
    }
    inbox.sender->send(broker::encode_work(work), [self = weak_from_this(), queue = inbox.queue, sequence,
                                                   delivery = work.delivery](const amqp::Settlement& answer) {
        if (const auto state = self.lock()) state->answered(queue, sequence, delivery, answer);
    });
}

void LinkQueues::State::answered(const std::string& queue, std::uint64_t sequence, std::uint64_t delivery,
                                 const amqp::Settlement& answer) {
    if (answer.state == amqp::DeliveryState::kAccepted) return;
    counter("clrbus_link_not_taken_total").add();
    const std::lock_guard lock(mutex);
    auto& inbox = inboxes.find(queue)->second;
    const auto found = inbox.out.find(sequence);
    if (found == inbox.out.end() || found->second.delivery != delivery || found->second.holder) return;
    inbox.again[sequence] = std::chrono::steady_clock::now() + kSendAgain;
}

void LinkQueues::State::send_again(Inbox& inbox, std::uint64_t sequence) {
    auto browsed = local.browse(inbox.queue, sequence, 1);
    if (browsed.empty() || browsed.front().sequence != sequence) return;
    TakenMessage taken;
    taken.queue = inbox.queue;
    taken.sequence = sequence;
    taken.attempts = browsed.front().attempts;
    taken.message = std::move(browsed.front().message);
    taken.headers = std::move(browsed.front().headers);
    counter("clrbus_link_sent_again_total").add();
    send(inbox, std::move(taken));
}

// A copy has come to a consumer in this process. The broker is done with it at once: the message itself is here.
void LinkQueues::State::arrived(const std::shared_ptr<Consumer>& consumer, std::uint64_t token, std::string encoded) {
    auto work = work_or_nothing(std::move(encoded));
    const std::lock_guard lock(mutex);
    amqp::Settlement answer{.token = token};
    bool used = false;
    if (!work) {
        answer.state = amqp::DeliveryState::kRejected;
        answer.error = {"amqp:decode-error", "not a message of this bus"};
    } else if (consumer->stopped) {
        answer.state = amqp::DeliveryState::kReleased;
        used = true;
    } else if (const auto inbox = inboxes.find(work->taken.queue); inbox != inboxes.end()) {
        // One that is not out under this number was settled, given back or sent again: this copy is for nobody.
        const auto found = inbox->second.out.find(work->taken.sequence);
        if (found != inbox->second.out.end() && found->second.delivery == work->delivery && !found->second.holder) {
            found->second.holder = consumer;
            --inbox->second.abroad;
            consumer->held.insert(work->taken.sequence);
            if (consumer->credit > 0) --consumer->credit;
            used = consumer->delivery->add(std::move(work->taken));
        }
    }
    consumer->receiver->settle({answer});
    if (!used) consumer->receiver->grant(1);
}

void LinkQueues::State::forget(Inbox& inbox, std::map<std::uint64_t, Out>::iterator at) {
    if (at->second.holder) {
        at->second.holder->held.erase(at->first);
    } else {
        --inbox.abroad;
    }
    inbox.again.erase(at->first);
    inbox.out.erase(at);
}

void LinkQueues::State::forget(const std::vector<Unit::Input>& inputs) {
    const std::lock_guard lock(mutex);
    for (const Unit::Input& input : inputs) {
        const auto inbox = inboxes.find(input.queue);
        if (inbox == inboxes.end()) continue;
        if (const auto found = inbox->second.out.find(input.sequence); found != inbox->second.out.end())
            forget(inbox->second, found);
        pump(inbox->second);
    }
}

std::unique_ptr<LinkQueues::State::Out> LinkQueues::State::take_back(const std::string& queue, std::uint64_t sequence) {
    const std::lock_guard lock(mutex);
    const auto inbox = inboxes.find(queue);
    if (inbox == inboxes.end()) return nullptr;
    const auto found = inbox->second.out.find(sequence);
    if (found == inbox->second.out.end()) return nullptr;
    auto out = std::make_unique<Out>(found->second);
    forget(inbox->second, found);
    return out;
}

void LinkQueues::State::tick() {
    std::vector<std::pair<Inbox*, std::uint64_t>> due;
    {
        const std::lock_guard lock(mutex);
        if (stopping) return;
        const auto now = std::chrono::steady_clock::now();
        for (auto& [name, inbox] : inboxes) {
            pump(inbox);
            if (!inbox.attached) continue;
            for (const auto& [sequence, out] : inbox.out) {
                if (!out.holder && now - out.since > kLease) inbox.again.try_emplace(sequence, now);
            }
            for (auto at = inbox.again.begin(); at != inbox.again.end() && due.size() < kMostAsked;) {
                if (at->second > now) {
                    ++at;
                    continue;
                }
                due.emplace_back(&inbox, at->first);
                at = inbox.again.erase(at);
            }
        }
    }
    for (const auto& [inbox, sequence] : due) send_again(*inbox, sequence);
    apply_waiting();
}

class LinkQueues::LinkTaker : public Taker {
public:
    LinkTaker(std::shared_ptr<State> state, State::Inbox& inbox, std::shared_ptr<State::Consumer> consumer)
        : state_(std::move(state)), inbox_(inbox), consumer_(std::move(consumer)) {}

    ~LinkTaker() override {
        end();
        std::set<std::uint64_t> held;
        {
            const std::lock_guard lock(state_->mutex);
            held = consumer_->held;
        }
        // Back into the local queue, in order; they are there when this returns.
        std::vector<std::future<CommitState>> done;
        for (const std::uint64_t sequence : held) done.push_back(give_back(sequence));
        for (auto& each : done) each.wait();
    }

    void grant(std::uint32_t credit) override {
        const std::lock_guard lock(state_->mutex);
        if (consumer_->stopped) return;
        consumer_->credit += credit;
        consumer_->receiver->grant(credit);
        state_->pump(inbox_);
    }

    void stop() override { end(); }

private:
    void end() {
        {
            const std::lock_guard lock(state_->mutex);
            if (!std::exchange(consumer_->stopped, true)) {
                consumer_->credit = 0;
                std::erase(inbox_.consumers, consumer_);
                consumer_->receiver->close();
            }
        }
        for (const TakenMessage& message : consumer_->delivery->stop()) give_back(message.sequence);
    }

    std::future<CommitState> give_back(std::uint64_t sequence) {
        state_->take_back(inbox_.queue, sequence);
        auto done = std::make_shared<std::promise<CommitState>>();
        state_->local.release(inbox_.queue, sequence, Time{}, false, state_->pool,
                              [done](CommitState s) { done->set_value(s); });
        return done->get_future();
    }

    const std::shared_ptr<State> state_;  // shared with callbacks
    State::Inbox& inbox_;                 // the state's
    const std::shared_ptr<State::Consumer> consumer_;
};

struct LinkQueues::Thread {
    explicit Thread(std::function<void()> work)
        : thread([work = std::move(work)](const std::stop_token& stop) {
              std::mutex mutex;
              std::condition_variable_any wait;
              std::unique_lock lock(mutex);
              while (!stop.stop_requested()) {
                  wait.wait_for(lock, stop, kLinkTick, [] { return false; });
                  if (!stop.stop_requested()) work();
              }
          }) {}
    std::jthread thread;
};

LinkQueues::LinkQueues(EmbeddedQueues& local, LinkOptions options)
    : state_(std::make_shared<State>(local, std::move(options))) {
    for (const QueueState& queue : local.states()) {
        if (state_->travels(queue.name)) state_->add_inbox(queue.name);
    }
    state_->listen();
}

LinkQueues::~LinkQueues() {
    stop(std::chrono::milliseconds(0));
    for (auto& [name, inbox] : state_->inboxes) inbox.taker.reset();
    state_->pool.stop();
}

void LinkQueues::start() {
    state_->sending.start();
    state_->taking.start();
    thread_ = std::make_unique<Thread>([state = state_.get()] { state->tick(); });
}

void LinkQueues::stop(std::chrono::milliseconds at_most) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopping = true;
    }
    thread_.reset();
    for (auto& [name, inbox] : state_->inboxes) inbox.taker->stop();
    state_->sending.stop(at_most);
    state_->taking.stop(at_most);
}

void LinkQueues::declare(const std::string& queue, const QueueLimits& limits) {
    state_->local.declare(queue, limits);
    if (state_->travels(queue)) state_->add_inbox(queue);
}

bool LinkQueues::exists(const std::string& queue) const {
    return state_->local.exists(queue);
}

void LinkQueues::put(std::vector<Put> batch, Executor& executor, PutDone done) {
    state_->local.put(std::move(batch), executor, std::move(done));
}

std::unique_ptr<Taker> LinkQueues::take(const std::string& queue, Executor& executor, std::function<void(TakenMessage)> ready) {
    if (!state_->travels(queue) || !state_->local.exists(queue)) return state_->local.take(queue, executor, std::move(ready));
    std::unique_lock lock(state_->mutex);
    const auto found = state_->inboxes.find(queue);
    if (found == state_->inboxes.end()) {  // not declared since it travels
        lock.unlock();
        return state_->local.take(queue, executor, std::move(ready));
    }
    State::Inbox& inbox = found->second;
    auto consumer = std::make_shared<State::Consumer>();
    consumer->delivery = std::make_shared<broker::LinkDelivery>(executor, std::move(ready));
    consumer->receiver = state_->taking.receiver(
        state_->options.address_of(state_->options.name_of(queue)),
        {.on_message =
             [state = state_.get(), weak = std::weak_ptr(consumer)](std::uint64_t token, std::string encoded) {
                 if (const auto taker = weak.lock()) state->arrived(taker, token, std::move(encoded));
             },
         .on_lost = {}});
    inbox.consumers.push_back(consumer);
    return std::make_unique<LinkTaker>(state_, inbox, std::move(consumer));
}

void LinkQueues::commit(Unit unit, Executor& executor, CommitDone done) {
    auto inputs = unit.settled;
    state_->local.commit(std::move(unit), executor,
                         [state = state_, inputs = std::move(inputs), done = std::move(done)](CommitState answer) {
                             if (answer == CommitState::kDone) state->forget(inputs);
                             done(answer);
                         });
}

void LinkQueues::release(const std::string& queue, std::uint64_t sequence, Time not_before, bool failed, Executor& executor,
                         CommitDone done) {
    state_->take_back(queue, sequence);  // before: it may be given out again before the answer comes
    state_->local.release(queue, sequence, not_before, failed, executor,
                          [state = state_, done = std::move(done)](CommitState answer) {
                              {
                                  const std::lock_guard lock(state->mutex);
                                  state->pump_all();
                              }
                              done(answer);
                          });
}

std::vector<BrowsedMessage> LinkQueues::browse(const std::string& queue, std::uint64_t from, std::size_t most) const {
    return state_->local.browse(queue, from, most);
}
std::vector<QueueState> LinkQueues::states() const {
    return state_->local.states();
}
std::optional<std::string> LinkQueues::note(std::string_view name) const {
    return state_->local.note(name);
}
std::vector<Note> LinkQueues::notes(std::string_view prefix) const {
    return state_->local.notes(prefix);
}
std::vector<LedgerEntry> LinkQueues::ledger() const {
    return state_->local.ledger();
}
bool LinkQueues::accepts(const std::string& queue) const {
    return state_->local.accepts(queue);
}

void LinkQueues::stay(std::set<std::string, std::less<>> queues) {
    state_->stay(std::move(queues));
}

amqp::ClientHealth LinkQueues::health() const {
    const auto out = state_->sending.health();
    auto in = state_->taking.health();
    auto links = in.links;
    links.insert(links.end(), out.links.begin(), out.links.end());
    amqp::ClientHealth worse = out.open ? in : out;
    worse.links = std::move(links);
    return worse;
}

}  // namespace clrbus
