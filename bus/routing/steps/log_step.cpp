// log: a fixed line with the message's id and route.
#include "config/config.hpp"
#include "core/log.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class LogStep : public Step {
public:
    LogStep(log::Level level, std::string text) : level_(level), text_(std::move(text)) {}

    Flow apply(Work&) const override {
        log::write(level_, "route", text_);
        return Flow::kNext;
    }
    bool reads_only() const override { return true; }

private:
    log::Level level_;
    std::string text_;
};

}  // namespace

std::unique_ptr<Step> make_log(const Config& element, RouteAssets&, const StepPlace&) {
    const std::string level = element.get("level", "info");
    return std::make_unique<LogStep>(level == "debug"  ? log::Level::kDebug
                                     : level == "warn" ? log::Level::kWarn
                                                       : log::Level::kInfo,
                                     element.require("text"));
}

}  // namespace clrbus
