#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/link.h>
#include <proton/session.h>

#include <algorithm>
#include <cstring>

#include "amqp/encoding.hpp"
#include "amqp/links.hpp"
#include "core/counters.hpp"

namespace clrbus::amqp {
namespace {

constexpr std::size_t kWindowMessages = 512;
constexpr double kWindowBytes = 8.0 * (1 << 20);
constexpr std::size_t kMaxUnsettled = 4096;  // of one link: Proton keeps something of each
constexpr std::size_t kHeaderRoom = 32;      // of the header section that goes in front
constexpr std::size_t kChunk = 64UL * 1024;  // of a large message handed to Proton at once

}  // namespace

std::size_t OutLinkState::window() const {
    const double fit = average_ > 0 ? kWindowBytes / average_ : static_cast<double>(slow_start_);
    return std::clamp<std::size_t>(static_cast<std::size_t>(fit), 1, std::min(kWindowMessages, slow_start_));
}

void OutLinkState::ask() {
    const std::size_t here = asked_ + backlog_.size();
    const int credit = pn_link_credit(link_);
    stalled_ = unsettled_ >= kMaxUnsettled;
    if (credit <= 0 || stalled_) return;
    const std::size_t most = std::min(static_cast<std::size_t>(credit), window());
    if (most <= here || (most - here < most / 4 && here != 0)) return;
    const auto more = static_cast<std::uint32_t>(most - here);
    asked_ += more;
    node_->on_credit(more);
}

void OutLinkState::on_flow() {
    ask();
    if (pn_link_get_drain(link_) && !draining_ && pn_link_credit(link_) > 0) {
        draining_ = true;  // the node is asked with the next tick
        drain_at_ = {};
    }
}

void OutLinkState::queue(Outgoing message) {
    if (asked_ > 0) --asked_;
    const double size = static_cast<double>(message.message.size());
    average_ = average_ == 0 ? size : average_ * 0.9 + size * 0.1;
    if (slow_start_ < kWindowMessages) ++slow_start_;
    const std::uint64_t most = pn_link_remote_max_message_size(link_);
    if (most != 0 && message.message.size() + kHeaderRoom > most) {
        counter("clrbus_amqp_too_large_for_peer_total").add();
        settled(message.token, DeliveryState::kModified, false, true);  // somebody else may take it
        return;
    }
    if (pn_link_credit(link_) <= static_cast<int>(backlog_.size())) {
        // The peer has taken credit back since it was asked for: what it does not want now is for others.
        settled(message.token, DeliveryState::kReleased, false, false);
        return;
    }
    backlog_.push_back(std::move(message));
}

void OutLinkState::drained() {
    drained_ = true;  // told once the backlog is out
}

std::chrono::steady_clock::time_point OutLinkState::drain_retry_at(std::chrono::steady_clock::time_point now,
                                                                   std::chrono::milliseconds every) {
    if (now >= drain_at_) {
        drain_at_ = now + every;
        if (!drained_) node_->on_drain();  // else it waits for room in the socket
    }
    return drain_at_;
}

bool OutLinkState::pump(std::size_t room) {
    bool wrote = false;
    while (!backlog_.empty() && pn_session_outgoing_bytes(pn_link_session(link_)) < room) {
        const Outgoing& front = backlog_.front();
        if (current_ == nullptr) {
            if (pn_link_credit(link_) <= 0) break;  // the peer took credit back
            char tag[8];
            const std::uint64_t number = next_tag_++;
            std::memcpy(tag, &number, sizeof tag);
            current_ = pn_delivery(link_, pn_dtag(tag, sizeof tag));
            // The token travels with the delivery: what is settled needs no map.
            pn_delivery_set_context(current_, reinterpret_cast<void*>(static_cast<std::uintptr_t>(front.token)));
            head_ = header_section(front.delivery_count);
            sent_ = 0;
            pn_link_send(link_, head_.data(), head_.size());
        }
        const std::string_view bytes = front.message.bytes();
        const std::size_t chunk = std::min(kChunk, bytes.size() - sent_);
        if (chunk != 0) pn_link_send(link_, bytes.data() + sent_, chunk);
        sent_ += chunk;
        wrote = true;
        if (sent_ < bytes.size()) continue;
        pn_link_advance(link_);
        static Counter& given = counter("clrbus_amqp_messages_out_total");
        given.add();
        if (settled_) {
            pn_delivery_settle(current_);
            settled(front.token, DeliveryState::kAccepted, false, false);
        } else {
            ++unsettled_;
        }
        pn_delivery_t* sent = std::exchange(current_, nullptr);
        backlog_.pop_front();
        if (!settled_ && pn_delivery_updated(sent)) on_delivery(sent);  // settled before its last byte was out
    }
    if (drained_ && backlog_.empty()) {
        drained_ = draining_ = false;
        if (pn_link_get_drain(link_)) pn_link_drained(link_);
        wrote = true;
    }
    if (wrote && !stalled_) ask();
    return wrote;
}

void OutLinkState::on_delivery(pn_delivery_t* delivery) {
    // Proton reports a delivery again that has been settled meanwhile: its token is gone then.
    if (delivery == current_ || !pn_delivery_updated(delivery) || pn_delivery_get_context(delivery) == nullptr) return;
    const std::uint64_t state = pn_delivery_remote_state(delivery);
    const bool terminal = state == PN_ACCEPTED || state == PN_REJECTED || state == PN_RELEASED || state == PN_MODIFIED;
    if (!terminal && !pn_delivery_settled(delivery)) {
        pn_delivery_clear(delivery);
        return;
    }
    const auto token = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(pn_delivery_get_context(delivery)));
    switch (state) {
        case PN_ACCEPTED:
            settled(token, DeliveryState::kAccepted, false, false);
            break;
        case PN_REJECTED:
            settled(token, DeliveryState::kRejected, false, false);
            break;
        case PN_MODIFIED: {
            pn_disposition_t* remote = pn_delivery_remote(delivery);
            settled(token, DeliveryState::kModified, pn_disposition_is_failed(remote), pn_disposition_is_undeliverable(remote));
            break;
        }
        default:  // released, or settled without an outcome: nobody said that it was taken
            settled(token, DeliveryState::kReleased, false, false);
    }
    pn_delivery_set_context(delivery, nullptr);
    pn_delivery_settle(delivery);
    if (unsettled_ > 0) --unsettled_;
}

void OutLinkState::settled(std::uint64_t token, DeliveryState state, bool failed, bool undeliverable) {
    outcomes_.push_back(Settlement{.token = token, .state = state, .failed = failed, .undeliverable = undeliverable});
}

void OutLinkState::end_batch() {
    if (!outcomes_.empty()) node_->on_settled(std::exchange(outcomes_, {}));
    if (stalled_ && unsettled_ < kMaxUnsettled / 2) ask();
}

void OutLinkState::drop(bool tried) {
    // Never sent: given back as if it had not been asked for. The one that is half out counts as tried.
    for (const Outgoing& each : backlog_) {
        if (&each != &backlog_.front() || current_ == nullptr) settled(each.token, DeliveryState::kReleased, false, false);
    }
    if (!outcomes_.empty()) node_->on_settled(std::exchange(outcomes_, {}));
    backlog_.clear();
    node_->on_detach(tried);
    node_.reset();
}

}  // namespace clrbus::amqp
