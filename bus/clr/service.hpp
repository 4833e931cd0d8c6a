// The CLR 2.0 service and the page of one record, as functions from a request to an answer; who mounts them has authenticated
// the caller and made the Reader. Any thread.
//
//   GET /ims/clr/v2p0/credentials   the reader's own record (a learner's token)     imsx_StatusInfo on errors
//   GET /ims/clr/v2p0/discovery     public
//   GET /ims/clr/v2p0/status/N      public: a status list, signed
//   GET /.well-known/jwks.json      public; /.well-known/keys/KID: one key
//   GET /learners/ID/clr            the signed record as text (staff, or the learner's own token); ?alg=RS256
//                                   ?form=proof: JSON with embedded proofs (eddsa-rdfc-2022); ?form=json: bare, to look at
//   GET /learners/ID                the page
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "clr/institution.hpp"
#include "clr/record_source.hpp"
#include "core/clock.hpp"
#include "credentials/key_store.hpp"
#include "credentials/status_list.hpp"
#include "credentials/verify.hpp"
#include "http/message.hpp"

namespace clrbus::clr {

struct ServiceParts {
    Institution institution;
    RecordSource* records = nullptr;  // these outlive the service
    const credentials::KeyStore* keys = nullptr;
    credentials::StatusLists* status = nullptr;
    const Clock* clock = nullptr;
    std::filesystem::path transforms;  // folder with clr-page.xsl
    std::size_t cache_bytes = 64u << 20;
};

class ClrService {
public:
    // Throws Error(kConfig) when the page's stylesheet does not compile.
    explicit ClrService(ServiceParts parts);
    ~ClrService();
    ClrService(const ClrService&) = delete;
    ClrService& operator=(const ClrService&) = delete;

    static bool is_public(std::string_view path);  // answered without a reader
    static bool handles(std::string_view path);
    // By path; what it does not know is 404, a method other than GET and HEAD 405.
    HttpResponse handle(const HttpRequest& request, const records::Reader& reader);

    // For the command line: the signed record, read as this reader: a token for ES256 and RS256, JSON with embedded proofs for
    // EdDSA.
    struct Written {
        records::Release release = records::Release::kDenied;
        std::string token;  // empty unless released, or when the record holds no achievement yet
        std::string json;
    };
    Written write(const records::Reader& reader, const std::string& learner, std::string_view purpose,
                  crypto::Algorithm algorithm);
    // Verifies with our own keys and status lists.
    credentials::Verdict verify(std::string_view document) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The standard's error body.
HttpResponse status_info(int status, std::string_view minor, std::string_view description);

}  // namespace clrbus::clr
