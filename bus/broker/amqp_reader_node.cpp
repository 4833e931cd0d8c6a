#include <algorithm>
#include <utility>

#include "broker/amqp_node_types.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus {
namespace {

using namespace std::chrono_literals;

constexpr auto kRejectedAgain = 30s;  // a rejected dead letter or request, or what could not be made one
constexpr auto kElsewhere = 5s;       // undeliverable-here: time for another consumer to take it

}  // namespace

AmqpReaderNode::AmqpReaderNode(std::shared_ptr<AmqpNodes::Shared> shared, std::string queue,
                               std::shared_ptr<amqp::OutLink> link)
    : shared_(std::move(shared)),
      queue_(std::move(queue)),
      route_(queue_.substr(queue_.find('/') + 1)),
      uncounted_(queue_.compare(0, 5, "dead/") == 0 || queue_.compare(0, 4, "ask/") == 0),
      link_(std::move(link)),
      hand_(std::make_shared<Hand>()) {
    taker_ = shared_->queues.take(queue_, shared_->executor, [hand = hand_, to = link_](TakenMessage message) {
        {
            const std::lock_guard lock(hand->mutex);
            hand->sequences.insert(message.sequence);
            ++hand->taken;
        }
        to->send({.token = message.sequence, .message = std::move(message.message), .delivery_count = message.attempts});
    });
}

void AmqpReaderNode::on_credit(std::uint32_t more) {
    taker_->grant(more);
}

// Asked again every few milliseconds until it answers: what is ready is on its way through the executor.
void AmqpReaderNode::on_drain() {
    std::uint64_t taken = 0;
    {
        const std::lock_guard lock(hand_->mutex);
        taken = hand_->taken;
    }
    const bool quiet = std::exchange(seen_at_drain_, taken) == taken;
    const auto states = shared_->queues.states();
    const auto found =
        std::find_if(states.begin(), states.end(), [this](const QueueState& each) { return each.name == queue_; });
    const bool empty = found == states.end() || found->ready == 0;
    if (!quiet || !empty) return;
    seen_at_drain_ = ~std::uint64_t{0};
    link_->drained();
}

void AmqpReaderNode::on_settled(std::vector<amqp::Settlement> batch) {
    std::vector<std::uint64_t> accepted;
    for (const amqp::Settlement& each : batch) {
        {
            const std::lock_guard lock(hand_->mutex);
            if (hand_->sequences.erase(each.token) == 0) continue;
        }
        switch (each.state) {
            case amqp::DeliveryState::kAccepted:
                accepted.push_back(each.token);
                break;
            case amqp::DeliveryState::kReleased:
                release(each.token, 0ms, false);
                break;
            case amqp::DeliveryState::kModified:
                release(each.token, each.undeliverable ? kElsewhere : 0ms, each.failed);
                break;
            case amqp::DeliveryState::kRejected:
                reject(each.token);
                break;
        }
    }
    if (!accepted.empty()) accept(accepted);
}

void AmqpReaderNode::accept(const std::vector<std::uint64_t>& sequences) {
    Unit unit;
    for (const std::uint64_t sequence : sequences) unit.settled.push_back({queue_, sequence});
    // What is read from dead/ROUTE was counted dead when it came there; a request in ask/ waits in its route until it is
    // answered.
    if (!uncounted_) unit.ledger.push_back({route_, Outcome::kDelivered, static_cast<std::int64_t>(sequences.size())});
    shared_->queues.commit(std::move(unit), shared_->executor, [taker = taker_, queue = queue_](CommitState state) {
        if (state != CommitState::kDone)
            log::error("amqp", "settling messages of '" + queue + "' failed: they are delivered again");
    });
}

void AmqpReaderNode::reject(std::uint64_t sequence) {
    if (uncounted_) {
        release(sequence, kRejectedAgain, true);
        return;
    }
    // Its bytes are read again, from disk perhaps: not on this thread.
    shared_->executor.post([shared = shared_, taker = taker_, queue = queue_, route = route_, sequence] {
        const auto again = [&] {
            shared->queues.release(queue, sequence, shared->clock.now() + kRejectedAgain, true, shared->executor,
                                   [taker](CommitState) {});
        };
        try {
            auto found = shared->queues.browse(queue, sequence, 1);
            if (found.empty() || found.front().sequence != sequence) return;
            Put dead;
            dead.queue = "dead/" + route;
            dead.message = std::move(found.front().message);
            dead.headers = std::move(found.front().headers);
            dead.headers.set(header::kRoute, route);
            dead.headers.set(header::kDeadStep, "consumer");
            dead.headers.set(header::kDeadCode, "AMQP-120");
            dead.headers.set(header::kDeadReason, "a consumer of the inbox rejected it");
            dead.headers.set(header::kDeadAt, to_rfc3339(shared->clock.now()));
            Unit unit;
            unit.settled.push_back({queue, sequence});
            unit.outputs.push_back(std::move(dead));
            unit.ledger.push_back({route, Outcome::kDead, 1});
            shared->queues.commit(std::move(unit), shared->executor,
                                  [again_later = shared, taker, queue, sequence](CommitState state) {
                                      if (state == CommitState::kDone) return;
                                      again_later->queues.release(queue, sequence, again_later->clock.now() + kRejectedAgain,
                                                                  true, again_later->executor, [taker](CommitState) {});
                                  });
        } catch (const Error& e) {
            log::error("amqp", std::string("a rejected message stays in its queue: ") + e.what());
            again();
        }
    });
}

void AmqpReaderNode::release(std::uint64_t sequence, std::chrono::milliseconds delay, bool failed) {
    const Time not_before = delay == 0ms ? Time{} : shared_->clock.now() + delay;
    shared_->queues.release(queue_, sequence, not_before, failed, shared_->executor, [taker = taker_](CommitState) {});
}

// What the peer had and did not settle counts as tried: a message that kills its consumers is seen to. When the bus stops, the
// taker puts all of it back as it was.
void AmqpReaderNode::on_detach(bool tried) {
    taker_->stop();
    std::unordered_set<std::uint64_t> left;
    {
        const std::lock_guard lock(hand_->mutex);
        left.swap(hand_->sequences);
    }
    if (tried) {
        for (const std::uint64_t sequence : left) release(sequence, 0ms, true);
    }
    taker_.reset();
}

}  // namespace clrbus
