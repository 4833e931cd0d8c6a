#include "credentials/verify.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/text.hpp"
#include "credentials/data_integrity.hpp"
#include "credentials/json_access.hpp"
#include "credentials/status_list.hpp"
#include "credentials/vc_jwt.hpp"
#include "crypto/flat_json.hpp"
#include "crypto/jws.hpp"

namespace clrbus::credentials {

namespace json = boost::json;

namespace {

constexpr std::string_view kVcContext = "https://www.w3.org/ns/credentials/v2";
constexpr auto kClockSkew = std::chrono::minutes(1);

// What stops the judgement of one check: the reason is for a person.
struct VerifyRefusal {
    std::string reason;
};

crypto::JwsPolicy verify_policy(std::size_t most_bytes) {
    return {{crypto::Algorithm::kEs256, crypto::Algorithm::kRs256, crypto::Algorithm::kEdDsa}, most_bytes, 16u << 10};
}

// The token in an answer of the CLR service.
std::string verify_unwrap(const json::value& answer) {
    const json::value* tokens = find_at(answer, {"compactJwsString"});
    if (tokens != nullptr && tokens->is_array() && tokens->get_array().size() == 1 && tokens->get_array()[0].is_string())
        return std::string(tokens->get_array()[0].get_string());
    if (holds_text(answer, "type", "VerifiableCredential")) throw VerifyRefusal{"it is a credential without a signature"};
    throw VerifyRefusal{"expected a compact token, or an answer that holds exactly one"};
}

void verify_header(const crypto::JwsHeader& header) {
    for (const auto& member : header.members.members())
        if (member.name != "alg" && member.name != "kid" && member.name != "jwk" && member.name != "typ")
            throw VerifyRefusal{"the token's header holds a member other than alg, kid, jwk and typ"};
    if (!header.typ.empty() && header.typ != "JWT") throw VerifyRefusal{"the token's typ is not JWT"};
    if (header.kid.empty()) throw VerifyRefusal{"the token's header names no key (kid)"};
}

void verify_form(const json::value& document) {
    if (!document.is_object()) throw VerifyRefusal{"the token does not carry a JSON object"};
    if (find_at(document, {"vc"}) != nullptr)
        throw VerifyRefusal{"it has a claim 'vc': that is the older form, which is not taken"};
    const json::value* context = find_at(document, {"@context"});
    const bool first = context != nullptr && context->is_array() && !context->get_array().empty() &&
                       context->get_array()[0].is_string() && context->get_array()[0].get_string() == kVcContext;
    if (!first) throw VerifyRefusal{"the first context is not " + std::string(kVcContext)};
    if (!holds_text(document, "type", "VerifiableCredential")) throw VerifyRefusal{"its type is not VerifiableCredential"};
    if (find_at(document, {"credentialSubject"}) == nullptr) throw VerifyRefusal{"it has no credentialSubject"};
}

void verify_claims(const json::value& document, std::string_view payload) {
    Claims wanted;
    try {
        wanted = claims_of(payload);
    } catch (const Error& e) {
        throw VerifyRefusal{"member " + e.where().path + ": " + e.why()};
    }
    const auto text = [&](std::string_view claim, const std::string& member, std::string_view name) {
        const auto value = text_at(document, {claim});
        if (!value) throw VerifyRefusal{"claim '" + std::string(claim) + "' is missing"};
        if (*value != member) throw VerifyRefusal{"claim '" + std::string(claim) + "' differs from " + std::string(name)};
    };
    text("iss", wanted.issuer, "issuer.id");
    text("jti", wanted.id, "id");
    text("sub", wanted.subject, "credentialSubject.id");
    const auto number = [&](std::string_view claim, std::optional<std::int64_t> member, std::string_view name) {
        const json::value* value = find_at(document, {claim});
        if (value == nullptr && !member) return;
        if (value == nullptr) throw VerifyRefusal{"claim '" + std::string(claim) + "' is missing"};
        json::error_code error;
        const auto seconds = value->is_number() ? value->to_number<std::int64_t>(error) : 0;
        if (!value->is_number() || error || !member || seconds != *member)
            throw VerifyRefusal{"claim '" + std::string(claim) + "' differs from " + std::string(name)};
    };
    number("nbf", wanted.not_before, "validFrom");
    number("exp", wanted.expires, "validUntil");
}

void verify_subject(const json::value& document) {
    const json::value& subject = *find_at(document, {"credentialSubject"});
    const json::value* identifiers = find_at(subject, {"identifier"});
    const auto id = text_at(subject, {"id"});
    if (!id && (identifiers == nullptr || !identifiers->is_array() || identifiers->get_array().empty()))
        throw VerifyRefusal{"the subject has neither id nor identifier"};
    const json::value* nested = find_at(subject, {"verifiableCredential"});
    if (nested == nullptr || !nested->is_array()) return;
    std::size_t number = 0;
    for (const json::value& credential : nested->get_array()) {
        ++number;
        const auto other = text_at(credential, {"credentialSubject", "id"});
        if (id && other && *other != *id)
            throw VerifyRefusal{"credential " + std::to_string(number) + " in it is about another subject"};
    }
}

void verify_dates(const Verdict& verdict, Time now) {
    try {
        if (from_rfc3339(verdict.valid_from) > now + kClockSkew)
            throw VerifyRefusal{"it is not valid before " + verdict.valid_from};
        if (!verdict.valid_until.empty() && from_rfc3339(verdict.valid_until) < now - kClockSkew)
            throw VerifyRefusal{"it expired at " + verdict.valid_until};
    } catch (const Error&) {
        throw VerifyRefusal{"validFrom or validUntil is not an RFC 3339 time with zone"};
    }
}

// The list must be signed by the same issuer: else anybody's list could clear a revoked credential.
std::string verify_status_bits(std::string_view list_text, const std::string& url, const Verdict& verdict,
                               const VerifyOptions& options) {
    try {
        const auto token =
            crypto::verify_jws(trimmed(list_text), verify_policy(options.most_bytes), [&](const crypto::JwsHeader& header) {
                const auto key = options.keys(header.kid, verdict.issuer);
                return key ? std::optional(key->key) : std::nullopt;
            });
        const json::value list = parse_json(token.payload);
        const bool fits = text_at(list, {"id"}) == url && issuer_id(list) == verdict.issuer &&
                          holds_text(list, "type", "BitstringStatusListCredential") &&
                          text_at(list, {"credentialSubject", "statusPurpose"}) == "revocation";
        auto bits = fits ? decode_status_list(text_at(list, {"credentialSubject", "encodedList"}).value_or("")) : std::nullopt;
        if (!bits) throw VerifyRefusal{"the status list is not in the expected form"};
        return std::move(*bits);
    } catch (const Error& e) {
        throw VerifyRefusal{"the status list cannot be believed: " + e.why()};
    }
}

Check verify_status(const json::value& document, const Verdict& verdict, const VerifyOptions& options) {
    const json::value* status = find_at(document, {"credentialStatus"});
    if (status == nullptr) return {"status", Check::Result::kSkipped, "it cannot be revoked: it names no status list"};
    if (text_at(*status, {"type"}) != "BitstringStatusListEntry")
        return {"status", Check::Result::kSkipped, "the kind of its status list is not known here"};
    const auto url = text_at(*status, {"statusListCredential"});
    const json::value* number = find_at(*status, {"statusListIndex"});
    std::string digits;
    if (number != nullptr && number->is_string()) digits = std::string(number->get_string());
    if (number != nullptr && number->is_int64()) digits = std::to_string(number->get_int64());
    if (!url || digits.empty() || digits.size() > 12 || digits.find_first_not_of("0123456789") != digits.npos ||
        text_at(*status, {"id"}) == url)
        return {"status", Check::Result::kFailed, "its credentialStatus is not in the expected form"};
    if (!options.status) return {"status", Check::Result::kSkipped, "the status list was not asked for"};
    const auto list = options.status(*url);
    if (!list) return {"status", Check::Result::kSkipped, "the status list could not be had"};
    const std::string bits = verify_status_bits(*list, *url, verdict, options);
    const auto index = std::stoull(digits);
    if (index >= bits.size() * 8) return {"status", Check::Result::kFailed, "its index lies outside the status list"};
    if (status_bit(bits, index)) return {"status", Check::Result::kFailed, "it was revoked by its issuer"};
    return {"status", Check::Result::kHeld, "not revoked"};
}

// Runs one check; false when it failed.
template <class Action>
bool verify_run(Verdict& verdict, std::string name, std::string reason, Action action) {
    try {
        action();
        verdict.checks.push_back({std::move(name), Check::Result::kHeld, std::move(reason)});
        return true;
    } catch (const VerifyRefusal& refusal) {
        verdict.checks.push_back({std::move(name), Check::Result::kFailed, refusal.reason});
    } catch (const Error& e) {
        verdict.checks.push_back({std::move(name), Check::Result::kFailed, e.why()});
    }
    return false;
}

void verify_describe(Verdict& verdict, const json::value& document) {
    verdict.issuer = issuer_id(document).value_or("");
    verdict.id = text_at(document, {"id"}).value_or("");
    verdict.name = text_at(document, {"name"}).value_or("");
    verdict.valid_from = text_at(document, {"validFrom"}).value_or("");
    verdict.valid_until = text_at(document, {"validUntil"}).value_or("");
    for (const auto* type : {"ClrCredential", "AchievementCredential", "OpenBadgeCredential", "BitstringStatusListCredential"})
        if (holds_text(document, "type", type)) verdict.type = type;
}

}  // namespace

namespace {

// The thumbprint of the key that ISSUER#MULTIBASE spells out; empty for any other name. It still has to be one that is known.
std::string verify_fragment_key(std::string_view kid, std::string_view issuer) {
    if (!kid.starts_with(issuer) || !kid.substr(issuer.size()).starts_with("#z")) return {};
    const auto key = key_of_multibase(kid.substr(issuer.size() + 1));
    return key ? key->thumbprint() : std::string();
}

}  // namespace

KeySource own_keys(const KeyStore& store, std::string issuer) {
    return [&store, issuer = std::move(issuer)](std::string_view kid, std::string_view asked) -> std::optional<FoundKey> {
        if (asked != issuer) return std::nullopt;
        const std::string thumbprint = verify_fragment_key(kid, asked);
        auto key = store.find(thumbprint.empty() ? kid : thumbprint);
        if (!key) return std::nullopt;
        return FoundKey{std::move(*key), "published by this institution"};
    };
}

KeySource key_set(std::string_view jwks_json, std::string issuer, std::string provenance) {
    json::value document;
    try {
        document = parse_json(jwks_json);
    } catch (const Error& e) {
        throw Error(Fault::kPoison, "CRED-003", "reading a key set", e.why());
    }
    const json::value* keys = find_at(document, {"keys"});
    if (keys == nullptr || !keys->is_array())
        throw Error(Fault::kPoison, "CRED-003", "reading a key set", "it has no array 'keys'");
    auto known = std::make_shared<std::map<std::string, crypto::PublicKey>>();
    for (const json::value& jwk : keys->get_array()) {
        const auto kid = text_at(jwk, {"kid"});
        if (!kid) continue;
        try {
            const auto key = crypto::PublicKey::from_jwk(json::serialize(jwk));
            known->emplace(*kid, key);
            known->emplace(key.thumbprint(), key);
        } catch (const Error&) {
            continue;  // a kind of key that we do not check with
        }
    }
    return [known, issuer = std::move(issuer), provenance = std::move(provenance)](
               std::string_view kid, std::string_view asked) -> std::optional<FoundKey> {
        if (!issuer.empty() && asked != issuer) return std::nullopt;
        const std::string thumbprint = verify_fragment_key(kid, asked);
        const auto key = known->find(thumbprint.empty() ? std::string(kid) : thumbprint);
        return key == known->end() ? std::nullopt : std::optional(FoundKey{key->second, provenance});
    };
}

const Check* Verdict::find(std::string_view check) const {
    const auto found = std::find_if(checks.begin(), checks.end(), [&](const Check& c) { return c.name == check; });
    return found == checks.end() ? nullptr : &*found;
}

std::string Verdict::text() const {
    std::string out;
    for (const Check& check : checks) {
        const std::string_view mark = check.result == Check::Result::kHeld     ? "ok     "
                                      : check.result == Check::Result::kFailed ? "FAILED "
                                                                               : "-      ";
        out += std::string(mark) + check.name + std::string(check.name.size() < 10 ? 10 - check.name.size() : 1, ' ') +
               check.reason + "\n";
    }
    return out + (good ? "valid\n" : "NOT VALID\n");
}

std::string Verdict::json() const {
    json::array list;
    for (const Check& check : checks) {
        const char* result = check.result == Check::Result::kHeld     ? "held"
                             : check.result == Check::Result::kFailed ? "failed"
                                                                      : "skipped";
        list.push_back(json::object{{"check", check.name}, {"result", result}, {"reason", check.reason}});
    }
    return json::serialize(json::object{{"valid", good},
                                        {"issuer", issuer},
                                        {"id", id},
                                        {"type", type},
                                        {"name", name},
                                        {"validFrom", valid_from},
                                        {"validUntil", valid_until},
                                        {"algorithm", algorithm},
                                        {"kid", kid},
                                        {"checks", std::move(list)}});
}

namespace {

void verify_key(Verdict& verdict, const VerifyOptions& options, std::optional<FoundKey>& key) {
    const bool known = verify_run(verdict, "key", "", [&] {
        key = options.keys ? options.keys(verdict.kid, verdict.issuer) : std::nullopt;
        if (!key) throw VerifyRefusal{"the key that it names is not known as one of its issuer's"};
    });
    if (known) verdict.checks.back().reason = key->provenance;
}

// The credentials inside that carry a proof of their own. One whose issuer's key is not known here is counted, not refused: the
// record's issuer answers for it.
Check verify_inside(const json::value& document, const VerifyOptions& options) {
    const json::value* nested = find_at(document, {"credentialSubject", "verifiableCredential"});
    if (nested == nullptr || !nested->is_array()) return {"inside", Check::Result::kSkipped, "it holds no other credentials"};
    std::size_t held = 0, unknown = 0, number = 0;
    for (const json::value& credential : nested->get_array()) {
        ++number;
        const auto claim = find_proof(credential);
        if (!claim) continue;
        const auto key =
            options.keys ? options.keys(claim->verification_method, issuer_id(credential).value_or("")) : std::nullopt;
        if (!key)
            ++unknown;
        else if (proof_holds(credential, *claim, key->key))
            ++held;
        else
            throw VerifyRefusal{"the proof of credential " + std::to_string(number) + " in it does not hold"};
    }
    const std::string of = " of " + std::to_string(number) + " credentials in it ";
    if (held + unknown == 0)
        return {"inside", Check::Result::kSkipped, "none" + of + "carries a proof of its own; the record's covers them"};
    if (unknown != 0)
        return {"inside", Check::Result::kSkipped,
                std::to_string(unknown) + of + "are signed with keys that are not known here"};
    return {"inside", Check::Result::kHeld, std::to_string(held) + of + "carry a proof of their own, and it holds"};
}

void verify_content(Verdict& verdict, const json::value& body, const VerifyOptions& options) {
    verify_run(verdict, "subject", "it names its subject, and all in it is about the same one", [&] { verify_subject(body); });
    Check inside;
    if (verify_run(verdict, "inside", "", [&] { inside = verify_inside(body, options); })) verdict.checks.back() = inside;
    verify_run(verdict, "dates", "valid now", [&] { verify_dates(verdict, options.now); });
    Check status;
    if (verify_run(verdict, "status", "", [&] { status = verify_status(body, verdict, options); }))
        verdict.checks.back() = status;
    verdict.good = std::none_of(verdict.checks.begin(), verdict.checks.end(),
                                [](const Check& c) { return c.result == Check::Result::kFailed; });
}

Verdict verify_token(const std::string& token, const VerifyOptions& options) {
    Verdict out;
    crypto::Jws claimed;
    json::value body;
    const bool form = verify_run(out, "form", "a signed token that carries a credential", [&] {
        claimed = crypto::read_jws_unverified(token, verify_policy(options.most_bytes));
        verify_header(claimed.header);
        body = parse_json(claimed.payload);
        verify_form(body);
    });
    if (!form) return out;
    out.algorithm = to_string(claimed.header.algorithm);
    out.kid = claimed.header.kid;
    verify_describe(out, body);
    std::optional<FoundKey> key;
    verify_key(out, options, key);
    if (!key) return out;
    const bool signature = verify_run(out, "signature", "nothing was changed since " + out.algorithm + " signed it", [&] {
        crypto::verify_jws(token, verify_policy(options.most_bytes), [&](const crypto::JwsHeader&) { return key->key; });
    });
    if (!signature) return out;
    out.credential = claimed.payload;
    verify_run(out, "claims", "iss, jti, sub, nbf and exp equal the members they come from",
               [&] { verify_claims(body, claimed.payload); });
    verify_content(out, body, options);
    return out;
}

Verdict verify_embedded(std::string_view text, const json::value& body, const VerifyOptions& options) {
    Verdict out;
    std::optional<ProofClaim> claim;
    const bool form = verify_run(out, "form", "a credential with an embedded proof", [&] {
        verify_form(body);
        claim = find_proof(body);
        if (!claim) throw VerifyRefusal{"none of its proofs is of the kind that is checked here (eddsa-rdfc-2022)"};
    });
    if (!form) return out;
    out.algorithm = "eddsa-rdfc-2022";
    out.kid = claim->verification_method;
    verify_describe(out, body);
    std::optional<FoundKey> key;
    verify_key(out, options, key);
    if (!key) return out;
    const bool signature = verify_run(out, "signature", "nothing was changed since " + out.algorithm + " signed it", [&] {
        if (!proof_holds(body, *claim, key->key))
            throw VerifyRefusal{"the proof does not match: changed, or made with another key"};
    });
    if (!signature) return out;
    out.credential = text;
    verify_content(out, body, options);
    return out;
}

}  // namespace

Verdict verify(std::string_view document, const VerifyOptions& options) {
    Verdict refused;
    std::string token;
    json::value body;
    const std::string_view text = trimmed(document);
    const bool readable = verify_run(refused, "form", "", [&] {
        if (document.size() > options.most_bytes) throw VerifyRefusal{"it is larger than the limit"};
        if (!text.starts_with('{')) {
            token = text;
            return;
        }
        body = parse_json(text);
        if (find_at(body, {"proof"}) == nullptr) token = verify_unwrap(body);
    });
    if (!readable) return refused;
    return token.empty() && !body.is_null() ? verify_embedded(text, body, options) : verify_token(token, options);
}

}  // namespace clrbus::credentials
