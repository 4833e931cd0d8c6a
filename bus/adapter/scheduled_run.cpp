#include "adapter/scheduled_run.hpp"

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "adapter/repeater.hpp"
#include "core/counters.hpp"
#include "core/log.hpp"

namespace clrbus {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kCatchUpMost = 1000;
constexpr milliseconds kRunAgainAfter{1000};
constexpr milliseconds kLookAgainMost{30'000};  // the wall clock may be set
constexpr milliseconds kUntilNudged{3'600'000};

// Outcome of a run or of a mark. Shared with callbacks, which may outlive the ScheduledRun.
struct RunAnswer {
    std::mutex mutex;
    bool busy = false;
    std::optional<ScheduledRun::Outcome> outcome;
    Time at{};  // of outcome
    Repeater* repeater = nullptr;
    const Clock* clock = nullptr;  // while repeater is there

    void give(ScheduledRun::Outcome what) {
        const std::lock_guard lock(mutex);
        busy = false;
        outcome = what;
        if (repeater == nullptr) return;
        at = clock->now();
        repeater->nudge();
    }
};

// The same for the same run, spread over [0, most): FNV-1a.
milliseconds jitter_of(const std::string& name, Time planned, milliseconds most) {
    if (most.count() <= 0) return milliseconds(0);
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : name + to_rfc3339(planned)) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return milliseconds(static_cast<std::int64_t>((hash >> 16) % static_cast<std::uint64_t>(most.count())));
}

}  // namespace

struct ScheduledRun::Impl {
    Impl(Options given, Inbox& box, const Clock& now, Job what)
        : options(std::move(given)), inbox(box), clock(now), job(std::move(what)) {
        answer->at = clock.now();
        answer->clock = &clock;
    }

    const Options options;
    Inbox& inbox;        // any thread
    const Clock& clock;  // any thread
    const Job job;
    std::shared_ptr<RunAnswer> answer = std::make_shared<RunAnswer>();

    // The repeater's thread only:
    bool started = false;
    Time last{};                  // everything up to here is done or left out
    std::deque<Time> due;         // the first one is tried until it is done
    std::optional<Time> to_mark;  // to be written before anything else runs
    std::optional<Time> ended;    // the run whose note is being settled

    mutable std::mutex mutex;
    Source::Health state{true, "ok", {}};

    std::unique_ptr<Repeater> repeater;  // last: runs on all of the above

    void report(bool ok, std::string text) {
        const std::lock_guard lock(mutex);
        if (state.ok == ok && state.text == text) return;
        state = {ok, std::move(text), clock.now()};
    }

    void begin() {
        const Time now = clock.now();
        const std::optional<std::string> known = inbox.checkpoint(options.name);
        if (!known) {  // the very first start: nothing was missed
            to_mark = now;
        } else {
            last = from_rfc3339(*known);
            const std::size_t most = options.catch_up == CatchUp::kAll ? kCatchUpMost : 1;
            // What is late by its jitter alone was not missed.
            const Time until = options.catch_up == CatchUp::kNone ? now - options.jitter : now;
            const std::vector<Time> missed = missed_runs(options.schedule, last, until, most);
            if (options.catch_up != CatchUp::kNone) {
                due.assign(missed.begin(), missed.end());
            } else if (!missed.empty()) {
                to_mark = missed.back();
            }
        }
        started = true;
    }

    // Everything up to at is done.
    void settle(Time at) {
        last = std::max(last, at);
        while (!due.empty() && due.front() <= at) due.pop_front();
        to_mark.reset();
        const std::optional<Time> end = std::exchange(ended, std::nullopt);
        if (!due.empty() || !end) return;
        const std::vector<Time> skipped = missed_runs(options.schedule, last, *end - options.jitter, kCatchUpMost);
        if (skipped.empty()) return;
        counter("clrbus_schedule_skipped_total").add(skipped.size());
        log::warn("adapter", "door of '" + inbox.route() + "': " + std::to_string(skipped.size()) +
                                 " runs were left out, the one before took too long");
        to_mark = skipped.back();
    }

    milliseconds turn() {
        std::optional<Outcome> outcome;
        {
            const std::lock_guard lock(answer->mutex);
            if (answer->busy) return kUntilNudged;
            outcome = std::exchange(answer->outcome, std::nullopt);
            if (outcome && *outcome != Outcome::kAgain && !to_mark) ended = answer->at;
        }
        if (!started) begin();
        if (outcome == Outcome::kAgain) {
            report(false, to_mark ? "the last run cannot be noted" : "a run could not be done; it is tried again");
            return kRunAgainAfter;
        }
        if (outcome == Outcome::kRan) to_mark = due.front();
        if (outcome == Outcome::kKept) settle(to_mark ? *to_mark : due.front());
        if (to_mark) {
            with_answer([&] {
                inbox.mark(note(*to_mark),
                           [to = answer](bool written) { to->give(written ? Outcome::kKept : Outcome::kAgain); });
            });
            return kUntilNudged;
        }
        if (due.empty()) {
            const std::optional<Time> next = options.schedule.next_run(last);
            const Time now = clock.now();
            if (inbox.open()) report(true, "ok");
            if (!next) return kUntilNudged;
            const Time at = *next + jitter_of(options.name, *next, options.jitter);
            if (now < at) return std::min<milliseconds>(at - now, kLookAgainMost);
            due.push_back(*next);
        }
        if (!inbox.open()) {
            report(false, "the inbox takes nothing; a run waits");
            return kRunAgainAfter;
        }
        with_answer([&] { job({due.front(), note(due.front())}, [to = answer](Outcome what) { to->give(what); }); });
        return kUntilNudged;
    }

    Incoming::Checkpoint note(Time at) const { return {options.name, to_rfc3339(at)}; }

    template <typename Ask>
    void with_answer(Ask&& ask) {
        {
            const std::lock_guard lock(answer->mutex);
            answer->busy = true;
        }
        try {
            ask();
        } catch (...) {  // no answer comes; the repeater logs it and turns again
            const std::lock_guard lock(answer->mutex);
            answer->busy = false;
            throw;
        }
    }
};

ScheduledRun::ScheduledRun(Options options, Inbox& inbox, const Clock& clock, Job job)
    : impl_(std::make_unique<Impl>(std::move(options), inbox, clock, std::move(job))) {
    Impl* impl = impl_.get();
    impl->repeater = std::make_unique<Repeater>([impl] { return impl->turn(); });
    const std::lock_guard lock(impl->answer->mutex);
    impl->answer->repeater = impl->repeater.get();
    impl->repeater->nudge();  // for an answer that came before this
}

ScheduledRun::~ScheduledRun() {
    stop();
}

void ScheduledRun::nudge() {
    impl_->repeater->nudge();
}

void ScheduledRun::stop() {
    {
        const std::lock_guard lock(impl_->answer->mutex);
        impl_->answer->repeater = nullptr;
    }
    impl_->repeater->stop();
}

Source::Health ScheduledRun::health() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->state;
}

}  // namespace clrbus
