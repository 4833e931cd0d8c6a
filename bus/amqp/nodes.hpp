// What stands behind the addresses that peers attach to. This room knows no queue: whoever is above implements Nodes. Calls to
// Nodes, InNode and OutNode come on the connection's I/O thread and must not block; InLink and OutLink may be called by any
// thread, also after the link is gone (then nothing happens).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/message.hpp"

namespace clrbus::amqp {

struct Condition {
    std::string name;         // of the specification: "amqp:not-found"
    std::string description;  // for people; no payload, no secret
};

enum class DeliveryState : std::uint8_t { kAccepted, kRejected, kReleased, kModified };

struct Settlement {
    std::uint64_t token = 0;
    DeliveryState state = DeliveryState::kAccepted;
    bool failed = false;         // kModified: counts as a failed attempt
    bool undeliverable = false;  // kModified: not to this receiver again
    Condition error{};           // kRejected
};

struct AttachInfo {
    std::string user;
    std::string address;
    std::string container;   // of the peer
    std::string link;        // its name
    std::string connection;  // number and peer address, for logs
    bool settled = false;    // receivers: the peer takes messages as settled when they are sent
};

// The peer sends to us.
class InLink {
public:
    virtual ~InLink() = default;
    virtual void settle(std::vector<Settlement> batch) = 0;
    virtual void detach(Condition why) = 0;
};
class InNode {
public:
    virtual ~InNode() = default;
    // One complete encoded message. token names it towards settle; settled: the sender waits for no answer, settle it all the
    // same.
    virtual void on_message(std::uint64_t token, std::string encoded, bool settled) = 0;
    // All that came with one read has been handed over: the moment to put it, in one batch.
    virtual void on_batch() = 0;
    // False: no credit is given and what the peer has left is taken back. Asked after each batch, and from time to time while
    // false.
    virtual bool open() = 0;
    virtual void on_detach() = 0;  // last call
};

// The peer receives from us.
struct Outgoing {
    std::uint64_t token = 0;  // not 0
    Message message;
    std::uint32_t delivery_count = 0;  // earlier deliveries that failed
};
class OutLink {
public:
    virtual ~OutLink() = default;
    virtual void send(Outgoing message) = 0;  // at most as many as on_credit granted
    virtual void drained() = 0;               // answers on_drain: nothing is there to send now
    virtual void detach(Condition why) = 0;
};
class OutNode {
public:
    virtual ~OutNode() = default;
    virtual void on_credit(std::uint32_t more) = 0;  // so many messages more may be sent
    // The peer wants what is there at once, then drained(). Called again every few milliseconds until then.
    virtual void on_drain() = 0;
    virtual void on_settled(std::vector<Settlement> batch) = 0;
    // Last call. What was sent and not settled goes to somebody else; tried: as one more attempt (not when it is we who stop).
    virtual void on_detach(bool tried) = 0;
};

class Nodes {
public:
    virtual ~Nodes() = default;
    // Null: refused, and `refusal` says why.
    virtual std::unique_ptr<InNode> attach_in(const AttachInfo& info, std::shared_ptr<InLink> link, Condition& refusal) = 0;
    virtual std::unique_ptr<OutNode> attach_out(const AttachInfo& info, std::shared_ptr<OutLink> link, Condition& refusal) = 0;
};

}  // namespace clrbus::amqp
