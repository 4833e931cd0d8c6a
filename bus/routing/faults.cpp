#include "routing/faults.hpp"

#include <algorithm>
#include <cmath>

namespace clrbus {
namespace {

constexpr std::string_view kDeadFacts[] = {header::kDeadStep, header::kDeadCode, header::kDeadReason,   header::kDeadPath,
                                           header::kDeadLine, header::kDeadAt,   "clrbus-dead-expected"};

}  // namespace

Put dead_letter(const CompiledRoute& route, const Message& message, const Headers& headers, const Error& error, Time now) {
    Put put;
    put.queue = route.dead();
    put.message = message;
    put.headers = headers;
    put.headers.set(header::kRoute, route.id());
    put.headers.set(header::kGeneration, std::to_string(route.generation));
    if (!put.headers.has(header::kDeadStep)) put.headers.set(header::kDeadStep, "take");
    put.headers.set(header::kDeadCode, error.code());
    put.headers.set(header::kDeadReason, error.why());
    put.headers.set(header::kDeadAt, to_rfc3339(now));
    const Where& where = error.where();
    if (!where.path.empty()) put.headers.set(header::kDeadPath, where.path);
    if (where.line != 0) put.headers.set(header::kDeadLine, std::to_string(where.line));
    if (!error.expected().empty()) put.headers.set("clrbus-dead-expected", error.expected());
    return put;
}

Headers without_dead_facts(Headers headers) {
    for (const std::string_view name : kDeadFacts) headers.remove(name);
    return headers;
}

std::chrono::milliseconds back_off(const CompiledRoute::Attempts& attempts, std::uint32_t n, std::uint64_t sequence) {
    const double longest = 5 * 60 * 1000.0;
    const double grown =
        static_cast<double>(attempts.first.count()) * std::pow(std::max(1.0, attempts.factor), std::min(n, 64U));
    const double jitter = 1.0 + 0.1 * static_cast<double>(sequence * 2654435761U % 1000) / 1000.0;
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(grown, longest) * jitter));
}

}  // namespace clrbus
