// /health and /metrics. Any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "http/server.hpp"

namespace clrbus {

struct HealthPart {
    std::string name;  // of ours: "route 'people'", "journal"
    bool ok = true;
    std::string text;  // what stands still and since when; no learner data
};

// 200 {"status":"ok"} or 503 {"status":"failing", …}, with the parts. detail: to callers for whom it is true the parts are
// shown; others see the status alone.
HttpHandler health_handler(std::function<std::vector<HealthPart>()> parts, std::function<bool(const HttpRequest&)> detail);
// All counters, in Prometheus' text format 0.0.4.
HttpHandler metrics_handler();
std::string metrics_text(const std::map<std::string, std::int64_t>& counters);

}  // namespace clrbus
