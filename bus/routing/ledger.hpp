// The ledger: every message is accounted for (DESIGN promise 2). Pure arithmetic over the sums that the Units kept.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "broker/queues.hpp"

namespace clrbus {

struct LedgerLine {
    std::string account;  // route id, "records", or the queue of an endpoint: out/ROUTE/NAME
    std::array<std::int64_t, kOutcomes> sums{};
    std::int64_t waiting = 0;
    std::int64_t in = 0;   // accepted + made; records: taken; endpoints: taken + made
    std::int64_t out = 0;  // everything that a message can have become, waiting included
    bool balanced() const { return in == out; }
    std::int64_t sum(Outcome outcome) const { return sums[static_cast<std::size_t>(outcome)]; }
};

// entries and states must be read while nothing moves, or the difference of what moved in between shows: the caller repeats a
// few times before it says "not balanced".
std::vector<LedgerLine> ledger_lines(const std::vector<LedgerEntry>& entries, const std::vector<QueueState>& states);

}  // namespace clrbus
