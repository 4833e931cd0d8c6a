#include "routing/asked_endpoint.hpp"

#include <algorithm>
#include <future>
#include <utility>

#include "core/log.hpp"
#include "routing/faults.hpp"

namespace clrbus {

AskedEndpoint::AskedEndpoint(std::string route, std::string name, std::unique_ptr<Responder> responder, Clock& clock)
    : responder_(std::move(responder)), clock_(clock) {
    state_.queue = "ask/" + route + "/" + name;
    state_.route = std::move(route);
    state_.name = std::move(name);
}

EndpointState AskedEndpoint::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

void AskedEndpoint::begin() {
    const std::lock_guard lock(mutex_);
    if (state_.kind != EndpointState::Kind::kAway) return;
    if (probing_ || clock_.steady() < next_try_)
        throw Error(Fault::kAway, state_.code, "asking '" + state_.name + "'", "it is away since " + to_rfc3339(state_.since));
    probing_ = true;
}

void AskedEndpoint::away(const Error& error, std::optional<std::chrono::seconds> wait,
                         const CompiledRoute::Attempts& attempts) {
    bool began = false;
    {
        const std::lock_guard lock(mutex_);
        began = state_.kind == EndpointState::Kind::kOk;
        if (began) {
            state_.kind = EndpointState::Kind::kAway;
            state_.since = clock_.now();
            failures_ = 0;
        }
        std::chrono::milliseconds next = back_off(attempts, failures_++, 0);
        if (wait) next = std::max<std::chrono::milliseconds>(next, *wait);
        next_try_ = clock_.steady() + next;
        state_.next_try = clock_.now() + next;
        state_.code = error.code();
        state_.reason = error.what();
        probing_ = false;
    }
    if (began) log::warn("endpoint", "endpoint '" + state_.queue + "' is away: " + error.code() + ": " + error.what());
}

void AskedEndpoint::there() {
    const std::lock_guard lock(mutex_);
    if (state_.kind == EndpointState::Kind::kAway) log::info("endpoint", "endpoint '" + state_.queue + "' is back");
    state_.kind = EndpointState::Kind::kOk;
    state_.since = state_.next_try = Time{};
    state_.last_done = clock_.now();
    ++state_.done;
    probing_ = false;
}

Reply AskedEndpoint::ask(Question question, std::chrono::milliseconds timeout, const CompiledRoute::Attempts& attempts) {
    begin();
    const auto said = std::make_shared<std::promise<Reply>>();  // shared with an answer that comes too late
    auto answer = said->get_future();
    Reply reply;
    try {
        responder_->ask(std::move(question), [said](Reply got) { said->set_value(std::move(got)); });
        if (answer.wait_for(timeout) == std::future_status::ready) {
            reply = answer.get();
        } else {
            reply.result = {SendResult::Kind::kAway,
                            Error(Fault::kAway, "ROUTE-135", "asking '" + state_.name + "'", "no answer in time"),
                            std::nullopt};
        }
    } catch (const Error& e) {  // before anything went out
        there();
        throw;
    }
    switch (reply.result.kind) {
        case SendResult::Kind::kDone:
            there();
            return reply;
        case SendResult::Kind::kAway:
            away(*reply.result.error, reply.result.wait, attempts);
            throw Error(*reply.result.error);
        case SendResult::Kind::kAgain:
            there();
            throw Error(Fault::kPoison, reply.result.error->code(), reply.result.error->doing(), reply.result.error->why())
                .may_pass();
        case SendResult::Kind::kPoison:
            there();
            throw Error(*reply.result.error);
    }
    return reply;
}

}  // namespace clrbus
