// The commands, by subject. For management/ alone: Boost.JSON shows here.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "management/management.hpp"

namespace clrbus::management {

using boost::json::array;
using boost::json::object;

struct Call {
    const Management::Parts& parts;
    const object& arguments;
    const std::string& who;

    std::string text(const char* name, const char* fallback = "") const;
    std::string required(const char* name) const;  // Error(kPoison, "MGMT-002")
    std::int64_t number(const char* name, std::int64_t fallback) const;
};

object status(const Call& call);
object queues(const Call& call);
object ledger(const Call& call);
object resume(const Call& call);
object alerts_list(const Call& call);
object alerts_test(const Call& call);
object backup(const Call& call);

object messages(const Call& call);
object trace_message(const Call& call);

object route_list(const Call& call);
object route_show(const Call& call);
object route_history(const Call& call);
object route_diff(const Call& call);
object route_reload(const Call& call);
object route_rollback(const Call& call);
object route_unpin(const Call& call);

object route_approve(const Call& call);
object route_approvals(const Call& call);

object dead_list(const Call& call);
object dead_show(const Call& call);
object dead_replay(const Call& call);
object dead_discard(const Call& call);
object dead_edit(const Call& call);

object waiting_list(const Call& call);
object waiting_show(const Call& call);
object waiting_attach(const Call& call);
object waiting_reject(const Call& call);
object learners(const Call& call);
object learner(const Call& call);
object why(const Call& call);
object clr(const Call& call);
object reader(const Call& call);
object disclosures(const Call& call);
object reconcile(const Call& call);
object keys(const Call& call);
object keys_rotate(const Call& call);

}  // namespace clrbus::management
