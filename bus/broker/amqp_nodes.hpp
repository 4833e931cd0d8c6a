// AMQP addresses over Queues: peers publish to in/ROUTE and reply/ROUTE/STEP, and read in/ROUTE, ask/ROUTE/NAME (as competing
// consumers) and dead/ROUTE, where they may.
//
// Publishing: `accepted` is sent once the message is on disk, or its message-id is known already from this user. A full queue
// takes credit back and releases; a message that does not decode is rejected; when the journal fails, everything is released
// and no credit is given any more. Reading: `accepted` settles the message. In in/ROUTE it counts as delivered (ledger); in
// dead/ROUTE it counts nothing, because it was counted dead when it came there. `released` puts it back; `modified` with
// delivery-failed, a settlement without an outcome after a failed attempt, and a receiver that goes away put it back with its
// delivery-count raised; `rejected` moves it from in/ROUTE to dead/ROUTE, and keeps it in dead/ROUTE for half a minute before
// it is offered again.
//
// Thread-safe. Callbacks of Queues run on the executor.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "amqp/nodes.hpp"
#include "broker/queues.hpp"
#include "core/clock.hpp"
#include "core/executor.hpp"

namespace clrbus {

// Who may do what. Any thread; no call may block.
class AmqpAccess {
public:
    virtual ~AmqpAccess() = default;
    virtual bool may_publish(std::string_view user, std::string_view address) const = 0;
    virtual bool may_read(std::string_view user, std::string_view address) const = 0;
};

class AmqpNodes : public amqp::Nodes {
public:
    // All outlive the nodes; the executor also outlives what was put and not answered yet.
    AmqpNodes(Queues& queues, Executor& executor, const AmqpAccess& access, Clock& clock);
    ~AmqpNodes() override;

    std::unique_ptr<amqp::InNode> attach_in(const amqp::AttachInfo& info, std::shared_ptr<amqp::InLink> link,
                                            amqp::Condition& refusal) override;
    std::unique_ptr<amqp::OutNode> attach_out(const amqp::AttachInfo& info, std::shared_ptr<amqp::OutLink> link,
                                              amqp::Condition& refusal) override;

    struct Shared;

private:
    bool permitted(const amqp::AttachInfo& info, bool publish, amqp::Condition& refusal) const;

    std::shared_ptr<Shared> shared_;  // shared with the nodes and with callbacks that are under way
};

}  // namespace clrbus
