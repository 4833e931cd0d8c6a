// What waits for one endpoint, and the one who takes it there: messages of out/ROUTE/NAME go out through the adapter's sink, as
// many at once as it allows. A far side that is away pauses this endpoint and nothing else: messages stay in the queue, no
// attempt is used up, one of them tries again after a while that grows up to 5 minutes, or after the far side's own
// Retry-After. Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "adapter/sink.hpp"
#include "broker/queues.hpp"
#include "core/clock.hpp"
#include "routing/route.hpp"
#include "routing/route_endpoint.hpp"

namespace clrbus {

struct EndpointState {
    enum class Kind : std::uint8_t {
        kOk,
        kAway,    // the far side: nothing to do here but to look there
        kPaused,  // too many dead letters in a row: waits for a person
        kBroken,  // its settings cannot be used
    };
    std::string queue, route, name;
    Kind kind = Kind::kOk;
    Time since{};              // of what it is, but for kOk
    Time next_try{};           // while away
    std::string code, reason;  // of the last fault; no value of a message
    std::int64_t done = 0;     // delivered since the start
    Time last_done{};
    std::uint64_t waiting = 0;
};
std::string_view to_string(EndpointState::Kind kind);

// On dead letters of an endpoint: its queue, where a replay goes.
inline constexpr std::string_view kEndpointHeader = "clrbus-endpoint";

class Outbox {
public:
    struct Parts {
        Queues& queues;
        Executor& executor;  // for callbacks
        Clock& clock;
        std::function<void()> timer_changed;  // next_due() may be another one now
    };
    Outbox(RouteEndpoint endpoint, CompiledRoute::Attempts attempts, std::unique_ptr<Sink> sink, Parts parts);
    ~Outbox();  // stop()
    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;

    void start();
    void stop();    // takes nothing more, waits for what is on its way
    void resume();  // goes on after a pause; tries at once when the far side is away
    // When run_due wants to be called; the far future while there is nothing to wait for.
    std::chrono::steady_clock::time_point next_due() const;
    void run_due(std::chrono::steady_clock::time_point now);

    EndpointState state() const;
    const RouteEndpoint& endpoint() const { return endpoint_; }

private:
    void take(TakenMessage message);
    void settle(const std::shared_ptr<TakenMessage>& message, const SendResult& result, bool probe);
    void tell(Unit& unit, const TakenMessage& message, const Error* error) const;
    void settle_dead(const TakenMessage& message, const Error& error);
    void far_side_is_there(bool delivered);
    void far_side_is_away(const SendResult& result, bool probe, std::uint64_t sequence);
    void give_back(const TakenMessage& message, Time not_before, bool failed);
    void commit(Unit unit, std::size_t delivered);
    void left_hand(std::size_t delivered = 0);
    std::uint32_t take_room();

    const RouteEndpoint endpoint_;
    const CompiledRoute::Attempts attempts_;
    const std::unique_ptr<Sink> sink_;
    const Parts parts_;
    const std::uint32_t window_;

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable idle_;
    EndpointState state_;
    std::chrono::steady_clock::time_point next_try_{};
    std::uint32_t failures_ = 0;  // tries since it is away
    std::uint32_t dead_in_a_row_ = 0;
    std::uint32_t credit_ = 0, in_hand_ = 0;
    bool probing_ = false;  // one message tries whether the far side is back
    bool stopping_ = false;
    std::shared_ptr<Taker> taker_;  // last member: calls back into this; shared with callbacks that grant
};

}  // namespace clrbus
