// request-reply over queues: one Unit puts the request into the inbox of another route, or into ask/ROUTE/NAME for a responder
// outside, and the message into the step's queue. The reply finds it by its correlation-id, and one Unit settles both and puts
// the reply in the message's place; or the time-out settles it alone. Both are of one kind of group: the request opens it, and
// what comes first closes it, in one transaction of state.db.
#include "routing/steps/request_reply_queue.hpp"

#include <charconv>
#include <utility>

#include "adapter/adapter.hpp"
#include "config/config.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "routing/answer.hpp"
#include "routing/continuation.hpp"
#include "routing/hand_over.hpp"
#include "routing/receipts.hpp"
#include "routing/replay.hpp"
#include "routing/replies.hpp"
#include "routing/route.hpp"
#include "routing/stateful.hpp"

namespace clrbus {
namespace {

constexpr std::uint64_t kMostSettled = 1'000'000;
constexpr std::int64_t kMostReplyBytes = 1 << 20;
// Why a group closes. From kAskSame on: a message or reply that belongs to none.
constexpr std::string_view kAskReplied = "replied", kAskTimeout = "timeout", kAskSame = "same", kAskUnknown = "unknown",
                           kAskAgain = "again", kAskLate = "late";
constexpr std::string_view kSpooledBody = "clrbus-spooled";

std::string timed_out_key(const std::string& correlation) {
    return correlation + "timeout";
}

class RequestReplyQueue : public StatefulStep {
public:
    struct Options {
        std::string name, route, format;  // route: empty = ask/ROUTE/NAME
        std::chrono::milliseconds timeout{}, remember{};
        std::uint64_t most_bytes = 0;
        bool branch = false;  // <no-reply>
        Steps no_reply;
    };
    RequestReplyQueue(const Config& element, Options options) : StatefulStep(element), options_(std::move(options)) {}

    std::uint64_t most_reply_bytes() const override { return options_.most_bytes; }
    std::string asks_in(const std::string& route) const override {
        return options_.route.empty() ? "ask/" + route + "/" + options_.name : std::string();
    }
    std::vector<const Steps*> branches() const override {
        return options_.branch ? std::vector<const Steps*>{&options_.no_reply} : std::vector<const Steps*>();
    }

    Flow apply(Work& work) const override {
        if (work.services == nullptr || work.services->keeper == nullptr) return Flow::kNext;  // a dry run has no effect
        // The same message asks under the same id, before and after a crash.
        const std::string correlation = key_hash(work, work.id + "\n" + name());
        Headers facts;
        facts.set(wait_header::kKey, correlation);
        const Time due = work.services->clock->now() + options_.timeout;
        facts.set(wait_header::kDue, std::to_string(due.time_since_epoch().count()));
        const LeavingBody body = leaving_body(work);
        if (options_.route.empty()) {
            Put put;
            put.queue = asks_in(work.route.id());
            put.headers = output_headers(work);
            put.message = MessageBuilder().message_id(output_id(work, name())).build("");
            work.outputs.push_back(std::move(put));
        } else {
            hand_over(work, options_.route, name(), body);
        }
        Put& request = work.outputs.back();
        const std::string reply_to = reply_queue(work.route.id());
        request.headers.set(kReplyTo, reply_to);
        request.headers.set(kCorrelationId, correlation);
        // They are about the message that waits here.
        for (const std::string_view name : {kReceiptHeader, header::kOnly, header::kPosition}) request.headers.remove(name);
        request.message = MessageBuilder()
                              .message_id(request.message.message_id())
                              .reply_to(reply_to)
                              .correlation_id(correlation)
                              .content_type(body.content_type)
                              .build(body.bytes);
        return park(work, facts);
    }

    void take(Look& look, const BrowsedMessage& message) const override {
        storage::StepMember member = member_of(look, message);
        const std::string correlation = std::exchange(member.key, {});
        const std::int64_t due = std::exchange(member.due, 0);
        const bool reply = reply_kind(message.headers) != ReplyKind::kNone;
        auto group = correlation.empty() ? std::nullopt : look.tables.open_group(look.step, correlation);
        if (!reply) {
            if (group) return alone(look, member, kAskSame);
            group.emplace();
            group->correlation = correlation;
            group->first_at = look.now_ms();
            group->first_sequence = member.sequence;
            group->members = 1;
            group->due = due;
            member.instance = look.tables.add_group(look.step, *group);
            look.tables.add(look.step, member);
            return;
        }
        if (!group) {
            const bool known = !correlation.empty() && look.tables.completed(look.step, correlation);
            const bool late = known && look.tables.completed(look.step, timed_out_key(correlation));
            return alone(look, member, late ? kAskLate : known ? kAskAgain : kAskUnknown);
        }
        member.instance = group->instance;
        look.tables.add(look.step, member);
        ++group->members;
        close(look, *group, kAskReplied);
    }

    void on_time(Look& look) const override {
        for (storage::StepGroup& group : look.tables.due_groups(look.step, look.now_ms(), 1000)) {
            look.tables.complete(look.step, timed_out_key(group.correlation), look.now_ms());
            close(look, group, kAskTimeout);
        }
    }

    bool whole(const storage::StepGroup&) const override { return true; }

    Unit settle(const Settle& parts, const storage::StepGroup& group, std::vector<BrowsedMessage> messages) const override {
        Unit unit;
        if (group.why == kAskReplied) {
            replied(unit, parts, messages);
        } else if (group.why == kAskTimeout) {
            for (const BrowsedMessage& message : messages) timed_out(unit, parts, message);
        } else if (group.why == kAskSame) {
            for (const BrowsedMessage& message : messages)
                end(unit, parts, message, Outcome::kDuplicate, "the same message waits for its reply already");
        } else {
            for (const BrowsedMessage& message : messages) refuse(unit, parts, message, group.why);
        }
        return unit;
    }

private:
    // From here on a reply to it is late, or one too many.
    void close(Look& look, storage::StepGroup& group, std::string_view why) const {
        group.state = storage::StepGroup::State::kClosing;
        group.why = why;
        look.tables.save(group);
        look.tables.complete(look.step, group.correlation, look.now_ms());
        look.tables.forget_completed(look.step, look.now_ms() - options_.remember.count(), kMostSettled);
    }

    static void alone(Look& look, storage::StepMember& member, std::string_view why) {
        storage::StepGroup group;
        group.state = storage::StepGroup::State::kClosing;
        group.why = why;
        group.members = 1;
        group.first_sequence = member.sequence;
        member.instance = look.tables.add_group(look.step, group);
        look.tables.add(look.step, member);
    }

    void count(const Settle& parts, std::string_view how) const {
        counter("clrbus_request_reply_total{route=\"" + parts.route.id() + "\",name=\"" + options_.name + "\",end=\"" +
                std::string(how) + "\"}")
            .add();
    }

    void refuse(Unit& unit, const Settle& parts, const BrowsedMessage& message, const std::string& why) const {
        count(parts, why);
        log::warn("steps", "'" + parts.queue + "': a reply is dropped: " +
                               (why == kAskUnknown ? "nobody waits for its correlation-id"
                                : why == kAskLate  ? "it came after the time-out"
                                                   : "its request has been answered"));
        end(unit, parts, message, Outcome::kDiscarded, "a reply that nobody waits for: " + why);
    }

    void timed_out(Unit& unit, const Settle& parts, const BrowsedMessage& message) const {
        count(parts, kAskTimeout);
        if (!options_.branch) {
            dead(unit, parts, message,
                 Error(Fault::kPoison, "STEP-017", "waiting for the reply of '" + options_.name + "'",
                       "it did not come within the time-out"));
            return;
        }
        go_on(unit, parts, message);
        unit.outputs.back().headers.set(header::kAtStep, options_.no_reply.front()->name());
    }

    void replied(Unit& unit, const Settle& parts, const std::vector<BrowsedMessage>& messages) const {
        const BrowsedMessage *request = nullptr, *reply = nullptr;
        for (const BrowsedMessage& message : messages)
            (reply_kind(message.headers) == ReplyKind::kNone ? request : reply) = &message;
        if (request == nullptr || reply == nullptr) {  // one of them was taken away by hand
            if (reply != nullptr) refuse(unit, parts, *reply, std::string(kAskAgain));
            if (request != nullptr) timed_out(unit, parts, *request);
            return;
        }
        try {
            const std::string document = document_of(*reply);
            go_on(unit, parts, *request);
            Put& put = unit.outputs.back();
            put.headers.set(header::kAtBody, kDocumentBody);
            put.headers.remove(kSpooledBody);
            put.message =
                MessageBuilder().message_id(request->message.message_id()).content_type("application/xml").build(document);
            const Put into = put;
            end(unit, parts, *reply, Outcome::kAggregated, "", &into);
            count(parts, kAskReplied);
        } catch (const Error& e) {
            dead(unit, parts, *request, e);
            end(unit, parts, *reply, Outcome::kDiscarded, "a reply that cannot be used");
            count(parts, "refused");
        }
    }

    std::string document_of(const BrowsedMessage& reply) const {
        const std::string where = "reading the reply of '" + options_.name + "'";
        if (reply_kind(reply.headers) == ReplyKind::kLarge)
            throw Error(Fault::kPoison, "STEP-018", where, "it is larger than the step allows")
                .expected("at most " + std::to_string(options_.most_bytes) + " bytes");
        if (reply.message.body_kind() == Message::BodyKind::kStructured ||
            reply.message.body_kind() == Message::BodyKind::kNone)
            throw Error(Fault::kPoison, "ROUTE-136", where, "its body is no bytes and no text");
        return read_answer(options_.name, options_.format, reply.message.body_copy(), reply.message.content_type()).write();
    }

    const Options options_;
};

}  // namespace

std::unique_ptr<Step> make_request_reply_queue(const Config& element, RouteAssets& assets, const StepPlace& place) {
    RequestReplyQueue::Options options;
    options.name = element.require("name");
    if (const Config route = element.child("route")) options.route = route.require("id");
    options.format = element.get("format");
    options.timeout = element.get_duration("timeout", std::chrono::seconds(30));
    options.remember = element.get_duration("remember", std::chrono::hours(24 * 7));
    options.most_bytes = static_cast<std::uint64_t>(element.get_int("most-bytes", kMostReplyBytes));
    if (const Config branch = element.child("no-reply")) {
        options.branch = true;
        options.no_reply = make_steps(branch.children(), assets, place.inside(1), place.parsed);
    }
    return std::make_unique<RequestReplyQueue>(element, std::move(options));
}

}  // namespace clrbus
