#include <proton/condition.h>
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/link.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "amqp/links.hpp"
#include "core/counters.hpp"

namespace clrbus::amqp {

std::uint64_t InLinkState::on_delivery(pn_delivery_t* delivery) {
    // An update of a delivery that is complete already (the peer settled it early): the answer comes from settle.
    if (pn_link_current(link_) != delivery) return 0;
    if (pn_delivery_aborted(delivery)) {
        pn_delivery_settle(delivery);
        touched_ = true;
        return 0;
    }
    if (pn_delivery_partial(delivery)) return 0;
    const pn_delivery_tag_t tag = pn_delivery_tag(delivery);
    if (guard_->whole.empty() || guard_->whole.front().tag != std::string_view(tag.start, tag.size))
        throw std::logic_error("a delivery whose message is not there");
    std::string whole = std::move(guard_->whole.front().bytes);
    guard_->whole.pop_front();
    pn_link_advance(link_);
    touched_ = true;
    static Counter& taken = counter("clrbus_amqp_messages_in_total");
    taken.add();
    const std::uint64_t size = whole.size() + 64;  // an empty message costs something, too
    const std::uint64_t token = next_token_++;
    pending_.emplace(token, Pending{delivery, size});
    node_->on_message(token, std::move(whole), pn_delivery_settled(delivery));
    return size;
}

std::uint64_t InLinkState::settle(const std::vector<Settlement>& batch) {
    std::uint64_t bytes = 0;
    for (const Settlement& each : batch) {
        const auto found = pending_.find(each.token);
        if (found == pending_.end()) continue;
        pn_delivery_t* delivery = found->second.delivery;
        bytes += found->second.size;
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
    touched_ = true;
    return bytes;
}

void InLinkState::end_batch() {
    if (!touched_) return;
    touched_ = false;
    node_->on_batch();
    retry();
}

void InLinkState::retry() {
    if (stopped_) return;
    closed_ = !node_->open();
    closed_ ? withdraw() : give_credit();
}

// Counted by ourselves: a peer can move Proton's credit by lying about its delivery-count.
void InLinkState::give_credit() {
    const std::uint64_t outstanding = guard_->granted - guard_->started;
    const int on_wire = pn_link_credit(link_);
    const std::uint64_t want = limits_.link_credit > pending_.size() ? limits_.link_credit - pending_.size() : 0;
    // After credit was taken back the peer may still use what the guard knows as granted: on the wire there is less.
    const std::uint64_t has = on_wire > 0 ? std::min<std::uint64_t>(outstanding, static_cast<std::uint64_t>(on_wire)) : 0;
    if (want <= has || (want - has < limits_.link_credit / 4 && has != 0)) return;
    const int more = static_cast<int>(want) - std::max(on_wire, 0);
    guard_->granted = std::max(guard_->granted, guard_->started + want);
    if (on_wire < 0) pn_link_flow(link_, -on_wire);
    if (more > 0) pn_link_flow(link_, more);
}

void InLinkState::withdraw() {
    if (const int on_wire = pn_link_credit(link_); on_wire != 0) pn_link_flow(link_, -on_wire);
}

void InLinkState::stop() {
    stopped_ = true;
    withdraw();
}

std::uint64_t InLinkState::drop() {
    std::uint64_t bytes = 0;
    for (const auto& [token, each] : pending_) bytes += each.size;
    pending_.clear();
    guard_->collects = false;
    guard_->partial.clear();
    guard_->whole.clear();
    node_->on_batch();
    node_->on_detach();
    node_.reset();
    return bytes;
}

}  // namespace clrbus::amqp
