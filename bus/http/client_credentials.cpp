#include "http/client_credentials.hpp"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <utility>
#include <vector>

#include "core/ids.hpp"
#include "crypto/base64.hpp"
#include "crypto/flat_json.hpp"
#include "crypto/jws.hpp"
#include "crypto/signing.hpp"

namespace clrbus {
namespace {

// A proof made of a secret, the same way each time.
class SecretProof : public HttpCredential {
public:
    using Make = std::function<HttpProof(const std::string& secret)>;
    SecretProof(HttpSecret secret, Make make) : secret_(std::move(secret)), make_(std::move(make)) {}

    void prove(Ready ready) override {
        HttpProof out;
        try {
            out = make_(secret_());
        } catch (const Error& e) {
            // While the bus runs a secret that cannot be read is no reason to stop: it is being replaced, or somebody mends it.
            return ready({}, Error(Fault::kAway, e.code(), "reading a secret", e.why()));
        }
        ready(std::move(out), std::nullopt);
    }
    bool refused(const HttpProof& used) override {
        try {
            const HttpProof now = make_(secret_());
            return used.fields.entries() != now.fields.entries() || used.query != now.query;
        } catch (const Error&) {
            return false;
        }
    }

private:
    HttpSecret secret_;
    Make make_;
};

std::shared_ptr<HttpCredential> in_field(std::string name, HttpSecret secret,
                                         std::function<std::string(const std::string&)> value) {
    return std::make_shared<SecretProof>(std::move(secret),
                                         [name = std::move(name), value = std::move(value)](const std::string& plain) {
                                             HttpProof out;
                                             out.fields.add(name, value(plain));
                                             return out;
                                         });
}

std::string form_encoded(const std::vector<std::pair<std::string, std::string>>& values) {
    std::string out;
    for (const auto& [name, value] : values) {
        if (value.empty()) continue;
        if (!out.empty()) out += '&';
        out += name + '=' + percent_encoded(value);
    }
    return out;
}

std::string basic_value(const std::string& user, const std::string& password) {
    return "Basic " + crypto::base64(user + ':' + password);
}

class OAuth2Credential : public HttpCredential, public std::enable_shared_from_this<OAuth2Credential> {
public:
    OAuth2Credential(HttpOAuth2 options, HttpClient& client, const Clock& clock)
        : options_(std::move(options)), client_(client), clock_(clock) {}

    void prove(Ready ready) override {
        HttpProof out;
        bool fetch = false;
        {
            const std::lock_guard lock(mutex_);
            if (token_.empty() || clock_.steady() >= renew_) {
                waiting_.push_back(std::exchange(ready, nullptr));
                fetch = !std::exchange(fetching_, true);
            } else {
                out.fields.add("Authorization", "Bearer " + token_);
            }
        }
        if (ready) return ready(std::move(out), std::nullopt);
        if (fetch) fetch_token();
    }
    bool refused(const HttpProof& used) override {
        const std::lock_guard lock(mutex_);
        // Only the token that was refused: another call may have renewed it meanwhile.
        if (used.fields.get("Authorization") == "Bearer " + token_) token_.clear();
        return true;
    }

private:
    HttpCall token_call() const {
        HttpCall call;
        call.method = "POST";
        call.url = options_.token_url;
        call.far_side = options_.far_side;
        call.timeout = options_.timeout;
        call.max_answer = 64 << 10;
        call.fields.add("Content-Type", "application/x-www-form-urlencoded");
        call.fields.add("Accept", "application/json");
        std::vector<std::pair<std::string, std::string>> form;
        switch (options_.grant) {
            case HttpOAuth2::Grant::kClientCredentials:
                form = {{"grant_type", "client_credentials"}, {"scope", options_.scope}, {"audience", options_.audience}};
                break;
            case HttpOAuth2::Grant::kRefreshToken:
                form = {
                    {"grant_type", "refresh_token"}, {"refresh_token", options_.refresh_token()}, {"scope", options_.scope}};
                break;
            case HttpOAuth2::Grant::kAssertion:
                form = {{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
                        {"scope", options_.scope},
                        {"assertion", assertion(options_.secret(), options_.subject,
                                                options_.audience.empty() ? options_.token_url : options_.audience)}};
                call.body = form_encoded(form);
                return call;
        }
        const std::string secret = options_.secret ? options_.secret() : std::string();
        switch (options_.method) {
            case HttpOAuth2::Method::kBasic:
                // RFC 6749 section 2.3.1: both are form-encoded first.
                call.fields.add("Authorization", basic_value(percent_encoded(options_.client_id), percent_encoded(secret)));
                break;
            case HttpOAuth2::Method::kPost:
                form.emplace_back("client_id", options_.client_id);
                form.emplace_back("client_secret", secret);
                break;
            case HttpOAuth2::Method::kPrivateKeyJwt:
                form.emplace_back("client_id", options_.client_id);
                form.emplace_back("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                form.emplace_back("client_assertion", assertion(secret, "", options_.token_url));
                break;
        }
        call.body = form_encoded(form);
        return call;
    }
    std::string assertion(const std::string& pem, const std::string& subject, const std::string& audience) const {
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock_.now().time_since_epoch()).count();
        const std::string id = crypto::json_string(options_.client_id);
        return crypto::sign_jws(crypto::SigningKey::from_pem(pem),
                                "{\"iss\":" + id + ",\"sub\":" + (subject.empty() ? id : crypto::json_string(subject)) +
                                    ",\"aud\":" + crypto::json_string(audience) + ",\"jti\":\"" + new_uuid() +
                                    "\",\"iat\":" + std::to_string(now) + ",\"exp\":" + std::to_string(now + 120) + "}");
    }

    void fetch_token() {
        HttpCall call;
        try {
            call = token_call();
        } catch (const Error& e) {
            return give({}, {}, Error(Fault::kAway, e.code(), "asking for an access token", "the secret cannot be used"));
        }
        client_.request(std::move(call), inline_,
                        [self = shared_from_this()](const HttpAnswer& answer) { self->take(answer); });
    }
    void take(const HttpAnswer& answer) {
        if (answer.error)
            return give({}, {}, Error(Fault::kAway, "HTTP-081", "asking for an access token", answer.error->why()));
        const auto json = answer.status == 200 ? crypto::FlatJson::parse(answer.body) : std::nullopt;
        const std::string token = json ? json->string("access_token").value_or("") : "";
        const std::string type = json ? json->string("token_type").value_or("Bearer") : "";
        if (token.empty() || !same_field_name(type, "Bearer")) {
            return give({}, {},
                        Error(Fault::kAway, "HTTP-081", "asking for an access token",
                              answer.status == 200 ? "the answer holds no bearer token"
                                                   : "refused with status " + std::to_string(answer.status)));
        }
        const std::string refresh = json->string("refresh_token").value_or("");
        if (options_.grant == HttpOAuth2::Grant::kRefreshToken && options_.keep_refresh_token && !refresh.empty()) {
            try {
                options_.keep_refresh_token(refresh);
            } catch (const Error& e) {
                return give({}, {}, Error(Fault::kAway, "HTTP-081", "keeping a refresh token", e.why()));
            }
        }
        long life = 300;  // RFC 6749 leaves expires_in out where it is documented elsewhere
        if (const auto* expires = json->find("expires_in"))
            std::from_chars(expires->value.data(), expires->value.data() + expires->value.size(), life);
        give(token, std::chrono::seconds(std::clamp(life, 1L, 86'400L)), std::nullopt);
    }
    void give(const std::string& token, std::chrono::seconds life, const std::optional<Error>& error) {
        std::vector<Ready> waiting;
        {
            const std::lock_guard lock(mutex_);
            fetching_ = false;
            token_ = token;
            renew_ = clock_.steady() + life - std::min<std::chrono::seconds>(std::chrono::seconds(30), life / 10);
            waiting.swap(waiting_);
        }
        HttpProof out;
        if (!error) out.fields.add("Authorization", "Bearer " + token);
        for (const Ready& ready : waiting) ready(out, error);
    }

    // Runs at once, on the client's thread.
    class Inline : public Executor {
    public:
        void post(Job job) override { job(); }
    };

    const HttpOAuth2 options_;
    HttpClient& client_;  // any thread
    const Clock& clock_;  // any thread
    Inline inline_;
    std::mutex mutex_;  // guards what follows
    std::string token_;
    std::chrono::steady_clock::time_point renew_{};
    bool fetching_ = false;
    std::vector<Ready> waiting_;
};

}  // namespace

std::shared_ptr<HttpCredential> http_basic(std::string user, HttpSecret password) {
    return in_field("Authorization", std::move(password),
                    [user = std::move(user)](const std::string& secret) { return basic_value(user, secret); });
}

std::shared_ptr<HttpCredential> http_bearer(HttpSecret token) {
    return in_field("Authorization", std::move(token), [](const std::string& secret) { return "Bearer " + secret; });
}

std::shared_ptr<HttpCredential> http_api_key(std::string field, HttpSecret key) {
    return in_field(std::move(field), std::move(key), [](const std::string& secret) { return secret; });
}

std::shared_ptr<HttpCredential> http_query_key(std::string parameter, HttpSecret key) {
    return std::make_shared<SecretProof>(std::move(key), [parameter = std::move(parameter)](const std::string& secret) {
        return HttpProof{{}, percent_encoded(parameter) + '=' + percent_encoded(secret)};
    });
}

std::shared_ptr<HttpCredential> http_oauth2(HttpOAuth2 options, HttpClient& client, const Clock& clock) {
    return std::make_shared<OAuth2Credential>(std::move(options), client, clock);
}

}  // namespace clrbus
