#include "routing/ledger.hpp"

#include <map>

#include "trace/statistics.hpp"

namespace clrbus {

std::vector<LedgerLine> ledger_lines(const std::vector<LedgerEntry>& entries, const std::vector<QueueState>& states) {
    std::map<std::string, LedgerLine> lines;
    for (const QueueState& state : states) {
        // What waits in a step, in step/ROUTE/STEP, waits in its route.
        const std::string account = state.name.rfind("in/", 0) == 0     ? state.name.substr(3)
                                    : state.name.rfind("step/", 0) == 0 ? state.name.substr(5, state.name.find('/', 5) - 5)
                                    : state.name == "records"           ? "records"
                                    : state.name.rfind("out/", 0) == 0  ? state.name
                                                                        : "";
        if (account.empty()) continue;
        lines[account].waiting += static_cast<std::int64_t>(state.ready + state.in_hand + state.delayed);
    }
    for (const LedgerEntry& entry : entries) {
        if (entry.account.rfind(trace::kAppliedAccount, 0) == 0) continue;  // counted in "records" too
        lines[entry.account].sums[static_cast<std::size_t>(entry.outcome)] += entry.count;
    }
    std::vector<LedgerLine> out;
    for (auto& [account, line] : lines) {
        line.account = account;
        if (account == "records") {
            line.in = line.sum(Outcome::kTaken);
            line.out = line.sum(Outcome::kApplied) + line.sum(Outcome::kUnchanged) + line.sum(Outcome::kSuperseded) +
                       line.sum(Outcome::kHeld) + line.sum(Outcome::kDead) + line.waiting;
        } else if (account.rfind("out/", 0) == 0) {
            line.in = line.sum(Outcome::kTaken) + line.sum(Outcome::kMade);
            line.out = line.sum(Outcome::kDelivered) + line.sum(Outcome::kDead) + line.sum(Outcome::kDiscarded) +
                       line.sum(Outcome::kExpired) + line.waiting;
        } else {
            line.in = line.sum(Outcome::kAccepted) + line.sum(Outcome::kMade);
            line.out = line.sum(Outcome::kDelivered) + line.sum(Outcome::kFiltered) + line.sum(Outcome::kSplit) +
                       line.sum(Outcome::kAggregated) + line.sum(Outcome::kDuplicate) + line.sum(Outcome::kDead) +
                       line.sum(Outcome::kDiscarded) + line.sum(Outcome::kExpired) + line.waiting;
        }
        out.push_back(line);
    }
    return out;
}

}  // namespace clrbus
