#include "management/management.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <map>
#include <utility>

#include "core/error.hpp"
#include "core/log.hpp"
#include "management/commands.hpp"
#include "management/conditions.hpp"

namespace clrbus {
namespace {

using Command = boost::json::object (*)(const management::Call&);

const std::map<std::string, Command, std::less<>>& command_table() {
    static const std::map<std::string, Command, std::less<>> table{
        {"status", management::status},
        {"queues", management::queues},
        {"ledger", management::ledger},
        {"alerts", management::alerts_list},
        {"alerts-test", management::alerts_test},
        {"resume", management::resume},
        {"backup", management::backup},
        {"messages", management::messages},
        {"trace", management::trace_message},
        {"route-list", management::route_list},
        {"route-show", management::route_show},
        {"route-history", management::route_history},
        {"route-diff", management::route_diff},
        {"route-reload", management::route_reload},
        {"route-rollback", management::route_rollback},
        {"route-unpin", management::route_unpin},
        {"route-approve", management::route_approve},
        {"route-approvals", management::route_approvals},
        {"dead-list", management::dead_list},
        {"dead-show", management::dead_show},
        {"dead-replay", management::dead_replay},
        {"dead-discard", management::dead_discard},
        {"dead-edit", management::dead_edit},
        {"waiting-list", management::waiting_list},
        {"waiting-show", management::waiting_show},
        {"waiting-attach", management::waiting_attach},
        {"waiting-reject", management::waiting_reject},
        {"learners", management::learners},
        {"learner", management::learner},
        {"why", management::why},
        {"clr", management::clr},
        {"reader", management::reader},
        {"disclosures", management::disclosures},
        {"reconcile", management::reconcile},
        {"keys", management::keys},
        {"keys-rotate", management::keys_rotate},
    };
    return table;
}

std::string failure(std::string_view code, std::string_view text, int exit) {
    return boost::json::serialize(boost::json::object{{"error", {{"code", code}, {"text", text}, {"exit", exit}}}});
}

int exit_of(Fault fault) {
    switch (fault) {
        case Fault::kConfig:
            return 3;
        case Fault::kAway:
            return 4;
        case Fault::kPoison:
            return 1;
    }
    return 1;
}

}  // namespace

struct Management::Impl {
    Parts parts;
};

Management::Management(Parts parts) : impl_(std::make_unique<Impl>(Impl{std::move(parts)})) {}
Management::~Management() = default;

std::string Management::call(std::string_view request, const std::string& who) {
    boost::json::error_code error;
    const boost::json::value value = boost::json::parse({request.data(), request.size()}, error);
    if (error || !value.is_object()) return failure("MGMT-001", "a request is a JSON object", 2);
    const auto& arguments = value.as_object();
    const auto* command = arguments.if_contains("command");
    const auto found = command != nullptr && command->is_string()
                           ? command_table().find(std::string_view(command->get_string()))
                           : command_table().end();
    if (found == command_table().end()) return failure("MGMT-001", "no such command", 2);
    try {
        return boost::json::serialize(found->second(management::Call{impl_->parts, arguments, who}));
    } catch (const Error& e) {
        return failure(e.code(), e.what(), exit_of(e.fault()));
    } catch (const std::exception& e) {
        log::error("management", std::string("command '") + found->first + "': " + typeid(e).name());
        return failure("MGMT-900", "an unexpected error", 1);
    }
}

std::vector<alerts::Condition> Management::conditions() const {
    std::vector<alerts::Condition> out = management::find_conditions(impl_->parts, true);
    for (alerts::Condition& one : impl_->parts.alerts.undelivered()) out.push_back(std::move(one));
    return out;
}

namespace management {

std::string Call::text(const char* name, const char* fallback) const {
    const auto* value = arguments.if_contains(name);
    if (value == nullptr || !value->is_string()) return fallback;
    return std::string(std::string_view(value->get_string()));
}

std::string Call::required(const char* name) const {
    std::string value = text(name);
    if (value.empty()) throw Error(Fault::kPoison, "MGMT-002", "reading the request", std::string("'") + name + "' is missing");
    return value;
}

std::int64_t Call::number(const char* name, std::int64_t fallback) const {
    const auto* value = arguments.if_contains(name);
    return value != nullptr && value->is_int64() ? value->get_int64() : fallback;
}

}  // namespace management
}  // namespace clrbus
