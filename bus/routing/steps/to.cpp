// to: a sink. <records/> validates the canonical message here, so that what is wrong lands in this route's dead letters;
// <route/> hands the message to the inbox of another route; an element of an adapter puts it into the queue of that endpoint.
#include "config/config.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "routing/apply_header.hpp"
#include "routing/assets.hpp"
#include "routing/canonical.hpp"
#include "routing/dead_edit.hpp"
#include "routing/hand_over.hpp"
#include "routing/route.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class ToRecords : public Step {
public:
    explicit ToRecords(std::shared_ptr<const Schemas> schema) : schema_(std::move(schema)) {}

    Flow apply(Work& work) const override {
        schema_->validate(work.document);
        std::string body = work.document.write();
        ApplyHeader apply = read_apply_header(work.document.root());
        apply.content_sha256 = crypto::sha256_hex(body);
        apply.authority = work.route.steward();
        apply.identity_authority = work.route.identity_authority();
        apply.match = work.route.match();
        apply.correction = correction_of(work.headers);
        Put put;
        put.queue = "records";
        put.headers = output_headers(work);
        put.headers.set(header::kApply, apply.encode());
        put.message = MessageBuilder().message_id(output_id(work, name())).content_type("application/xml").build(body);
        work.outputs.push_back(std::move(put));
        work.ledger.push_back({"records", Outcome::kTaken, 1});
        return Flow::kDone;
    }

private:
    std::shared_ptr<const Schemas> schema_;  // shared by all routes
};

class ToRoute : public Step {
public:
    explicit ToRoute(std::string route) : route_(std::move(route)) {}

    Flow apply(Work& work) const override {
        hand_over(work, route_, name(), leaving_body(work));
        return Flow::kDone;
    }

private:
    std::string route_;
};

// Into the queue of an adapter's endpoint (routing/outbox.hpp), in the Unit of all that the message causes.
class ToEndpoint : public Step {
public:
    explicit ToEndpoint(std::string name) : name_(std::move(name)) {}

    Flow apply(Work& work) const override {
        LeavingBody body = leaving_body(work);
        Put put;
        put.queue = "out/" + work.route.id() + "/" + name_;
        put.headers = output_headers(work);
        put.message = MessageBuilder().message_id(output_id(work, name())).content_type(body.content_type).build(body.bytes);
        work.ledger.push_back({put.queue, Outcome::kTaken, 1});
        work.outputs.push_back(std::move(put));
        return Flow::kDone;
    }

private:
    std::string name_;  // of the endpoint
};

}  // namespace

std::unique_ptr<Step> make_to(const Config& element, RouteAssets& assets, const StepPlace&) {
    for (const Config& sink : element.children()) {
        if (sink.name() == "records") return std::make_unique<ToRecords>(assets.learner_record());
        if (sink.name() == "route") return std::make_unique<ToRoute>(sink.require("id"));
    }
    if (adapter_element(element)) return std::make_unique<ToEndpoint>(route_endpoint("", element).name);
    element.fail("ROUTE-022", "no sink that this build knows");
}

}  // namespace clrbus
