#include "formats/fixed_value.hpp"

#include <algorithm>
#include <cstdio>

namespace clrbus {
namespace {

constexpr std::string_view kFixedPlus = "{ABCDEFGHI", kFixedMinus = "}JKLMNOPQR";
constexpr std::size_t kFixedMostDigits = 18;

struct FixedMoment {
    int year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0;
    bool time = false;
};

bool fixed_is_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Calls part(letter, count) for runs of letters and sign(c) for the rest; false when one of them says so.
template <typename Part, typename Sign>
bool fixed_walk(std::string_view pattern, const Part& part, const Sign& sign) {
    for (std::size_t i = 0; i < pattern.size();) {
        std::size_t n = 1;
        while (i + n < pattern.size() && pattern[i + n] == pattern[i]) ++n;
        const char c = pattern[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter ? !part(c, n) : !sign(pattern.substr(i, n))) return false;
        i += n;
    }
    return true;
}

bool fixed_is_moment(const FixedMoment& m) {
    static constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (m.month < 1 || m.month > 12) return false;
    const bool leap = (m.year % 4 == 0 && m.year % 100 != 0) || m.year % 400 == 0;
    const int most = days[m.month - 1] + (m.month == 2 && leap ? 1 : 0);
    return m.day >= 1 && m.day <= most && m.hour <= 23 && m.minute <= 59 && m.second <= 59;
}

int* fixed_part(FixedMoment& m, char letter) {
    switch (letter) {
        case 'y':
            return &m.year;
        case 'M':
            return &m.month;
        case 'd':
            return &m.day;
        case 'H':
            return &m.hour;
        case 'm':
            return &m.minute;
        case 's':
            return &m.second;
        default:
            return nullptr;
    }
}

bool fixed_read_date(const FixedField& field, std::string_view text, std::string& out) {
    FixedMoment m;
    const bool read = fixed_walk(
        field.pattern,
        [&](char letter, std::size_t n) {
            if (text.size() < n || !fixed_is_digits(text.substr(0, n))) return false;
            int value = 0;
            for (const char c : text.substr(0, n)) value = value * 10 + (c - '0');
            if (letter == 'y' && n == 2) value += value < field.pivot ? 2000 : 1900;
            *fixed_part(m, letter) = value;
            m.time = m.time || letter == 'H';
            text.remove_prefix(n);
            return true;
        },
        [&](std::string_view sign) {
            if (!text.starts_with(sign)) return false;
            text.remove_prefix(sign.size());
            return true;
        });
    if (!read || !text.empty() || !fixed_is_moment(m)) return false;
    char buffer[64];
    int n = std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02d", m.year, m.month, m.day);
    if (m.time)
        n = std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d", m.year, m.month, m.day, m.hour, m.minute,
                          m.second);
    out.append(buffer, static_cast<std::size_t>(n));
    return true;
}

bool fixed_write_date(const FixedField& field, std::string_view text, std::string& out) {
    FixedMoment m;
    const std::string given(text);
    int consumed = 0;
    const int parts = text.size() > 10 ? std::sscanf(given.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &m.year, &m.month, &m.day,
                                                     &m.hour, &m.minute, &m.second, &consumed)
                                       : std::sscanf(given.c_str(), "%4d-%2d-%2d%n", &m.year, &m.month, &m.day, &consumed);
    const bool plain = given.find_first_not_of("0123456789-T:") == std::string::npos;
    if (!plain || parts != (text.size() > 10 ? 6 : 3) || static_cast<std::size_t>(consumed) != given.size() ||
        !fixed_is_moment(m))
        return false;
    const bool says_time = field.pattern.find('H') != std::string::npos;
    if (!says_time && (m.hour != 0 || m.minute != 0 || m.second != 0)) return false;
    if (field.pattern.find("yyyy") == std::string::npos) {
        const int century = m.year % 100 < field.pivot ? 2000 : 1900;
        if (m.year - m.year % 100 != century) return false;
    }
    return fixed_walk(
        field.pattern,
        [&](char letter, std::size_t n) {
            char buffer[16];
            const int value = letter == 'y' && n == 2 ? m.year % 100 : *fixed_part(m, letter);
            out.append(buffer,
                       static_cast<std::size_t>(std::snprintf(buffer, sizeof buffer, "%0*d", static_cast<int>(n), value)));
            return true;
        },
        [&](std::string_view sign) {
            out += sign;
            return true;
        });
}

FixedFault fixed_wrong_number(const FixedField& field) {
    return {"FIX-004", field.type == FixedField::Type::kInteger
                           ? "a whole number"
                           : "a number with " + std::to_string(field.decimals) + " implied decimals"};
}

FixedFault fixed_read_number(const FixedField& field, std::string_view text, std::string& out) {
    std::string digits(text);
    bool negative = false;
    if (field.overpunch && !digits.empty()) {
        const std::size_t plus = kFixedPlus.find(digits.back()), minus = kFixedMinus.find(digits.back());
        negative = minus != std::string_view::npos;
        if (plus != std::string_view::npos || negative) digits.back() = static_cast<char>('0' + (negative ? minus : plus));
    } else if (digits.starts_with('-') || digits.starts_with('+')) {
        negative = digits[0] == '-';
        digits.erase(0, 1);
    }
    if (!fixed_is_digits(digits)) return fixed_wrong_number(field);
    if (field.pad == '0' || field.type == FixedField::Type::kDecimal) {
        const std::size_t keep = field.decimals + 1;
        const std::size_t zeros = std::min(digits.find_first_not_of('0'), digits.size());
        digits.erase(0, digits.size() > keep ? std::min(zeros, digits.size() - keep) : 0);
        if (digits.size() < keep) digits.insert(0, keep - digits.size(), '0');
    }
    if (negative) out += '-';
    out += digits;
    if (field.decimals != 0) out.insert(out.size() - field.decimals, 1, '.');
    return {};
}

FixedFault fixed_write_number(const FixedField& field, std::string_view text, std::string& out) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const std::size_t point = std::min(text.find('.'), text.size());
    std::string digits(text.substr(0, point));
    std::string decimals(point < text.size() ? text.substr(point + 1) : std::string_view());
    while (decimals.size() > field.decimals && decimals.back() == '0') decimals.pop_back();
    if (digits.empty() || decimals.size() > field.decimals || (point < text.size() && point + 1 == text.size()))
        return fixed_wrong_number(field);
    digits += decimals;
    digits.append(field.decimals - decimals.size(), '0');
    if (!fixed_is_digits(digits)) return fixed_wrong_number(field);
    if (field.overpunch) {
        digits.back() = (negative ? kFixedMinus : kFixedPlus)[static_cast<std::size_t>(digits.back() - '0')];
    }
    const std::size_t room = field.length - (negative && !field.overpunch && field.length != 0 ? 1 : 0);
    const std::size_t zeros = std::min(digits.find_first_not_of('0'), digits.size() - 1);
    if (digits.size() > room) digits.erase(0, std::min(zeros, digits.size() - room));
    if (digits.size() > room) return {"FIX-021", "at most " + std::to_string(room) + " digits"};
    // Zeros stand behind the sign, blanks before it.
    std::string number = negative && !field.overpunch ? "-" : "";
    if (field.right && field.pad == '0') number.append(room - digits.size(), '0');
    number += digits;
    if (field.right) out.append(field.length - number.size(), field.pad);
    out += number;
    if (!field.right) out.append(field.length - number.size(), field.pad);
    return {};
}

}  // namespace

std::size_t fixed_characters(std::string_view utf8) {
    return static_cast<std::size_t>(
        std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool fixed_pattern_holds(const FixedField& field) {
    FixedMoment m;
    std::string seen;
    const bool parts = fixed_walk(
        field.pattern,
        [&](char letter, std::size_t n) {
            if (fixed_part(m, letter) == nullptr || seen.find(letter) != std::string::npos) return false;
            seen += letter;
            return n == 2 || (letter == 'y' && n == 4);
        },
        [](std::string_view) { return true; });
    const auto has = [&seen](char letter) { return seen.find(letter) != std::string::npos; };
    return parts && has('y') && has('M') && has('d') && field.pattern.size() == field.length && (!has('m') || has('H')) &&
           (!has('s') || has('m'));
}

FixedFault fixed_read_value(const FixedField& field, std::string_view columns, std::string& out) {
    std::string_view text = columns;
    const std::string blanks = field.pad == '0' || field.pad == ' ' ? " " : std::string(" ") + field.pad;
    if (field.trim_right) text = text.substr(0, std::min(text.find_last_not_of(blanks) + 1, text.size()));
    if (field.trim_left) text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    const bool empty = text.find_first_not_of(' ') == std::string_view::npos || (!field.empty.empty() && text == field.empty);
    if (empty) return field.required ? FixedFault{"FIX-003", "a value"} : FixedFault{};
    const std::size_t from = out.size();
    switch (field.type) {
        case FixedField::Type::kText:
            out += text;
            break;
        case FixedField::Type::kDate:
            if (!fixed_read_date(field, text, out)) return {"FIX-004", "a date as " + field.pattern};
            break;
        default:
            if (const FixedFault fault = fixed_read_number(field, text, out)) return fault;
    }
    const std::string_view value = std::string_view(out).substr(from);
    if (field.values.empty() || std::binary_search(field.values.begin(), field.values.end(), value)) return {};
    std::string list = "one of";
    for (const std::string& one : field.values) list += ' ' + one;
    return {"FIX-012", list};
}

FixedFault fixed_write_value(const FixedField& field, std::string_view text, std::string& out) {
    if (text.empty()) {
        if (field.required) return {"FIX-003", "a value"};
        out += field.empty;
        out.append(field.length - field.empty.size(), ' ');
        return {};
    }
    if (!field.values.empty() && !std::binary_search(field.values.begin(), field.values.end(), text)) {
        std::string list = "one of";
        for (const std::string& one : field.values) list += ' ' + one;
        return {"FIX-012", list};
    }
    if (field.number()) return fixed_write_number(field, text, out);
    if (field.type == FixedField::Type::kDate) {
        if (!fixed_write_date(field, text, out)) return {"FIX-004", "a date in ISO 8601 that " + field.pattern + " can say"};
        return {};
    }
    const std::size_t length = fixed_characters(text);
    if (length > field.length) return {"FIX-021", "at most " + std::to_string(field.length) + " characters"};
    if (text.find_first_of("\r\n") != std::string_view::npos) return {"FIX-021", "text without line ends"};
    if (field.right) out.append(field.length - length, field.pad);
    out += text;
    if (!field.right) out.append(field.length - length, field.pad);
    return {};
}

std::optional<std::int64_t> fixed_scaled(std::string_view text, std::size_t decimals) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const std::size_t point = std::min(text.find('.'), text.size());
    std::string digits(text.substr(0, point));
    const std::string_view rest = point < text.size() ? text.substr(point + 1) : std::string_view();
    if (rest.size() > decimals) return std::nullopt;
    digits += rest;
    digits.append(decimals - rest.size(), '0');
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
    if (digits.size() > kFixedMostDigits || (!digits.empty() && !fixed_is_digits(digits))) return std::nullopt;
    std::int64_t out = 0;
    for (const char c : digits) out = out * 10 + (c - '0');
    return negative ? -out : out;
}

std::string fixed_unscaled(std::int64_t value, std::size_t decimals) {
    std::string out = std::to_string(value < 0 ? -value : value);
    if (decimals != 0) {
        if (out.size() <= decimals) out.insert(0, decimals + 1 - out.size(), '0');
        out.insert(out.size() - decimals, 1, '.');
    }
    return value < 0 ? "-" + out : out;
}

}  // namespace clrbus
