// marshal: the document to bytes, as the far side reads them. What follows gets these bytes: a sink sends them, and a step that
// needs a document needs a parse first.
#include <utility>

#include "config/config.hpp"
#include "routing/assets.hpp"
#include "routing/format.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class Marshal : public Step {
public:
    explicit Marshal(FormatPlan plan) : plan_(std::move(plan)) {}

    Flow apply(Work& work) const override {
        if (!work.parsed) return Flow::kNext;  // it goes on here as the bytes that it was
        work.marshal(plan_.write(work.document), plan_.media_type());
        return Flow::kNext;
    }

    bool leaves_document(bool) const override { return false; }

private:
    FormatPlan plan_;
};

}  // namespace

std::unique_ptr<Step> make_marshal(const Config& element, RouteAssets& assets, const StepPlace&) {
    return std::make_unique<Marshal>(FormatPlan::read(element, assets));
}

}  // namespace clrbus
