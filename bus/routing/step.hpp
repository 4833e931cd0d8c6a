// A step of a route: one class and one file each in steps/, named as in the Enterprise Integration Patterns catalogue. Compiled
// once per generation, read-only, applied by any worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/work.hpp"

namespace clrbus {

class Config;
class RouteAssets;

enum class Flow : std::uint8_t {
    kNext,  // go on with the next step
    kDone,  // the message ends here: delivered or filtered
};

class Step {
public:
    virtual ~Step() = default;
    // Throws Error: the engine settles it (routing/faults.hpp).
    virtual Flow apply(Work& work) const = 0;
    // Whether there is a document behind this step, when there was one in front of it or not.
    virtual bool leaves_document(bool before) const { return before; }
    // What the step does outside of the bus when a message comes to it, for those who look before they replay: "asks" a far
    // side, "runs" a program that only answers, "does outside" what a program of another kind does. Outputs that it puts into
    // queues are none of these.
    struct Effect {
        std::string kind, target;
    };
    virtual std::vector<Effect> effects() const { return {}; }
    // The document that leaves is the one that came: a message that fails behind it can start from its bytes again.
    virtual bool reads_only() const { return false; }

    // The steps inside this one, a list for each branch. What a branch does not end goes on behind this step, or not.
    virtual std::vector<const std::vector<std::unique_ptr<Step>>*> branches() const { return {}; }
    virtual bool goes_on_behind() const { return true; }
    // It keeps what waits or was seen in this state directory: not to be had where the queues are another broker's.
    virtual bool needs_local_state() const { return false; }

    // Its label, unique in the route: "3 transform", in a branch "4.1.2 to". It stays as long as the place stays.
    const std::string& name() const { return name_; }
    void name(std::string text) { name_ = std::move(text); }
    // The step that follows when this one says kNext; null at the end of the route.
    const Step* next() const { return next_; }
    void next(const Step* step);  // for the ends of its branches too

private:
    std::string name_;
    const Step* next_ = nullptr;
};

using Steps = std::vector<std::unique_ptr<Step>>;

// Applies them in order; an Error leaves with the step's name in front.
Flow apply_steps(const Steps& steps, Work& work);
// From the step of this label on, wherever it stands. Throws Error(kPoison, "ROUTE-110") when there is none.
Flow apply_steps_from(const Steps& steps, std::string_view label, Work& work);
// The step of this label, or null.
const Step* find_step(const Steps& steps, std::string_view label);

// Where a step stands while its route compiles.
struct StepPlace {
    std::string position;  // "4", or "4.1.2": second step of the first branch of the fourth step
    bool parsed = false;   // a document is there when the message comes here
    bool last = false;     // nothing stands behind it
    std::string inside(std::size_t branch) const { return position + "." + std::to_string(branch) + "."; }
};

// One kind of step. All of them stand in one table (step.cpp): adding one is one line there, one file in steps/, its element
// in xsd/routes.xsd and its entry in tests/contract/every_step_test.cpp.
struct StepKind {
    std::string_view name;  // of the element
    // The element is validated by xsd/routes.xsd. Throws Error(kConfig) with file and line.
    std::unique_ptr<Step> (*make)(const Config& element, RouteAssets& assets, const StepPlace& place);
    bool (*needs_document)(const Config& element);  // XML is parsed in front of it, where nothing else has made a document
    bool ends;                                      // the message never comes to a step behind it
};
std::span<const StepKind> step_kinds();

// parse, with the validate that stands right behind it (null: none does).
std::unique_ptr<Step> make_parse_with(const Config& element, RouteAssets& assets, const Config* validate_behind);

// Whether a message can leave through this element: there is a sink in it that gets the message itself.
bool leads_somewhere(const Config& element);

// The steps among an element's children. prefix: position of the surrounding step with its branch ("4.1."). parsed: there is a
// document already.
Steps make_steps(const std::vector<Config>& elements, RouteAssets& assets, const std::string& prefix, bool parsed);

}  // namespace clrbus
