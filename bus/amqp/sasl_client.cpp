#include "amqp/sasl_client.hpp"

#include <charconv>
#include <set>
#include <utility>

#include "amqp/encoding.hpp"
#include "amqp/performative.hpp"
#include "core/error.hpp"
#include "crypto/base64.hpp"
#include "crypto/hash.hpp"
#include "crypto/password.hpp"

namespace clrbus::amqp {
namespace {

using amqp_types::Value;

constexpr std::uint8_t kSaslMechanisms = 0x40, kSaslInit = 0x41, kSaslChallenge = 0x42, kSaslResponse = 0x43,
                       kSaslOutcome = 0x44;
constexpr std::size_t kMaxServerNonce = 512;

[[noreturn]] void sasl_server_wrong(const char* text) {
    throw Violation("amqp:connection:framing-error", "sasl", text);
}

std::string scram_escaped(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == ',') {
            out += "=2C";
        } else if (c == '=') {
            out += "=3D";
        } else {
            out += c;
        }
    }
    return out;
}

// The value of the attribute at the front of "a=1,b=2", which is cut off with its comma.
std::string_view scram_value(std::string_view& text, char name) {
    if (text.size() < 2 || text[0] != name || text[1] != '=') sasl_server_wrong("SCRAM: an attribute is missing");
    const auto comma = text.find(',');
    const std::string_view value = text.substr(2, comma == std::string_view::npos ? comma : comma - 2);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    return value;
}

std::set<std::string, std::less<>> offered_names(std::string_view frame, const Value& value) {
    std::set<std::string, std::less<>> out;
    if (value.is_symbol()) {
        out.emplace(frame.substr(value.payload, value.payload_size));
        return out;
    }
    if (!value.is_array()) sasl_server_wrong("sasl-mechanisms: no symbols");
    const bool wide = value.code == 0xf0;
    std::size_t at = value.offset + 1 + (wide ? 8 : 2);
    const std::size_t end = value.offset + value.size;
    if (at >= end) sasl_server_wrong("sasl-mechanisms: no symbols");
    const auto element = static_cast<std::uint8_t>(frame[at++]);
    if (element != 0xa3 && element != 0xb3) sasl_server_wrong("sasl-mechanisms: no symbols");
    const std::size_t width = element == 0xb3 ? 4 : 1;
    while (end - at >= width && at < end) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < width; ++i) size = size << 8 | static_cast<std::uint8_t>(frame[at++]);
        if (size > end - at) sasl_server_wrong("sasl-mechanisms: a symbol that does not end");
        out.emplace(frame.substr(at, size));
        at += size;
    }
    return out;
}

}  // namespace

SaslClient::State SaslClient::on_frame(std::string_view bytes) {
    if (state_ != State::kNegotiating) sasl_server_wrong("a SASL frame out of turn");
    try {
        std::size_t at = static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[4])) * 4;
        const std::uint64_t code = amqp_types::section_code(bytes, at);
        std::size_t end = at;
        const Value list = amqp_types::read(bytes, end);
        if (list.described || !list.is_list() || end != bytes.size()) sasl_server_wrong("a SASL frame that is no list");
        if (code == kSaslMechanisms && mechanism_.empty()) {
            on_mechanisms(bytes, at);
            return state_;
        }
        const auto fields = amqp_types::enter(bytes, at);
        if (fields.count == 0 || mechanism_.empty()) sasl_server_wrong("a SASL frame out of turn");
        const Value first = amqp_types::read(bytes, at);
        if (code == kSaslChallenge) {
            if (!first.is_binary() || first.described) sasl_server_wrong("sasl-challenge: challenge is not binary");
            on_challenge(bytes.substr(first.payload, first.payload_size));
        } else if (code == kSaslOutcome) {
            if (first.code != 0x50 || first.described) sasl_server_wrong("sasl-outcome: code is no ubyte");
            std::string_view additional;
            if (fields.count > 1) {
                const Value more = amqp_types::read(bytes, at);
                if (more.is_binary()) additional = bytes.substr(more.payload, more.payload_size);
            }
            on_outcome(static_cast<std::uint8_t>(bytes[first.payload]), additional);
        } else {
            sasl_server_wrong("a SASL frame out of turn");
        }
    } catch (const Error&) {
        sasl_server_wrong("a SASL frame that does not decode");
    }
    return state_;
}

void SaslClient::on_mechanisms(std::string_view frame, std::size_t at) {
    if (amqp_types::enter(frame, at).count != 1) sasl_server_wrong("sasl-mechanisms: none");
    const Value value = amqp_types::read(frame, at);
    const auto offered = offered_names(frame, value);
    const bool named = !who_.user.empty();
    if (who_.certificate && offered.contains("EXTERNAL") && who_.password.empty()) return init("EXTERNAL", who_.user);
    if (named && offered.contains("SCRAM-SHA-256")) {
        nonce_ = crypto::random_token(24);
        first_bare_ = "n=" + scram_escaped(who_.user) + ",r=" + nonce_;
        return init("SCRAM-SHA-256", "n,," + first_bare_);
    }
    if (named && offered.contains("PLAIN")) {
        if (!who_.confidential)
            return refuse("the server takes a password only in the clear, and the way there is not encrypted");
        return init("PLAIN", std::string(1, '\0').append(who_.user).append(1, '\0').append(who_.password));
    }
    if (!named && who_.anonymous && offered.contains("ANONYMOUS")) return init("ANONYMOUS", "clrbus");
    refuse("the server offers no mechanism that fits our credentials");
}

void SaslClient::init(std::string_view mechanism, std::string_view response) {
    mechanism_ = mechanism;
    output_ += frame(1, 0, ListWriter().symbol(mechanism).binary(response).described(kSaslInit));
}

void SaslClient::refuse(std::string why) {
    failure_ = std::move(why);
    state_ = State::kRefused;
}

void SaslClient::on_challenge(std::string_view challenge) {
    if (mechanism_ != "SCRAM-SHA-256") {
        // Everything was said with init. One empty answer is given; who asks again does not know the mechanism.
        if (std::exchange(answered_, true)) sasl_server_wrong("a challenge that the mechanism does not know");
        output_ += frame(1, 0, ListWriter().binary({}).described(kSaslResponse));
        return;
    }
    if (signature_.empty()) {
        scram_final(challenge);
    } else {
        check_signature(challenge);  // RFC 5802 in a challenge; most servers put it into the outcome
        output_ += frame(1, 0, ListWriter().binary({}).described(kSaslResponse));
    }
}

void SaslClient::scram_final(std::string_view server_first) {
    std::string_view rest = server_first;
    const std::string_view nonce = scram_value(rest, 'r');
    const auto salt = crypto::from_base64(scram_value(rest, 's'));
    const std::string_view count = scram_value(rest, 'i');
    std::uint32_t iterations = 0;
    const auto parsed = std::from_chars(count.data(), count.data() + count.size(), iterations);
    const bool own =
        nonce.size() > nonce_.size() && nonce.size() <= kMaxServerNonce && nonce.substr(0, nonce_.size()) == nonce_;
    if (!own || !salt || salt->empty()) sasl_server_wrong("SCRAM: the server's nonce or salt is wrong");
    if (parsed.ec != std::errc{} || parsed.ptr != count.data() + count.size() || iterations < 4096 ||
        iterations > kMostIterations)
        sasl_server_wrong("SCRAM: the server's iterations are not between 4096 and 600000");
    const std::string final_bare = "c=" + crypto::base64("n,,") + ",r=" + std::string(nonce);
    const std::string auth = first_bare_ + "," + std::string(server_first) + "," + final_bare;
    signature_ = crypto::scram_server_signature(crypto::make_scram_secret(who_.password, *salt, iterations), auth);
    const std::string proof = crypto::base64(crypto::scram_client_proof(who_.password, *salt, iterations, auth));
    output_ += frame(1, 0, ListWriter().binary(final_bare + ",p=" + proof).described(kSaslResponse));
}

void SaslClient::check_signature(std::string_view server_final) {
    const auto given = crypto::from_base64(scram_value(server_final, 'v'));
    if (signature_.empty() || !given || !crypto::constant_time_equal(*given, signature_))
        sasl_server_wrong("SCRAM: the server does not know the password");
    proved_ = true;
}

void SaslClient::on_outcome(std::uint64_t code, std::string_view additional) {
    if (code != 0) return refuse(code == 1 ? "the server refused our credentials" : "the server cannot check credentials now");
    if (mechanism_ == "SCRAM-SHA-256" && !proved_) check_signature(additional);
    state_ = State::kAccepted;
}

}  // namespace clrbus::amqp
