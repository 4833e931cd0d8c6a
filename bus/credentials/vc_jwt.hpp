// A credential as a signed token (VC-JWT of 1EdTech CLR 2.0 and Open Badges 3.0): the credential itself is the payload, with
// the registered claims beside its members, each equal to the member that it comes from. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "credentials/key_store.hpp"

namespace clrbus::credentials {

struct Claims {
    std::string issuer;                   // iss = issuer.id
    std::string id;                       // jti = id
    std::string subject;                  // sub = credentialSubject.id
    std::int64_t not_before = 0;          // nbf = validFrom in seconds
    std::optional<std::int64_t> expires;  // exp = validUntil in seconds
};

// 2026-03-01T10:00:00Z: credentials count in whole seconds, as the claims of a token do.
std::string credential_time(Time time);

// The claims that a credential's members ask for. Throws Error(kPoison, "CRED-001") with the member's path when one is missing
// or has another form.
Claims claims_of(std::string_view credential_json);

// credential_json: a JSON object without these claims. With claims given it is not parsed again.
std::string sign_vc_jwt(const Signer& signer, std::string_view credential_json, const Claims& claims);
std::string sign_vc_jwt(const Signer& signer, std::string_view credential_json);

}  // namespace clrbus::credentials
