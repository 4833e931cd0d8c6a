// Delivery to consumers: a job per consumer claims, reads and hands over one message after the other while there is credit.
#include "broker/embedded_state.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus {
namespace {

constexpr int kMessagesPerJob = 32;  // then others on the executor have their turn
constexpr std::uint64_t kRecentBytes = 8ULL << 20;

void delivery_run(const std::shared_ptr<EmbeddedQueues::State>& state, const std::shared_ptr<Delivery>& delivery) {
    std::unique_lock lock(state->mutex);
    auto& queue = *delivery->queue;
    for (int i = 0; i < kMessagesPerJob; ++i) {
        const broker::IndexEntry* entry = nullptr;
        if (!delivery->stopped && delivery->credit > 0) entry = queue.index.claim();
        if (entry == nullptr) {
            delivery->scheduled = false;
            return;
        }
        TakenMessage taken;
        taken.queue = queue.name;
        taken.sequence = entry->sequence;
        taken.attempts = entry->attempts;
        queue.in_hand[taken.sequence] = delivery.get();
        --delivery->credit;
        delivery->running = true;
        delivery->running_on = std::this_thread::get_id();
        auto stored = state->recent.take(taken.sequence);
        lock.unlock();
        try {
            if (!stored) stored = state->read(queue, taken.sequence);
            taken.message = std::move(stored->message);
            taken.headers = std::move(stored->headers);
            stored.reset();
            delivery->ready(std::move(taken));
        } catch (const Error& e) {
            if (e.code() == "QUEUE-004") {  // settled by somebody else in between: another one has its place
                lock.lock();
                ++delivery->credit;
                delivery->running = false;
                state->idle.notify_all();
                continue;
            }
            // Damage on disk. The message stays in hand, so that it is seen and nothing is lost; the others go on.
            counter("clrbus_queue_unreadable_total").add();
            log::error("queues", std::string(e.what()) + ": the message stays where it is, undelivered");
        }
        lock.lock();
        delivery->running = false;
        state->idle.notify_all();
    }
    state->schedule(delivery);
}

}  // namespace

void RecentMessages::add(std::uint64_t sequence, const Message& message, const Headers& headers) {
    // What it takes in memory, not on the disk: the message, its views, and two strings and a node for each header.
    auto bytes = message.size() + 1024;
    for (const auto& [name, value] : headers.entries()) bytes += name.size() + value.size() + 128;
    if (bytes > kRecentBytes / 4) return;
    bytes_ += bytes;
    kept_[sequence] = {{message, headers}, bytes};
    while (bytes_ > kRecentBytes) {
        bytes_ -= kept_.begin()->second.bytes;
        kept_.erase(kept_.begin());
    }
}

std::optional<broker::StoredMessage> RecentMessages::take(std::uint64_t sequence) {
    const auto found = kept_.find(sequence);
    if (found == kept_.end()) return std::nullopt;
    auto stored = std::move(found->second.stored);
    bytes_ -= found->second.bytes;
    kept_.erase(found);
    return stored;
}

void EmbeddedQueues::State::schedule(const std::shared_ptr<Delivery>& delivery) {
    delivery->scheduled = true;
    delivery->executor->post([state = shared_from_this(), delivery] { delivery_run(state, delivery); });
}

void EmbeddedQueues::State::wake_takers(EmbeddedQueue& queue) {
    auto left = queue.index.ready();
    for (std::size_t i = 0; i < queue.takers.size() && left > 0; ++i) {
        queue.next_taker = (queue.next_taker + 1) % queue.takers.size();
        const auto& delivery = queue.takers[queue.next_taker];
        if (delivery->stopped || delivery->credit == 0) continue;
        --left;
        if (!delivery->scheduled) schedule(delivery);
    }
}

broker::StoredMessage EmbeddedQueues::State::read(EmbeddedQueue& queue, std::uint64_t sequence) const {
    storage::Position before{};
    while (true) {
        storage::Position position{};
        {
            const std::lock_guard lock(mutex);
            const auto* entry = queue.index.find(sequence);
            if (entry == nullptr)
                throw Error(Fault::kPoison, "QUEUE-004", "reading from queue '" + queue.name + "'", "no such message");
            position = entry->position;
        }
        try {
            storage::RecordHeader header;
            auto body = journal->read(position, &header);
            if (header.number != sequence || header.type != broker::kMessageRecord) {
                throw Error(Fault::kAway, "JOURNAL-006", "reading a message", "another record stands in its place");
            }
            return broker::decode_stored_message(std::move(body), header.flags);
        } catch (const Error&) {
            // It may have been moved and its old place used again in between: then there is a new place.
            if (position == before) throw;
            before = position;
        }
    }
}

void EmbeddedQueues::State::wake_delayed() {
    const std::lock_guard lock(mutex);
    const auto now = now_ms();
    for (const auto& [name, queue] : queues) {
        if (queue->index.wake(now)) wake_takers(*queue);
    }
}

void EmbeddedQueues::State::timer_may_change() {
    timer.notify_all();
}

}  // namespace clrbus
