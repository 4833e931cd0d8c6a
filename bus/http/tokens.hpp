// Bearer tokens: who calls and what that caller may. Tokens are kept as SHA-256 only (they are long and random, so that a slow
// hash would protect nothing); comparing takes the same time whichever byte differs. Any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "http/message.hpp"

namespace clrbus {

class HttpTokens {
public:
    struct Entry {
        std::string name;              // who: shown in logs and headers of messages
        std::string hash;              // hash(token)
        std::vector<std::string> may;  // publish:ROUTE, publish:*, read:LEARNER, staff, operate
        Time expires{};                // from then on it is nobody's; Time{}: never
    };
    struct Caller {
        std::string name;
        std::vector<std::string> may;
        // The right itself, or KIND:* for KIND:NAME.
        bool allows(std::string_view right) const;
    };
    // Exactly one of the two is set.
    struct Check {
        std::optional<Caller> caller;
        std::optional<HttpResponse> refuse;  // 401 with WWW-Authenticate, 403, or 429 after many failures
    };

    explicit HttpTokens(const Clock& clock);

    static std::string hash(std::string_view token);
    // Throws Error(kConfig, "HTTP-055") for a token that could be guessed (less than 20 characters), without showing it.
    static void check_strength(std::string_view name, std::string_view token);

    void replace(std::vector<Entry> entries);
    Check check(const HttpRequest& request, std::string_view right);
    // The same question where a stranger is welcome too (/health): counts no failure.
    bool may(const HttpRequest& request, std::string_view right) const;
    std::optional<Caller> identify(std::string_view token) const;

private:
    struct Failures {
        std::size_t count = 0;
        std::chrono::steady_clock::time_point since{};
    };
    bool too_many_failures(const std::string& peer);

    const Clock& clock_;
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
    std::map<std::string, Failures> failures_;  // by peer, at most kPeersMost
};

}  // namespace clrbus
