// Signing a record, beside OpenSSL's bare ECDSA over the same bytes.
#include <benchmark/benchmark.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <memory>

#include "bench_support.hpp"
#include "core/clock.hpp"
#include "credentials/key_store.hpp"
#include "credentials/vc_jwt.hpp"

namespace clrbus::bench {
namespace {

// A record of a usual size: nested credentials, 60 of 1.5 KB.
const std::string& record() {
    static const std::string text = [] {
        std::string out =
            R"({"@context":["https://www.w3.org/ns/credentials/v2"],"id":"urn:uuid:1","type":["VerifiableCredential"],)"
            R"("issuer":{"id":"https://registrar.example.edu/issuers/1"},"validFrom":"2026-01-01T00:00:00Z",)"
            R"("credentialSubject":{"id":"urn:uuid:2","verifiableCredential":[)";
        for (int i = 0; i < 60; ++i) {
            if (i != 0) out += ",";
            out += R"({"id":"urn:uuid:c)" + std::to_string(i) + R"(","narrative":")" + std::string(1400, 'a') + R"("})";
        }
        return out + "]}}";
    }();
    return text;
}

void sign(benchmark::State& state) {
    const Directory directory;
    const auto keys =
        credentials::KeyStore::open(directory.path() / "keys", "https://registrar.example.edu/keys/", system_clock());
    const auto signer = keys.current(crypto::Algorithm::kEs256);
    const auto claims = credentials::claims_of(record());
    for (auto _ : state) benchmark::DoNotOptimize(credentials::sign_vc_jwt(signer, record(), claims).data());
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void openssl_sign(benchmark::State& state) {
    using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
    using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
    const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const auto* bytes = reinterpret_cast<const unsigned char*>(record().data());
    for (auto _ : state) {
        const Digest digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
        std::size_t size = 256;
        unsigned char signature[256];
        EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key.get());
        if (EVP_DigestSign(digest.get(), signature, &size, bytes, record().size()) != 1) state.SkipWithError("not signed");
        benchmark::DoNotOptimize(size);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

[[maybe_unused]] const bool kRegistered = [] {
    benchmark::RegisterBenchmark("records/sign", sign);
    benchmark::RegisterBenchmark("records/sign.openssl", openssl_sign);
    return true;
}();

}  // namespace
}  // namespace clrbus::bench
