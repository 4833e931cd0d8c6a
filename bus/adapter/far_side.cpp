#include "adapter/far_side.hpp"

#include <sstream>
#include <utility>

#include "adapter/refresh_token_file.hpp"
#include "crypto/secret_file.hpp"
#include "http/client_credentials.hpp"
#include "http/client_url.hpp"

namespace clrbus {
namespace {

bool is_this_machine(const std::string& origin) {
    for (const char* host : {"http://127.", "http://localhost:", "http://[::1]:"})
        if (origin.rfind(host, 0) == 0) return true;
    return false;
}

}  // namespace

std::string FarSideOptions::origin_of(const char* attribute, const std::string& url) const {
    try {
        return http_origin(url);
    } catch (const Error& e) {
        context_.config.fail(codes_.url, attribute, e.why());
    }
}

std::string FarSideOptions::checked_origin(const char* attribute, const std::string& url) const {
    const Config& config = context_.config;
    const std::string origin = origin_of(attribute, url);
    if (origin.rfind("http://", 0) == 0 && !is_this_machine(origin)) {
        if (config.get("plain", "refuse") != "allow")
            context_.config.fail(codes_.plain, attribute, "without TLS only this machine is called");
        if (config.has("secret") || config.has("refresh-token"))
            context_.config.fail(codes_.plain, attribute, "a secret goes over TLS alone");
    }
    return origin;
}

HttpStatusSet FarSideOptions::status_set(const char* attribute) const {
    if (!context_.config.has(attribute)) return {};
    const auto set = HttpStatusSet::read(context_.config.get(attribute));
    if (!set) context_.config.fail(codes_.status, attribute, "status codes and ranges, such as 200-299 409");
    return *set;
}

std::filesystem::path FarSideOptions::file_beside(const char* attribute) const {
    const Config& config = context_.config;
    std::filesystem::path file = config.get(attribute);
    if (!file.empty() && file.is_relative()) file = std::filesystem::path(config.where().file).parent_path() / file;
    if (!file.empty() && !std::filesystem::is_regular_file(file))
        context_.config.fail(codes_.file, attribute, "there is no such file");
    return file;
}

std::string FarSideOptions::needed(const char* attribute, const std::string& kind) const {
    if (!context_.config.has(attribute)) context_.config.fail(codes_.credential, attribute, kind + " needs it");
    return context_.config.get(attribute);
}

HttpSecret FarSideOptions::secret(const char* attribute, const std::string& kind) const {
    const std::string name = context_.config.get(attribute);
    if (name.empty()) context_.config.fail(codes_.credential, attribute, kind + " needs one");
    HttpSecret ask = [ask = context_.secret, name] { return ask(name); };
    try {
        ask();  // what is not there is found now
    } catch (const Error& e) {
        context_.config.fail(e.code(), attribute, e.why());
    }
    return ask;
}

std::shared_ptr<HttpCredential> FarSideOptions::credential(const std::shared_ptr<const HttpFarSide>& without) const {
    const Config& config = context_.config;
    const std::string kind = config.get("authentication", "none");
    if (kind == "none") {
        if (config.has("secret")) context_.config.fail(codes_.credential, "secret", "has no use without authentication");
        return nullptr;
    }
    if (kind == "basic") {
        HttpSecret password = secret("secret", kind);
        return http_basic(needed("user", kind), std::move(password));
    }
    if (kind == "bearer") return http_bearer(secret("secret", kind));
    if (kind == "api-key") {
        HttpSecret key = secret("secret", kind);
        if (config.has("key-parameter")) return http_query_key(config.get("key-parameter"), std::move(key));
        if (!is_http_token(config.get("key-field", "X-Api-Key")))
            context_.config.fail(codes_.field, "key-field", "no name of a header field");
        return http_api_key(config.get("key-field", "X-Api-Key"), std::move(key));
    }
    HttpOAuth2 options;
    const std::string grant = config.get("grant", "client-credentials");
    const std::string method = config.get("client-authentication", "basic");
    options.grant = grant == "refresh-token" ? HttpOAuth2::Grant::kRefreshToken
                    : grant == "assertion"   ? HttpOAuth2::Grant::kAssertion
                                             : HttpOAuth2::Grant::kClientCredentials;
    options.method = method == "post"              ? HttpOAuth2::Method::kPost
                     : method == "private-key-jwt" ? HttpOAuth2::Method::kPrivateKeyJwt
                                                   : HttpOAuth2::Method::kBasic;
    // A public client has a refresh token and no secret.
    if (config.has("secret") || options.grant != HttpOAuth2::Grant::kRefreshToken || method != "post")
        options.secret = secret("secret", kind);
    options.token_url = needed("token-url", kind);
    const std::string origin = origin_of("token-url", options.token_url);
    if (origin.rfind("http://", 0) == 0 && !is_this_machine(origin))
        context_.config.fail(codes_.plain, "token-url", "a secret goes over TLS alone");
    options.client_id = needed("client-id", kind);
    options.scope = config.get("scope");
    options.audience = config.get("audience");
    options.subject = config.get("subject");
    options.far_side = without;
    if (options.grant == HttpOAuth2::Grant::kRefreshToken) {
        const auto file = std::make_shared<RefreshTokenFile>(
            context_.state_dir, options.token_url + '\n' + options.client_id + '\n' + config.get("refresh-token"),
            secret("refresh-token", grant));
        options.refresh_token = [file] { return file->token(); };
        options.keep_refresh_token = [file](const std::string& token) { file->keep(token); };
    }
    return http_oauth2(std::move(options), *context_.client, *context_.clock);
}

HttpFields FarSideOptions::header_fields(std::initializer_list<std::string_view> ours) const {
    HttpFields out;
    for (const Config& header : context_.config.children("header")) {
        const std::string name = header.require("name");
        if (!is_http_token(name)) header.fail(codes_.field, "name", "no name of a header field");
        for (const std::string_view one : {"Authorization", "Host", "Content-Length", "Transfer-Encoding", "Connection",
                                           "Expect", "Accept-Encoding", "Proxy-Authorization", "Cookie"})
            if (same_field_name(name, one)) header.fail(codes_.field, "name", "this field is written by the adapter");
        for (const std::string_view one : ours)
            if (same_field_name(name, one)) header.fail(codes_.field, "name", "this field is written by the adapter");
        out.add(name, header.require("value"));
    }
    return out;
}

FarSideOptions::FarSide FarSideOptions::far_side() const {
    const Config& config = context_.config;
    HttpFarSide far;
    far.ca_file = file_beside("ca-file");
    if (config.has("certificate-file") != config.has("key-file"))
        config.fail(codes_.file, "certificate-file and key-file belong together");
    far.certificate = file_beside("certificate-file");
    far.key = file_beside("key-file");
    if (!far.key.empty()) {
        try {
            crypto::read_secret_file(far.key);
        } catch (const Error& e) {
            context_.config.fail(codes_.file, "key-file", e.why());
        }
    }
    far.connect = config.get_duration("connect-timeout", std::chrono::seconds(10));
    far.redirects = static_cast<unsigned>(config.get_int("redirects", 0));
    std::istringstream origins(config.get("origins"));
    for (std::string one; origins >> one;) far.redirect_to.push_back(checked_origin("origins", one));
    far.proxy = config.get("proxy");
    if (!far.proxy.empty()) origin_of("proxy", far.proxy);
    FarSide out;
    out.without = std::make_shared<const HttpFarSide>(far);
    far.credential = credential(out.without);
    out.with = std::make_shared<const HttpFarSide>(std::move(far));
    return out;
}

}  // namespace clrbus
