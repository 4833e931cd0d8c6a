#include "routing/faults.hpp"

#include <algorithm>
#include <cmath>

#include "routing/replay.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kDeadFacts[] = {header::kDeadStep, header::kDeadCode, header::kDeadReason,   header::kDeadPath,
                                           header::kDeadLine, header::kDeadAt,   header::kDeadExpected, header::kDeadAttempts};

}  // namespace

Put dead_letter(const CompiledRoute& route, const Message& message, const Headers& headers, const Error& error, Time now,
                std::uint32_t attempts) {
    Put put = dead_letter(route.id(), message, headers, error, now, attempts);
    put.headers.set(header::kGeneration, std::to_string(route.generation));
    return put;
}

Put dead_letter(const std::string& route, const Message& message, const Headers& headers, const Error& error, Time now,
                std::uint32_t attempts) {
    Put put;
    put.queue = "dead/" + route;
    put.message = message;
    put.headers = headers;
    put.headers.set(header::kRoute, route);
    if (!put.headers.has(header::kDeadStep)) put.headers.set(header::kDeadStep, "take");
    put.headers.set(header::kDeadCode, error.code());
    put.headers.set(header::kDeadReason, error.why());
    put.headers.set(header::kDeadAt, to_rfc3339(now));
    if (attempts > 1) put.headers.set(header::kDeadAttempts, std::to_string(attempts));
    const Where& where = error.where();
    if (!where.path.empty()) put.headers.set(header::kDeadPath, where.path);
    if (where.line != 0) put.headers.set(header::kDeadLine, std::to_string(where.line));
    if (!error.expected().empty()) put.headers.set(header::kDeadExpected, error.expected());
    return put;
}

Headers without_dead_facts(Headers headers) {
    headers.remove(header::kDeadDocument);
    for (const std::string_view name : kDeadFacts) headers.remove(name);
    return headers;
}

namespace {

constexpr double kLongestWait = 5 * 60 * 1000.0;

std::chrono::milliseconds with_jitter(double wait, std::uint64_t sequence) {
    const double jitter = 1.0 + 0.1 * static_cast<double>(sequence * 2654435761U % 1000) / 1000.0;
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(wait, kLongestWait) * jitter));
}

}  // namespace

std::chrono::milliseconds back_off(const CompiledRoute::Attempts& attempts, std::uint32_t n, std::uint64_t sequence) {
    return with_jitter(static_cast<double>(attempts.first.count()) * std::pow(std::max(1.0, attempts.factor), std::min(n, 64U)),
                       sequence);
}

std::chrono::milliseconds away_wait(const CompiledRoute::Attempts& attempts, std::chrono::milliseconds away,
                                    std::uint64_t sequence) {
    // What exponential back-off comes to, told from how long it lasts: no count is kept with the message, so none is used up.
    return with_jitter(static_cast<double>(attempts.first.count()) +
                           std::max(0.0, attempts.factor - 1.0) * static_cast<double>(std::max<std::int64_t>(away.count(), 0)),
                       sequence);
}

}  // namespace clrbus
