// The one place that knows what a fault means for the message, its route and its endpoint. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "broker/queues.hpp"
#include "core/error.hpp"
#include "routing/route.hpp"

namespace clrbus {

// Dead letters in a row after which a route pauses instead of going on to drain its queue.
inline constexpr std::uint32_t kDeadInARow = 20;

// A dead letter: the message as it is in hand, with step, code, place, reason and generation beside it. headers: of the Work
// (its dead-step is the step that failed).
Put dead_letter(const CompiledRoute& route, const Message& message, const Headers& headers, const Error& error, Time now,
                std::uint32_t attempts = 1);

// The same for a message that has left its route: its headers say the generation.
Put dead_letter(const std::string& route, const Message& message, const Headers& headers, const Error& error, Time now,
                std::uint32_t attempts);

// Takes the dead-letter facts off again, for replay.
Headers without_dead_facts(Headers headers);

// How long to wait before the next attempt when n + 1 have failed: first, grown by factor, at most 5 minutes, with up to 10 %
// of jitter drawn from the sequence, so that it needs no random.
std::chrono::milliseconds back_off(const CompiledRoute::Attempts& attempts, std::uint32_t n, std::uint64_t sequence);
// The same for a far side that has been away for so long.
std::chrono::milliseconds away_wait(const CompiledRoute::Attempts& attempts, std::chrono::milliseconds away,
                                    std::uint64_t sequence);

}  // namespace clrbus
