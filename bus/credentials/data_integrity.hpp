// Embedded proofs of the cryptosuite eddsa-rdfc-2022 (W3C Data Integrity): the credential carries its signature, and every
// credential inside it can carry one of its own and be cut out. Pure but for the key; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "crypto/signing.hpp"

namespace boost::json {
class value;
}

namespace clrbus::credentials {

// 'z' and base58btc of the multicodec prefix and the key: z6Mk…
std::string multibase_of(const crypto::PublicKey& ed25519);
std::optional<crypto::PublicKey> key_of_multibase(std::string_view multibase);

// The credential with "proof" as its last member. verificationMethod is ISSUER#MULTIBASE, which says all that a verifier needs
// but whether the issuer owns the key. Throws Error(kPoison): "JSONLD-001" when a member is not defined by the contexts,
// "PROOF-001" when there is a proof already.
std::string add_proof(const crypto::SigningKey& ed25519, std::string_view credential_json, std::string_view issuer,
                      Time created);

struct ProofClaim {
    std::string verification_method;
    std::string created;
    std::string proof_value;
};
// The proof of this suite among those that a document carries, or none. Throws Error(kPoison, "PROOF-002") for one that is of
// this suite but not in its form.
std::optional<ProofClaim> find_proof(const boost::json::value& document);
// True when the key made that proof over the document as it is now. Throws as add_proof.
bool proof_holds(const boost::json::value& document, const ProofClaim& claim, const crypto::PublicKey& key);

}  // namespace clrbus::credentials
