// Checks PLAIN passwords away from the I/O threads: deriving the keys costs what the iterations cost. What was right lately is
// remembered by a keyed hash, so that a client that reconnects costs one hash. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "amqp/authenticator.hpp"

namespace clrbus::amqp {

class PasswordChecker {
public:
    enum class Answer : std::uint8_t { kRight, kWrong, kBusy };

    explicit PasswordChecker(const Authenticator& users);
    ~PasswordChecker();  // answers all that waits, then returns

    // done runs on the caller's thread or on the checker's.
    void check(const std::string& user, const std::string& password, std::function<void(Answer)> done);

    // For SCRAM: the user's secret, or one that looks like it and that no password matches. known: whether it is the user's.
    crypto::ScramSecret secret_or_decoy(const std::string& user, bool& known) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace clrbus::amqp
