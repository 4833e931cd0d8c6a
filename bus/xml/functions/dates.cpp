#include "xml/functions/dates.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/error.hpp"
#include "xml/functions/calendar.hpp"
#include "xml/functions/words.hpp"

namespace clrbus::xml_functions {

namespace {

constexpr std::array<std::string_view, 12> kMonths = {"January", "February", "March",     "April",   "May",      "June",
                                                      "July",    "August",   "September", "October", "November", "December"};

struct DateToken {
    char letter = 0;  // 0: literal
    std::size_t count = 0;
    std::string literal;
};

[[noreturn]] void dates_refuse(const char* code, const char* function, std::string why) {
    throw Error(Fault::kPoison, code, function, std::move(why));
}

std::vector<DateToken> dates_tokens(const char* function, std::string_view pattern) {
    std::vector<DateToken> tokens;
    const auto literal = [&](char c) {
        if (tokens.empty() || tokens.back().letter != 0) tokens.push_back({});
        tokens.back().literal += c;
    };
    const auto bad = [&]() {
        dates_refuse("FUN-002", function, "'" + std::string(pattern.substr(0, 60)) + "' is not a date pattern");
    };
    for (std::size_t at = 0; at < pattern.size();) {
        const char c = pattern[at];
        if (c == '\'') {
            // 'text', where two quotes stand for one, inside and outside of a text.
            std::size_t i = at + 1;
            if (i < pattern.size() && pattern[i] == '\'') {
                literal('\'');
                at = i + 1;
                continue;
            }
            for (; i < pattern.size(); ++i) {
                if (pattern[i] == '\'' && (i + 1 == pattern.size() || pattern[i + 1] != '\'')) break;
                if (pattern[i] == '\'') ++i;
                literal(pattern[i]);
            }
            if (i >= pattern.size()) bad();
            at = i + 1;
            continue;
        }
        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z')) {
            literal(c);
            ++at;
            continue;
        }
        std::size_t end = at;
        while (end < pattern.size() && pattern[end] == c) ++end;
        const std::size_t count = end - at;
        const std::string_view letters = "yMdHhmsaX";
        const std::size_t most = c == 'y' || c == 'M' ? 4 : c == 'X' ? 3 : c == 'a' ? 1 : 2;
        if (letters.find(c) == std::string_view::npos || count > most || (c == 'y' && count != 2 && count != 4) ||
            (c == 'X' && count == 1))
            bad();
        tokens.push_back({c, count, {}});
        at = end;
    }
    if (tokens.empty()) bad();
    return tokens;
}

bool dates_same(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if ((a[i] | 0x20) != (b[i] | 0x20)) return false;
    }
    return true;
}

// Reads a text by tokens.
class DateReader {
public:
    DateReader(std::string_view text, const std::vector<DateToken>& tokens) : text_(text), tokens_(tokens) {}

    bool read() {
        for (const DateToken& token : tokens_) {
            if (!(token.letter == 0 ? literal(token.literal) : part(token))) return false;
        }
        return at_ == text_.size();
    }

    int year = -1, month = -1, day = -1, hour = -1, minute = 0, second = 0;
    int half = -1;  // 0 AM, 1 PM
    bool has_time = false;
    std::optional<int> offset_seconds;

private:
    bool zone(bool colon) {
        if (text_.substr(at_, 1) == "Z") {
            ++at_;
            offset_seconds = 0;
            return true;
        }
        const bool west = text_.substr(at_, 1) == "-";
        if (!west && text_.substr(at_, 1) != "+") return false;
        ++at_;
        int hours = 0, minutes = 0;
        if (!number(2, 2, hours) || (colon && !literal(":")) || !number(2, 2, minutes) || hours > 14 || minutes > 59)
            return false;
        offset_seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
        return true;
    }
    bool literal(std::string_view text) {
        if (text_.substr(at_, text.size()) != text) return false;
        at_ += text.size();
        return true;
    }
    bool number(std::size_t least, std::size_t most, int& value) {
        const std::size_t from = at_;
        value = 0;
        while (at_ < text_.size() && at_ < from + most && text_[at_] >= '0' && text_[at_] <= '9')
            value = value * 10 + (text_[at_++] - '0');
        return at_ - from >= least;
    }
    bool month_name(bool whole) {
        for (std::size_t i = 0; i < kMonths.size(); ++i) {
            const std::string_view name = whole ? kMonths[i] : kMonths[i].substr(0, 3);
            if (!dates_same(text_.substr(at_, name.size()), name)) continue;
            at_ += name.size();
            month = static_cast<int>(i) + 1;
            return true;
        }
        return false;
    }
    bool part(const DateToken& token) {
        const std::size_t least = token.count;
        switch (token.letter) {
            case 'y':
                if (token.count == 4) return number(4, 4, year);
                if (!number(2, 2, year)) return false;
                year += year <= 68 ? 2000 : 1900;
                return true;
            case 'M':
                return token.count >= 3 ? month_name(token.count == 4) : number(least, 2, month);
            case 'd':
                return number(least, 2, day);
            case 'H':
            case 'h':
                has_time = true;
                return number(least, 2, hour);
            case 'm':
                has_time = true;
                return number(least, 2, minute);
            case 's':
                has_time = true;
                return number(least, 2, second);
            case 'X':
                return zone(token.count == 3);
            default:
                if (at_ + 2 > text_.size()) return false;
                half = dates_same(text_.substr(at_, 2), "am") ? 0 : dates_same(text_.substr(at_, 2), "pm") ? 1 : -1;
                at_ += 2;
                return half != -1;
        }
    }

    std::string_view text_;
    const std::vector<DateToken>& tokens_;
    std::size_t at_ = 0;
};

std::string dates_number(int value, std::size_t width) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "%0*d", static_cast<int>(width), value);
    return buffer;
}

Moment dates_iso(const char* function, std::string_view text) {
    const std::optional<Moment> moment = parse_iso(text);
    if (!moment) dates_refuse("FUN-003", function, "the text is not a date or date-time in ISO form");
    return *moment;
}

}  // namespace

std::string parse_date(std::string_view text, std::string_view pattern) {
    text = trimmed(text);
    if (text.empty()) return {};
    const std::vector<DateToken> tokens = dates_tokens("f:parse-date", pattern);
    DateReader reader(text, tokens);
    bool fits = reader.read() && reader.year != -1;
    if (reader.half != -1) {
        fits = fits && reader.hour >= 1 && reader.hour <= 12;
        reader.hour = reader.hour % 12 + 12 * reader.half;
    }
    fits = fits && exists(reader.year, reader.month == -1 ? 1 : reader.month, reader.day == -1 ? 1 : reader.day) &&
           reader.hour <= 23 && reader.minute <= 59 && reader.second <= 59;
    if (!fits)
        dates_refuse("FUN-001", "f:parse-date",
                     "the text does not fit the pattern '" + std::string(pattern.substr(0, 60)) + "'");
    if (reader.month == -1) return dates_number(reader.year, 4);
    if (reader.day == -1) return dates_number(reader.year, 4) + "-" + dates_number(reader.month, 2);
    Moment moment;
    moment.year = reader.year;
    moment.month = reader.month;
    moment.day = reader.day;
    moment.has_time = reader.has_time;
    moment.hour = reader.hour == -1 ? 0 : reader.hour;
    moment.minute = reader.minute;
    moment.second = reader.second;
    if (reader.has_time) moment.offset_seconds = reader.offset_seconds;
    return to_iso(moment);
}

std::string format_date(std::string_view iso, std::string_view pattern) {
    iso = trimmed(iso);
    if (iso.empty()) return {};
    const std::vector<DateToken> tokens = dates_tokens("f:format-date", pattern);
    const Moment m = dates_iso("f:format-date", iso);
    std::string out;
    for (const DateToken& token : tokens) {
        switch (token.letter) {
            case 0:
                out += token.literal;
                break;
            case 'y':
                out += token.count == 4 ? dates_number(m.year, 4) : dates_number(m.year % 100, 2);
                break;
            case 'M': {
                const std::string_view name = kMonths[static_cast<std::size_t>(m.month - 1)];
                out += token.count == 4   ? std::string(name)
                       : token.count == 3 ? std::string(name.substr(0, 3))
                                          : dates_number(m.month, token.count);
                break;
            }
            case 'd':
                out += dates_number(m.day, token.count);
                break;
            case 'H':
                out += dates_number(m.hour, token.count);
                break;
            case 'h':
                out += dates_number(m.hour % 12 == 0 ? 12 : m.hour % 12, token.count);
                break;
            case 'm':
                out += dates_number(m.minute, token.count);
                break;
            case 's':
                out += dates_number(m.second, token.count);
                break;
            case 'X': {
                if (!m.offset_seconds) dates_refuse("FUN-005", "f:format-date", "the text is not a date-time with a zone");
                const int minutes = std::abs(*m.offset_seconds) / 60;
                if (minutes == 0) {
                    out += 'Z';
                    break;
                }
                out += *m.offset_seconds < 0 ? '-' : '+';
                out += dates_number(minutes / 60, 2);
                if (token.count == 3) out += ':';
                out += dates_number(minutes % 60, 2);
                break;
            }
            default:
                out += m.hour < 12 ? "AM" : "PM";
                break;
        }
    }
    return out;
}

std::string date_time(std::string_view text, std::string_view zone) {
    text = trimmed(text);
    if (text.empty()) return {};
    Moment moment = dates_iso("f:date-time", text);
    moment.has_time = true;
    if (!moment.offset_seconds) {
        moment.offset_seconds = zone_offset(zone, moment.seconds());
        if (!moment.offset_seconds) {
            dates_refuse(
                "FUN-004", "f:date-time",
                "'" + std::string(zone.substr(0, 60)) + "' is not a zone: expected Z, +01:00 or a name such as Europe/Berlin");
        }
    }
    return to_iso(moment);
}

std::string utc(std::string_view text) {
    text = trimmed(text);
    if (text.empty()) return {};
    Moment moment = dates_iso("f:utc", text);
    if (!moment.has_time || !moment.offset_seconds) dates_refuse("FUN-005", "f:utc", "the text is not a date-time with a zone");
    moment.set_seconds(moment.seconds() - *moment.offset_seconds);
    moment.offset_seconds = 0;
    if (!moment.fraction.empty()) moment.fraction = (moment.fraction + "00").substr(0, 3);
    return to_iso(moment);
}

std::string in_zone(std::string_view text, std::string_view zone) {
    text = trimmed(text);
    if (text.empty()) return {};
    Moment moment = dates_iso("f:in-zone", text);
    if (!moment.has_time || !moment.offset_seconds)
        dates_refuse("FUN-005", "f:in-zone", "the text is not a date-time with a zone");
    const std::int64_t at = moment.seconds() - *moment.offset_seconds;
    const std::optional<int> offset = zone_offset_at(zone, at);
    if (!offset) {
        dates_refuse(
            "FUN-004", "f:in-zone",
            "'" + std::string(zone.substr(0, 60)) + "' is not a zone: expected Z, +01:00 or a name such as Europe/Berlin");
    }
    moment.set_seconds(at + *offset);
    moment.offset_seconds = offset;
    return to_iso(moment);
}

bool is_date(std::string_view text) {
    text = trimmed(text);
    return text.size() == 10 && parse_iso(text).has_value();
}

}  // namespace clrbus::xml_functions
