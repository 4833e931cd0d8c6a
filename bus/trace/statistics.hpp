// What each route did, over restarts: sums since the state directory was made (the ledger's, exact), and hours of the last five
// weeks, by which today is compared with the same weekday. The hours come from looking at the ledger now and then: no message
// pays for it, and what happened between the last look and a kill -9 is found at the next start, as of that look. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/queues.hpp"
#include "core/clock.hpp"

namespace clrbus::trace {

// The ledger's account of what the learner records made of a route's messages; beside the accounts that must balance.
inline constexpr const char* kAppliedAccount = "records/";

struct RouteStatistics {
    std::string route;
    // Sums since the state directory was made.
    std::int64_t received = 0;   // accepted at its doors
    std::int64_t made = 0;       // records of splits, replays, corrections
    std::int64_t delivered = 0;  // went through
    std::int64_t filtered = 0, duplicate = 0;
    std::int64_t applied = 0;    // by the learner records: a change of somebody's record, or held for a person's decision
    std::int64_t unchanged = 0;  // by them too: known already, or older
    std::int64_t dead = 0;       // dead-lettered, ever
    // Now.
    std::uint64_t waiting = 0, dead_now = 0;
    // To the look: at most its interval late; behind a kill -9 as much early.
    Time last_received{}, last_success{};  // Time{}: never
    // The last 24 hours against the mean of the same 24 hours one to four weeks ago, as far as there were any.
    std::int64_t day = 0;
    std::int64_t dead_day = 0;
    std::optional<double> weekday;  // received then, mean; none before the first week is over
    std::optional<double> rate;     // day / weekday; none where nothing came then
};

class Statistics {
public:
    static constexpr std::chrono::seconds kLook{10};

    // file: read now, written after each look that saw something and at the end. One that is damaged or of another version is
    // begun anew, with a log line: sums are the ledger's, only the hours are lost.
    Statistics(const Queues& queues, const Clock& clock, std::string file);
    ~Statistics();  // stops
    Statistics(const Statistics&) = delete;
    Statistics& operator=(const Statistics&) = delete;

    void start();  // looks by itself from now on
    void stop();   // writes

    void look();  // now
    // Looks, then gives every route that the ledger or the queues know, by name.
    std::vector<RouteStatistics> routes();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::trace
