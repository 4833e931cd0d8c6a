// Spans of what a Unit settles, from its visit. Nothing happens while they are not enabled. Any thread.
#pragma once

#include <string_view>

#include "broker/queues.hpp"
#include "trace/visit.hpp"

namespace clrbus {

// Work of a route on a message, whose outputs carry the traceparent `ours`.
void record_route_span(const TakenMessage& message, std::string_view ours, std::string_view route, const trace::Visit& visit);
// An endpoint's.
void record_endpoint_span(const TakenMessage& message, const trace::Visit& visit);

}  // namespace clrbus
