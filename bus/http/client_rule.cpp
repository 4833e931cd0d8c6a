#include "http/client_rule.hpp"

#include <algorithm>
#include <charconv>

namespace clrbus {
namespace {

std::optional<int> status_number(std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.size() != 3 || error != std::errc{} || end != text.data() + 3 || number < 100 || number > 599) return std::nullopt;
    return number;
}

HttpVerdict verdict(HttpVerdict::Kind kind, const HttpAnswer& answer, std::string_view code, const std::string& why) {
    const Fault fault = kind == HttpVerdict::Kind::kPoison ? Fault::kPoison : Fault::kAway;
    return {kind, Error(fault, code, "asking " + answer.origin, why), answer.retry_after};
}

}  // namespace

std::optional<HttpStatusSet> HttpStatusSet::read(std::string_view text) {
    HttpStatusSet out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (word.empty()) continue;
        const std::size_t dash = word.find('-');
        const auto first = status_number(word.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : status_number(word.substr(dash + 1));
        if (!first || !last || *last < *first) return std::nullopt;
        out.ranges_.emplace_back(*first, *last);
    }
    if (out.ranges_.empty()) return std::nullopt;
    return out;
}

bool HttpStatusSet::has(int status) const {
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [status](const auto& r) { return status >= r.first && status <= r.second; });
}

HttpVerdict judge_answer(const HttpAnswer& answer, const HttpRule& rule, bool body_needed) {
    using Kind = HttpVerdict::Kind;
    const int status = answer.status;
    const bool good = rule.success.empty() ? status >= 200 && status <= 299 : rule.success.has(status);
    if (answer.error) {
        if (answer.error->code() == "HTTP-075" && good && !body_needed) return {};
        if (answer.error->fault() == Fault::kAway) return {Kind::kAway, answer.error, answer.retry_after};
        return {Kind::kPoison, answer.error, std::nullopt};
    }
    if (good) return {};
    const std::string said = "it answers " + std::to_string(status);
    if (rule.poison.has(status)) return verdict(Kind::kPoison, answer, "HTTP-085", said + ": refused");
    if (rule.again.has(status)) return verdict(Kind::kAgain, answer, "HTTP-084", said);
    if (status == 401 || status == 407 || status == 403)
        return verdict(Kind::kAway, answer, "HTTP-078", said + ": our credentials are not taken");
    if (status == 429) return verdict(Kind::kAway, answer, "HTTP-082", said + ": too many requests");
    if (status >= 500 || status < 400 || status == 408 || status == 421 || status == 425 || rule.away.has(status))
        return verdict(Kind::kAway, answer, "HTTP-083", said);
    return verdict(Kind::kPoison, answer, "HTTP-085", said + ": refused");
}

}  // namespace clrbus
