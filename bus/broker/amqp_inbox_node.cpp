#include <utility>

#include "broker/amqp_node_types.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kTraceparent = 55;  // W3C trace context, version 00

amqp::Settlement inbox_rejection(std::uint64_t token, std::string condition, std::string why) {
    return {.token = token, .state = amqp::DeliveryState::kRejected, .error = {std::move(condition), std::move(why)}};
}

amqp::Settlement inbox_answer(std::uint64_t token, PutState state) {
    const bool accepted = state == PutState::kStored || state == PutState::kDuplicate;
    return {.token = token, .state = accepted ? amqp::DeliveryState::kAccepted : amqp::DeliveryState::kReleased};
}

}  // namespace

AmqpInboxNode::AmqpInboxNode(std::shared_ptr<AmqpNodes::Shared> shared, std::string queue, std::string user,
                             std::shared_ptr<amqp::InLink> link)
    : shared_(std::move(shared)),
      queue_(std::move(queue)),
      route_(queue_.substr(queue_.find('/') + 1)),
      user_(std::move(user)),
      link_(std::move(link)) {}

void AmqpInboxNode::on_message(std::uint64_t token, std::string encoded, bool) {
    Put put;
    try {
        put.message = Message::from_encoded(std::move(encoded));
    } catch (const Error& e) {
        counter("clrbus_amqp_rejected_total").add();
        refused_.push_back(inbox_rejection(token, "amqp:decode-error", e.what()));
        return;
    }
    put.queue = queue_;
    put.headers.set(header::kSource, route_);
    put.headers.set(header::kUser, user_);
    put.headers.set(header::kAcceptedAt, to_rfc3339(shared_->clock.now()));
    if (const auto trace = put.message.application_property(header::kTrace); trace && trace->size() == kTraceparent)
        put.headers.set(header::kTrace, *trace);
    if (const std::string id = put.message.message_id(); !id.empty()) {
        put.duplicate_key = std::to_string(user_.size());
        put.duplicate_key.append(":").append(user_).append(id);  // the length keeps two users' ids apart
    }
    puts_.push_back(std::move(put));
    tokens_.push_back(token);
}

void AmqpInboxNode::on_batch() {
    if (!refused_.empty()) link_->settle(std::exchange(refused_, {}));
    if (puts_.empty()) return;
    auto puts = std::exchange(puts_, {});
    auto tokens = std::exchange(tokens_, {});
    if (shared_->failed) {
        std::vector<amqp::Settlement> answers;
        for (const std::uint64_t token : tokens) answers.push_back(inbox_answer(token, PutState::kFailed));
        link_->settle(std::move(answers));
        return;
    }
    put(std::move(puts), std::move(tokens));
}

void AmqpInboxNode::put(std::vector<Put> puts, std::vector<std::uint64_t> tokens) {
    auto done = [shared = shared_, link = link_, tokens](const std::vector<PutResult>& results) {
        std::vector<amqp::Settlement> answers;
        answers.reserve(tokens.size());
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const PutState state = i < results.size() ? results[i].state : PutState::kFailed;
            if (state == PutState::kFailed && !shared->failed.exchange(true))
                log::error("amqp", "the journal failed: nothing is taken any more");
            answers.push_back(inbox_answer(tokens[i], state));
        }
        link->settle(std::move(answers));
    };
    try {
        shared_->queues.put(puts, shared_->executor, std::move(done));
    } catch (const Error& e) {
        if (puts.size() > 1) {  // one of them is in the way of the others
            for (std::size_t i = 0; i < puts.size(); ++i) put({std::move(puts[i])}, {tokens[i]});
            return;
        }
        counter("clrbus_amqp_rejected_total").add();
        log::warn("amqp", std::string("refusing a message: ") + e.what());
        link_->settle({inbox_rejection(tokens.front(), "amqp:link:message-size-exceeded", e.why())});
    }
}

bool AmqpInboxNode::open() {
    return !shared_->failed && shared_->queues.accepts(queue_);
}

}  // namespace clrbus
