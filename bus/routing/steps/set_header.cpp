// set-header: a header of the message that follows, from fixed text or an expression.
#include "config/config.hpp"
#include "core/error.hpp"
#include "routing/assets.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kMaxHeaderValue = 4096;

class SetHeader : public Step {
public:
    SetHeader(std::string name, std::string value, std::shared_ptr<const XPath> select)
        : name_(std::move(name)), value_(std::move(value)), select_(std::move(select)) {}

    Flow apply(Work& work) const override {
        const std::string value = select_ ? select_->string(work.document, work.variables(*select_)) : value_;
        if (value.size() > kMaxHeaderValue)
            throw Error(Fault::kPoison, "ROUTE-102", "setting header '" + name_ + "'", "longer than 4096 bytes");
        work.headers.set(name_, value);
        return Flow::kNext;
    }
    bool reads_only() const override { return true; }

private:
    std::string name_, value_;
    std::shared_ptr<const XPath> select_;
};

}  // namespace

std::unique_ptr<Step> make_set_header(const Config& element, RouteAssets& assets, const StepPlace&) {
    const std::string name = element.require("name");
    if (name.rfind("clrbus-", 0) == 0 || name == header::kTrace)
        element.fail("ROUTE-021", "name", "'" + name + "' is the bus's own");
    if (element.has("value") == element.has("select")) element.fail("ROUTE-020", "set-header has a value or a select");
    return std::make_unique<SetHeader>(name, element.get("value"),
                                       element.has("select") ? assets.xpath(element, "select") : nullptr);
}

}  // namespace clrbus
