#include "credentials/data_integrity.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.hpp"
#include "credentials/jsonld.hpp"
#include "credentials/rdf.hpp"
#include "credentials/test_clock.hpp"
#include "credentials/verify.hpp"
#include "crypto/base64.hpp"
#include "crypto/hash.hpp"

namespace clrbus::credentials {
namespace {

namespace json = boost::json;
using crypto::SigningKey;

std::filesystem::path shared_folder(const std::string& below) {
    for (std::filesystem::path folder = CLRBUS_SOURCE_DIR; folder.has_relative_path(); folder = folder.parent_path())
        if (std::filesystem::is_directory(folder / "shared/clr" / below)) return folder / "shared/clr" / below;
    return {};
}

std::string shared_text(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

// Believes any key that a document spells out: for documents of others whose keys are part of them.
std::optional<FoundKey> whatever_it_names(std::string_view kid, std::string_view) {
    const auto at = kid.rfind('#');
    const auto key = at == kid.npos ? std::nullopt : key_of_multibase(kid.substr(at + 1));
    return key ? std::optional(FoundKey{*key, "named by the document"}) : std::nullopt;
}

VerifyOptions believing() {
    VerifyOptions out;
    out.keys = whatever_it_names;
    out.now = from_rfc3339("2026-03-01T00:00:00Z");
    return out;
}

const std::string kCredential =
    R"({"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],)"
    R"("id":"urn:uuid:1","type":["VerifiableCredential","AchievementCredential"],"name":"Award","issuer":{"id":"https://a.example","type":["Profile"]},)"
    R"("validFrom":"2026-02-01T00:00:00Z","credentialSubject":{"id":"urn:uuid:2","type":["AchievementSubject"],"creditsEarned":3.50,)"
    R"("achievement":{"id":"urn:uuid:3","type":["Achievement"],"name":"A \"quoted\" name","description":"d","criteria":{"narrative":"n"}}}})";

std::string data_integrity_replaced(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    if (at == text.npos) throw std::runtime_error("nothing to replace");
    return text.replace(at, from.size(), to);
}

TEST(DataIntegrity, RefusesWhatIsNotDefined) {
    const auto code = [](const std::string& document) -> std::string {
        try {
            to_rdf(json::parse(document));
        } catch (const Error& e) {
            return e.code() + std::string(" ") + e.where().path;
        }
        return "";
    };
    EXPECT_EQ(code(kCredential), "");
    EXPECT_EQ(code(data_integrity_replaced(kCredential, R"("name":"Award")", R"("grade":"A","name":"Award")")),
              "JSONLD-001 /grade");
    EXPECT_EQ(code(data_integrity_replaced(kCredential, R"("description":"d")", R"("description":"d","extra":1)")),
              "JSONLD-001 /credentialSubject/achievement/extra");
    EXPECT_EQ(code(data_integrity_replaced(kCredential, R"("AchievementCredential")", R"("Other")")), "JSONLD-001 /type");
    EXPECT_EQ(code(data_integrity_replaced(kCredential, R"("urn:uuid:3")", R"("relative/3")")),
              "JSONLD-001 /credentialSubject/achievement");
    EXPECT_EQ(code(data_integrity_replaced(kCredential, "context-3.0.3.json", "context-9.json")), "JSONLD-001 ");
    EXPECT_EQ(code(data_integrity_replaced(kCredential, R"("https://www.w3.org/ns/credentials/v2")", R"({"@vocab":"urn:x:"})")),
              "JSONLD-001 ");
    EXPECT_EQ(code(data_integrity_replaced(kCredential, R"("name":"Award")", R"("name":{"@value":"Award"})")),
              "JSONLD-001 /name");
    EXPECT_EQ(code(data_integrity_replaced(kCredential, R"("name":"Award")", R"("@graph":[],"name":"Award")")),
              "JSONLD-001 /@graph");
    EXPECT_EQ(code("[]"), "JSONLD-001 ");
    EXPECT_TRUE(is_known_context("https://www.w3.org/ns/credentials/v2"));
    EXPECT_FALSE(is_known_context("https://evil.example/"));
}

TEST(DataIntegrity, EveryChangeIsSeen) {
    const auto key = SigningKey::generate(crypto::Algorithm::kEdDsa);
    const std::string good = add_proof(key, kCredential, "https://a.example", from_rfc3339("2026-02-02T00:00:00Z"));
    const VerifyOptions options = believing();
    ASSERT_TRUE(verify(good, options).good) << verify(good, options).text();
    for (const auto& [from, to] : std::initializer_list<std::pair<std::string, std::string>>{
             {"Award", "award"},
             {"3.50", "3.51"},
             {"\\\"quoted", "\\\" quoted"},
             {"\"n\"", "\"m\""},
             {"urn:uuid:2", "urn:uuid:4"},
             {"2026-02-01T", "2026-01-01T"},
             {"2026-02-02T", "2026-02-03T"},
             {"\"description\":\"d\",", ""},
             {"https://a.example\",\"type", "https://b.example\",\"type"},
             {R"("criteria":{)", R"("criteria":{"id":"urn:uuid:9",)"}})
        EXPECT_FALSE(verify(data_integrity_replaced(good, from, to), options).good) << from << " -> " << to;
    EXPECT_TRUE(verify(data_integrity_replaced(good, "3.50", "3.5"), options).good) << "the same number";
    EXPECT_FALSE(verify(data_integrity_replaced(good, "assertionMethod", "authentication"), options).good);
    EXPECT_FALSE(verify(data_integrity_replaced(good, "\"proofValue\":\"z", "\"proofValue\":\"u"), options).good);
    EXPECT_FALSE(verify(data_integrity_replaced(good, "\"proofValue\"", "\"domain\":\"x\",\"proofValue\""), options).good);
    EXPECT_FALSE(verify(data_integrity_replaced(good, "eddsa-rdfc-2022", "eddsa-jcs-2022"), options).good);
    EXPECT_THROW(add_proof(key, good, "https://a.example", Time{}), Error);
    EXPECT_EQ(add_proof(key, kCredential, "https://a.example", Time{}),
              add_proof(key, kCredential, "https://a.example", Time{}));
}

TEST(DataIntegrity, AKeyThatTheDocumentNamesIsNotBelievedForThat) {
    const auto folder = std::filesystem::temp_directory_path() / "clrbus-data-integrity-keys";
    TestClock clock;
    const KeyStore store = KeyStore::open(folder, "", clock);
    VerifyOptions options = believing();
    options.keys = own_keys(store, "https://a.example");
    const auto stranger = SigningKey::generate(crypto::Algorithm::kEdDsa);
    EXPECT_EQ(verify(add_proof(stranger, kCredential, "https://a.example", Time{}), options).find("key")->result,
              Check::Result::kFailed);
    const Signer own = store.current(crypto::Algorithm::kEdDsa);
    const std::string good = add_proof(own.key, kCredential, "https://a.example", Time{});
    EXPECT_TRUE(verify(good, options).good) << verify(good, options).text();
    options.keys = key_set(*store.jwks(), "", "a key set");
    EXPECT_TRUE(verify(good, options).good);
    std::filesystem::remove_all(folder);
}

TEST(DataIntegrity, MakesTheOpenBadgesVectorByteForByte) {
    const auto folder = shared_folder("vectors/ob-v3p0-eddsa-rdfc-2022");
    if (folder.empty()) GTEST_SKIP() << "no folder of vectors beside the checkout";
    const auto values = json::parse(shared_text(folder / "values.json"));
    const json::value document = json::parse(shared_text(folder / "unsigned.json"));
    EXPECT_EQ(canonical_nquads(to_rdf(document)), shared_text(folder / "document-canon.txt"));
    const json::value verified = json::parse(shared_text(folder / "signed.json"));
    const auto claim = find_proof(verified);
    ASSERT_TRUE(claim);
    EXPECT_EQ(claim->proof_value, values.at("proofValue").as_string());
    const auto key = key_of_multibase(values.at("publicKeyMultibase").as_string());
    ASSERT_TRUE(key);
    EXPECT_EQ(multibase_of(*key), values.at("publicKeyMultibase").as_string());
    EXPECT_TRUE(proof_holds(verified, *claim, *key));
    // The same key as PKCS#8: our signature is the published one.
    const std::string secret = *crypto::from_hex(std::string(values.at("secretKeyHex").as_string()).substr(0, 64));
    const std::string der = *crypto::from_hex("302e020100300506032b657004220420") + secret;
    const auto signer =
        SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\n" + crypto::base64(der) + "\n-----END PRIVATE KEY-----\n");
    const json::value again = json::parse(
        add_proof(signer, json::serialize(document), "https://example.edu/issuers/565049", from_rfc3339(claim->created)));
    EXPECT_EQ(find_proof(again)->proof_value, claim->proof_value);
}

TEST(DataIntegrity, JudgesTheExamplesOfOthers) {
    const auto folder = shared_folder("examples");
    if (folder.empty()) GTEST_SKIP() << "no folder of examples beside the checkout";
    for (const auto* name : {"clr-v2p0/signed-valid.json", "clr-v2p0/own-campus-record.signed.json",
                             "clr-v2p0/own-campus-record-partial.signed.json", "ob-v3p0/simple.json",
                             "ob-v3p0/simple-multiple-proofs.json", "ob-v3p0/endorsement-valid.json"}) {
        const Verdict verdict = verify(shared_text(folder / name), believing());
        ASSERT_NE(verdict.find("signature"), nullptr) << name << "\n" << verdict.text();
        EXPECT_EQ(verdict.find("signature")->result, Check::Result::kHeld) << name << "\n" << verdict.text();
        const Check* inside = verdict.find("inside");
        EXPECT_TRUE(inside == nullptr || inside->result != Check::Result::kFailed) << name << "\n" << verdict.text();
    }
    const Verdict bad = verify(shared_text(folder / "ob-v3p0/simple-err-proof-value.json"), believing());
    EXPECT_FALSE(bad.good);
}

TEST(Rdf, NamesTwinsByWhatIsAroundThem) {
    const auto blank = [](std::string label) { return RdfTerm{RdfTerm::Kind::kBlank, std::move(label), {}, {}}; };
    const auto iri = [](std::string value) { return RdfTerm{RdfTerm::Kind::kIri, std::move(value), {}, {}}; };
    const auto p = iri("urn:p");
    // a -> b -> c -> a: no node differs from another on its own.
    const std::vector<RdfQuad> ring{
        {blank("a"), p, blank("b"), {}}, {blank("b"), p, blank("c"), {}}, {blank("c"), p, blank("a"), {}}};
    const std::vector<RdfQuad> other{{blank("z"), p, blank("x"), {}},
                                     {blank("y"), p, blank("z"), {}},
                                     {blank("x"), p, blank("y"), {}},
                                     {blank("x"), p, blank("y"), {}}};
    EXPECT_EQ(canonical_nquads(ring), canonical_nquads(other));
    std::vector<RdfQuad> marked = ring;
    marked.push_back({blank("a"), iri("urn:q"), {RdfTerm::Kind::kLiteral, "tab\t \x7f \"", std::string(kXsdString), {}}, {}});
    EXPECT_NE(canonical_nquads(marked), canonical_nquads(ring));
    EXPECT_NE(canonical_nquads(marked).find("\"tab\\t \\u007F \\\"\" ."), std::string::npos);
}

TEST(Rdf, AGraphMadeToCostIsRefused) {
    const auto blank = [](int n) { return RdfTerm{RdfTerm::Kind::kBlank, "n" + std::to_string(n), {}, {}}; };
    const RdfTerm p{RdfTerm::Kind::kIri, "urn:p", {}, {}};
    std::vector<RdfQuad> clique;
    for (int i = 0; i < 12; ++i)
        for (int j = 0; j < 12; ++j)
            if (i != j) clique.push_back({blank(i), p, blank(j), {}});
    EXPECT_THROW(canonical_nquads(clique), Error);
}

}  // namespace
}  // namespace clrbus::credentials
