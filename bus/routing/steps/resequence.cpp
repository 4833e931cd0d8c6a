// resequence: resequencer. Messages of one correlation go on in the order of their number: in a stream each as soon as all
// before it have gone on, in a batch all at once when the batch is complete.
#include <charconv>
#include <cmath>

#include "config/config.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "routing/assets.hpp"
#include "routing/route.hpp"
#include "routing/stateful.hpp"

namespace clrbus {
namespace {

constexpr double kMostNumber = 9007199254740991.0;  // what an XPath number holds exactly
constexpr std::string_view kSequenceBatch = "batch", kSequenceGap = "gap-dead", kSequenceLate = "late-dead",
                           kSequenceLateDrop = "late-drop", kSequenceLatePass = "late-pass", kSequenceSame = "same";

std::int64_t sequence_fact(const BrowsedMessage& message, std::string_view name) {
    const std::string_view text = message.headers.get(name);
    std::int64_t out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
}

class Resequence : public StatefulStep {
public:
    Resequence(const Config& element, RouteAssets& assets)
        : StatefulStep(element),
          correlation_(element.has("correlation") ? assets.xpath(element, "correlation") : nullptr),
          number_(assets.xpath(element, "number")),
          size_(element.has("size") ? assets.xpath(element, "size") : nullptr),
          start_(element.get_int("start", 1)),
          gap_(element.get_duration("gap", std::chrono::minutes(10))),
          forget_(element.get_duration("forget", std::chrono::hours(24 * 30))),
          most_(static_cast<std::uint64_t>(element.get_int("most", 10'000))),
          gap_dead_(element.get("on-gap") == "dead"),
          late_(element.get("late", "dead")) {
        const bool batch = element.get("mode") == "batch";
        if (batch != (size_ != nullptr)) element.fail("ROUTE-055", "a batch has a size, and a stream has none");
    }

    Flow apply(Work& work) const override {
        const auto variables = work.variables();
        Headers facts;
        facts.set(wait_header::kNumber, std::to_string(whole_number(*number_, work, variables, 0)));
        if (size_) facts.set(wait_header::kSize, std::to_string(whole_number(*size_, work, variables, 1)));
        facts.set(wait_header::kKey, key_hash(work, correlation_ ? correlation_->string(work.document, variables) : "all"));
        if (work.services == nullptr || work.services->keeper == nullptr) return Flow::kNext;
        return park(work, facts);
    }

    void take(Look& look, const BrowsedMessage& message) const override {
        storage::StepMember member = member_of(look, message);
        const std::string correlation = member.key;
        member.key.clear();
        member.due = 0;
        auto group = look.tables.open_group(look.step, correlation);
        if (!group) {
            group.emplace();
            group->correlation = correlation;
            group->first_at = look.now_ms();
            group->first_sequence = member.sequence;
            group->next = start_;
            group->instance = look.tables.add_group(look.step, *group);
        }
        if (look.tables.has_id(group->instance, member.id_hash)) return alone(look, member, kSequenceSame);
        if (member.number < group->next || look.tables.has_number(group->instance, member.number)) {
            return alone(look, member,
                         late_ == "pass"   ? kSequenceLatePass
                         : late_ == "drop" ? kSequenceLateDrop
                                           : kSequenceLate);
        }
        member.instance = group->instance;
        look.tables.add(look.step, member);
        ++group->members;
        group->last_at = look.now_ms();
        if (size_) {
            group->wanted = sequence_fact(message, wait_header::kSize);
            if (group->due == 0) group->due = look.now_ms() + gap_.count();
            if (group->members >= static_cast<std::uint64_t>(group->wanted) || group->members >= most_) {
                return close_batch(look, *group, kSequenceBatch);
            }
            return look.tables.save(*group);
        }
        advance(look, *group);
        if (group->members >= most_) skip(look, *group);
        look.tables.save(*group);
    }

    void on_time(Look& look) const override {
        for (storage::StepGroup& group : look.tables.due_groups(look.step, look.now_ms(), 1000)) {
            if (group.members == 0) {
                look.tables.remove_group(group.instance);  // silent for so long that it is forgotten
                continue;
            }
            if (size_) {
                close_batch(look, group, gap_dead_ ? kSequenceGap : kSequenceBatch);
                continue;
            }
            if (gap_dead_) {
                bury(look, group);
            } else {
                skip(look, group);
            }
            look.tables.save(group);
        }
    }

    Unit settle(const Settle& parts, const storage::StepGroup& group, std::vector<BrowsedMessage> messages) const override {
        Unit unit;
        for (const BrowsedMessage& message : messages) {
            if (group.why == kSequenceGap) {
                dead(unit, parts, message,
                     Error(Fault::kPoison, "STEP-015", "resequencing", "a number before it did not come in time"));
            } else if (group.why == kSequenceLate) {
                dead(unit, parts, message,
                     Error(Fault::kPoison, "STEP-016", "resequencing", "its number has gone on already, or waits already"));
            } else if (group.why == kSequenceLateDrop || group.why == kSequenceSame) {
                end(unit, parts, message, group.why == kSequenceSame ? Outcome::kDuplicate : Outcome::kDiscarded,
                    "its number has gone on already, or waits already");
            } else {
                go_on(unit, parts, message);
                // From here its place among the others is the one in which it goes on.
                unit.outputs.back().headers.remove(header::kSourceNumber);
            }
        }
        return unit;
    }

    void finished(Look& look, const storage::StepGroup& group) const override {
        if (group.state == storage::StepGroup::State::kClosing) return StatefulStep::finished(look, group);
        auto now = look.tables.open_group(look.step, group.correlation);
        if (!now || now->next != group.next) return;  // it went on meanwhile
        now->state = storage::StepGroup::State::kOpen;
        look.tables.save(*now);
    }

private:
    static std::int64_t whole_number(const XPath& expression, const Work& work, const XPath::Variables& variables,
                                     double least) {
        const double value = expression.number(work.document, variables);
        if (!(value >= least) || value > kMostNumber || value != std::floor(value)) {
            throw Error(Fault::kPoison, "STEP-005", "resequencing", "the number is not a whole number")
                .expected("a whole number at " + expression.expression());
        }
        return static_cast<std::int64_t>(value);
    }

    // All that stand in a row from next on may go; then the wait for the first one that is missing begins.
    void advance(Look& look, storage::StepGroup& group) const {
        const std::int64_t before = group.next;
        while (look.tables.has_number(group.instance, group.next)) {
            ++group.next;
            --group.members;
        }
        if (group.next != before) group.state = storage::StepGroup::State::kReleasing;
        if (group.members == 0) {
            group.due = look.now_ms() + forget_.count();
        } else if (group.next != before || group.due == 0 || group.members == 1) {
            group.due = look.now_ms() + gap_.count();
        }
    }

    // What is missing is given up.
    void skip(Look& look, storage::StepGroup& group) const {
        const auto first = look.tables.lowest_number(group.instance, group.next);
        if (!first) return;
        counter("clrbus_resequence_skipped_total{route=\"" + look.route.id() + "\"}").add(*first - group.next);
        log::warn("steps", "'" + look.queue + "': " + std::to_string(*first - group.next) + " numbers did not come in time");
        group.next = *first;
        advance(look, group);
    }

    void bury(Look& look, storage::StepGroup& group) const {
        const auto last = look.tables.highest_number(group.instance);
        if (!last) return;
        storage::StepGroup grave;
        grave.correlation = group.correlation;
        grave.state = storage::StepGroup::State::kClosing;
        grave.why = kSequenceGap;
        grave.members = group.members;
        grave.first_sequence = group.first_sequence;
        look.tables.move(look.step, group.instance, group.next, look.tables.add_group(look.step, grave));
        group.next = *last + 1;
        group.members = 0;
        group.due = look.now_ms() + forget_.count();
    }

    static void close_batch(Look& look, storage::StepGroup& group, std::string_view why) {
        group.state = storage::StepGroup::State::kClosing;
        group.why = why;
        look.tables.save(group);
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

    std::shared_ptr<const XPath> correlation_, number_, size_;
    std::int64_t start_;
    std::chrono::milliseconds gap_, forget_;
    std::uint64_t most_;
    bool gap_dead_;
    std::string late_;
};

}  // namespace

std::unique_ptr<Step> make_resequence(const Config& element, RouteAssets& assets, const StepPlace&) {
    return std::make_unique<Resequence>(element, assets);
}

}  // namespace clrbus
