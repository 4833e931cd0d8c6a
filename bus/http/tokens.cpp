#include "http/tokens.hpp"

#include <algorithm>

#include "core/counters.hpp"
#include "crypto/hash.hpp"

namespace clrbus {

namespace {

constexpr std::size_t kPeersMost = 4096;
constexpr std::size_t kFailuresMost = 20;
constexpr std::chrono::seconds kFailuresWindow{60};

HttpTokens::Check refuse_token(HttpResponse response, std::string_view reason) {
    counter("clrbus_http_refused_total{reason=\"" + std::string(reason) + "\"}").add();
    return {.caller = std::nullopt, .refuse = std::move(response)};
}

// The token of "Bearer TOKEN"; "" for anything else.
std::string_view bearer_of(const HttpRequest& request) {
    std::string_view value = request.fields.get("Authorization");
    constexpr std::string_view kScheme = "Bearer ";
    if (value.size() < kScheme.size() || !same_field_name(value.substr(0, kScheme.size()), kScheme)) return {};
    value.remove_prefix(kScheme.size());
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    return value;
}

}  // namespace

bool HttpTokens::Caller::allows(std::string_view right) const {
    const std::size_t colon = right.find(':');
    const std::string all = colon == std::string_view::npos ? std::string() : std::string(right.substr(0, colon + 1)) + '*';
    return std::any_of(may.begin(), may.end(),
                       [&](const std::string& one) { return one == right || (!all.empty() && one == all); });
}

HttpTokens::HttpTokens(const Clock& clock) : clock_(clock) {}

std::string HttpTokens::hash(std::string_view token) {
    return crypto::sha256_hex(token);
}

void HttpTokens::check_strength(std::string_view name, std::string_view token) {
    if (token.size() < 20)
        throw Error(Fault::kConfig, "HTTP-055", "reading the token of '" + std::string(name) + "'",
                    "it is too short to be safe")
            .expected("at least 20 random characters");
}

void HttpTokens::replace(std::vector<Entry> entries) {
    const std::lock_guard lock(mutex_);
    entries_ = std::move(entries);
}

std::optional<HttpTokens::Caller> HttpTokens::identify(std::string_view token) const {
    if (token.empty()) return std::nullopt;
    const std::string hashed = hash(token);
    std::optional<Caller> caller;
    const Time now = clock_.now();
    const std::lock_guard lock(mutex_);
    for (const Entry& entry : entries_)  // all of them, so that the time does not tell which one
        if (crypto::constant_time_equal(entry.hash, hashed) && (entry.expires == Time{} || now < entry.expires))
            caller = Caller{entry.name, entry.may};
    return caller;
}

// Counts a failure. Only wrong tokens are held back: a right one passes from the same address, so that nobody can lock out a
// sender behind the same proxy.
bool HttpTokens::too_many_failures(const std::string& peer) {
    const auto now = clock_.steady();
    const std::lock_guard lock(mutex_);
    if (failures_.size() >= kPeersMost)
        std::erase_if(failures_, [&](const auto& entry) { return now - entry.second.since > kFailuresWindow; });
    if (failures_.size() >= kPeersMost && !failures_.contains(peer)) return true;
    Failures& failures = failures_[peer];
    if (failures.count == 0 || now - failures.since > kFailuresWindow) failures = {0, now};
    return ++failures.count > kFailuresMost;
}

bool HttpTokens::may(const HttpRequest& request, std::string_view right) const {
    const std::optional<Caller> caller = identify(bearer_of(request));
    return caller && caller->allows(right);
}

HttpTokens::Check HttpTokens::check(const HttpRequest& request, std::string_view right) {
    std::optional<Caller> caller = identify(bearer_of(request));
    if (!caller) {
        if (too_many_failures(request.peer)) {
            HttpResponse response = http_problem(429, "HTTP-031", "too many requests without a valid token", "a valid token");
            response.fields.add("Retry-After", "60");
            return refuse_token(std::move(response), "token-failures");
        }
        const bool tried = request.fields.has("Authorization");
        HttpResponse response = http_problem(401, "HTTP-029", tried ? "the token is not valid" : "a token is needed",
                                             "Authorization: Bearer TOKEN");
        response.fields.add("WWW-Authenticate",
                            tried ? R"(Bearer realm="clrbus", error="invalid_token")" : R"(Bearer realm="clrbus")");
        return refuse_token(std::move(response), "token");
    }
    if (!caller->allows(right)) {
        HttpResponse response = http_problem(403, "HTTP-030", "this token does not allow it", "a token with that right");
        response.fields.add("WWW-Authenticate", R"(Bearer realm="clrbus", error="insufficient_scope")");
        return refuse_token(std::move(response), "right");
    }
    return {.caller = std::move(caller), .refuse = std::nullopt};
}

}  // namespace clrbus
