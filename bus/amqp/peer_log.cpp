#include "amqp/peer_log.hpp"

#include <chrono>
#include <mutex>
#include <string>

#include "core/counters.hpp"
#include "core/log.hpp"

namespace clrbus::amqp {
namespace {

constexpr int kLinesASecond = 20;

struct PeerLogBudget {
    std::mutex mutex;
    std::chrono::steady_clock::time_point second{};
    int used = 0;
    long left_out = 0;
};

PeerLogBudget& peer_log_budget() {
    static PeerLogBudget budget;
    return budget;
}

}  // namespace

void log_peer(std::string_view peer, std::string_view text) {
    PeerLogBudget& budget = peer_log_budget();
    long left_out = 0;
    {
        const std::lock_guard lock(budget.mutex);
        const auto now = std::chrono::steady_clock::now();
        if (now - budget.second >= std::chrono::seconds(1)) {
            budget.second = now;
            budget.used = 0;
            left_out = budget.left_out;
            budget.left_out = 0;
        }
        if (++budget.used > kLinesASecond) {
            ++budget.left_out;
            counter("clrbus_amqp_log_left_out_total").add();
            return;
        }
    }
    if (left_out != 0) log::info("amqp", std::to_string(left_out) + " lines about connections were left out");
    log::info("amqp", std::string(peer) + ": " + std::string(text));
}

}  // namespace clrbus::amqp
