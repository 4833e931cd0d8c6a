// The two ways out of the bus: a sink takes a message of a route to a far side, a responder asks one. Both are asynchronous:
// the far side's time is nobody's thread. What a far side said is one of four kinds; the engine does the rest (waits, tries
// again, dead-letters), so that every adapter behaves alike.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/headers.hpp"
#include "core/message.hpp"

namespace clrbus {

struct SendResult {
    enum class Kind : std::uint8_t {
        kDone,    // the far side has it
        kAway,    // the far side is away: nothing is this message's fault
        kAgain,   // this message may work later: costs an attempt
        kPoison,  // this message can never work
    };
    Kind kind = Kind::kDone;
    std::optional<Error> error{};                // but for kDone; no value of the message, no secret
    std::optional<std::chrono::seconds> wait{};  // the far side's own word how long to stay away
};

// What goes out. The same id again is the same message again: a far side that can tell is told (Idempotency-Key).
struct Outgoing {
    std::string id;
    Message message;    // its body is what goes out
    Headers headers;    // what the route set, and traceparent
    std::string route;  // who sends
};

class Sink {
public:
    virtual ~Sink() = default;
    // done is called once, from any thread, perhaps before send returns, and within a bounded time.
    virtual void send(Outgoing outgoing, std::function<void(SendResult)> done) = 0;
    // How many messages may be on their way at once.
    virtual std::uint32_t window() const { return 8; }
};

struct Question {
    std::string id;  // the same for the same message and step
    std::string body, content_type;
    Headers headers;                              // of the message that asks
    std::map<std::string, std::string> values{};  // for places in the address, by name
};
struct Reply {
    SendResult result;  // kDone: body is whole
    std::string body, content_type;
    bool nothing = false;  // the far side says that there is no such thing: an answer, too
};

class Responder {
public:
    virtual ~Responder() = default;
    // As Sink::send.
    virtual void ask(Question question, std::function<void(Reply)> done) = 0;
};

}  // namespace clrbus
