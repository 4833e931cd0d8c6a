// The two kinds of links of one connection, on Proton's objects: credit, raw bytes in, raw bytes out, settlement. The
// connection's I/O thread. Proton's types are only declared here.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "amqp/frame_guard.hpp"
#include "amqp/limits.hpp"
#include "amqp/mailbox.hpp"
#include "amqp/nodes.hpp"

struct pn_delivery_t;
struct pn_link_t;

namespace clrbus::amqp {

// The peer sends. Credit plus unsettled deliveries never exceed the window.
class InLinkState {
public:
    InLinkState(pn_link_t* link, std::shared_ptr<GuardedLink> guard, const Limits& limits)
        : link_(link), guard_(std::move(guard)), limits_(limits) {
        guard_->collects = true;
    }

    void set_node(std::unique_ptr<InNode> node) { node_ = std::move(node); }
    // Returns the bytes that came under way with it; 0 while it is not complete.
    std::uint64_t on_delivery(pn_delivery_t* delivery);
    std::uint64_t settle(const std::vector<Settlement>& batch);  // returns the bytes that are under way no more
    void end_batch();                                            // hands over, gives credit
    void retry();                                                // asks a closed node again
    bool closed() const { return closed_; }
    void stop();           // no credit any more
    std::uint64_t drop();  // the link is gone; returns the bytes that were under way
    std::size_t pending() const { return pending_.size(); }
    pn_link_t* link() const { return link_; }

private:
    struct Pending {
        pn_delivery_t* delivery = nullptr;
        std::uint64_t size = 0;
    };
    void give_credit();
    void withdraw();

    pn_link_t* link_;  // Proton's; valid until drop
    std::shared_ptr<GuardedLink> guard_;
    const Limits& limits_;
    std::unique_ptr<InNode> node_;
    std::unordered_map<std::uint64_t, Pending> pending_;
    std::uint64_t next_token_ = 1;
    bool touched_ = false;
    bool closed_ = false;
    bool stopped_ = false;
};

// The peer receives. What the node may send is a window below the peer's credit that shrinks as messages grow.
class OutLinkState {
public:
    OutLinkState(pn_link_t* link, bool settled) : link_(link), settled_(settled) {}

    void set_node(std::unique_ptr<OutNode> node) { node_ = std::move(node); }
    void on_flow();
    void queue(Outgoing message);
    void drained();
    bool draining() const { return draining_; }
    // Asks the node again when it is time; when that is next.
    std::chrono::steady_clock::time_point drain_retry_at(std::chrono::steady_clock::time_point now,
                                                         std::chrono::milliseconds every);
    // Writes while there is room; true when something went out.
    bool pump(std::size_t room);
    void on_delivery(pn_delivery_t* delivery);
    void end_batch();  // tells the node what was settled
    void drop(bool tried);
    pn_link_t* link() const { return link_; }

private:
    std::size_t window() const;
    void ask();
    void settled(std::uint64_t token, DeliveryState state, bool failed, bool undeliverable);

    pn_link_t* link_;
    const bool settled_;
    std::unique_ptr<OutNode> node_;
    std::deque<Outgoing> backlog_;
    pn_delivery_t* current_ = nullptr;  // of the front of backlog_, once its first bytes are out
    std::string head_;                  // its header section
    std::size_t sent_ = 0;              // bytes of head and message that are out
    std::uint32_t asked_ = 0;           // granted to the node, not sent by it yet
    std::size_t unsettled_ = 0;
    std::size_t slow_start_ = 4;  // messages, until sizes are known
    double average_ = 0;          // bytes of a message
    std::chrono::steady_clock::time_point drain_at_{};
    bool draining_ = false;  // the node was asked
    bool drained_ = false;   // and has answered
    bool stalled_ = false;   // too many unsettled: ask again when some are settled
    std::uint64_t next_tag_ = 1;
    std::vector<Settlement> outcomes_;
};

}  // namespace clrbus::amqp
