// What the head of an answer says besides its status: the next page, and how many requests are left. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "http/message.hpp"

namespace clrbus::adapters::http_poll {

// The target of the link of relation "next" (RFC 8288), as it stands there. "" = none.
std::string next_link(const HttpFields& fields);

// How long to leave the far side alone before the next request: while fewer requests are left (X-Rate-Limit-Remaining,
// X-RateLimit-Remaining, RateLimit-Remaining) than least, or than the last one cost (X-Request-Cost). Until its -Reset (seconds
// from now, or since 1970), else 10 s; at most an hour.
std::optional<std::chrono::seconds> rate_wait(const HttpFields& fields, double least, Time now);

}  // namespace clrbus::adapters::http_poll
