// The server's side of the SASL layer of one connection (part 5.3), before Proton sees a byte: PLAIN, SCRAM-SHA-256 (RFC 7677),
// EXTERNAL and ANONYMOUS. Frames in, frames out; no I/O. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/password_checker.hpp"

namespace clrbus::amqp {

inline constexpr std::string_view kSaslHeader{"AMQP\x03\x01\x00\x00", 8};
inline constexpr std::string_view kAmqpHeader{"AMQP\x00\x01\x00\x00", 8};

class SaslServer {
public:
    static constexpr std::uint32_t kMaxFrame = 4096;  // 512 by the specification; long passwords are let through

    struct Offer {
        bool plain = false;
        std::string certificate;  // subject of the verified client certificate, "" = none
    };
    enum class State : std::uint8_t {
        kNegotiating,
        kChecking,  // a password is to be checked: password(), then checked()
        kAccepted,  // user() is who it is
        kRefused,   // tell output() after a while, then close
    };

    SaslServer(const Authenticator& users, const PasswordChecker& secrets, Offer offer);

    // Our header and the mechanisms: what to send first.
    std::string greeting() const;
    // One whole frame of type 1. Throws Violation on anything that is not SASL or comes out of turn.
    State on_frame(std::string_view frame);
    State checked(PasswordChecker::Answer answer);
    State state() const { return state_; }

    std::string take_output() { return std::move(output_); }
    const std::string& user() const { return user_; }
    const std::string& password() const { return password_; }
    const std::string& mechanism() const { return mechanism_; }

private:
    enum class Outcome : std::uint8_t { kOk = 0, kAuth = 1, kTemporary = 4 };

    void on_init(std::string_view frame, std::size_t at);
    void on_response(std::string_view response);
    void challenge(std::string_view bytes);
    void finish(Outcome outcome, std::string_view additional = {});
    void plain(std::string_view response);
    void scram_first(std::string_view message);
    void scram_final(std::string_view message);

    const Authenticator& users_;
    const PasswordChecker& secrets_;
    Offer offer_;
    std::vector<std::string> mechanisms_;
    State state_ = State::kNegotiating;
    std::string mechanism_;  // one of mechanisms_, once init has come
    std::string output_, user_, password_;

    // SCRAM
    bool first_seen_ = false;
    bool known_ = false;
    crypto::ScramSecret secret_;
    std::string gs2_, first_bare_, nonce_, server_first_;
};

}  // namespace clrbus::amqp
