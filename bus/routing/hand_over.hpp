// What leaves a route: the headers that go along with every output, and the message for the inbox of another route. For steps;
// one worker thread, one message.
#pragma once

#include <string>
#include <string_view>

#include "routing/work.hpp"

namespace clrbus {

// How many routes one message may pass, one after the other: routes that send to each other would never end.
inline constexpr std::uint32_t kMostHops = 32;
inline constexpr std::string_view kHops = "clrbus-hops";

// The message's headers and where it came from.
Headers output_headers(const Work& work);

// The body as it leaves: the document where there is one, else the bytes that nothing has read.
struct LeavingBody {
    std::string bytes, content_type;
};
LeavingBody leaving_body(const Work& work);

// Adds the message for in/ROUTE to what the work causes, with the ledger's entry. step: its label, for the output's id. Throws
// Error(kPoison, "ROUTE-120") beyond kMostHops.
void hand_over(Work& work, const std::string& route, std::string_view step, const LeavingBody& body);

}  // namespace clrbus
