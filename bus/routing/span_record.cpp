#include "routing/span_record.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/spans.hpp"

namespace clrbus {
namespace {

std::uint64_t span_nanoseconds(Time time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count()) * 1'000'000;
}

spans::Span span_of(const trace::Visit& visit, std::string trace, std::string parent) {
    spans::Span out;
    out.trace = std::move(trace);
    out.parent = std::move(parent);
    out.start = span_nanoseconds(visit.accepted == Time{} ? visit.ended : visit.accepted);
    out.end = std::max(out.start, span_nanoseconds(visit.ended));
    out.attributes = {{"clrbus.queue", visit.queue}, {"clrbus.sequence", std::to_string(visit.sequence)}};
    return out;
}

void add_outcome(spans::Span& span, const trace::Visit& visit) {
    span.attributes.emplace_back("clrbus.outcome", trace::to_string(visit.state));
    span.failed = visit.code;
}

}  // namespace

void record_route_span(const TakenMessage& message, std::string_view ours, std::string_view route, const trace::Visit& visit) {
    if (!spans::enabled()) return;
    const auto mine = spans::parse_context(ours);
    if (!mine || !mine->sampled) return;
    const auto above = spans::parse_context(message.headers.get(header::kTrace));
    const std::string parent = above ? above->parent : std::string();
    spans::Span wait = span_of(visit, mine->trace, parent);
    spans::Span work = span_of(visit, mine->trace, parent);
    work.start = std::max(work.start, work.end - std::min(work.end, visit.took * 1000));
    wait.end = work.start;
    wait.name = std::string(route) + " wait";
    wait.id = spans::parse_context(spans::child_context(ours, mine->parent + " wait"))->parent;
    work.name = route;
    work.id = mine->parent;
    work.attributes.emplace_back("clrbus.generation", std::to_string(visit.generation));
    work.attributes.emplace_back("clrbus.outputs", std::to_string(visit.outputs.size() + visit.more_outputs));
    add_outcome(work, visit);
    spans::push(std::move(wait));
    spans::push(std::move(work));
}

void record_endpoint_span(const TakenMessage& message, const trace::Visit& visit) {
    if (!spans::enabled()) return;
    const auto above = spans::parse_context(message.headers.get(header::kTrace));
    if (!above || !above->sampled) return;
    spans::Span out = span_of(visit, above->trace, above->parent);
    out.kind = spans::Span::Kind::kProducer;
    out.name = visit.queue;
    out.id =
        spans::parse_context(spans::child_context(message.headers.get(header::kTrace), visit.queue + "\n" + visit.id))->parent;
    add_outcome(out, visit);
    spans::push(std::move(out));
}

}  // namespace clrbus
