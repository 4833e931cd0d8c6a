#include "broker/amqp_nodes.hpp"

#include <utility>

#include "broker/amqp_node_types.hpp"
#include "core/error.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kInPrefix = "in/";
constexpr std::string_view kDeadPrefix = "dead/";
constexpr std::string_view kAskPrefix = "ask/";      // requests of a step, for a responder outside
constexpr std::string_view kReplyPrefix = "reply/";  // and what it answers

bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

AmqpNodes::AmqpNodes(Queues& queues, Executor& executor, const AmqpAccess& access, Clock& clock)
    : shared_(new Shared{.queues = queues, .executor = executor, .access = access, .clock = clock}) {}

AmqpNodes::~AmqpNodes() = default;

bool AmqpNodes::permitted(const amqp::AttachInfo& info, bool publish, amqp::Condition& refusal) const {
    const std::string_view address = info.address;
    const bool known = starts_with(address, kInPrefix) || starts_with(address, publish ? kReplyPrefix : kAskPrefix) ||
                       (!publish && starts_with(address, kDeadPrefix));
    if (!known) {
        refusal = {"amqp:not-found",
                   publish ? "no such address; messages go to in/ROUTE" : "no such address; read from dead/ROUTE or in/ROUTE"};
        return false;
    }
    // Who may not use an address is not told whether it exists.
    const bool may = publish ? shared_->access.may_publish(info.user, address) : shared_->access.may_read(info.user, address);
    if (!may) {
        refusal = {"amqp:unauthorized-access",
                   publish ? "this user may not publish to this address" : "this user may not read this address"};
        return false;
    }
    if (!shared_->queues.exists(info.address)) {
        refusal = {"amqp:not-found", "no route of that name"};
        return false;
    }
    return true;
}

std::unique_ptr<amqp::InNode> AmqpNodes::attach_in(const amqp::AttachInfo& info, std::shared_ptr<amqp::InLink> link,
                                                   amqp::Condition& refusal) {
    if (!permitted(info, true, refusal)) return nullptr;
    return std::make_unique<AmqpInboxNode>(shared_, info.address, info.user, std::move(link));
}

std::unique_ptr<amqp::OutNode> AmqpNodes::attach_out(const amqp::AttachInfo& info, std::shared_ptr<amqp::OutLink> link,
                                                     amqp::Condition& refusal) {
    if (!permitted(info, false, refusal)) return nullptr;
    return std::make_unique<AmqpReaderNode>(shared_, info.address, std::move(link));
}

}  // namespace clrbus
