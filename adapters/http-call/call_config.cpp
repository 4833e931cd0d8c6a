#include "adapters_http_call/call_config.hpp"

#include <algorithm>
#include <utility>

#include "crypto/secret_file.hpp"
#include "http/client_credentials.hpp"
#include "http/client_url.hpp"

namespace clrbus::adapters::http_call {
namespace {

std::string origin_of(const Config& config, const char* attribute, const std::string& url) {
    try {
        return http_origin(url);
    } catch (const Error& e) {
        config.fail("HTC-001", attribute, e.why());
    }
}

bool this_machine(const std::string& origin) {
    for (const char* host : {"http://127.", "http://localhost:", "http://[::1]:"})
        if (origin.rfind(host, 0) == 0) return true;
    return false;
}

// The places filled with a harmless word: what is left must be a URL.
std::string checked_url(const Config& config, UrlTemplate& out) {
    std::string why, missing;
    const auto read = UrlTemplate::read(config.require("url"), why);
    if (!read) config.fail("HTC-001", "url", why);
    out = *read;
    const auto filled = out.fill([](std::string_view) { return std::optional<std::string>("x"); }, missing);
    const std::string origin = origin_of(config, "url", *filled);
    if (origin.rfind("http://", 0) == 0 && !this_machine(origin)) {
        if (config.get("plain", "refuse") != "allow") config.fail("HTC-002", "url", "without TLS only this machine is called");
        if (config.has("secret")) config.fail("HTC-002", "url", "a secret goes over TLS alone");
    }
    return origin;
}

HttpStatusSet status_set(const Config& config, const char* attribute) {
    if (!config.has(attribute)) return {};
    const auto set = HttpStatusSet::read(config.get(attribute));
    if (!set) config.fail("HTC-003", attribute, "status codes and ranges, such as 200-299 409");
    return *set;
}

std::filesystem::path file_beside(const Config& config, const char* attribute) {
    std::filesystem::path file = config.get(attribute);
    if (!file.empty() && file.is_relative()) file = std::filesystem::path(config.where().file).parent_path() / file;
    if (!file.empty() && !std::filesystem::is_regular_file(file)) config.fail("HTC-004", attribute, "there is no such file");
    return file;
}

std::string needed(const Config& config, const char* attribute, const std::string& kind) {
    if (!config.has(attribute)) config.fail("HTC-005", attribute, kind + " needs it");
    return config.get(attribute);
}

std::shared_ptr<HttpCredential> credential_of(const AdapterContext& context, const std::shared_ptr<const HttpFarSide>& far) {
    const Config& config = context.config;
    const std::string kind = config.get("authentication", "none");
    const std::string name = config.get("secret");
    if (kind == "none") {
        if (!name.empty()) config.fail("HTC-005", "secret", "has no use without authentication");
        return nullptr;
    }
    if (name.empty()) config.fail("HTC-005", "secret", kind + " needs one");
    const HttpSecret secret = [ask = context.secret, name] { return ask(name); };
    try {
        secret();  // what is not there is found now
    } catch (const Error& e) {
        config.fail(e.code(), "secret", e.why());
    }
    if (kind == "basic") return http_basic(needed(config, "user", kind), secret);
    if (kind == "bearer") return http_bearer(secret);
    if (kind == "api-key") {
        if (!is_http_token(config.get("key-field", "X-Api-Key")))
            config.fail("HTC-006", "key-field", "no name of a header field");
        return http_api_key(config.get("key-field", "X-Api-Key"), secret);
    }
    HttpOAuth2 options;
    options.token_url = needed(config, "token-url", kind);
    const std::string origin = origin_of(config, "token-url", options.token_url);
    if (origin.rfind("http://", 0) == 0 && !this_machine(origin))
        config.fail("HTC-002", "token-url", "a secret goes over TLS alone");
    options.client_id = needed(config, "client-id", kind);
    options.scope = config.get("scope");
    options.audience = config.get("audience");
    const std::string method = config.get("client-authentication", "basic");
    options.method = method == "post"              ? HttpOAuth2::Method::kPost
                     : method == "private-key-jwt" ? HttpOAuth2::Method::kPrivateKeyJwt
                                                   : HttpOAuth2::Method::kBasic;
    options.secret = secret;
    options.far_side = far;
    return http_oauth2(std::move(options), *context.client, *context.clock);
}

bool ours(std::string_view name, const std::string& id_field) {
    for (const std::string_view one :
         {"Authorization", "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Expect",
          "Accept-Encoding", "traceparent", "Proxy-Authorization", "Cookie"})
        if (same_field_name(name, one)) return true;
    return same_field_name(name, id_field);
}

}  // namespace

CallConfig::CallConfig(const AdapterContext& context) {
    const Config& config = context.config;
    checked_url(config, url);
    method = config.name() == "get" ? "GET" : config.get("method", "POST");
    content_type = config.get("content-type");
    id_field = config.get("id-field", "Idempotency-Key");
    if (!is_http_token(id_field)) config.fail("HTC-006", "id-field", "no name of a header field");
    for (const Config& header : config.children("header")) {
        const std::string name = header.require("name");
        if (!is_http_token(name)) header.fail("HTC-006", "name", "no name of a header field");
        if (ours(name, id_field)) header.fail("HTC-006", "name", "this field is written by the adapter");
        fields.add(name, header.require("value"));
    }
    timeout = config.get_duration("timeout", std::chrono::seconds(30));
    const auto windows = config.get_int("window", 8);
    if (windows > 64) config.fail("HTC-007", "window", "at most 64");
    window = static_cast<std::uint32_t>(windows);
    max_answer = static_cast<std::uint64_t>(config.get_int("max-answer", 1 << 20));
    rule = {status_set(config, "success"), status_set(config, "away"), status_set(config, "again"),
            status_set(config, "poison")};
    nothing = status_set(config, "nothing");

    HttpFarSide far;
    far.ca_file = file_beside(config, "ca-file");
    if (config.has("certificate-file") != config.has("key-file"))
        config.fail("HTC-004", "certificate-file and key-file belong together");
    far.certificate = file_beside(config, "certificate-file");
    far.key = file_beside(config, "key-file");
    if (!far.key.empty()) {
        try {
            crypto::read_secret_file(far.key);
        } catch (const Error& e) {
            config.fail("HTC-004", "key-file", e.why());
        }
    }
    far.connect = config.get_duration("connect-timeout", std::chrono::seconds(10));
    far.redirects = static_cast<unsigned>(config.get_int("redirects", 0));
    far.proxy = config.get("proxy");
    if (!far.proxy.empty()) origin_of(config, "proxy", far.proxy);
    const auto without = std::make_shared<const HttpFarSide>(far);
    far.credential = credential_of(context, without);
    far_side = std::make_shared<const HttpFarSide>(std::move(far));
}

}  // namespace clrbus::adapters::http_call
