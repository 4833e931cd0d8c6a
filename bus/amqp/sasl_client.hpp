// The client's side of the SASL layer of one connection (part 5.3): SCRAM-SHA-256 (RFC 7677), PLAIN, EXTERNAL and ANONYMOUS,
// the strongest that both sides know. PLAIN only where nobody else can read it. Frames in, frames out; no I/O. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "amqp/sasl_server.hpp"

namespace clrbus::amqp {

class SaslClient {
public:
    static constexpr std::uint32_t kMaxFrame = 4096;
    static constexpr std::uint32_t kMostIterations = 600'000;  // what a server may make us compute

    struct Who {
        std::string user, password;  // both empty: no user of its own
        bool certificate = false;    // we have shown one: EXTERNAL may be chosen
        bool anonymous = false;      // ANONYMOUS may be chosen
        bool confidential = false;   // TLS or loopback: PLAIN may be chosen
    };
    enum class State : std::uint8_t { kNegotiating, kAccepted, kRefused };

    explicit SaslClient(Who who) : who_(std::move(who)) {}

    // One whole frame of type 1. Throws Violation on anything that is not SASL, comes out of turn or does not prove that the
    // server knows the password.
    State on_frame(std::string_view frame);
    State state() const { return state_; }
    std::string take_output() { return std::exchange(output_, {}); }
    const std::string& mechanism() const { return mechanism_; }
    const std::string& failure() const { return failure_; }  // for people, without a secret

private:
    void on_mechanisms(std::string_view frame, std::size_t at);
    void on_challenge(std::string_view challenge);
    void on_outcome(std::uint64_t code, std::string_view additional);
    void init(std::string_view mechanism, std::string_view response);
    void refuse(std::string why);
    void scram_final(std::string_view server_first);
    void check_signature(std::string_view server_final);

    const Who who_;
    State state_ = State::kNegotiating;
    std::string mechanism_, output_, failure_;
    std::string nonce_, first_bare_, signature_;  // SCRAM
    bool answered_ = false;                       // a challenge of a mechanism that knows none
    bool proved_ = false;                         // the server's signature was right
};

}  // namespace clrbus::amqp
