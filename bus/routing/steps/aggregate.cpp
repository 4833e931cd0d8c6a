// aggregate: aggregator. Messages of one correlation wait in the step's queue until their group is complete, by count, time or
// predicate; then one Unit settles them and puts one document that holds them.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "adapter/adapter.hpp"
#include "config/config.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "crypto/hash.hpp"
#include "routing/assets.hpp"
#include "routing/route.hpp"
#include "routing/stateful.hpp"
#include "xml/parser.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kMostOrderKey = 1024, kMostCorrelation = 1024;
constexpr std::uint64_t kRememberedMost = 1'000'000;
// Why a group closes. Those from kGroupLateDead on are groups of one message that belongs to none.
constexpr std::string_view kGroupCount = "count", kGroupTime = "time", kGroupPredicate = "predicate", kGroupFull = "full",
                           kGroupFullDead = "full-dead", kGroupLateDead = "late-dead", kGroupLateDrop = "late-drop",
                           kGroupSame = "same";

void append_attribute(std::string& out, std::string_view name, std::string_view value) {
    out += ' ';
    out += name;
    out += "=\"";
    out += xml_escaped(value);
    out += '"';
}

std::optional<double> as_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// Numbers by value and before texts, texts by bytes; what is equal stays as it came.
bool key_before(const BrowsedMessage& a, const BrowsedMessage& b) {
    const std::string_view left = a.headers.get(wait_header::kOrder), right = b.headers.get(wait_header::kOrder);
    const auto x = as_number(left), y = as_number(right);
    if (x && y) return *x < *y;
    if (x || y) return x.has_value();
    return left < right;
}

class Aggregate : public StatefulStep {
public:
    Aggregate(const Config& element, RouteAssets& assets)
        : StatefulStep(element),
          correlation_(assets.xpath(element, "correlation")),
          count_(element.has("count") ? assets.xpath(element, "count") : nullptr),
          predicate_(element.has("until") ? assets.xpath(element, "until") : nullptr),
          order_(element.has("order") ? assets.xpath(element, "order") : nullptr),
          after_first_(element.get_duration("after-first", {})),
          after_last_(element.get_duration("after-last", {})),
          remember_(element.get_duration("remember", std::chrono::hours(24 * 7))),
          most_(static_cast<std::uint64_t>(element.get_int("most", 1000))),
          most_bytes_(static_cast<std::uint64_t>(element.get_int("most-bytes", 8 << 20))),
          full_dead_(element.get("when-full") == "dead"),
          late_(element.get("late", "new-group")) {
        if (!count_ && !predicate_ && after_first_.count() == 0 && after_last_.count() == 0) {
            element.fail("ROUTE-054", "a group would never be complete: it has no count, until, after-first or after-last");
        }
    }

    Flow apply(Work& work) const override {
        const auto variables = work.variables();
        Headers facts;
        const std::string correlation = correlation_->string(work.document, variables);
        if (correlation.empty() || correlation.size() > kMostCorrelation) {
            throw Error(Fault::kPoison, "STEP-003", "aggregating", "the message has no correlation, or one of over 1024 bytes")
                .expected("a value at " + correlation_->expression());
        }
        facts.set(wait_header::kCorrelation, correlation);
        facts.set(wait_header::kKey, key_hash(work, correlation));
        if (count_) {
            const double count = count_->number(work.document, variables);
            if (!(count >= 1) || count > 1e9 || count != std::floor(count)) {
                throw Error(Fault::kPoison, "STEP-005", "aggregating", "the count of the group is no number from 1 on")
                    .expected("a whole number at " + count_->expression());
            }
            facts.set(wait_header::kSize, std::to_string(static_cast<std::int64_t>(count)));
        }
        if (order_) {
            const std::string key = order_->string(work.document, variables);
            if (key.size() > kMostOrderKey)
                throw Error(Fault::kPoison, "STEP-006", "aggregating", "the key to order by is longer than 1024 bytes");
            facts.set(wait_header::kOrder, key);
        }
        park(work, facts);
        if (work.outputs.back().message.size() > most_bytes_) {
            work.outputs.pop_back();
            work.goes_on = false;
            throw Error(Fault::kPoison, "STEP-007", "aggregating", "the message alone is larger than a group may be")
                .expected("at most " + std::to_string(most_bytes_) + " bytes");
        }
        return Flow::kDone;
    }

    void take(Look& look, const BrowsedMessage& message) const override {
        storage::StepMember member = member_of(look, message);
        const std::string correlation = member.key;
        member.key.clear();
        member.due = 0;
        const std::int64_t now = look.now_ms();
        auto group = look.tables.open_group(look.step, correlation);
        if (group && look.tables.has_id(group->instance, member.id_hash)) return alone(look, member, kGroupSame);
        if (group && (group->bytes + member.bytes > most_bytes_ || group->members >= most_)) {
            close(look, *group, full_dead_ ? kGroupFullDead : kGroupFull);
            group.reset();
        } else if (!group && late_ != "new-group" && look.tables.completed(look.step, correlation)) {
            return alone(look, member, late_ == "dead" ? kGroupLateDead : kGroupLateDrop);
        }
        if (!group) {
            group.emplace();
            group->correlation = correlation;
            group->first_at = now;
            group->first_sequence = member.sequence;
            group->instance = look.tables.add_group(look.step, *group);
        }
        member.instance = group->instance;
        look.tables.add(look.step, member);
        ++group->members;
        group->bytes += member.bytes;
        group->last_at = now;
        if (const auto size = as_number(message.headers.get(wait_header::kSize)))
            group->wanted = static_cast<std::int64_t>(*size);
        group->due = due(*group);
        if (group->wanted != 0 && group->members >= static_cast<std::uint64_t>(group->wanted)) {
            close(look, *group, kGroupCount);
        } else if (predicate_ && holds(look, *group)) {
            close(look, *group, kGroupPredicate);
        } else if (group->members >= most_) {
            close(look, *group, full_dead_ ? kGroupFullDead : kGroupFull);
        } else {
            look.tables.save(*group);
        }
    }

    void on_time(Look& look) const override {
        for (storage::StepGroup& group : look.tables.due_groups(look.step, look.now_ms(), 1000)) close(look, group, kGroupTime);
    }

    bool whole(const storage::StepGroup&) const override { return true; }

    Unit settle(const Settle& parts, const storage::StepGroup& group, std::vector<BrowsedMessage> messages) const override {
        Unit unit;
        if (group.why == kGroupFullDead) {
            const Error error(Fault::kPoison, "STEP-008", "aggregating", "the group became larger than the step allows");
            for (const BrowsedMessage& message : messages) dead(unit, parts, message, error);
        } else if (group.why == kGroupLateDead) {
            const Error error(Fault::kPoison, "STEP-009", "aggregating", "the group was complete when the message came");
            for (const BrowsedMessage& message : messages) dead(unit, parts, message, error);
        } else if (group.why == kGroupLateDrop || group.why == kGroupSame) {
            const bool same = group.why == kGroupSame;
            for (const BrowsedMessage& message : messages)
                end(unit, parts, message, same ? Outcome::kDuplicate : Outcome::kDiscarded,
                    same ? "the group has this message already" : "the group was complete when the message came");
        } else {
            Put whole = result(parts, group, messages);
            for (const BrowsedMessage& message : messages) end(unit, parts, message, Outcome::kAggregated, "", &whole);
            unit.outputs.push_back(std::move(whole));
            unit.ledger.push_back({parts.route.id(), Outcome::kMade, 1});
            counter("clrbus_aggregated_total{route=\"" + parts.route.id() + "\",by=\"" + group.why + "\"}").add();
        }
        return unit;
    }

    void finished(Look& look, const storage::StepGroup& group) const override {
        if (late_ != "new-group" && group.why != kGroupSame && group.why != kGroupLateDead && group.why != kGroupLateDrop) {
            look.tables.complete(look.step, group.correlation, look.now_ms());
            look.tables.forget_completed(look.step, look.now_ms() - remember_.count(), kRememberedMost);
        }
        StatefulStep::finished(look, group);
    }

private:
    std::int64_t due(const storage::StepGroup& group) const {
        std::int64_t when = 0;
        if (after_first_.count() != 0) when = group.first_at + after_first_.count();
        if (after_last_.count() != 0) {
            const std::int64_t last = group.last_at + after_last_.count();
            when = when == 0 ? last : std::min(when, last);
        }
        return when;
    }

    static void close(Look& look, storage::StepGroup& group, std::string_view why) {
        group.state = storage::StepGroup::State::kClosing;
        group.why = why;
        look.tables.save(group);
    }

    // A message that belongs to no group, as one of its own that closes at once: so its end survives a crash too.
    static void alone(Look& look, storage::StepMember& member, std::string_view why) {
        storage::StepGroup group;
        group.state = storage::StepGroup::State::kClosing;
        group.why = why;
        group.members = 1;
        group.first_sequence = member.sequence;
        member.instance = look.tables.add_group(look.step, group);
        look.tables.add(look.step, member);
    }

    bool holds(Look& look, const storage::StepGroup& group) const {
        std::vector<BrowsedMessage> messages;
        for (const storage::StepMember& member : look.tables.members(group.instance, most_)) {
            auto found = look.queues.browse(look.queue, member.sequence, 1);
            if (!found.empty() && found.front().sequence == member.sequence) messages.push_back(std::move(found.front()));
        }
        try {
            return predicate_->test(XmlParser().parse(document(group, kGroupPredicate, messages)));
        } catch (const Error& e) {
            log::warn("steps", std::string("the predicate of '") + look.queue + "': " + e.code());
            return false;
        }
    }

    std::string document(const storage::StepGroup& group, std::string_view why, std::vector<BrowsedMessage>& messages) const {
        if (order_) std::stable_sort(messages.begin(), messages.end(), key_before);
        std::string out;
        out.reserve(group.bytes + 256 * messages.size() + 256);
        out += "<aggregate";
        append_attribute(out, "correlation", messages.front().headers.get(wait_header::kCorrelation));
        append_attribute(out, "complete", why);
        append_attribute(out, "members", std::to_string(messages.size()));
        out += '>';
        for (const BrowsedMessage& message : messages) {
            out += "<member";
            append_attribute(out, "id", message.headers.get(wait_header::kId));
            append_attribute(out, "accepted-at", message.headers.get(header::kAcceptedAt));
            out += '>';
            out += message.message.body();
            out += "</member>";
        }
        out += "</aggregate>";
        return out;
    }

    Put result(const Settle& parts, const storage::StepGroup& group, std::vector<BrowsedMessage>& messages) const {
        Put put;
        put.queue = parts.route.inbox();
        put.headers = without_wait_facts(messages.front().headers);  // trace and original: of the first that came
        put.headers.remove(kReceiptHeader);
        put.headers.remove(header::kPosition);
        put.headers.set(header::kAtStep, next()->name());
        put.headers.set("clrbus-members", std::to_string(messages.size()));
        // The group speaks when its last member spoke.
        std::uint64_t last = 0;
        for (const BrowsedMessage& message : messages)
            last = std::max<std::uint64_t>(last, std::stoull("0" + std::string(message.headers.get(header::kSourceNumber))));
        put.headers.set(header::kSourceNumber, std::to_string(last));
        const std::string id = name_uuid(kOutputNamespace, parts.queue + "\n" + crypto::to_hex(group.correlation) + "\n" +
                                                               std::to_string(group.first_sequence));
        put.message =
            MessageBuilder().message_id(id).content_type("application/xml").build(document(group, group.why, messages));
        return put;
    }

    std::shared_ptr<const XPath> correlation_, count_, predicate_, order_;
    std::chrono::milliseconds after_first_, after_last_, remember_;
    std::uint64_t most_, most_bytes_;
    bool full_dead_;
    std::string late_;
};

}  // namespace

std::unique_ptr<Step> make_aggregate(const Config& element, RouteAssets& assets, const StepPlace&) {
    return std::make_unique<Aggregate>(element, assets);
}

}  // namespace clrbus
