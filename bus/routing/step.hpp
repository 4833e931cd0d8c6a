// A step of a route: one class and one file each in steps/, named as in the Enterprise Integration Patterns catalogue. Compiled
// once per generation, read-only, applied by any worker.
#pragma once

#include <memory>
#include <string>
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
    const std::string& name() const { return name_; }  // "transform", with its position: "3 transform"
    void name(std::string text) { name_ = std::move(text); }

private:
    std::string name_;
};

using Steps = std::vector<std::unique_ptr<Step>>;

// Applies them in order; an Error leaves with the step's name in front.
Flow apply_steps(const Steps& steps, Work& work);

// One function a step; the element is validated by xsd/routes.xsd. Each throws Error(kConfig) with file and line.
std::unique_ptr<Step> make_parse(const Config& element, RouteAssets& assets, const Config* validate_behind);
std::unique_ptr<Step> make_validate(const Config& element, RouteAssets& assets);
std::unique_ptr<Step> make_transform(const Config& element, RouteAssets& assets);
std::unique_ptr<Step> make_choose(const Config& element, RouteAssets& assets);
std::unique_ptr<Step> make_filter(const Config& element, RouteAssets& assets);
std::unique_ptr<Step> make_set_header(const Config& element, RouteAssets& assets);
std::unique_ptr<Step> make_log(const Config& element, RouteAssets& assets);
std::unique_ptr<Step> make_to(const Config& element, RouteAssets& assets);

// The steps among an element's children, from the from-th on. prefix: position of the surrounding step ("4.1 ").
Steps make_steps(const std::vector<Config>& elements, RouteAssets& assets, const std::string& prefix);

}  // namespace clrbus
