// delay: delayer. The message waits in the step's queue, for a fixed time or until the time that an expression names.
#include "config/config.hpp"
#include "core/error.hpp"
#include "routing/assets.hpp"
#include "routing/stateful.hpp"

namespace clrbus {
namespace {

class Delay : public StatefulStep {
public:
    Delay(const Config& element, RouteAssets& assets)
        : StatefulStep(element),
          for_(element.get_duration("for", {})),
          longest_(element.get_duration("longest", std::chrono::hours(24 * 366))),
          until_(element.has("until") ? assets.xpath(element, "until") : nullptr) {
        if (element.has("for") == element.has("until")) element.fail("ROUTE-052", "a delay has a for or an until");
    }

    Flow apply(Work& work) const override {
        if (work.services == nullptr || work.services->clock == nullptr) {
            if (until_) due(work, Time{});  // a dry run waits for nothing, and says what is no time
            return Flow::kNext;
        }
        const Time now = work.services->clock->now();
        const Time when = until_ ? due(work, now) : now + for_;
        if (when <= now) return Flow::kNext;
        Headers facts;
        facts.set(wait_header::kDue, std::to_string(when.time_since_epoch().count()));
        return park(work, facts);
    }

private:
    Time due(const Work& work, Time now) const {
        Time when{};
        try {
            when = from_rfc3339(until_->string(work.document, work.variables()));
        } catch (const Error&) {
            throw Error(Fault::kPoison, "STEP-001", "delaying", "the time to wait for is no time")
                .expected("a date and time with zone, as 2026-11-24T12:30:00Z");
        }
        if (now != Time{} && when - now > longest_)
            throw Error(Fault::kPoison, "STEP-002", "delaying", "the time to wait for is too far away")
                .expected("a time within the delay's longest");
        return when;
    }

    std::chrono::milliseconds for_, longest_;
    std::shared_ptr<const XPath> until_;
};

}  // namespace

std::unique_ptr<Step> make_delay(const Config& element, RouteAssets& assets, const StepPlace&) {
    return std::make_unique<Delay>(element, assets);
}

}  // namespace clrbus
