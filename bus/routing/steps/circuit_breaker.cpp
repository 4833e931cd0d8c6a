// circuit-breaker: the steps inside it are tried until a far side failed so often within a time; then nobody asks it for a
// while. What comes meanwhile takes the otherwise branch, or waits in the step's queue without an attempt. Then one message is
// the probe: if it gets through, all go on.
#include <deque>
#include <mutex>

#include "config/config.hpp"
#include "core/clock.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "routing/assets.hpp"
#include "routing/route.hpp"
#include "routing/stateful.hpp"
#include "routing/step_keeper.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kOpenUntil = "open-until";
constexpr auto kHanded = std::chrono::seconds(5);       // from the step's queue to a worker
constexpr auto kProbeLease = std::chrono::seconds(60);  // a probe that says nothing by then was lost

class CircuitBreaker : public StatefulStep {
public:
    CircuitBreaker(const Config& element, Steps inside, Steps otherwise)
        : StatefulStep(element),
          inside_(std::move(inside)),
          otherwise_(std::move(otherwise)),
          faults_most_(static_cast<std::size_t>(element.get_int("faults", 5))),
          within_(element.get_duration("within", std::chrono::minutes(1))),
          open_for_(element.get_duration("open-for", std::chrono::seconds(30))) {}

    std::vector<const Steps*> branches() const override { return {&inside_, &otherwise_}; }
    bool goes_on_at_itself() const override { return true; }

    Flow apply(Work& work) const override {
        if (work.services == nullptr || work.services->keeper == nullptr) return apply_steps(inside_, work);
        const Clock& clock = *work.services->clock;
        const Way way = admit(clock.now());
        if (way == Way::kWait) return otherwise_.empty() ? park(work, {}) : apply_steps(otherwise_, work);
        try {
            const Flow flow = apply_steps(inside_, work);
            answered(work, way);
            return flow;
        } catch (const Error& e) {
            if (e.fault() == Fault::kAway) {
                failed(work, way, clock.now());
            } else {
                answered(work, way);  // it was there, and did not like the message; or it was never asked
            }
            throw;
        }
    }

    void restore(Look& look) const override {
        const std::string text = look.tables.value(look.step, kOpenUntil);
        if (text.empty()) return;
        const std::lock_guard lock(mutex_);
        open_until_ = Time(std::chrono::milliseconds(std::stoll(text)));
    }

    std::size_t gate(Time now) const override {
        const std::lock_guard lock(mutex_);
        if (open_until_ == Time{}) return StatefulStep::gate(now);
        if (now < open_until_ || now < probe_until_ || now < handed_until_) return 0;
        handed_until_ = now + kHanded;
        return 1;
    }

    std::string condition(Time now) const override {
        const std::lock_guard lock(mutex_);
        if (open_until_ == Time{}) return "closed";
        return now < open_until_ ? "open until " + to_rfc3339(open_until_) : "half open: the next message is the probe";
    }

private:
    enum class Way : std::uint8_t { kTry, kProbe, kWait };

    Way admit(Time now) const {
        const std::lock_guard lock(mutex_);
        if (open_until_ == Time{}) return Way::kTry;
        if (now < open_until_ || now < probe_until_) return Way::kWait;
        probe_until_ = now + kProbeLease;
        return Way::kProbe;
    }

    void answered(const Work& work, Way way) const {
        if (way != Way::kProbe) return;
        {
            const std::lock_guard lock(mutex_);
            open_until_ = probe_until_ = handed_until_ = Time{};
            faults_.clear();
        }
        said(work, "closes: the far side answers again", "closed");
        work.services->keeper->wake(queue(work.route.id()));
    }

    void failed(const Work& work, Way way, Time now) const {
        {
            const std::lock_guard lock(mutex_);
            if (way == Way::kTry && open_until_ != Time{}) return;  // it opened while this one was on its way
            while (!faults_.empty() && now - faults_.front() > within_) faults_.pop_front();
            faults_.push_back(now);
            if (way == Way::kTry && faults_.size() < faults_most_) return;
            faults_.clear();
            open_until_ = now + open_for_;
            probe_until_ = handed_until_ = Time{};
        }
        said(work, "opens: the far side is away", "opened");
    }

    void said(const Work& work, std::string_view what, std::string_view event) const {
        StepKeeper& keeper = *work.services->keeper;
        const std::string name = queue(work.route.id());
        log::warn("steps", "circuit breaker '" + name + "' " + std::string(what));
        counter("clrbus_circuit_breaker_total{route=\"" + work.route.id() + "\",step=\"" + state_id() + "\",event=\"" +
                std::string(event) + "\"}")
            .add();
        std::string until;
        {
            const std::lock_guard lock(mutex_);
            if (open_until_ != Time{}) until = std::to_string(open_until_.time_since_epoch().count());
        }
        keeper.later(
            [step = keeper.number(name), until](storage::StepTables& tables) { tables.value(step, kOpenUntil, until); });
    }

    Steps inside_, otherwise_;
    std::size_t faults_most_;
    std::chrono::milliseconds within_, open_for_;

    mutable std::mutex mutex_;         // guards what follows
    mutable std::deque<Time> faults_;  // at most faults_most_
    mutable Time open_until_{};        // Time{}: closed
    mutable Time probe_until_{};       // Time{}: nobody is on the way
    mutable Time handed_until_{};      // one that waited was let go as the next probe
};

}  // namespace

std::unique_ptr<Step> make_circuit_breaker(const Config& element, RouteAssets& assets, const StepPlace& place) {
    auto children = element.children();
    Steps otherwise;
    if (!children.empty() && children.back().name() == "otherwise") {
        otherwise = make_steps(children.back().children(), assets, place.inside(2), place.parsed);
        children.pop_back();
    }
    return std::make_unique<CircuitBreaker>(element, make_steps(children, assets, place.inside(1), place.parsed),
                                            std::move(otherwise));
}

}  // namespace clrbus
