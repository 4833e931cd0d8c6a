#include "credentials/vc_jwt.hpp"

#include <boost/json.hpp>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "credentials/json_access.hpp"
#include "crypto/flat_json.hpp"
#include "crypto/jws.hpp"

namespace clrbus::credentials {

namespace json = boost::json;

namespace {

[[noreturn]] void vc_fail(std::string_view path, std::string why) {
    Where where;
    where.path = path;
    throw Error(Fault::kPoison, "CRED-001", "signing a credential", where, std::move(why));
}

}  // namespace

std::string credential_time(Time time) {
    const std::string text = to_rfc3339(std::chrono::floor<std::chrono::seconds>(time));
    const auto point = text.find('.');
    return point == text.npos ? text : text.substr(0, point) + "Z";
}

Claims claims_of(std::string_view text) {
    const json::value document = parse_json(text);
    const auto need = [](std::optional<std::string> value, std::string_view path) {
        if (!value || value->empty()) vc_fail(path, "expected a string");
        return std::move(*value);
    };
    const auto seconds = [](const std::string& time, std::string_view path) {
        try {
            return std::chrono::floor<std::chrono::seconds>(from_rfc3339(time)).time_since_epoch().count();
        } catch (const Error&) {
            vc_fail(path, "expected an RFC 3339 time with zone");
        }
    };
    Claims out;
    out.issuer = need(issuer_id(document), "/issuer/id");
    out.id = need(text_at(document, {"id"}), "/id");
    out.subject = need(text_at(document, {"credentialSubject", "id"}), "/credentialSubject/id");
    out.not_before = seconds(need(text_at(document, {"validFrom"}), "/validFrom"), "/validFrom");
    if (find_at(document, {"validUntil"}) != nullptr)
        out.expires = seconds(need(text_at(document, {"validUntil"}), "/validUntil"), "/validUntil");
    return out;
}

std::string sign_vc_jwt(const Signer& signer, std::string_view text, const Claims& claims) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    if (text.size() < 3 || text.front() != '{' || text.back() != '}') vc_fail("", "expected a JSON object");
    std::string payload;
    payload.reserve(text.size() + 400);
    payload.append(text.substr(0, text.size() - 1));
    payload += ",\"iss\":" + crypto::json_string(claims.issuer) + ",\"jti\":" + crypto::json_string(claims.id) +
               ",\"sub\":" + crypto::json_string(claims.subject) + ",\"nbf\":" + std::to_string(claims.not_before);
    if (claims.expires) payload += ",\"exp\":" + std::to_string(*claims.expires);
    payload += '}';
    return crypto::sign_jws(signer.key, payload, {signer.kid, "JWT"});
}

std::string sign_vc_jwt(const Signer& signer, std::string_view text) {
    return sign_vc_jwt(signer, text, claims_of(text));
}

}  // namespace clrbus::credentials
