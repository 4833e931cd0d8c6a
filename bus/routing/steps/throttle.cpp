// throttle: at most so many messages in a period, evenly, for the whole step or for each key. A message that comes too early
// gets the next free slot and waits for it in the step's queue: other routes' workers never wait, and a restart finds the slots
// that are taken.
#include <map>
#include <mutex>

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
        const std::int64_t slot = take_slot(work, key, now);
        if (slot <= now) return Flow::kNext;
        Headers facts;
        facts.set(wait_header::kDue, std::to_string(slot));
        if (!key.empty()) facts.set(wait_header::kKey, key);
        return park(work, facts);
    }

private:
    // Milliseconds. next_ holds when the next slot begins, in microseconds.
    std::int64_t take_slot(const Work& work, const std::string& key, std::int64_t now) const {
        const std::lock_guard lock(mutex_);
        auto found = next_.find(key);
        if (found == next_.end()) {
            if (next_.size() >= kMostKeys)
                std::erase_if(next_, [now](const auto& entry) { return entry.second <= now * 1000; });
            found = next_.emplace(key, behind_waiting(work, key)).first;
        }
        const std::int64_t begins = std::max(found->second, now * 1000);
        found->second = begins + slot_us_;
        return std::max(now, (begins - ahead_us_ + 999) / 1000);
    }

    // After a start: behind those that wait already.
    std::int64_t behind_waiting(const Work& work, const std::string& key) const {
        const StepKeeper& keeper = *work.services->keeper;
        std::int64_t last = 0;
        keeper.state().read([&](storage::StepTables& tables) {
            last = tables.last_due(keeper.number(queue(work.route.id())), crypto::from_hex(key).value_or(""));
        });
        return last == 0 ? 0 : last * 1000 + ahead_us_ + slot_us_;
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
