// What stands still or is about to: one list for `clrbus status`, /health's people and the alerts. Any thread.
#pragma once

#include <string>
#include <vector>

#include "alerts/condition.hpp"
#include "management/management.hpp"
#include "routing/ledger.hpp"

namespace clrbus::management {

// ledger: adds whether it balances, which takes a second where it does not.
std::vector<alerts::Condition> find_conditions(const Management::Parts& parts, bool ledger);

// Looks at most twenty times: what moves between two reads shows as a difference, and is gone at the next look.
struct LedgerLook {
    std::vector<LedgerLine> lines;
    bool balanced = false;
};
LedgerLook look_at_ledger(const Management::Parts& parts);

}  // namespace clrbus::management
