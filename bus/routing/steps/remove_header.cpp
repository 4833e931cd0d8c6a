// remove-header: a header that what follows shall not see.
#include "config/config.hpp"
#include "core/headers.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class RemoveHeader : public Step {
public:
    explicit RemoveHeader(std::string name) : name_(std::move(name)) {}

    Flow apply(Work& work) const override {
        work.headers.remove(name_);
        return Flow::kNext;
    }
    bool reads_only() const override { return true; }

private:
    std::string name_;
};

}  // namespace

std::unique_ptr<Step> make_remove_header(const Config& element, RouteAssets&, const StepPlace&) {
    const std::string name = element.require("name");
    if (name.rfind("clrbus-", 0) == 0 || name == header::kTrace)
        element.fail("ROUTE-021", "name", "'" + name + "' is the bus's own");
    return std::make_unique<RemoveHeader>(name);
}

}  // namespace clrbus
