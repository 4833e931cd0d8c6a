#include "amqp/client_links.hpp"

#include <proton/condition.h>
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/link.h>
#include <proton/session.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "amqp/encoding.hpp"
#include "core/counters.hpp"

namespace clrbus::amqp {
namespace {

constexpr std::size_t kClientChunk = 64UL * 1024;
constexpr std::size_t kClientUnsettled = 4096;  // of one link: Proton keeps something of each
constexpr std::size_t kClientHeaderRoom = 32;
constexpr std::int64_t kMostCredit = 1 << 20;

}  // namespace

void ClientSenderLink::queue(Message message, Sender::Answered answered) {
    if (idle()) since_ = std::chrono::steady_clock::now();
    waiting_.push_back({std::move(message), std::move(answered)});
}

void ClientSenderLink::attached(std::shared_ptr<GuardedLink>) {
    since_ = std::chrono::steady_clock::now();
}

bool ClientSenderLink::pump(std::size_t room) {
    bool wrote = false;
    while (open && !waiting_.empty() && pn_session_outgoing_bytes(session) < room) {
        Item& front = waiting_.front();
        if (current_ == nullptr) {
            if (pn_link_credit(link) <= 0 || unsettled_.size() >= kClientUnsettled) break;
            const std::uint64_t most = pn_link_remote_max_message_size(link);
            if (most != 0 && front.message.size() + kClientHeaderRoom > most) {
                Item refused = std::move(front);
                waiting_.pop_front();
                Settlement answer;
                answer.state = DeliveryState::kRejected;
                answer.error = {"amqp:link:message-size-exceeded", "larger than the peer takes"};
                refused.answered(answer);
                continue;
            }
            char tag[8];
            const std::uint64_t number = next_tag_++;
            std::memcpy(tag, &number, sizeof tag);
            current_ = pn_delivery(link, pn_dtag(tag, sizeof tag));
            pn_delivery_set_context(current_, reinterpret_cast<void*>(static_cast<std::uintptr_t>(number)));
            const std::string head = header_section(0);
            pn_link_send(link, head.data(), head.size());
            sent_ = 0;
        }
        const std::string_view bytes = front.message.bytes();
        const std::size_t chunk = std::min(kClientChunk, bytes.size() - sent_);
        if (chunk != 0) pn_link_send(link, bytes.data() + sent_, chunk);
        sent_ += chunk;
        wrote = true;
        if (sent_ < bytes.size()) continue;
        pn_link_advance(link);
        pn_delivery_t* sent = std::exchange(current_, nullptr);
        const auto number = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(pn_delivery_get_context(sent)));
        unsettled_.emplace(number, std::move(front));
        waiting_.pop_front();
        if (pn_delivery_updated(sent)) on_delivery(sent);  // answered before its last byte was out
    }
    return wrote;
}

void ClientSenderLink::on_delivery(pn_delivery_t* delivery) {
    if (delivery == current_ || !pn_delivery_updated(delivery)) return;
    const auto number = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(pn_delivery_get_context(delivery)));
    const auto found = unsettled_.find(number);
    if (found == unsettled_.end()) return;
    const std::uint64_t state = pn_delivery_remote_state(delivery);
    const bool terminal = state == PN_ACCEPTED || state == PN_REJECTED || state == PN_RELEASED || state == PN_MODIFIED;
    if (!terminal && !pn_delivery_settled(delivery)) {
        pn_delivery_clear(delivery);
        return;
    }
    Settlement answer;
    answer.token = number;
    switch (state) {
        case PN_ACCEPTED:
            answer.state = DeliveryState::kAccepted;
            break;
        case PN_REJECTED: {
            answer.state = DeliveryState::kRejected;
            pn_condition_t* condition = pn_disposition_condition(pn_delivery_remote(delivery));
            if (const char* why = pn_condition_get_name(condition); why != nullptr) answer.error.name = why;
            break;
        }
        case PN_MODIFIED:
            answer.state = DeliveryState::kModified;
            answer.failed = pn_disposition_is_failed(pn_delivery_remote(delivery));
            answer.undeliverable = pn_disposition_is_undeliverable(pn_delivery_remote(delivery));
            break;
        default:  // released, or settled without an outcome: nobody said that it was taken
            answer.state = DeliveryState::kReleased;
    }
    const Item item = std::move(found->second);
    unsettled_.erase(found);
    pn_delivery_set_context(delivery, nullptr);
    pn_delivery_settle(delivery);
    since_ = std::chrono::steady_clock::now();
    item.answered(answer);
}

void ClientSenderLink::lost() {
    current_ = nullptr;
    sent_ = 0;
    for (auto at = unsettled_.rbegin(); at != unsettled_.rend(); ++at) waiting_.push_front(std::move(at->second));
    unsettled_.clear();
}

void ClientReceiverLink::grant(std::uint32_t more) {
    credit_ = std::min(credit_ + more, kMostCredit);
    if (open) flow();
}

// RabbitMQ 3 takes the credit of a flow as it stands, whatever is under way to us: it may deliver as many again as were granted
// at once. Counted as used by what is granted next.
void ClientReceiverLink::flow() {
    const std::int64_t want = std::max<std::int64_t>(credit_, 0);
    const std::int64_t on_wire = pn_link_credit(link);
    if (want <= on_wire) return;
    guard_->granted = std::max(guard_->granted, guard_->started + static_cast<std::uint64_t>(want));
    guard_->slack = std::max(guard_->slack, static_cast<std::uint64_t>(want));
    pn_link_flow(link, static_cast<int>(want - on_wire));
}

void ClientReceiverLink::attached(std::shared_ptr<GuardedLink> guard) {
    guard_ = std::move(guard);
    flow();
    if (events_.on_attached) events_.on_attached(pause.count() != 0);
}

void ClientReceiverLink::on_delivery(pn_delivery_t* delivery) {
    if (pn_link_current(link) != delivery) return;
    if (pn_delivery_aborted(delivery)) {
        partial_.clear();
        pn_delivery_settle(delivery);
        --credit_;
        return grant(1);  // it cost credit and brought nothing
    }
    if (const std::size_t more = pn_delivery_pending(delivery); more != 0) {
        const std::size_t had = partial_.size();
        partial_.resize(had + more);
        const ssize_t got = pn_link_recv(link, partial_.data() + had, more);
        partial_.resize(had + (got > 0 ? static_cast<std::size_t>(got) : 0));
    }
    if (pn_delivery_partial(delivery)) return;
    pn_link_advance(link);
    --credit_;
    const std::uint64_t token = next_token_++;
    pending_.emplace(token, delivery);
    events_.on_message(token, std::exchange(partial_, {}));
}

void ClientReceiverLink::settle(const std::vector<Settlement>& batch) {
    for (const Settlement& each : batch) {
        const auto found = pending_.find(each.token);
        if (found == pending_.end()) continue;
        pn_delivery_t* delivery = found->second;
        pending_.erase(found);
        switch (each.state) {
            case DeliveryState::kAccepted:
                pn_delivery_update(delivery, PN_ACCEPTED);
                break;
            case DeliveryState::kReleased:
                pn_delivery_update(delivery, PN_RELEASED);
                break;
            case DeliveryState::kModified:
                pn_disposition_set_failed(pn_delivery_local(delivery), each.failed);
                pn_disposition_set_undeliverable(pn_delivery_local(delivery), each.undeliverable);
                pn_delivery_update(delivery, PN_MODIFIED);
                break;
            case DeliveryState::kRejected: {
                pn_condition_t* condition = pn_disposition_condition(pn_delivery_local(delivery));
                pn_condition_set_name(condition, each.error.name.c_str());
                pn_condition_set_description(condition, each.error.description.c_str());
                pn_delivery_update(delivery, PN_REJECTED);
                break;
            }
        }
        pn_delivery_settle(delivery);
    }
}

void ClientReceiverLink::lost() {
    guard_.reset();
    partial_.clear();
    pending_.clear();
    if (events_.on_lost) events_.on_lost();
}

}  // namespace clrbus::amqp
