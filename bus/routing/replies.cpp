#include "routing/replies.hpp"

#include <utility>

#include "core/ids.hpp"
#include "crypto/hash.hpp"
#include "routing/stateful.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kGoodReply = "good", kLargeReply = "large";

}  // namespace

Put waiting_reply(BrowsedMessage message, const std::string& queue, std::uint64_t most) {
    Put put;
    put.queue = queue;
    for (const std::string_view name : {header::kAcceptedAt, header::kTrace}) {
        if (message.headers.has(name)) put.headers.set(name, message.headers.get(name));
    }
    // A queue's number, never a sender's word: two replies are two messages.
    const std::string id = name_uuid(kOutputNamespace, queue + "\nreply\n" + std::to_string(message.sequence));
    put.headers.set(wait_header::kId, id);
    const std::string correlation = message.message.correlation_id();
    if (correlation.size() == kCorrelationDigits && crypto::from_hex(correlation))
        put.headers.set(wait_header::kKey, correlation);
    const bool large = message.message.size() > most;
    put.headers.set(wait_header::kReply, large ? kLargeReply : kGoodReply);
    put.message = large ? MessageBuilder().message_id(id).build("") : std::move(message.message);
    return put;
}

ReplyKind reply_kind(const Headers& headers) {
    const std::string_view kind = headers.get(wait_header::kReply);
    return kind.empty() ? ReplyKind::kNone : kind == kLargeReply ? ReplyKind::kLarge : ReplyKind::kGood;
}

}  // namespace clrbus
