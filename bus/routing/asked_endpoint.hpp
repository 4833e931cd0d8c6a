// An endpoint that steps ask, with what is known of it: while its far side is away nobody is kept waiting for it. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "adapter/sink.hpp"
#include "core/clock.hpp"
#include "routing/outbox.hpp"

namespace clrbus {

class AskedEndpoint {
public:
    AskedEndpoint(std::string route, std::string name, std::unique_ptr<Responder> responder, Clock& clock);

    // Waits for the answer, at most so long; an answer that comes later is dropped. Not on a thread that other routes need.
    // Throws Error: kAway (at once, while it is away and its time has not come), kPoison, or kPoison that may pass.
    Reply ask(Question question, std::chrono::milliseconds timeout, const CompiledRoute::Attempts& attempts);
    EndpointState state() const;  // queue: ask/ROUTE/NAME

private:
    void begin();
    void away(const Error& error, std::optional<std::chrono::seconds> wait, const CompiledRoute::Attempts& attempts);
    void there();

    const std::unique_ptr<Responder> responder_;
    Clock& clock_;              // any thread
    mutable std::mutex mutex_;  // guards what follows
    EndpointState state_;
    std::chrono::steady_clock::time_point next_try_{};
    std::uint32_t failures_ = 0;
    bool probing_ = false;  // somebody asks whether it is back
};

}  // namespace clrbus
