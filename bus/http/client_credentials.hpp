// Who we are to a far side: fields that go along with a call. Secrets come from a function that is asked anew for each call, so
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

class HttpCredential {
public:
    virtual ~HttpCredential() = default;
    // Exactly one of the two counts: the fields, or the error (kAway: what we need to show who we are is away).
    using Ready = std::function<void(HttpFields, std::optional<Error>)>;
    // Calls ready, now or later. It does not block.
    virtual void fields(Ready ready) = 0;
    // The far side answered 401 to these fields: true when asking again may give others.
    virtual bool refused(const HttpFields& used) = 0;
};

// The value of a secret now. Throws Error when it cannot be had.
using HttpSecret = std::function<std::string()>;

std::shared_ptr<HttpCredential> http_basic(std::string user, HttpSecret password);
std::shared_ptr<HttpCredential> http_bearer(HttpSecret token);
// The secret in a field of its own, such as X-Api-Key.
std::shared_ptr<HttpCredential> http_api_key(std::string field, HttpSecret key);

// OAuth 2.0 client credentials (RFC 6749 section 4.4). The token is fetched when it is first needed, by one call for all who
// wait, kept in memory, renewed when less than a tenth of its life or 30 s are left, and thrown away at a 401.
struct HttpOAuth2 {
    enum class Method : std::uint8_t {
        kBasic,          // client_secret_basic
        kPost,           // client_secret_post
        kPrivateKeyJwt,  // RFC 7523: the secret is the private key, PEM
    };
    std::string token_url, client_id, scope, audience;
    Method method = Method::kBasic;
    HttpSecret secret;
    std::shared_ptr<const HttpFarSide> far_side;  // of the token's server; without a credential
    std::chrono::milliseconds timeout{15'000};
};
// client and clock outlive it.
std::shared_ptr<HttpCredential> http_oauth2(HttpOAuth2 options, HttpClient& client, const Clock& clock);

}  // namespace clrbus
