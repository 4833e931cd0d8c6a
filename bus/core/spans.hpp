// W3C trace context, and a ring of finished spans for whoever exports them (bus/telemetry). Off until enable: then a check of a
// flag is all it costs. The ring is bounded: a span that finds no room is dropped and counted, nobody waits. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.hpp"

namespace clrbus::spans {

// traceparent of version 00: https://www.w3.org/TR/trace-context/
struct Context {
    std::string trace;   // 32 lower case hex digits
    std::string parent;  // 16
    bool sampled = false;
};
std::optional<Context> parse_context(std::string_view traceparent);
// The traceparent of work that this one caused; the same for the same seed. Without one, or with one that cannot be read, a
// trace begins here, sampled.
std::string child_context(std::string_view traceparent, std::string_view seed);

struct Span {
    enum class Kind : std::uint8_t { kInternal = 1, kServer, kClient, kProducer, kConsumer };  // numbers of OTLP
    std::string trace, id, parent;                                                             // hex; parent "" = the first one
    std::string name;                                                                          // ours: route, queue
    Kind kind = Kind::kConsumer;
    std::uint64_t start = 0, end = 0;                               // nanoseconds since 1970
    std::vector<std::pair<std::string, std::string>> attributes{};  // no payload, no person's identifier
    std::string failed{};                                           // error code; "" = it went well
};

void enable(std::size_t most);
bool enabled();
void push(Span span);
std::vector<Span> take(std::size_t most);  // oldest first
std::uint64_t dropped();

}  // namespace clrbus::spans
