// multicast: every branch gets the message, each its own copy of the document. What they all cause is one Unit: all of it goes
// out, or, when one branch fails, nothing.
#include "config/config.hpp"
#include "core/error.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class Multicast : public Step {
public:
    explicit Multicast(std::vector<Steps> branches) : branches_(std::move(branches)) {}

    Flow apply(Work& work) const override {
        for (std::size_t i = 0; i + 1 < branches_.size(); ++i) {
            Work branch = work.fork();
            try {
                apply_steps(branches_[i], branch);
            } catch (const Error&) {
                work.headers.set(header::kDeadStep, branch.headers.get(header::kDeadStep));
                throw;
            }
            if (!branch.filtered.empty()) work.filtered = branch.filtered;
            work.join(std::move(branch));
        }
        apply_steps(branches_.back(), work);               // the last one takes the message itself: no copy
        if (!work.outputs.empty()) work.filtered.clear();  // a branch that filters does not make the message filtered
        return Flow::kDone;
    }

    std::vector<const Steps*> branches() const override {
        std::vector<const Steps*> out;
        out.reserve(branches_.size());
        for (const Steps& branch : branches_) out.push_back(&branch);
        return out;
    }
    bool goes_on_behind() const override { return false; }

private:
    std::vector<Steps> branches_;
};

}  // namespace

std::unique_ptr<Step> make_multicast(const Config& element, RouteAssets& assets, const StepPlace& place) {
    std::vector<Steps> branches;
    for (const Config& child : element.children()) {
        if (!leads_somewhere(child)) child.fail("ROUTE-017", "the branch ends nowhere: it has no <to>");
        const std::size_t number = branches.size() + 1;
        branches.push_back(child.name() == "to" ? make_steps({child}, assets, place.inside(number), place.parsed)
                                                : make_steps(child.children(), assets, place.inside(number), place.parsed));
    }
    return std::make_unique<Multicast>(std::move(branches));
}

}  // namespace clrbus
