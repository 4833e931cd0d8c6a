#include "core/spans.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>

#include "core/counters.hpp"
#include "core/ids.hpp"

namespace clrbus::spans {
namespace {

std::atomic<std::size_t> spans_most{0};  // 0: off
struct SpanRing {
    std::mutex mutex;
    std::deque<Span> waiting;
    std::uint64_t dropped = 0;
};
SpanRing& span_ring() {
    static SpanRing one;
    return one;
}

bool span_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
           text.find_first_not_of('0') != std::string_view::npos;
}

std::string span_digits(std::string_view seed) {
    std::string out = name_uuid(kOutputNamespace, "span\n" + std::string(seed));
    std::erase(out, '-');
    return out;
}

}  // namespace

std::optional<Context> parse_context(std::string_view text) {
    if (text.size() != 55 || text.substr(0, 3) != "00-" || text[35] != '-' || text[52] != '-') return {};
    const std::string_view trace = text.substr(3, 32), parent = text.substr(36, 16), flags = text.substr(53);
    if (!span_hex(trace) || !span_hex(parent) || flags.find_first_not_of("0123456789abcdef") != std::string_view::npos)
        return {};
    const char low = flags[1];
    const int digit = low <= '9' ? low - '0' : low - 'a' + 10;
    return Context{std::string(trace), std::string(parent), (digit & 1) != 0};
}

std::string child_context(std::string_view traceparent, std::string_view seed) {
    const auto above = parse_context(traceparent);
    const std::string trace = above ? above->trace : span_digits("trace\n" + std::string(seed));
    return "00-" + trace + "-" + span_digits(seed).substr(0, 16) + (!above || above->sampled ? "-01" : "-00");
}

void enable(std::size_t most) {
    spans_most = most;
}
bool enabled() {
    return spans_most.load(std::memory_order_relaxed) != 0;
}

void push(Span span) {
    static Counter& left_out = counter("clrbus_spans_dropped_total");
    const std::size_t most = spans_most.load(std::memory_order_relaxed);
    SpanRing& ring = span_ring();
    {
        const std::lock_guard lock(ring.mutex);
        if (ring.waiting.size() < most) {
            ring.waiting.push_back(std::move(span));
            return;
        }
        ++ring.dropped;
    }
    left_out.add();
}

std::vector<Span> take(std::size_t most) {
    SpanRing& ring = span_ring();
    const std::lock_guard lock(ring.mutex);
    const auto end = ring.waiting.begin() + static_cast<std::ptrdiff_t>(std::min(most, ring.waiting.size()));
    std::vector<Span> out(std::make_move_iterator(ring.waiting.begin()), std::make_move_iterator(end));
    ring.waiting.erase(ring.waiting.begin(), end);
    return out;
}

std::uint64_t dropped() {
    const std::lock_guard lock(span_ring().mutex);
    return span_ring().dropped;
}

}  // namespace clrbus::spans
