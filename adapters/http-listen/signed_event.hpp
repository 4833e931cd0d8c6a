// What the claims of a signed event say about themselves. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace clrbus::adapters::http_listen {

struct ClaimsPolicy {
    std::string issuer;    // "" = any
    std::string audience;  // "" = any
    std::chrono::milliseconds skew{60'000};
};

// Throws Error(kPoison): HTL-004 claims that are no JSON object, HTL-005 expired or not yet valid, HTL-006 another issuer or
// audience.
void check_claims(std::string_view payload, const ClaimsPolicy& policy, Time now);

// The event's own id, for the duplicate window: jti, else id, else the ids of the events in a Caliper envelope's data, else a
// hash of all members but the token's own times (exp, nbf, iat), which change when the same event is signed again. A Canvas
// request_id is shared by all events of one request and is no id. payload: as check_claims took it.
std::string event_key(std::string_view payload);

}  // namespace clrbus::adapters::http_listen
