// throttle: at most so many messages in a period, evenly, for the whole step or for each key. A message that comes too early
// gets the next free slot and waits for it in the step's queue: other routes' workers never wait. The next free slot is in
// state.db before the Unit that relies on it, so that a restart finds the slots that are taken; what became due while nothing
// ran goes on at the same distance, beginning now.
#include <map>
#include <mutex>
#include <utility>

#include "config/config.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "routing/assets.hpp"
#include "routing/route.hpp"
#include "routing/stateful.hpp"
#include "routing/step_keeper.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kMostKeys = 100'000;  // with a slot taken ahead; those without are forgotten
constexpr std::size_t kThrottleLook = 16;   // messages read at once

class Throttle : public StatefulStep {
public:
    Throttle(const Config& element, RouteAssets& assets)
        : StatefulStep(element), key_(element.has("key") ? assets.xpath(element, "key") : nullptr) {
        const auto per = element.get_duration("per", std::chrono::seconds(1));
        const std::int64_t rate = element.get_int("rate", 1), burst = element.get_int("burst", 1);
        if (per.count() == 0) element.fail("ROUTE-053", "per", "is no time");
        slot_us_ = std::max<std::int64_t>(1, per.count() * 1000 / rate);
        ahead_us_ = (burst - 1) * slot_us_;
    }

    Flow apply(Work& work) const override {
        if (work.services == nullptr || work.services->keeper == nullptr) return Flow::kNext;
        const std::string key = key_ ? key_hash(work, key_->string(work.document, work.variables())) : std::string();
        const std::int64_t now = work.services->clock->now().time_since_epoch().count();
        const auto [slot, next] = take_slot(work, key, now);
        const std::int64_t step = work.services->keeper->number(queue(work.route.id()));
        work.changes.emplace_back([step, key = from_hex(key), now, next = next](storage::StepTables& tables) {
            const auto known = tables.seen(step, key);
            if (!known || known->at < next) tables.see(step, key, {}, next);
            tables.forget_seen(step, now * 1000, kMostKeys);
        });
        if (slot <= now) return Flow::kNext;
        Headers facts;
        facts.set(wait_header::kDue, std::to_string(slot));
        if (!key.empty()) facts.set(wait_header::kKey, key);
        return park(work, facts);
    }

    void restore(Look& look) const override {
        for (;;) {  // all that waits, also what the keeper did not come to
            const auto messages = look.queues.browse(look.queue, look.tables.watermark(look.step) + 1, kThrottleLook);
            if (messages.empty()) break;
            for (const BrowsedMessage& message : messages) take(look, message);
            look.tables.watermark(look.step, messages.back().sequence);
        }
        for (const std::string& key : look.tables.begin_anew(look.step, look.now_ms())) {
            look.tables.see(look.step, key, {}, look.tables.last_due(look.step, key) * 1000 + ahead_us_ + slot_us_);
        }
    }

private:
    static std::string from_hex(const std::string& key) { return crypto::from_hex(key).value_or(std::string()); }

    // The message's slot in milliseconds, and where the next one begins, as next_ holds it: in microseconds.
    std::pair<std::int64_t, std::int64_t> take_slot(const Work& work, const std::string& key, std::int64_t now) const {
        const std::lock_guard lock(mutex_);
        auto found = next_.find(key);
        if (found == next_.end()) {
            if (next_.size() >= kMostKeys)
                std::erase_if(next_, [now](const auto& entry) { return entry.second <= now * 1000; });
            found = next_.emplace(key, behind_waiting(work, key)).first;
        }
        const std::int64_t begins = std::max(found->second, now * 1000);
        found->second = begins + slot_us_;
        return {std::max(now, (begins - ahead_us_ + 999) / 1000), found->second};
    }

    // After a start: behind the slots that are taken, and behind those that wait already.
    std::int64_t behind_waiting(const Work& work, const std::string& key) const {
        const StepKeeper& keeper = *work.services->keeper;
        std::int64_t last = 0, taken = 0;
        keeper.state().read([&](storage::StepTables& tables) {
            const std::int64_t step = keeper.number(queue(work.route.id()));
            last = tables.last_due(step, from_hex(key));
            if (const auto seen = tables.seen(step, from_hex(key))) taken = seen->at;
        });
        return last == 0 ? taken : std::max(taken, last * 1000 + ahead_us_ + slot_us_);
    }

    std::shared_ptr<const XPath> key_;
    std::int64_t slot_us_ = 0, ahead_us_ = 0;

    mutable std::mutex mutex_;  // guards next_
    mutable std::map<std::string, std::int64_t> next_;
};

}  // namespace

std::unique_ptr<Step> make_throttle(const Config& element, RouteAssets& assets, const StepPlace&) {
    return std::make_unique<Throttle>(element, assets);
}

}  // namespace clrbus
