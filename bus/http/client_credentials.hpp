// Who we are to a far side: what goes along with a call. Secrets come from a function that is asked anew for each call, so
// that a rotated file is used from the next call on; after a 401 the call is repeated once if there is something new. Any
// thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "http/client.hpp"

namespace clrbus {

// Shown to the origin that was asked, and to no other.
struct HttpProof {
    HttpFields fields{};
    std::string query{};  // name=value, percent-encoded: added to the query of the URL
};

class HttpCredential {
public:
    virtual ~HttpCredential() = default;
    // Exactly one of the two counts: the proof, or the error (kAway: what we need to show who we are is away).
    using Ready = std::function<void(HttpProof, std::optional<Error>)>;
    // Calls ready, now or later. It does not block.
    virtual void prove(Ready ready) = 0;
    // The far side answered 401 to this proof: true when asking again may give another one.
    virtual bool refused(const HttpProof& used) = 0;
};

// The value of a secret now. Throws Error when it cannot be had.
using HttpSecret = std::function<std::string()>;

std::shared_ptr<HttpCredential> http_basic(std::string user, HttpSecret password);
std::shared_ptr<HttpCredential> http_bearer(HttpSecret token);
// The secret in a field of its own, such as X-Api-Key.
std::shared_ptr<HttpCredential> http_api_key(std::string field, HttpSecret key);
// The secret as a parameter of the query, for far sides that take it nowhere else.
std::shared_ptr<HttpCredential> http_query_key(std::string parameter, HttpSecret key);

// OAuth 2.0 (RFC 6749): client credentials (section 4.4), a refresh token (section 6) or a signed assertion of our own (RFC
// 7523 section 2.1). The access token is fetched when it is first needed, by one call for all who wait, kept in memory, renewed
// when less than a tenth of its life or 30 s are left, and thrown away at a 401.
struct HttpOAuth2 {
    enum class Grant : std::uint8_t { kClientCredentials, kRefreshToken, kAssertion };
    enum class Method : std::uint8_t {
        kBasic,          // client_secret_basic
        kPost,           // client_secret_post
        kPrivateKeyJwt,  // RFC 7523: the secret is the private key, PEM
    };
    std::string token_url, client_id, scope, audience;
    Grant grant = Grant::kClientCredentials;
    Method method = Method::kBasic;  // not asked for with kAssertion
    HttpSecret secret;               // kAssertion: the private key that signs, PEM; may be null with kRefreshToken and kPost
    HttpSecret refresh_token;
    // A refresh token that came instead of the one that was used: durable when this returns, since the old one may be void.
    // What it throws is a far side away.
    std::function<void(const std::string& token)> keep_refresh_token;
    std::string subject;                          // kAssertion: on whose behalf; "" = client_id
    std::shared_ptr<const HttpFarSide> far_side;  // of the token's server; without a credential
    std::chrono::milliseconds timeout{15'000};
};
// client and clock outlive it.
std::shared_ptr<HttpCredential> http_oauth2(HttpOAuth2 options, HttpClient& client, const Clock& clock);

}  // namespace clrbus
