// request-reply over queues of the bus: steps/request_reply.cpp makes it where a <route> or a <queue> is asked.
#pragma once

#include <memory>

#include "routing/step.hpp"

namespace clrbus {

std::unique_ptr<Step> make_request_reply_queue(const Config& element, RouteAssets& assets, const StepPlace& place);

}  // namespace clrbus
