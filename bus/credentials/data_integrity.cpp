#include "credentials/data_integrity.hpp"

#include <boost/json.hpp>

#include "core/error.hpp"
#include "credentials/json_access.hpp"
#include "credentials/jsonld.hpp"
#include "credentials/vc_jwt.hpp"
#include "crypto/base64.hpp"
#include "crypto/hash.hpp"

namespace clrbus::credentials {

namespace json = boost::json;

namespace {

constexpr std::string_view kProofSuite = "eddsa-rdfc-2022";
constexpr std::string_view kMultikeyEd25519("\xed\x01", 2);

[[noreturn]] void proof_fail(std::string_view code, std::string why) {
    throw Error(Fault::kPoison, code, "reading a proof", std::move(why));
}

json::object proof_configuration(const json::value& document, std::string_view method, std::string_view created) {
    json::object out;
    if (const json::value* context = find_at(document, {"@context"})) out["@context"] = *context;
    out["type"] = "DataIntegrityProof";
    out["cryptosuite"] = kProofSuite;
    if (!created.empty()) out["created"] = created;
    out["verificationMethod"] = method;
    out["proofPurpose"] = "assertionMethod";
    return out;
}

// What is signed: the hash of the proof's own statements, then that of the document's.
std::string proof_hash_data(const json::value& document, const json::object& configuration) {
    json::value bare = document;
    bare.as_object().erase("proof");
    return crypto::sha256(canonical_nquads(to_rdf(configuration))) + crypto::sha256(canonical_nquads(to_rdf(bare)));
}

}  // namespace

std::string multibase_of(const crypto::PublicKey& key) {
    return "z" + crypto::base58btc(std::string(kMultikeyEd25519) + key.ed25519());
}

std::optional<crypto::PublicKey> key_of_multibase(std::string_view multibase) {
    if (!multibase.starts_with('z')) return std::nullopt;
    const auto bytes = crypto::from_base58btc(multibase.substr(1));
    if (!bytes || bytes->size() != 34 || !bytes->starts_with(kMultikeyEd25519)) return std::nullopt;
    return crypto::PublicKey::from_ed25519(std::string_view(*bytes).substr(2));
}

std::string add_proof(const crypto::SigningKey& key, std::string_view text, std::string_view issuer, Time created) {
    const json::value document = parse_json(text);
    if (!document.is_object() || document.get_object().contains("proof"))
        proof_fail("PROOF-001", "expected a credential without a proof");
    const std::string method = std::string(issuer) + "#" + multibase_of(key.public_key());
    json::object proof = proof_configuration(document, method, credential_time(created));
    const std::string signature = key.sign(proof_hash_data(document, proof));
    proof.erase("@context");
    proof["proofValue"] = "z" + crypto::base58btc(signature);
    text.remove_suffix(text.size() - text.rfind('}'));
    return std::string(text) + ",\"proof\":[" + json::serialize(proof) + "]}";
}

std::optional<ProofClaim> find_proof(const json::value& document) {
    const json::value* proofs = find_at(document, {"proof"});
    if (proofs == nullptr) return std::nullopt;
    const json::array single{*proofs};
    for (const json::value& proof : proofs->is_array() ? proofs->get_array() : single) {
        if (text_at(proof, {"type"}) != "DataIntegrityProof" || text_at(proof, {"cryptosuite"}) != kProofSuite) continue;
        static constexpr std::string_view members[] = {"type",         "cryptosuite", "created", "verificationMethod",
                                                       "proofPurpose", "proofValue"};
        for (const auto& member : proof.as_object())
            if (std::find(std::begin(members), std::end(members), std::string_view(member.key())) == std::end(members))
                proof_fail("PROOF-002", "the proof has a member that is not expected");
        const auto method = text_at(proof, {"verificationMethod"});
        const auto value = text_at(proof, {"proofValue"});
        if (!method || !value || text_at(proof, {"proofPurpose"}) != "assertionMethod")
            proof_fail("PROOF-002", "the proof lacks verificationMethod, proofValue or the purpose assertionMethod");
        if (find_at(proof, {"created"}) != nullptr && !text_at(proof, {"created"}))
            proof_fail("PROOF-002", "the proof's created is no time");
        return ProofClaim{*method, text_at(proof, {"created"}).value_or(""), *value};
    }
    return std::nullopt;
}

bool proof_holds(const json::value& document, const ProofClaim& claim, const crypto::PublicKey& key) {
    const auto signature =
        claim.proof_value.starts_with('z') ? crypto::from_base58btc(claim.proof_value.substr(1)) : std::nullopt;
    if (!signature || signature->size() != 64 || key.algorithm() != crypto::Algorithm::kEdDsa) return false;
    return key.verify(proof_hash_data(document, proof_configuration(document, claim.verification_method, claim.created)),
                      *signature);
}

}  // namespace clrbus::credentials
