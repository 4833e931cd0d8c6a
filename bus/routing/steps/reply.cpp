// reply: return address. What the route made of a request goes to whoever asked, under the request's correlation-id.
#include "config/config.hpp"
#include "core/error.hpp"
#include "routing/continuation.hpp"
#include "routing/hand_over.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kReplyQueues = "reply/";

class ReplyStep : public Step {
public:
    // The queue that waits for it is where the asking route runs.
    bool needs_local_state() const override { return true; }

    Flow apply(Work& work) const override {
        const std::string to(work.headers.get(kReplyTo)), correlation(work.headers.get(kCorrelationId));
        if (work.services == nullptr || work.services->queues == nullptr) return Flow::kDone;  // a dry run has no effect
        if (!to.starts_with(kReplyQueues) || correlation.empty())
            throw Error(Fault::kPoison, "ROUTE-139", "replying", "the message is no request: nobody waits for a reply")
                .expected("a message that <request-reply> sent here");
        if (!work.services->queues->exists(to))
            throw Error(Fault::kPoison, "ROUTE-140", "replying", "the step that asked is gone");
        const LeavingBody body = leaving_body(work);
        Put put;
        put.queue = to;
        put.headers = output_headers(work);
        remove_reply_headers(put.headers);
        put.message = MessageBuilder()
                          .message_id(output_id(work, name()))
                          .correlation_id(correlation)
                          .content_type(body.content_type)
                          .build(body.bytes);
        work.outputs.push_back(std::move(put));
        return Flow::kDone;
    }
};

}  // namespace

std::unique_ptr<Step> make_reply(const Config&, RouteAssets&, const StepPlace&) {
    return std::make_unique<ReplyStep>();
}

}  // namespace clrbus
