// Judges a credential: every check by name, with a plain reason, so that a person sees why. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "credentials/key_store.hpp"
#include "crypto/signing.hpp"

namespace clrbus::credentials {

// A key and why it may be believed to be the issuer's.
struct FoundKey {
    crypto::PublicKey key;
    std::string provenance;  // "published by this institution", "from the key set in keys.json"
};
// The key that an issuer published under this kid. The issuer is what the credential claims: a source answers only for issuers
// that it stands for.
using KeySource = std::function<std::optional<FoundKey>(std::string_view kid, std::string_view issuer)>;
// The text of a status list credential by its URL, or none when it cannot be had.
using StatusSource = std::function<std::optional<std::string>(std::string_view url)>;

// Our own keys; for this issuer alone. The store outlives the source.
KeySource own_keys(const KeyStore& store, std::string issuer);
// A JWK set (RFC 7517), taken to be issuer's; an empty issuer: whoever asks. Keys of other kinds in it are passed over. Throws
// Error(kPoison, "CRED-003") when it is no key set.
KeySource key_set(std::string_view jwks_json, std::string issuer, std::string provenance);

struct Check {
    enum class Result : unsigned char { kHeld, kFailed, kSkipped };
    std::string name;  // form, key, signature, claims (tokens), subject, inside, dates, status
    Result result = Result::kSkipped;
    std::string reason;
};

struct Verdict {
    bool good = false;  // no check failed, and signature and key held
    std::vector<Check> checks;
    std::string algorithm, kid, issuer, id, name, valid_from, valid_until, type;
    std::string credential;  // the JSON that was signed; empty unless the signature held

    const Check* find(std::string_view check) const;
    std::string text() const;  // one line per check, for a terminal
    std::string json() const;
};

struct VerifyOptions {
    KeySource keys;
    StatusSource status;  // none: the status check is skipped, and says so
    Time now{};
    std::size_t most_bytes = 16u << 20;
};

// document: a compact token, a credential with an embedded proof (eddsa-rdfc-2022), or an answer of the CLR service with one
// token. Never throws for what the document holds.
Verdict verify(std::string_view document, const VerifyOptions& options);

}  // namespace clrbus::credentials
