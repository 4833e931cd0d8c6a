#include "adapters_timer/timer_adapter.hpp"

#include <utility>

#include "adapter/scheduled_run.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"

namespace clrbus::adapters::timer {

namespace {

constexpr std::chrono::milliseconds kJitterMost = std::chrono::hours(1);

Schedule read_timer_schedule(const Config& config) {
    Zone zone;
    try {
        zone = Zone::load(config.get("zone", "UTC"));
    } catch (const Error& error) {
        config.fail("TIMER-002", "zone", error.why());
    }
    try {
        return Schedule::parse(config.get("schedule"), zone);
    } catch (const Error& error) {
        config.fail("TIMER-001", "schedule", error.why());
    }
}

CatchUp read_catch_up(const Config& config) {
    const std::string text = config.get("catch-up", "one");
    return text == "all" ? CatchUp::kAll : text == "none" ? CatchUp::kNone : CatchUp::kOne;
}

class TimerSource : public Source {
public:
    explicit TimerSource(const AdapterContext& context)
        : inbox_(*context.inbox),
          clock_(*context.clock),
          body_(context.config.get("body")),
          content_type_(context.config.get("content-type")),
          options_{read_timer_schedule(context.config),
                   {},
                   read_catch_up(context.config),
                   context.config.get_duration("jitter", {})} {
        const Config& config = context.config;
        if (options_.jitter > kJitterMost) config.fail("TIMER-003", "jitter", "at most PT1H");
        if (inbox_.reduce() != nullptr) config.fail("TIMER-004", "body", "a route with keep or drop takes no timer");
        // The same timer after a restart; another one of the route has a name of its own.
        crypto::Sha256 hash;
        for (const std::string& part : {config.get("schedule"), config.get("zone", "UTC"), body_, content_type_}) {
            hash.update(part);
            hash.update(std::string_view("\0", 1));
        }
        options_.name = "timer:" + hash.hex().substr(0, 16);
    }
    ~TimerSource() override { stop(); }

    void start() override {
        run_ = std::make_unique<ScheduledRun>(
            options_, inbox_, clock_, [this](const ScheduledRun::Run& run, std::function<void(ScheduledRun::Outcome)> done) {
                Incoming incoming;
                incoming.body = body_;
                incoming.content_type = content_type_;
                incoming.name = to_rfc3339(run.planned);
                incoming.duplicate_key = options_.name + ':' + incoming.name;
                incoming.checkpoint = run.note;
                inbox_.put(std::move(incoming), [answer = std::move(done)](const Receipt& receipt) {
                    const bool kept = receipt.state == PutState::kStored || receipt.state == PutState::kDuplicate;
                    answer(kept ? ScheduledRun::Outcome::kKept : ScheduledRun::Outcome::kAgain);
                });
            });
    }
    void stop() override {
        if (run_) run_->stop();
    }
    Health health() const override { return run_ ? run_->health() : Health{}; }

private:
    Inbox& inbox_;        // any thread
    const Clock& clock_;  // any thread
    const std::string body_, content_type_;
    ScheduledRun::Options options_;
    std::unique_ptr<ScheduledRun> run_;  // last: calls back into this
};

}  // namespace

const AdapterInfo& adapter_info() {
    static constexpr AdapterInfo kInfo{
        .name = "timer",
        .summary = "Puts a message into its route at the moments of a schedule",
        .namespace_uri = "urn:clrbus:adapter:timer:1",
        .schema = "config.xsd",
        .source = [](const AdapterContext& context) -> std::unique_ptr<Source> {
            return std::make_unique<TimerSource>(context);
        },
    };
    return kInfo;
}

}  // namespace clrbus::adapters::timer
