#include "formats/x12_value.hpp"

#include <algorithm>

namespace clrbus {
namespace {

using X12Type = X12Element::Type;
constexpr std::size_t kX12CodesSaid = 20;

bool x12_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int x12_two(std::string_view text, std::size_t at) {
    return (text[at] - '0') * 10 + (text[at + 1] - '0');
}

bool x12_is_whole(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    return x12_digits(text);
}

bool x12_is_decimal(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    const std::size_t point = text.find('.');
    if (point == std::string_view::npos) return x12_digits(text);
    const std::string_view whole = text.substr(0, point), rest = text.substr(point + 1);
    return (whole.empty() || x12_digits(whole)) && (rest.empty() || x12_digits(rest)) && whole.size() + rest.size() != 0;
}

bool x12_is_date(std::string_view text) {
    if ((text.size() != 6 && text.size() != 8) || !x12_digits(text)) return false;
    const std::size_t at = text.size() - 4;
    const int year = text.size() == 8 ? x12_two(text, 0) * 100 + x12_two(text, 2) : 2000 + x12_two(text, 0);
    const int month = x12_two(text, at), day = x12_two(text, at + 2);
    if (month < 1 || month > 12) return false;
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    const int days = month == 2 ? (leap ? 29 : 28) : (month == 4 || month == 6 || month == 9 || month == 11) ? 30 : 31;
    return day >= 1 && day <= days;
}

bool x12_is_time(std::string_view text) {
    if (text.size() < 4 || text.size() > 8 || text.size() == 5 || !x12_digits(text)) return false;
    if (x12_two(text, 0) > 23 || x12_two(text, 2) > 59) return false;
    return text.size() == 4 || x12_two(text, 4) <= 59;
}

// Of a number: its digits; sign and point are not counted.
std::size_t x12_length(X12Type type, std::string_view text) {
    std::size_t out = 0;
    for (const char c : text) {
        if (type == X12Type::kWhole || type == X12Type::kDecimal) {
            out += c >= '0' && c <= '9' ? 1 : 0;
        } else {
            out += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
        }
    }
    return out;
}

std::string x12_list(const std::vector<std::string>& codes) {
    std::string out = "one of";
    for (std::size_t i = 0; i < codes.size() && i < kX12CodesSaid; ++i) out += ' ' + codes[i];
    if (codes.size() > kX12CodesSaid) out += " and " + std::to_string(codes.size() - kX12CodesSaid) + " more";
    return out;
}

}  // namespace

const char* x12_check_value(const X12Use& use, std::string_view utf8, std::string& expected) {
    const X12Element& element = *use.element;
    const char* wanted = nullptr;
    switch (element.type) {
        case X12Type::kWhole:
            if (!x12_is_whole(utf8)) wanted = "a whole number";
            break;
        case X12Type::kDecimal:
            if (!x12_is_decimal(utf8)) wanted = "a number, with a point where it has decimals";
            break;
        case X12Type::kDate:
            if (!x12_is_date(utf8)) wanted = "a date, CCYYMMDD or YYMMDD";
            break;
        case X12Type::kTime:
            if (!x12_is_time(utf8)) wanted = "a time, HHMM, HHMMSS or with decimals";
            break;
        default:
            break;
    }
    if (wanted != nullptr) {
        expected = wanted;
        return "X12-016";
    }
    const std::size_t length = x12_length(element.type, utf8);
    if (length < element.min || (element.max != 0 && length > element.max)) {
        const std::string kind =
            element.type == X12Type::kWhole || element.type == X12Type::kDecimal ? " digits" : " characters";
        expected = element.min == element.max ? std::to_string(element.min) + kind
                                              : std::to_string(element.min) + " to " + std::to_string(element.max) + kind;
        return "X12-015";
    }
    const auto& codes = use.codes.empty() ? element.codes : use.codes;
    if (!codes.empty() && !std::binary_search(codes.begin(), codes.end(), utf8)) {
        expected = x12_list(codes);
        return "X12-017";
    }
    return nullptr;
}

}  // namespace clrbus
