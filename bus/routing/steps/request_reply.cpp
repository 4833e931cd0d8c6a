// request-reply to an endpoint (to queues: request_reply_queue.cpp): the message is a request to an endpoint, and what it
// answers goes on in its place. The request waits in the route's inbox until it is answered: a restart loses nothing, and asks
// again under the same id. An answer that comes after the time-out is dropped; the request goes out again.
#include <utility>

#include "config/config.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "routing/answer.hpp"
#include "routing/assets.hpp"
#include "routing/endpoints.hpp"
#include "routing/hand_over.hpp"
#include "routing/route.hpp"
#include "routing/step.hpp"
#include "routing/steps/request_reply_queue.hpp"

namespace clrbus {
namespace {

class RequestReply : public Step {
public:
    struct Options {
        std::string endpoint, format;
        Config element;  // of the adapter
        std::chrono::milliseconds timeout{};
    };
    explicit RequestReply(Options options) : options_(std::move(options)) {}

    Flow apply(Work& work) const override {
        if (work.services == nullptr || work.services->endpoints == nullptr) return Flow::kNext;  // a dry run has no effect
        LeavingBody body = leaving_body(work);
        Question question;
        question.id = name_uuid(kOutputNamespace, work.id + "\n" + work.route.id() + "\n" + name());
        question.body = std::move(body.bytes);
        question.content_type = std::move(body.content_type);
        question.headers = work.headers;
        work.headers.set("request-id", question.id);
        const auto endpoint = work.services->endpoints->asked(work.route.id(), options_.endpoint, options_.element);
        const Reply reply = endpoint->ask(std::move(question), options_.timeout, work.route.attempts());
        if (reply.nothing)
            throw Error(Fault::kPoison, "ROUTE-138", "asking '" + options_.endpoint + "'",
                        "it says that there is no such thing");
        work.document = read_answer(options_.endpoint, options_.format, reply.body, reply.content_type);
        work.parsed = true;
        work.validated = false;
        return Flow::kNext;
    }
    std::vector<Effect> effects() const override { return {{"asks", options_.endpoint}}; }

private:
    const Options options_;
};

}  // namespace

std::unique_ptr<Step> make_request_reply(const Config& element, RouteAssets& assets, const StepPlace& place) {
    const bool over_queues = element.child("route") || element.child("queue");
    if (over_queues) return make_request_reply_queue(element, assets, place);
    for (const char* name : {"most-bytes", "remember", "id", "most-waiting"}) {
        if (element.has(name)) element.fail("ROUTE-141", std::string(name) + " is of a request to a <route> or <queue>");
    }
    if (element.child("no-reply")) element.fail("ROUTE-141", "no-reply is of a request to a <route> or <queue>");
    RequestReply::Options options;
    options.endpoint = element.require("name");
    options.element = adapter_element(element);
    if (!options.element) element.fail("ROUTE-137", "an endpoint element of an adapter is asked");
    options.timeout = element.get_duration("timeout", std::chrono::seconds(30));
    options.format = element.get("format");
    return std::make_unique<RequestReply>(std::move(options));
}

}  // namespace clrbus
