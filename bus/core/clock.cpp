#include "core/clock.hpp"

#include <charconv>
#include <cstdio>

#include "core/error.hpp"

namespace clrbus {
namespace {

class SystemClock : public Clock {
public:
    Time now() const override {
        return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
};

[[noreturn]] void not_a_time() {
    throw Error(Fault::kPoison, "CORE-003", "reading a time", "not RFC 3339 with a zone").expected("2026-11-24T12:30:46Z");
}

// Exactly `digits` decimal digits at `at`, which moves behind them.
int take_digits(std::string_view text, std::size_t& at, std::size_t digits) {
    int value = 0;
    if (at + digits > text.size()) not_a_time();
    for (std::size_t i = 0; i < digits; ++i) {
        const char c = text[at++];
        if (c < '0' || c > '9') not_a_time();
        value = value * 10 + (c - '0');
    }
    return value;
}

void take_char(std::string_view text, std::size_t& at, char wanted) {
    if (at >= text.size() || (text[at] | 0x20) != (wanted | 0x20)) not_a_time();
    ++at;
}

}  // namespace

Clock& system_clock() {
    static SystemClock clock;
    return clock;
}

std::string to_rfc3339(Time time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const auto in_day = (time - day).count();
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(in_day / 3600000),
                  static_cast<int>(in_day / 60000 % 60), static_cast<int>(in_day / 1000 % 60), static_cast<int>(in_day % 1000));
    return text;
}

Time from_rfc3339(std::string_view text) {
    std::size_t at = 0;
    const int year = take_digits(text, at, 4);
    take_char(text, at, '-');
    const int month = take_digits(text, at, 2);
    take_char(text, at, '-');
    const int day = take_digits(text, at, 2);
    take_char(text, at, 'T');
    const int hour = take_digits(text, at, 2);
    take_char(text, at, ':');
    const int minute = take_digits(text, at, 2);
    take_char(text, at, ':');
    const int second = take_digits(text, at, 2);
    int milliseconds = 0;
    if (at < text.size() && text[at] == '.') {
        ++at;
        int scale = 100;
        const std::size_t first = at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
            milliseconds += (text[at] - '0') * scale;
        if (at == first) not_a_time();
    }
    int offset = 0;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
        const int sign = text[at++] == '-' ? -1 : 1;
        const int hours = take_digits(text, at, 2);
        take_char(text, at, ':');
        offset = sign * (hours * 60 + take_digits(text, at, 2));
        if (hours > 23) not_a_time();
    } else {
        take_char(text, at, 'Z');
    }
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (at != text.size() || !date.ok() || hour > 23 || minute > 59 || second > 60) not_a_time();
    return Time(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute - offset) +
           std::chrono::seconds(second) + std::chrono::milliseconds(milliseconds);
}

std::chrono::milliseconds from_iso_duration(std::string_view text) {
    const auto fail = [] {
        return Error(Fault::kConfig, "CORE-004", "reading a duration", "not an ISO 8601 duration")
            .expected("PT2S, PT24H, P7D or P7Y");
    };
    using Millis = std::chrono::milliseconds;
    if (text.size() < 3 || text[0] != 'P') throw fail();
    Millis sum{0};
    bool in_time = false, any = false;
    for (std::size_t at = 1; at < text.size();) {
        if (text[at] == 'T' && !in_time) {
            in_time = true;
            ++at;
            continue;
        }
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), number);
        if (error != std::errc{} || number < 0 || number > 1'000'000'000 || end == text.data() + text.size()) throw fail();
        std::int64_t seconds = 0;
        switch (*end) {
            case 'Y':
                seconds = in_time ? 0 : 365 * 86400;
                break;
            case 'W':
                seconds = in_time ? 0 : 7 * 86400;
                break;
            case 'D':
                seconds = in_time ? 0 : 86400;
                break;
            case 'H':
                seconds = in_time ? 3600 : 0;
                break;
            case 'M':
                seconds = in_time ? 60 : 30 * 86400;
                break;
            case 'S':
                seconds = in_time ? 1 : 0;
                break;
            default:
                break;
        }
        if (seconds == 0) throw fail();
        sum += std::chrono::seconds(number * seconds);
        any = true;
        at = static_cast<std::size_t>(end - text.data()) + 1;
    }
    if (!any) throw fail();
    return sum;
}

}  // namespace clrbus
