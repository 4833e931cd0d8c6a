#include "amqp/sasl_server.hpp"

#include <algorithm>
#include <utility>

#include "amqp/encoding.hpp"
#include "amqp/performative.hpp"
#include "core/error.hpp"
#include "crypto/base64.hpp"
#include "crypto/hash.hpp"

namespace clrbus::amqp {
namespace {

using amqp_types::Value;

constexpr std::uint8_t kMechanisms = 0x40, kInit = 0x41, kChallenge = 0x42, kResponse = 0x43, kOutcome = 0x44;
constexpr std::size_t kMaxUser = 256;
constexpr std::size_t kMaxNonce = 512;

[[noreturn]] void sasl_violation(const char* text) {
    throw Violation("amqp:connection:framing-error", "sasl", text);
}

// "a=1,b=2": the value of the attribute at the front, which is cut off with its comma. Nothing when it is another one.
std::optional<std::string_view> scram_attribute(std::string_view& text, char name) {
    if (text.size() < 2 || text[0] != name || text[1] != '=') return std::nullopt;
    const auto comma = text.find(',');
    const std::string_view value = text.substr(2, comma == std::string_view::npos ? comma : comma - 2);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    return value;
}

// RFC 5802: =2C is a comma, =3D an equals sign, nothing else.
std::optional<std::string> scram_name(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '=') {
            out += text[i];
        } else if (text.substr(i, 3) == "=2C" || text.substr(i, 3) == "=3D") {
            out += text[i + 1] == '2' ? ',' : '=';
            i += 2;
        } else {
            return std::nullopt;
        }
    }
    if (out.empty() || out.size() > kMaxUser) return std::nullopt;
    return out;
}

}  // namespace

SaslServer::SaslServer(const Authenticator& users, const PasswordChecker& secrets, Offer offer)
    : users_(users), secrets_(secrets), offer_(std::move(offer)) {
    if (!offer_.certificate.empty()) mechanisms_.emplace_back("EXTERNAL");
    mechanisms_.emplace_back("SCRAM-SHA-256");
    if (offer_.plain) mechanisms_.emplace_back("PLAIN");
    if (users_.anonymous_user()) mechanisms_.emplace_back("ANONYMOUS");
}

std::string SaslServer::greeting() const {
    return std::string(kSaslHeader) + frame(1, 0, ListWriter().symbols(mechanisms_).described(kMechanisms));
}

SaslServer::State SaslServer::on_frame(std::string_view bytes) {
    if (state_ != State::kNegotiating) sasl_violation("a SASL frame out of turn");
    try {
        std::size_t at = static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[4])) * 4;
        const std::uint64_t code = amqp_types::section_code(bytes, at);
        std::size_t end = at;
        const Value list = amqp_types::read(bytes, end);
        if (list.described || !list.is_list() || end != bytes.size()) sasl_violation("a SASL frame that is no list");
        if (code == kInit) {
            on_init(bytes, at);
        } else if (code == kResponse && !mechanism_.empty()) {
            if (amqp_types::enter(bytes, at).count != 1) sasl_violation("sasl-response: response is missing");
            const Value response = amqp_types::read(bytes, at);
            if (!response.is_binary() || response.described) sasl_violation("sasl-response: response is not binary");
            on_response(bytes.substr(response.payload, response.payload_size));
        } else {
            sasl_violation("a SASL frame out of turn");
        }
    } catch (const Error&) {
        sasl_violation("a SASL frame that does not decode");
    }
    return state_;
}

void SaslServer::on_init(std::string_view bytes, std::size_t at) {
    if (!mechanism_.empty()) sasl_violation("a second sasl-init");
    const auto fields = amqp_types::enter(bytes, at);
    if (fields.count == 0 || fields.count > 3) sasl_violation("sasl-init: mechanism is missing");
    const Value mechanism = amqp_types::read(bytes, at);
    if (!mechanism.is_symbol() || mechanism.described) sasl_violation("sasl-init: mechanism is no symbol");
    std::optional<std::string_view> response;
    if (fields.count > 1) {
        const Value initial = amqp_types::read(bytes, at);
        const bool null = initial.code == 0x40;
        if (!null && !initial.is_binary()) sasl_violation("sasl-init: initial-response is not binary");
        if (!null) response = bytes.substr(initial.payload, initial.payload_size);
    }
    const std::string_view name = bytes.substr(mechanism.payload, mechanism.payload_size);
    if (std::find(mechanisms_.begin(), mechanisms_.end(), name) == mechanisms_.end()) {
        finish(Outcome::kAuth);
        return;
    }
    mechanism_ = name;
    if (response || mechanism_ == "EXTERNAL" || mechanism_ == "ANONYMOUS") {
        on_response(response.value_or(std::string_view{}));
    } else {
        challenge({});  // the mechanism begins with the client, who said nothing yet
    }
}

void SaslServer::on_response(std::string_view response) {
    if (mechanism_ == "PLAIN") {
        plain(response);
    } else if (mechanism_ == "SCRAM-SHA-256") {
        first_seen_ ? scram_final(response) : scram_first(response);
    } else if (mechanism_ == "EXTERNAL") {
        const auto user = users_.user_of_certificate(offer_.certificate);
        if (user && (response.empty() || response == *user)) {
            user_ = *user;
            finish(Outcome::kOk);
        } else {
            finish(Outcome::kAuth);
        }
    } else {
        user_ = users_.anonymous_user().value_or("");
        finish(user_.empty() ? Outcome::kAuth : Outcome::kOk);
    }
}

void SaslServer::challenge(std::string_view bytes) {
    output_ += frame(1, 0, ListWriter().binary(bytes).described(kChallenge));
}

void SaslServer::finish(Outcome outcome, std::string_view additional) {
    ListWriter list;
    list.ubyte(static_cast<std::uint8_t>(outcome));
    if (!additional.empty()) list.binary(additional);
    output_ += frame(1, 0, list.described(kOutcome));
    state_ = outcome == Outcome::kOk ? State::kAccepted : State::kRefused;
}

void SaslServer::plain(std::string_view response) {
    const auto first = response.find('\0');
    const auto second = first == std::string_view::npos ? first : response.find('\0', first + 1);
    if (second == std::string_view::npos || response.find('\0', second + 1) != std::string_view::npos) {
        finish(Outcome::kAuth);
        return;
    }
    const std::string_view authorize = response.substr(0, first);
    user_ = response.substr(first + 1, second - first - 1);
    password_ = response.substr(second + 1);
    if (user_.empty() || user_.size() > kMaxUser || (!authorize.empty() && authorize != user_)) {
        finish(Outcome::kAuth);
        return;
    }
    state_ = State::kChecking;
}

SaslServer::State SaslServer::checked(PasswordChecker::Answer answer) {
    password_.assign(password_.size(), '\0');
    password_.clear();
    switch (answer) {
        case PasswordChecker::Answer::kRight:
            finish(Outcome::kOk);
            break;
        case PasswordChecker::Answer::kWrong:
            finish(Outcome::kAuth);
            break;
        case PasswordChecker::Answer::kBusy:
            finish(Outcome::kTemporary);
            break;
    }
    return state_;
}

void SaslServer::scram_first(std::string_view message) {
    first_seen_ = true;
    // gs2-header: no channel binding is offered, so "p=" cannot be; another identity than one's own cannot be asked for.
    const bool binds = message.substr(0, 2) != "n," && message.substr(0, 2) != "y,";
    if (binds || message.size() < 3 || message[2] != ',') {
        finish(Outcome::kAuth);
        return;
    }
    gs2_ = message.substr(0, 3);
    first_bare_ = message.substr(3);
    std::string_view rest = first_bare_;
    const auto name = scram_attribute(rest, 'n');
    const auto user = name ? scram_name(*name) : std::nullopt;
    const auto nonce = user ? scram_attribute(rest, 'r') : std::nullopt;
    if (!nonce || nonce->empty() || nonce->size() > kMaxNonce) {
        finish(Outcome::kAuth);
        return;
    }
    user_ = *user;
    secret_ = secrets_.secret_or_decoy(user_, known_);
    nonce_ = std::string(*nonce) + crypto::random_token(24);
    server_first_ = "r=" + nonce_ + ",s=" + crypto::base64(secret_.salt) + ",i=" + std::to_string(secret_.iterations);
    challenge(server_first_);
}

void SaslServer::scram_final(std::string_view message) {
    const auto end = message.rfind(",p=");
    std::string_view rest = message.substr(0, end);
    const auto binding = scram_attribute(rest, 'c');
    const auto nonce = binding ? scram_attribute(rest, 'r') : std::nullopt;
    const auto proof = end == std::string_view::npos ? std::nullopt : crypto::from_base64(message.substr(end + 3));
    if (!nonce || !proof || *binding != crypto::base64(gs2_) || !crypto::constant_time_equal(*nonce, nonce_)) {
        finish(Outcome::kAuth);
        return;
    }
    const std::string auth = first_bare_ + "," + server_first_ + "," + std::string(message.substr(0, end));
    const bool right = crypto::scram_proof_matches(secret_, auth, *proof);
    if (!right || !known_) {
        finish(Outcome::kAuth);
        return;
    }
    finish(Outcome::kOk, "v=" + crypto::base64(crypto::scram_server_signature(secret_, auth)));
}

}  // namespace clrbus::amqp
