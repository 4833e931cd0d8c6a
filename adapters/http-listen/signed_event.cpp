#include "adapters_http_listen/signed_event.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "core/error.hpp"
#include "crypto/flat_json.hpp"
#include "crypto/hash.hpp"

namespace clrbus::adapters::http_listen {

namespace {

using crypto::FlatJson;

constexpr std::size_t kClaimsMost = 64 << 20;
constexpr std::array<std::string_view, 3> kTokenTimes{"exp", "nbf", "iat"};

[[noreturn]] void refuse_claims(std::string_view code, const std::string& claim, std::string why, std::string expected) {
    throw Error(Fault::kPoison, code, "checking a signed event's claim '" + claim + "'", std::move(why))
        .expected(std::move(expected));
}

FlatJson claims_of(std::string_view payload) {
    std::optional<FlatJson> claims = FlatJson::parse(payload, kClaimsMost);
    if (!claims) refuse_claims("HTL-004", "", "the payload is not a JSON object", "one object, at most 64 members, each once");
    return std::move(*claims);
}

// Seconds since 1970; nothing when the claim is absent.
std::optional<double> time_claim(const FlatJson& claims, const std::string& name) {
    const FlatJson::Member* member = claims.find(name);
    if (member == nullptr) return std::nullopt;
    double value = 0;
    const char* end = member->value.data() + member->value.size();
    const auto [rest, error] = std::from_chars(member->value.data(), end, value);
    if (member->kind != FlatJson::Kind::kNumber || error != std::errc{} || rest != end || !std::isfinite(value))
        refuse_claims("HTL-004", name, "it is not a time", "seconds since 1970");
    return value;
}

bool holds_audience(const FlatJson& claims, const std::string& audience) {
    const FlatJson::Member* member = claims.find("aud");
    if (member == nullptr) return false;
    if (member->kind == FlatJson::Kind::kString) return member->value == audience;
    if (member->kind != FlatJson::Kind::kArray) return false;
    const boost::json::value list = boost::json::parse(member->value);
    return std::any_of(list.get_array().begin(), list.get_array().end(),
                       [&](const boost::json::value& one) { return one.is_string() && one.get_string() == audience; });
}

// The ids of the events in an envelope, one below the other; "" when one has none.
std::string envelope_ids(const FlatJson& claims) {
    const FlatJson::Member* data = claims.find("data");
    if (data == nullptr || data->kind != FlatJson::Kind::kArray) return {};
    boost::system::error_code error;
    const boost::json::value list = boost::json::parse(data->value, error);
    if (error || list.get_array().empty()) return {};
    std::string ids;
    for (const boost::json::value& event : list.get_array()) {
        const boost::json::value* id = event.is_object() ? event.get_object().if_contains("id") : nullptr;
        if (id == nullptr || !id->is_string() || id->get_string().empty()) return {};
        ids += std::string(id->get_string()) + '\n';
    }
    return ids;
}

}  // namespace

void check_claims(std::string_view payload, const ClaimsPolicy& policy, Time now) {
    const FlatJson claims = claims_of(payload);
    const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
    const double skew = std::chrono::duration<double>(policy.skew).count();
    if (const auto expires = time_claim(claims, "exp"); expires && seconds > *expires + skew)
        refuse_claims("HTL-005", "exp", "it has expired", "a time ahead");
    for (const char* name : {"nbf", "iat"})
        if (const auto begins = time_claim(claims, name); begins && seconds < *begins - skew)
            refuse_claims("HTL-005", name, "it lies ahead", "a time that is over");
    if (!policy.issuer.empty() && claims.string("iss") != policy.issuer)
        refuse_claims("HTL-006", "iss", "another issuer", "the issuer of the configuration");
    if (!policy.audience.empty() && !holds_audience(claims, policy.audience))
        refuse_claims("HTL-006", "aud", "another audience", "the audience of the configuration");
}

std::string event_key(std::string_view payload) {
    const FlatJson claims = claims_of(payload);
    for (const char* name : {"jti", "id"})
        if (const auto id = claims.string(name); id && !id->empty()) return std::string(name) + ':' + crypto::sha256_hex(*id);
    if (const std::string ids = envelope_ids(claims); !ids.empty()) return "data:" + crypto::sha256_hex(ids);
    std::map<std::string_view, const FlatJson::Member*> members;
    for (const FlatJson::Member& member : claims.members())
        if (std::find(kTokenTimes.begin(), kTokenTimes.end(), member.name) == kTokenTimes.end()) members[member.name] = &member;
    crypto::Sha256 hash;
    for (const auto& [name, member] : members) {
        const char kind = static_cast<char>('0' + static_cast<int>(member->kind));
        // Lengths first: no two sets of members give the same bytes.
        hash.update(std::to_string(name.size()) + ':' + std::string(name) + kind + std::to_string(member->value.size()) + ':');
        hash.update(member->value);
    }
    return "members:" + hash.hex();
}

}  // namespace clrbus::adapters::http_listen
