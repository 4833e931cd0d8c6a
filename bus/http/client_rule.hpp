// What an answer means for the message that was sent. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/client.hpp"

namespace clrbus {

// "200-299 409": status codes and ranges.
class HttpStatusSet {
public:
    HttpStatusSet() = default;
    // Nothing when the text is not blank separated codes and ranges between 100 and 599.
    static std::optional<HttpStatusSet> read(std::string_view text);
    bool has(int status) const;
    bool empty() const { return ranges_.empty(); }

private:
    std::vector<std::pair<int, int>> ranges_;
};

// What a site declares; what is in none of the sets follows the defaults: 2xx went well; 401, 403, 407, 408, 421,
// 425, 429, 3xx and 5xx say that the far side is away; other 4xx that this message can never work.
struct HttpRule {
    HttpStatusSet success;  // empty: 200-299
    HttpStatusSet away;
    HttpStatusSet again;   // this message may work later: costs an attempt
    HttpStatusSet poison;  // in front of everything but success
};

struct HttpVerdict {
    enum class Kind : std::uint8_t { kDone, kAway, kAgain, kPoison };
    Kind kind = Kind::kDone;
    std::optional<Error> error;                // but for kDone
    std::optional<std::chrono::seconds> wait;  // the far side's own word: Retry-After
};
// body_needed: the answer's body is part of the bargain. Without it a success whose body is too large is done; one that is cut
// off is away all the same, and the message is sent again under the same Idempotency-Key.
HttpVerdict judge_answer(const HttpAnswer& answer, const HttpRule& rule, bool body_needed);

}  // namespace clrbus
