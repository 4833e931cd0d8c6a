#include "amqp/frame_guard.hpp"

#include <algorithm>
#include <optional>

namespace clrbus::amqp {
namespace {

constexpr std::uint64_t kHandleMax = 0x7fffffff;   // what Proton announces; above, it takes a handle for a negative number
constexpr std::size_t kMaxName = 1024;             // container-id, link names
constexpr std::uint32_t kMostSettled = 1'000'000;  // by one disposition: each costs time, whether it is there or not
constexpr std::uint64_t kShortestIdle = 200;  // milliseconds: a shorter idle-time-out makes us send heartbeats all the time

[[noreturn]] void refuse(const char* condition, std::string_view reason, const char* text) {
    throw Violation(condition, reason, text);
}

}  // namespace

FrameGuard::FrameGuard(const Limits& limits, std::atomic<std::uint64_t>& unfinished_total, Begins begins)
    : limits_(limits), begins_(begins), unfinished_total_(unfinished_total) {}

FrameGuard::~FrameGuard() {
    unfinished_total_.fetch_sub(unfinished_, std::memory_order_relaxed);
}

std::size_t FrameGuard::missing(std::string_view bytes) const {
    constexpr std::size_t kFrameHeader = 8;
    if (bytes.empty()) return 0;
    if (bytes.size() < kFrameHeader) return kFrameHeader - bytes.size();
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<std::uint8_t>(bytes[i]);
    return length > bytes.size() && length <= limits_.max_frame ? length - bytes.size() : 0;
}

std::optional<Code> FrameGuard::check(std::string_view frame) {
    if (closed_) refuse("amqp:illegal-state", "after-close", "a frame after close");
    const auto p = Performative::read(frame, limits_.max_nodes);
    if (!p) {
        if (!opened_) refuse("amqp:connection:framing-error", "before-open", "a frame before open");
        return std::nullopt;
    }
    if (!opened_ && p->code() != Code::kOpen) refuse("amqp:connection:framing-error", "before-open", "a frame before open");
    switch (p->code()) {
        case Code::kOpen:
            open(*p);
            break;
        case Code::kBegin:
            begin(*p);
            break;
        case Code::kAttach:
            attach(*p);
            break;
        case Code::kFlow:
            flow(*p);
            break;
        case Code::kTransfer:
            transfer(*p);
            break;
        case Code::kDisposition:
            disposition(*p);
            break;
        case Code::kDetach:
            detach(*p);
            break;
        case Code::kEnd:
            end(*p);
            break;
        case Code::kClose:
            closed_ = true;
            break;
    }
    return p->code();
}

void FrameGuard::open(const Performative& p) {
    if (opened_) refuse("amqp:illegal-state", "second-open", "a second open");
    if (p.text(0).size() > kMaxName) refuse("amqp:invalid-field", "invalid-field", "open: container-id is longer than 1024");
    if (p.has(2) && p.number(2) < 512)
        refuse("amqp:invalid-field", "invalid-field", "open: max-frame-size is smaller than 512");
    if (p.has(4) && p.number(4) != 0 && p.number(4) < kShortestIdle)
        refuse("amqp:invalid-field", "invalid-field", "open: idle-time-out is shorter than 200 ms");
    opened_ = true;
}

void FrameGuard::begin(const Performative& p) {
    if (p.channel() >= limits_.max_sessions)
        refuse("amqp:connection:framing-error", "channel-max", "a channel above channel-max");
    if (sessions_.contains(p.channel())) refuse("amqp:illegal-state", "channel-in-use", "begin: the channel is in use");
    if (begins_ == Begins::kWe) {
        const auto found = asked_.find(static_cast<std::uint16_t>(p.number(0)));
        if (!p.has(0) || found == asked_.end() || !found->second.begun)
            refuse("amqp:not-allowed", "invalid-field", "begin: remote-channel names no session that we began");
        found->second.begun = false;
        sessions_[p.channel()].ours = found->first;
        return;
    }
    // Whoever answers to a session of ours names it here; no session is begun from this side.
    if (p.has(0)) refuse("amqp:not-allowed", "invalid-field", "begin: remote-channel names no session that we began");
    sessions_[p.channel()];
}

void FrameGuard::attach(const Performative& p) {
    Session& in = session(p);
    const auto handle = p.number(1);
    if (handle > kHandleMax) refuse("amqp:connection:framing-error", "handle-max", "a handle above handle-max");
    if (in.links.contains(static_cast<std::uint32_t>(handle)))
        refuse("amqp:session:handle-in-use", "handle-in-use", "attach: the handle is in use");
    if (p.text(0).size() > kMaxName) refuse("amqp:invalid-field", "invalid-field", "attach: name is longer than 1024");
    const bool peer_sends = !p.flag(2);
    if (peer_sends && !p.has(9)) refuse("amqp:invalid-field", "invalid-field", "attach: initial-delivery-count is missing");
    if (p.number(3, 2) > 2 || p.number(4) > 1) refuse("amqp:invalid-field", "invalid-field", "attach: an unknown settle mode");
    if (begins_ == Begins::kWe && asked_[in.ours].links.erase({std::string(p.text(0)), peer_sends}) == 0)
        refuse("amqp:not-allowed", "link-name", "attach: a link that we did not attach");
    if (links_ >= limits_.max_links) refuse("amqp:resource-limit-exceeded", "links", "too many links on one connection");
    auto link = std::make_shared<GuardedLink>();
    link->name = p.text(0);
    link->peer_sends = peer_sends;
    if (!in.names.emplace(link->name, peer_sends).second)
        refuse("amqp:not-allowed", "link-name", "attach: a link of this name is attached in this session");
    ++links_;
    in.links.emplace(static_cast<std::uint32_t>(handle), link);
    last_attached_ = std::move(link);
}

void FrameGuard::flow(const Performative& p) {
    Session& in = session(p);
    if (p.has(4)) link(in, p.number(4));
}

void FrameGuard::transfer(const Performative& p) {
    Session& in = session(p);
    GuardedLink& on = link(in, p.number(0));
    if (!on.peer_sends) refuse("amqp:not-allowed", "direction", "a transfer on a link on which the peer receives");
    const bool more = p.flag(5);
    const bool aborted = p.flag(9);
    if (p.flag(8)) refuse("amqp:not-implemented", "resume", "transfer: deliveries are not resumed here");
    if (p.number(6) > 1) refuse("amqp:invalid-field", "invalid-field", "transfer: an unknown settle mode");
    const auto id = static_cast<std::uint32_t>(p.number(1));
    last_transfer_ = {&on, p.text(2), p.payload(), !on.in_delivery, more, aborted};
    if (!on.in_delivery) {
        if (!p.has(1)) refuse("amqp:invalid-field", "delivery-id", "the first transfer of a delivery has no delivery-id");
        if (!p.has(2)) refuse("amqp:invalid-field", "delivery-tag", "the first transfer of a delivery has no delivery-tag");
        if (p.text(2).size() > 32) refuse("amqp:invalid-field", "delivery-tag", "transfer: delivery-tag is longer than 32");
        if (p.number(3) != 0) refuse("amqp:not-implemented", "message-format", "transfer: only message-format 0 is known here");
        if (in.id_known && id != in.next_delivery_id)
            refuse("amqp:invalid-field", "delivery-id", "transfer: delivery-id does not follow the one before");
        if (on.started >= on.granted + on.slack)
            refuse("amqp:link:transfer-limit-exceeded", "credit", "a delivery without credit");
        in.id_known = true;
        in.next_delivery_id = id + 1;  // a serial number: wraps at 2^32
        ++on.started;
        on.delivery_id = id;
        on.bytes = 0;
    } else if (p.has(1) && id != on.delivery_id) {
        refuse("amqp:invalid-field", "delivery-id", "transfer: delivery-id changes within a delivery");
    }
    if (p.payload().size() > limits_.max_message - on.bytes)
        refuse("amqp:link:message-size-exceeded", "message-size", "a message larger than max-message-size");
    if (more && !aborted) {
        count_unfinished(on, p.payload().size());
        on.in_delivery = true;
    } else {
        forget(on);
    }
}

void FrameGuard::collect() {
    GuardedLink& on = *last_transfer_.link;
    if (!on.collects) return;
    if (last_transfer_.first) on.tag = last_transfer_.tag;
    if (last_transfer_.aborted) {
        on.partial.clear();
    } else if (last_transfer_.more || !on.partial.empty()) {
        on.partial.append(last_transfer_.payload);
        if (!last_transfer_.more) on.whole.push_back({on.tag, std::exchange(on.partial, {})});
    } else {
        on.whole.push_back({on.tag, std::string(last_transfer_.payload)});
    }
}

// Bytes of a delivery that goes on.
void FrameGuard::count_unfinished(GuardedLink& on, std::uint64_t bytes) {
    on.bytes += bytes;
    unfinished_ += bytes;
    const auto total = unfinished_total_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    if (unfinished_ > limits_.max_unfinished || total > limits_.max_unfinished_total)
        refuse("amqp:resource-limit-exceeded", "unfinished", "too many bytes in deliveries that have not ended");
}

// The delivery has ended, one way or the other.
void FrameGuard::forget(GuardedLink& on) {
    unfinished_ -= on.bytes;
    unfinished_total_.fetch_sub(on.bytes, std::memory_order_relaxed);
    on.bytes = 0;
    on.in_delivery = false;
}

void FrameGuard::disposition(const Performative& p) {
    session(p);
    const auto first = static_cast<std::uint32_t>(p.number(1));
    const auto last = static_cast<std::uint32_t>(p.number(2, first));
    if (last - first > 0x7fffffff) refuse("amqp:invalid-field", "invalid-field", "disposition: last comes before first");
    if (begins_ == Begins::kWe && last - first > kMostSettled)
        refuse("amqp:resource-limit-exceeded", "invalid-field", "disposition: more deliveries than can be under way");
}

void FrameGuard::detach(const Performative& p) {
    Session& in = session(p);
    GuardedLink& gone = link(in, p.number(0));
    forget(gone);
    in.names.erase({gone.name, gone.peer_sends});
    in.links.erase(static_cast<std::uint32_t>(p.number(0)));
    --links_;
}

void FrameGuard::end(const Performative& p) {
    Session& gone = session(p);
    for (auto& [handle, each] : gone.links) forget(*each);
    links_ -= gone.links.size();
    sessions_.erase(p.channel());
}

void FrameGuard::sent(std::string_view bytes) {
    constexpr std::size_t kHead = 11;  // frame header and the descriptor of the performative
    while (!bytes.empty()) {
        if (skip_ != 0) {
            const std::size_t size = std::min(skip_, bytes.size());
            skip_ -= size;
            bytes.remove_prefix(size);
            continue;
        }
        std::size_t want = 8;
        if (sent_.size() >= 8) {
            want = 0;
            for (int i = 0; i < 4; ++i) want = want << 8 | static_cast<std::uint8_t>(sent_[static_cast<std::size_t>(i)]);
            // Of a transfer or a disposition nothing is needed but its length.
            if (sent_.size() >= kHead && sent_[9] == '\x53' && (sent_[10] == '\x14' || sent_[10] == '\x15')) {
                skip_ = want - sent_.size();
                sent_.clear();
                continue;
            }
            if (sent_.size() < kHead) want = std::min(want, kHead);
        }
        if (sent_.size() < want) {
            const std::size_t size = std::min(want - sent_.size(), bytes.size());
            sent_.append(bytes.substr(0, size));
            bytes.remove_prefix(size);
        }
        if (sent_.size() >= 8 && sent_.size() == frame_length(sent_, ~0U, 0)) {
            sent_frame(sent_);
            sent_.clear();
        }
    }
}

void FrameGuard::sent_frame(std::string_view frame) {
    const auto p = Performative::read(frame, limits_.max_nodes);
    if (!p) return;
    if (p->code() == Code::kBegin) {
        asked_[p->channel()] = Asked{.begun = true, .links = {}};
    } else if (p->code() == Code::kAttach) {
        asked_[p->channel()].links.emplace(p->text(0), p->flag(2));
    }
}

FrameGuard::Session& FrameGuard::session(const Performative& p) {
    const auto found = sessions_.find(p.channel());
    if (found == sessions_.end()) refuse("amqp:not-allowed", "no-session", "a frame on a channel without a session");
    return found->second;
}

GuardedLink& FrameGuard::link(Session& in, std::uint64_t handle) {
    const auto found = in.links.find(static_cast<std::uint32_t>(handle));
    if (found == in.links.end()) refuse("amqp:session:unattached-handle", "no-link", "a frame on a handle without a link");
    return *found->second;
}

}  // namespace clrbus::amqp
