// routing-slip: a header holds the routes that the message still has to visit; each hop takes the next one off. A message whose
// slip is used up goes on with the steps behind.
#include <set>
#include <sstream>

#include "config/config.hpp"
#include "core/error.hpp"
#include "routing/assets.hpp"
#include "routing/hand_over.hpp"
#include "routing/name_list.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class RoutingSlip : public Step {
public:
    RoutingSlip(std::string slip, std::set<std::string, std::less<>> allowed)
        : header_(std::move(slip)), allowed_(std::move(allowed)) {}

    Flow apply(Work& work) const override {
        const auto names = names_in(work.headers.get(header_), "reading the routing slip");
        if (names.empty()) {
            work.headers.remove(header_);
            return Flow::kNext;
        }
        // All of it is judged at the first hop, so that a message does not get half its way.
        for (const std::string_view one : names) {
            if (allowed_.find(one) == allowed_.end())
                throw Error(Fault::kPoison, "ROUTE-121", "reading the routing slip", "a name that is not allowed here");
        }
        const std::string next(names.front());
        std::string rest;
        for (std::size_t i = 1; i < names.size(); ++i) {
            if (!rest.empty()) rest += ' ';
            rest += names[i];
        }
        work.headers.set(header_, rest);
        hand_over(work, next, name(), leaving_body(work));
        return Flow::kDone;
    }

private:
    std::string header_;
    std::set<std::string, std::less<>> allowed_;
};

}  // namespace

std::unique_ptr<Step> make_routing_slip(const Config& element, RouteAssets&, const StepPlace& place) {
    const std::string slip = element.get("header", "routing-slip");
    if (slip.rfind("clrbus-", 0) == 0 || slip == header::kTrace)
        element.fail("ROUTE-021", "header", "'" + slip + "' is the bus's own");
    if (place.last) element.fail("ROUTE-017", "a message whose slip is used up ends nowhere: a <to> follows");
    std::istringstream in(element.require("allowed"));
    std::set<std::string, std::less<>> allowed;
    for (std::string one; in >> one;) allowed.insert(one);
    return std::make_unique<RoutingSlip>(slip, std::move(allowed));
}

}  // namespace clrbus
