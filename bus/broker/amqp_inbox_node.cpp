#include <utility>

#include "broker/amqp_node_types.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kLarge = 1U << 20;
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
        answer_all(tokens, inbox_answer(0, PutState::kFailed));
        return;
    }
    // A large one goes alone: the journal may refuse its size, and the others are not to share that.
    std::size_t from = 0;
    const std::size_t count = puts.size();  // one that is alone takes the vector with it
    for (std::size_t i = 0; i < count; ++i) {
        if (puts[i].message.size() < kLarge) continue;
        put_range(puts, tokens, from, i);
        put_range(puts, tokens, i, i + 1);
        from = i + 1;
    }
    put_range(puts, tokens, from, count);
}

void AmqpInboxNode::answer_all(const std::vector<std::uint64_t>& tokens, const amqp::Settlement& answer) {
    std::vector<amqp::Settlement> answers(tokens.size(), answer);
    for (std::size_t i = 0; i < tokens.size(); ++i) answers[i].token = tokens[i];
    link_->settle(std::move(answers));
}

void AmqpInboxNode::put_range(std::vector<Put>& puts, const std::vector<std::uint64_t>& all, std::size_t from, std::size_t to) {
    if (from == to) return;
    std::vector<std::uint64_t> tokens(all.begin() + static_cast<std::ptrdiff_t>(from),
                                      all.begin() + static_cast<std::ptrdiff_t>(to));
    std::vector<Put> batch;
    if (from == 0 && to == puts.size()) {
        batch = std::move(puts);
    } else {
        batch.reserve(to - from);
        for (std::size_t i = from; i < to; ++i) batch.push_back(std::move(puts[i]));
    }
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
        shared_->queues.put(std::move(batch), shared_->executor, std::move(done));
    } catch (const Error& e) {
        counter("clrbus_amqp_rejected_total").add(static_cast<std::int64_t>(tokens.size()));
        log::warn("amqp", std::string("refusing messages: ") + e.what());
        answer_all(
            tokens,
            inbox_rejection(0, e.code() == "QUEUE-002" ? "amqp:link:message-size-exceeded" : "amqp:internal-error", e.why()));
    }
}

bool AmqpInboxNode::open() {
    return !shared_->failed && shared_->queues.accepts(queue_);
}

}  // namespace clrbus
