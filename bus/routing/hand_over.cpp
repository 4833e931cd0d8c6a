#include "routing/hand_over.hpp"

#include <charconv>

#include "core/error.hpp"
#include "routing/route.hpp"

namespace clrbus {
namespace {

std::uint32_t hops_of(const Headers& headers) {
    const std::string_view text = headers.get(kHops);
    std::uint32_t hops = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), hops);
    // A count that is no number is nobody's who counts right: it counts as used up.
    return text.empty() ? 0 : read.ec == std::errc() && read.ptr == text.data() + text.size() ? hops : kMostHops;
}

}  // namespace

Headers output_headers(const Work& work) {
    Headers out = work.headers;
    out.set(header::kRoute, work.route.id());
    out.set(header::kGeneration, std::to_string(work.route.generation));
    out.set(header::kSourceNumber, std::to_string(work.source_number));
    out.set(header::kParent, work.id);
    return out;
}

LeavingBody leaving_body(const Work& work) {
    if (work.parsed) return {work.document.write(), "application/xml"};
    if (!work.media_type.empty()) return {std::string(work.body), work.media_type};
    return {std::string(work.body), work.message != nullptr ? work.message->content_type() : std::string()};
}

void hand_over(Work& work, const std::string& route, std::string_view step, const LeavingBody& body) {
    const std::uint32_t hops = hops_of(work.headers);
    if (hops >= kMostHops)
        throw Error(Fault::kPoison, "ROUTE-120", "handing over to route '" + route + "'",
                    "the message has passed " + std::to_string(kMostHops) + " routes already: routes send to each other");
    Put put;
    put.queue = "in/" + route;
    put.headers = output_headers(work);
    put.headers.remove(header::kPosition);
    put.headers.set(kHops, std::to_string(hops + 1));
    put.message = MessageBuilder().message_id(output_id(work, step)).content_type(body.content_type).build(body.bytes);
    work.outputs.push_back(std::move(put));
    work.ledger.push_back({route, Outcome::kAccepted, 1});
}

}  // namespace clrbus
