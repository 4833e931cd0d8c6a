// validate: a tree against the schema of its root's namespace.
#include "config/config.hpp"
#include "routing/assets.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class Validate : public Step {
public:
    explicit Validate(std::shared_ptr<const Schemas> schemas) : schemas_(std::move(schemas)) {}

    Flow apply(Work& work) const override {
        if (work.validated) {
            work.validated = false;  // by the parse; a later validate judges what a transform made of it
            return Flow::kNext;
        }
        schemas_->validate(work.document);
        return Flow::kNext;
    }
    bool reads_only() const override { return true; }

private:
    std::shared_ptr<const Schemas> schemas_;  // shared by all routes that name these files
};

}  // namespace

std::unique_ptr<Step> make_validate(const Config& element, RouteAssets& assets, const StepPlace&) {
    return std::make_unique<Validate>(assets.schemas(element, element.require("schema")));
}

}  // namespace clrbus
