// Runs a job at the moments of a schedule, one at a time, and keeps durably (Inbox::checkpoint) which was the last. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "adapter/adapter.hpp"
#include "adapter/schedule.hpp"

namespace clrbus {

// What was not run while the bus was away: the newest of them, all (the newest 1,000), or none.
enum class CatchUp : std::uint8_t { kOne, kAll, kNone };

class ScheduledRun {
public:
    struct Options {
        Schedule schedule;
        std::string name;  // of the checkpoint: its own among the doors of the inbox
        CatchUp catch_up = CatchUp::kOne;
        std::chrono::milliseconds jitter{0};  // later by up to this much; the same for the same planned time
    };
    struct Run {
        Time planned;
        Incoming::Checkpoint note;  // that this run is done; a job that puts a message hands it over with it
    };
    enum class Outcome : std::uint8_t {
        kKept,   // done, and the note is written
        kRan,    // done; the note is to be written
        kAgain,  // not done: the same run again in a second
    };
    // Calls done once, on any thread, also after stop(). While it has not, nothing else runs: moments that pass meanwhile are
    // counted (clrbus_schedule_skipped_total) and left out.
    using Job = std::function<void(const Run& run, std::function<void(Outcome)> done)>;

    // inbox, clock: outlive this.
    ScheduledRun(Options options, Inbox& inbox, const Clock& clock, Job job);
    ~ScheduledRun();  // stop()

    void nudge();  // looks at the clock now
    void stop();   // no run begins after it returned
    Source::Health health() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus
