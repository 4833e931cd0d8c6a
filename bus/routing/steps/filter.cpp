// filter: message filter. What does not pass is counted as filtered, with the reason.
#include "config/config.hpp"
#include "routing/assets.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class Filter : public Step {
public:
    Filter(std::shared_ptr<const XPath> test, std::string reason) : test_(std::move(test)), reason_(std::move(reason)) {}

    Flow apply(Work& work) const override {
        if (test_->test(work.document, work.variables(*test_))) return Flow::kNext;
        work.filtered = reason_;
        return Flow::kDone;
    }
    bool reads_only() const override { return true; }

private:
    std::shared_ptr<const XPath> test_;
    std::string reason_;
};

}  // namespace

std::unique_ptr<Step> make_filter(const Config& element, RouteAssets& assets, const StepPlace&) {
    return std::make_unique<Filter>(assets.xpath(element, "test"), element.require("reason"));
}

}  // namespace clrbus
