#include "adapters_http_poll/answer_fields.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace clrbus::adapters::http_poll {

namespace {

std::string_view without_blanks(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// The text up to the first mark outside of quotes; it and the mark are taken off.
std::string_view take_until(std::string_view& text, char mark) {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < text.size(); ++end) {
        if (text[end] == '"') quoted = !quoted;
        if (text[end] == '\\' && quoted && end + 1 < text.size()) ++end;
        if (!quoted && text[end] == mark) break;
    }
    const std::string_view out = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return out;
}

bool same_word(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// rel is a list of words separated by blanks.
bool is_next(std::string_view parameters) {
    while (!parameters.empty()) {
        std::string_view value = take_until(parameters, ';');
        const std::string_view name = without_blanks(take_until(value, '='));
        if (!same_word(name, "rel")) continue;
        value = without_blanks(value);
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
        while (!value.empty()) {
            if (same_word(take_until(value, ' '), "next")) return true;
        }
        return false;  // the first rel counts
    }
    return false;
}

std::optional<double> field_number(const HttpFields& fields, std::string_view name) {
    const std::string_view text = fields.get(name);
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
    return number;
}

}  // namespace

std::string next_link(const HttpFields& fields) {
    for (const auto& [name, value] : fields.entries()) {
        if (!same_field_name(name, "Link")) continue;
        std::string_view rest = value;
        while (!(rest = without_blanks(rest)).empty()) {
            if (rest.front() != '<') {
                take_until(rest, ',');
                continue;
            }
            const std::size_t close = rest.find('>');
            if (close == std::string_view::npos) return {};
            const std::string_view target = rest.substr(1, close - 1);
            rest.remove_prefix(close + 1);
            if (is_next(take_until(rest, ','))) return std::string(target);
        }
    }
    return {};
}

std::optional<std::chrono::seconds> rate_wait(const HttpFields& fields, double least, Time now) {
    constexpr double kMost = 3600, kUnknown = 10, kSince1970 = 1e9;
    for (const std::string prefix : {"X-Rate-Limit-", "X-RateLimit-", "RateLimit-"}) {
        const auto remaining = field_number(fields, prefix + "Remaining");
        if (!remaining) continue;
        if (*remaining >= std::max(least, field_number(fields, "X-Request-Cost").value_or(1))) return std::nullopt;
        double wait = field_number(fields, prefix + "Reset").value_or(kUnknown);
        if (wait > kSince1970)
            wait -= static_cast<double>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
        return std::chrono::seconds(static_cast<long>(std::clamp(std::ceil(wait), 1.0, kMost)));
    }
    return std::nullopt;
}

}  // namespace clrbus::adapters::http_poll
