// choose: content-based router.
#include <algorithm>

#include "config/config.hpp"
#include "core/error.hpp"
#include "routing/assets.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class Choose : public Step {
public:
    struct Branch {
        std::shared_ptr<const XPath> test;  // null: otherwise
        Steps steps;
    };
    explicit Choose(std::vector<Branch> branches) : branches_(std::move(branches)) {}

    Flow apply(Work& work) const override {
        for (const Branch& branch : branches_) {
            if (!branch.test || branch.test->test(work.document, work.variables(*branch.test)))
                return apply_steps(branch.steps, work);
        }
        throw Error(Fault::kPoison, "ROUTE-101", "choosing", "no <when> holds and there is no <otherwise>");
    }

    std::vector<const Steps*> branches() const override {
        std::vector<const Steps*> out;
        out.reserve(branches_.size());
        for (const Branch& branch : branches_) out.push_back(&branch.steps);
        return out;
    }
    bool reads_only() const override {
        return std::all_of(branches_.begin(), branches_.end(), [](const Branch& branch) {
            return std::all_of(branch.steps.begin(), branch.steps.end(), [](const auto& step) { return step->reads_only(); });
        });
    }

private:
    std::vector<Branch> branches_;
};

}  // namespace

std::unique_ptr<Step> make_choose(const Config& element, RouteAssets& assets, const StepPlace& place) {
    std::vector<Choose::Branch> branches;
    std::size_t number = 0;
    for (const Config& child : element.children()) {
        Choose::Branch branch;
        if (child.name() == "when") branch.test = assets.xpath(child, "test");
        branch.steps = make_steps(child.children(), assets, place.inside(++number), place.parsed);
        branches.push_back(std::move(branch));
    }
    return std::make_unique<Choose>(std::move(branches));
}

}  // namespace clrbus
