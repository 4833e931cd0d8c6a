#include "crypto/jws.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "crypto/base64.hpp"

namespace clrbus::crypto {

namespace {

[[noreturn]] void jws_refuse(std::string_view code, std::string why) {
    throw Error(Fault::kPoison, code, "reading a signed token", std::move(why));
}

struct JwsParts {
    std::string_view header, payload, signature, signed_text;
};

JwsParts jws_split(std::string_view compact, const JwsPolicy& policy) {
    if (compact.size() > policy.most_bytes) jws_refuse("JWS-001", "it is larger than the limit");
    const auto first = compact.find('.');
    const auto second = first == compact.npos ? compact.npos : compact.find('.', first + 1);
    if (second == compact.npos || compact.find('.', second + 1) != compact.npos)
        jws_refuse("JWS-001", "expected three parts with a dot between them");
    JwsParts out{compact.substr(0, first), compact.substr(first + 1, second - first - 1), compact.substr(second + 1),
                 compact.substr(0, second)};
    if (out.header.size() > policy.most_header_bytes) jws_refuse("JWS-001", "its header is larger than the limit");
    return out;
}

std::string jws_text_member(const FlatJson& json, std::string_view name) {
    const auto* member = json.find(name);
    if (member == nullptr) return {};
    if (member->kind != FlatJson::Kind::kString)
        jws_refuse("JWS-002", "header member '" + std::string(name) + "' is not a string");
    return member->value;
}

JwsHeader jws_header(std::string_view encoded, const JwsPolicy& policy) {
    const auto text = from_base64url(encoded);
    if (!text) jws_refuse("JWS-001", "its header is not base64url");
    auto json = FlatJson::parse(*text);
    if (!json) jws_refuse("JWS-002", "its header is not a JSON object with each member once");
    for (const std::string_view name : {"crit", "b64", "zip", "enc"})
        if (json->find(name) != nullptr) jws_refuse("JWS-002", "header member '" + std::string(name) + "' is not supported");
    JwsHeader out;
    const auto algorithm = algorithm_from(jws_text_member(*json, "alg"));
    if (!algorithm || std::find(policy.algorithms.begin(), policy.algorithms.end(), *algorithm) == policy.algorithms.end())
        jws_refuse("JWS-003", "its algorithm is not one that is taken here");
    out.algorithm = *algorithm;
    out.kid = jws_text_member(*json, "kid");
    out.typ = jws_text_member(*json, "typ");
    if (const auto* jwk = json->find("jwk"); jwk != nullptr) {
        if (jwk->kind != FlatJson::Kind::kObject) jws_refuse("JWS-002", "header member 'jwk' is not an object");
        const auto key = FlatJson::parse(jwk->value);
        if (!key || key->find("d") != nullptr) jws_refuse("JWS-002", "header member 'jwk' is no public key");
        out.jwk = jwk->value;
    }
    out.members = std::move(*json);
    return out;
}

std::string jws_payload(std::string_view encoded) {
    auto out = from_base64url(encoded);
    if (!out) jws_refuse("JWS-001", "its payload is not base64url");
    return std::move(*out);
}

}  // namespace

std::string sign_jws(const SigningKey& key, std::string_view payload, const JwsOptions& options) {
    std::string header = R"({"alg":")" + std::string(to_string(key.algorithm())) + R"(","kid":)" +
                         json_string(options.kid.empty() ? key.kid() : options.kid);
    if (!options.typ.empty()) header += ",\"typ\":" + json_string(options.typ);
    std::string out = base64url(header + "}") + "." + base64url(payload);
    const std::string signature = key.sign(out);
    return out += "." + base64url(signature);
}

std::string sign_jws(const SigningKey& key, std::string_view payload) {
    return sign_jws(key, payload, JwsOptions{});
}

Jws verify_jws(std::string_view compact, const JwsPolicy& policy, const JwsKeySource& source) {
    const JwsParts parts = jws_split(compact, policy);
    JwsHeader header = jws_header(parts.header, policy);
    const auto signature = from_base64url(parts.signature);
    if (!signature) jws_refuse("JWS-001", "its signature is not base64url");
    const auto key = source(header);
    if (!key) jws_refuse("JWS-004", "no key is known for it");
    if (key->algorithm() != header.algorithm) jws_refuse("JWS-003", "its algorithm does not fit the key");
    if (!key->verify(parts.signed_text, *signature))
        jws_refuse("JWS-005", "the signature does not match: changed, or signed by another key");
    return {std::move(header), jws_payload(parts.payload)};
}

Jws read_jws_unverified(std::string_view compact, const JwsPolicy& policy) {
    const JwsParts parts = jws_split(compact, policy);
    JwsHeader header = jws_header(parts.header, policy);
    return {std::move(header), jws_payload(parts.payload)};
}

}  // namespace clrbus::crypto
