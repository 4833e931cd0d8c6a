// JSON Web Signature, compact form (RFC 7515), strict: the caller names the algorithms that it takes and chooses the key; the
// key's own kind must fit the header's algorithm. 'none', HMAC algorithms, 'crit', 'b64', unknown algorithms, members twice and
// a private 'jwk' are refused. Any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/flat_json.hpp"
#include "crypto/signing.hpp"

namespace clrbus::crypto {

struct JwsHeader {
    Algorithm algorithm = Algorithm::kEs256;
    std::string kid, typ;
    std::string jwk;   // JSON text, empty when absent
    FlatJson members;  // all of them
};

struct Jws {
    JwsHeader header;
    std::string payload;
};

struct JwsOptions {
    std::string kid;          // empty: the key's own kid
    std::string typ = "JWT";  // empty: left out
};

std::string sign_jws(const SigningKey& key, std::string_view payload, const JwsOptions& options);
std::string sign_jws(const SigningKey& key, std::string_view payload);

struct JwsPolicy {
    std::vector<Algorithm> algorithms;   // none: nothing is taken
    std::size_t most_bytes = 16u << 20;  // of the compact text
    std::size_t most_header_bytes = 16u << 10;
};

// The key for a header, or none. It may look at kid and jwk; it need not check the algorithm.
using JwsKeySource = std::function<std::optional<PublicKey>(const JwsHeader& header)>;

// Throws Error(kPoison): JWS-001 form, JWS-002 header, JWS-003 algorithm not taken, JWS-004 no key, JWS-005 signature wrong.
Jws verify_jws(std::string_view compact, const JwsPolicy& policy, const JwsKeySource& key);
// Header and payload without any check of the signature: to choose a key, to show what it claims.
Jws read_jws_unverified(std::string_view compact, const JwsPolicy& policy);

}  // namespace clrbus::crypto
