// order="key" as a worker uses it: what the key of a message is, and whether it may run.
#include <string>

#include "core/error.hpp"
#include "routing/worker.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kOrderSpooled = "clrbus-spooled";

}  // namespace

std::uint64_t RouteWorker::order_hash(const TakenMessage& message) const {
    const auto suspect = parts_.suspects.find(message.sequence);
    const OrderPlan& order = *route_->order();
    if (order.parse == nullptr) return order.hash(*route_, message, {});
    if (suspect != parts_.suspects.end() && suspect->second.times >= kCrashesMost) return 0;  // nobody reads that one again
    const CrashGuard::Hold hold(parts_.guard, message.sequence);
    std::string whole;
    try {
        if (message.headers.has(kOrderSpooled)) {
            whole = load_spooled(message);
        } else if (message.message.body_kind() == Message::BodyKind::kSeveralData) {
            whole = message.message.body_copy();
        }
    } catch (const Error&) {
        return 0;  // the run says what is wrong with it
    }
    return order.hash(*route_, message, whole.empty() ? message.message.body() : std::string_view(whole));
}

bool RouteWorker::begin_in_order(const TakenMessage& message) {
    // So long at most, if nobody could wake it.
    constexpr std::chrono::minutes kLook{5};
    return parts_.order->begin(message.sequence, [&] {
        parts_.queues.release(message.queue, message.sequence, parts_.clock.now() + kLook, false, parts_.workers,
                              [this](CommitState) { settled(1); });
    });
}

}  // namespace clrbus
