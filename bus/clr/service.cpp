#include "clr/service.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>
#include <optional>

#include "clr/assembler.hpp"
#include "clr/json_text.hpp"
#include "clr/page.hpp"
#include "clr/record_view.hpp"
#include "clr/token_cache.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "credentials/data_integrity.hpp"
#include "credentials/vc_jwt.hpp"
#include "crypto/hash.hpp"

namespace clrbus::clr {

using records::Release;

namespace {

constexpr std::string_view kServiceBase = "/ims/clr/v2p0";
constexpr std::string_view kScopeRead = "https://purl.imsglobal.org/spec/clr/v2p0/scope/credential.readonly";
constexpr std::size_t kLimitMost = 1000;
constexpr auto kCacheLife = std::chrono::minutes(5);

std::string service_below(std::string_view path, std::string_view prefix) {
    return path.starts_with(prefix) ? std::string(path.substr(prefix.size())) : std::string();
}

bool service_is_learner(std::string_view text) {
    return text.size() == 36 && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
           });
}

HttpResponse service_public(std::string_view type, std::string body, std::chrono::seconds age) {
    HttpResponse out = http_text(200, type, std::move(body));
    out.fields.set("Cache-Control", "public, max-age=" + std::to_string(age.count()));
    out.fields.set("Access-Control-Allow-Origin", "*");  // keys and status lists: a verifier in a browser reads them too
    return out;
}

HttpResponse service_private(HttpResponse response) {
    response.fields.set("Cache-Control", "private, no-cache");
    response.fields.set("X-Content-Type-Options", "nosniff");
    response.fields.set("Vary", "Authorization");
    return response;
}

struct QueryRefusal {
    std::string description;
};

std::size_t service_count(const HttpRequest& request, std::string_view name, std::size_t fallback, std::size_t least) {
    const auto text = request.query_value(name);
    if (!text) {
        if (("&" + request.query).find("&" + std::string(name) + "=") != std::string::npos)
            throw QueryRefusal{"parameter '" + std::string(name) + "' cannot be decoded"};
        return fallback;
    }
    std::size_t value = 0;
    const auto result = std::from_chars(text->data(), text->data() + text->size(), value);
    if (result.ec != std::errc() || result.ptr != text->data() + text->size() || value < least)
        throw QueryRefusal{"parameter '" + std::string(name) + "' must be a whole number, at least " + std::to_string(least)};
    return value;
}

std::optional<Time> service_since(const HttpRequest& request) {
    const auto text = request.query_value("since");
    if (!text) return std::nullopt;
    try {
        return from_rfc3339(*text);
    } catch (const Error&) {
        throw QueryRefusal{"parameter 'since' must be an RFC 3339 time with zone"};
    }
}

// How a record goes out: as a signed token, or as JSON with embedded proofs.
struct RecordForm {
    crypto::Algorithm algorithm = crypto::Algorithm::kEs256;
    bool embedded() const { return algorithm == crypto::Algorithm::kEdDsa; }
};

// alg=ES256 (default) or RS256; form=proof: embedded proofs instead of a token.
RecordForm service_form(const HttpRequest& request) {
    const auto algorithm = request.query_value("alg").value_or("ES256");
    if (algorithm != "ES256" && algorithm != "RS256") throw QueryRefusal{"parameter 'alg' must be ES256 or RS256"};
    const auto form = request.query_value("form").value_or("jwt");
    if (form != "jwt" && form != "proof" && form != "json") throw QueryRefusal{"parameter 'form' must be jwt, proof or json"};
    if (form == "proof") return {crypto::Algorithm::kEdDsa};
    return {algorithm == "RS256" ? crypto::Algorithm::kRs256 : crypto::Algorithm::kEs256};
}

}  // namespace

HttpResponse status_info(int status, std::string_view minor, std::string_view description) {
    JsonText json;
    json.object().member("imsx_codeMajor", "failure").member("imsx_severity", "error").member("imsx_description", description);
    json.object("imsx_codeMinor").array("imsx_codeMinorField").object();
    json.member("imsx_codeMinorFieldName", "clrbus").member("imsx_codeMinorFieldValue", minor).end().end().end().end();
    return http_json(status, json.take());
}

struct ClrService::Impl {
    ServiceParts parts;
    Page page;
    TokenCache cache;

    std::mutex status_mutex;
    struct StatusAnswer {
        std::uint32_t revoked = 0;
        std::string kid, token;
    };
    std::map<std::uint32_t, StatusAnswer> status_answers;  // guarded by status_mutex

    explicit Impl(ServiceParts p) : parts(std::move(p)), page(parts.transforms), cache(parts.cache_bytes, kCacheLife) {}

    RecordModel model(const records::LearnerRecord& record) const {
        // A parser is made for each request: it belongs to one thread, and the request's thread is not ours to keep.
        RecordReader reader([this](std::string_view key) { return parts.records->definition(key); });
        return model_of(reader.view(record));
    }

    std::shared_ptr<const SignedRecord> sign(const RecordModel& record, const std::string& reader,
                                             const RecordForm& form) const {
        AssembleOptions options;
        options.reader = reader;
        const std::string id = credential_id(parts.institution, record.learner, reader);
        const auto entry = parts.status->entry(id);
        options.status = AssembleOptions::Status{entry.list, entry.index};
        const credentials::Signer proofs = parts.keys->current(crypto::Algorithm::kEdDsa);
        options.proofs = &proofs.key;
        Assembled assembled = assemble(record, parts.institution, options);
        if (assembled.without_proof != 0)
            log::warn("clr", std::to_string(assembled.without_proof) + " credentials of a record carry no proof of their own");
        auto out = std::make_shared<SignedRecord>();
        out->signed_text =
            form.embedded() ? credentials::add_proof(proofs.key, assembled.json, parts.institution.id, record.changed)
                            : credentials::sign_vc_jwt(parts.keys->current(form.algorithm), assembled.json, assembled.claims);
        out->json = std::move(assembled.json);
        out->etag = "\"" + crypto::sha256_hex(out->signed_text).substr(0, 32) + "\"";
        out->changed = assembled.claims.not_before;
        return out;
    }

    // The release decision is made and logged for every answer, from the cache or not. Null with kReleased: nothing recorded
    // yet.
    std::pair<Release, std::shared_ptr<const SignedRecord>> signed_record(const records::Reader& reader,
                                                                          const std::string& learner, std::string_view purpose,
                                                                          const RecordForm& form) {
        const std::string kids =
            parts.keys->current(form.algorithm).kid + "\n" + parts.keys->current(crypto::Algorithm::kEdDsa).kid;
        const auto line = parts.records->line(learner);
        const auto now = parts.clock->steady();
        const auto key_of = [&](std::uint64_t version) {
            return learner + "\n" + reader.name + "\n" + std::to_string(version) + "\n" + kids;
        };
        if (line && line->merged_into.empty()) {
            if (auto cached = cache.find(key_of(line->version), now)) {
                const Release release =
                    parts.records->disclose(reader, learner, purpose, "record version " + std::to_string(line->version));
                if (release == Release::kReleased) return {release, std::move(cached)};
                return {release, nullptr};
            }
        }
        const records::ReadAnswer answer = parts.records->read(reader, learner, purpose);
        if (answer.release != Release::kReleased) return {answer.release, nullptr};
        const RecordModel record = model(answer.record);
        if (record.entries.empty()) return {Release::kReleased, nullptr};
        auto made = sign(record, reader.name, form);
        if (answer.record.id == learner) cache.put(key_of(answer.record.version), made, now);
        return {Release::kReleased, std::move(made)};
    }

    HttpResponse credentials_answer(const HttpRequest& request, const records::Reader& reader) {
        const std::size_t limit = std::min(service_count(request, "limit", 100, 1), kLimitMost);
        const std::size_t offset = service_count(request, "offset", 0, 0);
        const auto since = service_since(request);
        const RecordForm form = service_form(request);
        if (reader.kind == records::Reader::Kind::kNobody)
            return status_info(401, "unauthorizedrequest", "a bearer token is needed");
        if (reader.kind != records::Reader::Kind::kLearner)
            return status_info(403, "forbidden",
                               "this service answers with a learner's own record; staff read /learners/ID/clr");
        const auto [release, record] = signed_record(reader, reader.learner, "clr service", form);
        if (release == Release::kDenied || release == Release::kBlocked)
            return status_info(403, "forbidden", "this record is not released");
        const bool newer = record && (!since || Time(std::chrono::seconds(record->changed)) > *since);
        const std::size_t total = newer ? 1 : 0;
        JsonText json;
        json.object();
        if (offset < total && form.embedded()) json.array("credential").raw(record->signed_text).end();
        if (offset < total && !form.embedded()) json.array("compactJwsString").text(record->signed_text).end();
        json.end();
        HttpResponse out = service_private(http_json(200, json.take()));
        out.fields.set("X-Total-Count", std::to_string(total));
        out.fields.set("Link", links(request, limit, offset, total));
        if (offset < total) out.fields.set("ETag", record->etag);
        return out;
    }

    std::string links(const HttpRequest& request, std::size_t limit, std::size_t offset, std::size_t total) const {
        std::string keep;
        if (const auto since = request.query_value("since")) {
            for (const char c : *since)
                keep += c == '+' ? "%2B" : std::string(1, c);  // the only character of a time that needs it
            keep = "&since=" + keep;
        }
        const auto link = [&](std::size_t at, std::string_view relation) {
            return "<" + parts.institution.public_url + std::string(kServiceBase) +
                   "/credentials?limit=" + std::to_string(limit) + "&offset=" + std::to_string(at) + keep + ">; rel=\"" +
                   std::string(relation) + "\"";
        };
        const std::size_t last = total == 0 ? 0 : (total - 1) / limit * limit;
        std::string out = link(0, "first") + ", " + link(last, "last");
        if (offset + limit < total) out += ", " + link(offset + limit, "next");
        if (offset > 0) out += ", " + link(std::min(last, offset > limit ? offset - limit : 0), "prev");
        return out;
    }

    HttpResponse discovery() const {
        const Institution& institution = parts.institution;
        JsonText json;
        json.object()
            .member("openapi", "3.0.1")
            .object("info")
            .member("title", institution.display_name() + ": learner records");
        json.member("version", "2.0")
            .member("termsOfService", institution.url)
            .member("x-imssf-privacyPolicyUrl", institution.url)
            .end();
        json.array("servers").object().member("url", institution.public_url + std::string(kServiceBase)).end().end();
        json.object("paths").object("/credentials").object("get").member("operationId", "getCredentials");
        json.array("parameters");
        for (const std::string_view name : {"limit", "offset", "since"})
            json.object().member("name", name).member("in", "query").end();
        json.end().array("security").object().array("bearer").end().end().end();
        json.object("responses").object("200").member("description", "the record as a signed token").end().end().end().end();
        json.object("/discovery")
            .object("get")
            .member("operationId", "getServiceDescription")
            .object("responses")
            .object("200");
        json.member("description", "this document").end().end().end().end().end();
        json.object("components").object("securitySchemes").object("bearer").member("type", "http").member("scheme", "bearer");
        json.member("description",
                    "A token that the institution gave to this reader, with the scope " + std::string(kScopeRead));
        json.end().end().end().end();
        return service_public("application/json", json.take(), std::chrono::hours(1));
    }

    HttpResponse status_list(std::string_view number) {
        std::uint32_t list = 0;
        const auto result = std::from_chars(number.data(), number.data() + number.size(), list);
        if (number.empty() || result.ec != std::errc() || result.ptr != number.data() + number.size() ||
            list >= parts.status->lists())
            return status_info(404, "not_found", "there is no such status list");
        return service_public("application/vc+jwt", status_token(list), std::chrono::minutes(5));
    }

    std::string status_token(std::uint32_t list) {
        const credentials::Signer signer = parts.keys->current(crypto::Algorithm::kEs256);
        const std::scoped_lock lock(status_mutex);
        StatusAnswer& answer = status_answers[list];
        const std::uint32_t revoked = parts.status->revoked_in(list);  // before the bits are read: never newer than they are
        if (answer.token.empty() || answer.revoked != revoked || answer.kid != signer.kid) {
            const std::string url = parts.institution.status_url(list);
            answer = {revoked, signer.kid,
                      credentials::sign_vc_jwt(signer, parts.status->credential(list, url, parts.institution.profile_json()))};
        }
        return answer.token;
    }

    HttpResponse refused(Release release) const {
        if (release == Release::kUnknown) return http_problem(404, "CLR-020", "there is no such learner");
        return http_problem(403, "CLR-021", "this record is not released to you");
    }

    HttpResponse learner_token(const HttpRequest& request, const records::Reader& reader, const std::string& learner) {
        const RecordForm form = service_form(request);
        const auto [release, record] = signed_record(reader, learner, "record", form);
        if (release != Release::kReleased) return service_private(refused(release));
        if (!record) return service_private(http_problem(404, "CLR-011", "this record holds no achievement yet"));
        const bool bare = request.query_value("form") == "json";
        HttpResponse out = bare              ? http_json(200, record->json)
                           : form.embedded() ? http_json(200, record->signed_text)
                                             : http_text(200, "text/plain; charset=utf-8", record->signed_text + "\n");
        out.fields.set("ETag", record->etag);
        return service_private(std::move(out));
    }

    HttpResponse learner_page(const records::Reader& reader, const std::string& learner) {
        const records::ReadAnswer answer = parts.records->read(reader, learner, "page");
        if (answer.release != Release::kReleased) return service_private(refused(answer.release));
        return service_private(http_html(200, page.html(model(answer.record), parts.institution)));
    }

    HttpResponse learners(const HttpRequest& request, const records::Reader& reader) {
        if (reader.kind == records::Reader::Kind::kNobody) {
            HttpResponse out = http_problem(401, "CLR-022", "a bearer token is needed");
            out.fields.set("WWW-Authenticate", "Bearer");
            return out;
        }
        std::string learner = service_below(request.path, "/learners/");
        const bool token = learner.ends_with("/clr");
        if (token) learner.resize(learner.size() - 4);
        if (!service_is_learner(learner)) return http_problem(404, "CLR-020", "there is no such learner");
        return token ? learner_token(request, reader, learner) : learner_page(reader, learner);
    }

    HttpResponse answer(const HttpRequest& request, const records::Reader& reader) {
        const std::string_view path = request.path;
        if (path == "/.well-known/jwks.json")
            return service_public("application/jwk-set+json", *parts.keys->jwks(), std::chrono::hours(1));
        if (const auto kid = service_below(path, "/.well-known/keys/"); !kid.empty()) {
            std::string jwk = parts.keys->jwk(kid);
            if (jwk.empty()) return http_problem(404, "CLR-023", "there is no such key");
            return service_public("application/jwk+json", std::move(jwk), std::chrono::hours(24));
        }
        if (path == "/ims/clr/v2p0/discovery") return discovery();
        if (const auto number = service_below(path, "/ims/clr/v2p0/status/"); !number.empty()) return status_list(number);
        if (path == "/ims/clr/v2p0/credentials") return credentials_answer(request, reader);
        if (path.starts_with("/learners/")) return learners(request, reader);
        return status_info(404, "not_found", "there is nothing at this address");
    }
};

ClrService::ClrService(ServiceParts parts) : impl_(std::make_unique<Impl>(std::move(parts))) {}
ClrService::~ClrService() = default;

bool ClrService::is_public(std::string_view path) {
    return path == "/.well-known/jwks.json" || path.starts_with("/.well-known/keys/") || path == "/ims/clr/v2p0/discovery" ||
           path.starts_with("/ims/clr/v2p0/status/");
}

bool ClrService::handles(std::string_view path) {
    return is_public(path) || path.starts_with("/ims/clr/v2p0/") || path.starts_with("/learners/");
}

HttpResponse ClrService::handle(const HttpRequest& request, const records::Reader& reader) {
    const bool standard = std::string_view(request.path).starts_with(kServiceBase);
    try {
        if (request.method != "GET" && request.method != "HEAD") {
            if (!standard) return http_not_allowed({"GET", "HEAD"});
            HttpResponse out = status_info(405, "not_allowed", "only GET is answered here");
            out.fields.set("Allow", "GET, HEAD");
            return out;
        }
        return impl_->answer(request, reader);
    } catch (const QueryRefusal& refusal) {
        return standard ? status_info(400, "invalid_query_parameter", refusal.description)
                        : http_problem(400, "CLR-024", refusal.description);
    } catch (const Error& e) {
        if (!standard) return http_problem(e);
        if (e.fault() == Fault::kAway) {
            HttpResponse out = status_info(503, "server_busy", "the records cannot be read at the moment");
            out.fields.set("Retry-After", "5");
            return out;
        }
        return status_info(500, "internal_server_error", "the record could not be written (" + e.code() + ")");
    }
}

ClrService::Written ClrService::write(const records::Reader& reader, const std::string& learner, std::string_view purpose,
                                      crypto::Algorithm algorithm) {
    const auto [release, record] = impl_->signed_record(reader, learner, purpose, RecordForm{algorithm});
    if (!record) return {release, {}, {}};
    return {release, record->signed_text, record->json};
}

credentials::Verdict ClrService::verify(std::string_view document) const {
    credentials::VerifyOptions options;
    const Institution& institution = impl_->parts.institution;
    options.keys = credentials::own_keys(*impl_->parts.keys, institution.id);
    options.now = impl_->parts.clock->now();
    options.status = [this, &institution](std::string_view url) -> std::optional<std::string> {
        for (std::uint32_t list = 0; list < impl_->parts.status->lists(); ++list)
            if (url == institution.status_url(list)) return impl_->status_token(list);
        return std::nullopt;
    };
    return credentials::verify(document, options);
}

}  // namespace clrbus::clr
