// transform: message translator by stylesheet.
#include <map>

#include "config/config.hpp"
#include "core/counters.hpp"
#include "routing/assets.hpp"
#include "routing/route.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class Transform : public Step {
public:
    struct Parameter {
        std::string name, value;
        std::shared_ptr<const XPath> select;
    };
    Transform(std::shared_ptr<const Transformer> transformer, std::vector<Parameter> parameters, std::string zone)
        : transformer_(std::move(transformer)), parameters_(std::move(parameters)), zone_(std::move(zone)) {}

    Flow apply(Work& work) const override {
        std::map<std::string, std::string> values{{"route", work.route.id()},
                                                  {"system", work.route.system()},
                                                  {"component", work.route.component()},
                                                  {"steward", work.route.steward()},
                                                  {"zone", zone_},
                                                  {"name", std::string(work.headers.get(header::kName))},
                                                  {"accepted-at", std::string(work.headers.get(header::kAcceptedAt))}};
        for (const Parameter& parameter : parameters_) {
            values[parameter.name] =
                parameter.select ? parameter.select->string(work.document, work.variables(*parameter.select)) : parameter.value;
        }
        std::vector<TransformMessage> messages;
        work.document = transformer_->transform(work.document, values, &messages);
        work.validated = false;
        if (!messages.empty()) counter("clrbus_transform_warnings_total").add(static_cast<std::int64_t>(messages.size()));
        return Flow::kNext;
    }

private:
    std::shared_ptr<const Transformer> transformer_;  // shared by all routes that name this stylesheet
    std::vector<Parameter> parameters_;
    std::string zone_;
};

}  // namespace

std::unique_ptr<Step> make_transform(const Config& element, RouteAssets& assets, const StepPlace&) {
    std::vector<Transform::Parameter> parameters;
    for (const Config& child : element.children("param")) {
        if (child.has("value") == child.has("select")) child.fail("ROUTE-020", "a param has a value or a select");
        parameters.push_back(
            {child.require("name"), child.get("value"), child.has("select") ? assets.xpath(child, "select") : nullptr});
    }
    return std::make_unique<Transform>(assets.transformer(element, element.require("stylesheet")), std::move(parameters),
                                       assets.folders().zone);
}

}  // namespace clrbus
