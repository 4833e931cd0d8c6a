// wire-tap: a copy goes its own way while the message goes on. The copy leaves in the message's own Unit; what fails on its way
// fails the copy alone.
#include "config/config.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "routing/route.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class WireTap : public Step {
public:
    explicit WireTap(Steps steps) : steps_(std::move(steps)) {}

    Flow apply(Work& work) const override {
        Work copy = work.fork();
        try {
            apply_steps(steps_, copy);
            work.join(std::move(copy));
        } catch (const Error& e) {
            // Nothing of the copy was caused yet. The message must not wait for it and must not be judged by it.
            log::warn("route", "wire-tap '" + name() + "' gave a copy up: " + e.code() + " at " + e.where().text());
            counter("clrbus_wire_tap_failed_total{route=\"" + work.route.id() + "\"}").add();
        }
        return Flow::kNext;
    }

    std::vector<const Steps*> branches() const override { return {&steps_}; }
    bool goes_on_behind() const override { return false; }

private:
    Steps steps_;
};

}  // namespace

std::unique_ptr<Step> make_wire_tap(const Config& element, RouteAssets& assets, const StepPlace& place) {
    const auto children = element.children();
    if (std::none_of(children.begin(), children.end(), leads_somewhere))
        element.fail("ROUTE-017", "the copy ends nowhere: there is no <to> in the wire-tap");
    return std::make_unique<WireTap>(make_steps(children, assets, place.position + ".", place.parsed));
}

}  // namespace clrbus
