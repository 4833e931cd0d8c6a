// Request-reply over queues: what a reply is on its way to the request that waits for it (steps/request_reply_queue.cpp). Pure;
// any thread.
//
// The request goes out with two AMQP properties: reply-to, the queue reply/ROUTE/STEP, and correlation-id. Whoever answers puts
// a message with that correlation-id there: a route by the step <reply/>, a program outside over AMQP. The keeper of the step
// moves it into the step's queue, where the request waits, and from there on both are messages of the route.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/queues.hpp"

namespace clrbus {

// Keyed, 128 bits, hexadecimal: who was not asked cannot guess one.
inline constexpr std::size_t kCorrelationDigits = 32;

// A reply as it is put into the step's queue: of its headers nothing but time and trace are kept. One that is larger than most
// comes without its body and is marked so.
Put waiting_reply(BrowsedMessage message, const std::string& queue, std::uint64_t most);

enum class ReplyKind : std::uint8_t { kNone, kGood, kLarge };  // kNone: it is a message of the route
ReplyKind reply_kind(const Headers& headers);

}  // namespace clrbus
