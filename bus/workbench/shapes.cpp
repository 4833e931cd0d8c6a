#include "workbench/shapes.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace clrbus::workbench {
namespace {

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// d stands for a digit, ? for an optional one before it; everything else for itself.
bool looks_like(std::string_view text, std::string_view form) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < form.size(); ++i) {
        const char want = form[i];
        const bool digit = at < text.size() && text[at] >= '0' && text[at] <= '9';
        if (want == '?') {
            const bool two = at + 1 < text.size() && text[at + 1] >= '0' && text[at + 1] <= '9';
            if (digit && two) ++at;
        } else if (want == 'd') {
            if (!digit) return false;
            ++at;
        } else {
            if (at == text.size() || text[at] != want) return false;
            ++at;
        }
    }
    return at == text.size();
}

int number_at(std::string_view text, std::size_t at) {
    int out = 0;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9' && out < 10000) out = out * 10 + (text[at++] - '0');
    return out;
}

bool is_number(std::string_view text, bool& decimal) {
    std::size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    const std::size_t point = text.find('.', at);
    decimal = point != std::string_view::npos;
    return all_digits(text.substr(at, decimal ? point - at : std::string_view::npos)) &&
           (!decimal || all_digits(text.substr(point + 1)));
}

}  // namespace

Shape shape_of(std::string_view text, std::string& pattern) {
    pattern.clear();
    if (looks_like(text, "dddd-dd-dd")) return Shape::kDate;
    if (text.size() >= 16 && (text[10] == 'T' || text[10] == ' ') && looks_like(text.substr(0, 10), "dddd-dd-dd") &&
        looks_like(text.substr(11, 5), "dd:dd")) {
        return Shape::kInstant;
    }
    if (looks_like(text, "?d/?d/dddd")) {
        // Which of the two is the month is told by a day above 12; until then the American order.
        pattern = number_at(text, 0) > 12 ? "d/M/yyyy" : "M/d/yyyy";
        return Shape::kDate;
    }
    if (looks_like(text, "?d.?d.dddd")) {
        pattern = "d.M.yyyy";
        return Shape::kDate;
    }
    if (looks_like(text, "dddddddd") && number_at(text.substr(0, 4), 0) >= 1900 && number_at(text.substr(0, 4), 0) < 2100 &&
        number_at(text.substr(4, 2), 0) >= 1 && number_at(text.substr(4, 2), 0) <= 12 && number_at(text.substr(6), 0) >= 1 &&
        number_at(text.substr(6), 0) <= 31) {
        pattern = "yyyyMMdd";
        return Shape::kDate;
    }
    for (const char* flag : {"Y", "N", "true", "false", "TRUE", "FALSE", "True", "False"}) {
        if (text == flag) return Shape::kFlag;
    }
    bool decimal = false;
    if (is_number(text, decimal)) {
        if (decimal) return Shape::kDecimal;
        return (text.size() > 1 && text[0] == '0') || text.size() > 9 ? Shape::kId : Shape::kInteger;
    }
    if (text.rfind("https://", 0) == 0 || text.rfind("http://", 0) == 0) return Shape::kUrl;
    const std::size_t at = text.find('@');
    if (at != std::string_view::npos && at != 0 && text.find('.', at) != std::string_view::npos &&
        text.find(' ') == std::string_view::npos) {
        return Shape::kEmail;
    }
    return Shape::kText;
}

Shape joined(Shape a, Shape b) {
    if (a == b || b == Shape::kEmpty) return a;
    if (a == Shape::kEmpty) return b;
    const auto are = [&](Shape x, Shape y) { return (a == x && b == y) || (a == y && b == x); };
    if (are(Shape::kInteger, Shape::kDecimal)) return Shape::kDecimal;
    if (are(Shape::kInteger, Shape::kId)) return Shape::kId;
    if (are(Shape::kDate, Shape::kInstant)) return Shape::kInstant;
    return Shape::kText;
}

void Leaf::see(const std::string& text) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string::npos) return;
    const std::string value = text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
    ++filled;
    longest = std::max(longest, value.size());
    std::string spelling;
    const Shape seen = shape_of(value, spelling);
    if (seen == Shape::kDate && shape == Shape::kDate && spelling != pattern) {
        const bool slashes = spelling.find('/') != std::string::npos && pattern.find('/') != std::string::npos;
        if (slashes) {
            pattern = "d/M/yyyy";  // one of them could not be a month
        } else {
            shape = Shape::kText;
        }
    } else {
        shape = joined(shape, seen);
        if (seen == Shape::kDate) pattern = spelling;
    }
    if (value.size() > 100) many = true;
    if (!many) {
        ++values[value];
        if (values.size() > kSampleRecords) many = true;
    }
    if (many) values.clear();
}

bool Leaf::unique() const {
    return !many && filled > 0 && values.size() == filled;
}

bool is_utf8(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size();) {
        const auto c = static_cast<unsigned char>(bytes[i]);
        const std::size_t more = c < 0x80                ? 0
                                 : c >= 0xC2 && c < 0xE0 ? 1
                                 : c >= 0xE0 && c < 0xF0 ? 2
                                 : c >= 0xF0 && c < 0xF5 ? 3
                                                         : 9;
        if (more == 9 || i + more >= bytes.size() + (more == 0 ? 1 : 0)) return false;
        for (std::size_t k = 1; k <= more; ++k) {
            if ((static_cast<unsigned char>(bytes[i + k]) & 0xC0) != 0x80) return false;
        }
        i += more + 1;
    }
    return bytes.find('\0') == std::string_view::npos;
}

std::string spoken(std::string_view name) {
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto c = static_cast<unsigned char>(name[i]);
        if (std::isalnum(c) == 0) {
            if (!out.empty() && out.back() != ' ') out += ' ';
            continue;
        }
        const bool upper = std::isupper(c) != 0;
        const bool after_lower = i > 0 && std::islower(static_cast<unsigned char>(name[i - 1])) != 0;
        const bool before_lower = i + 1 < name.size() && std::islower(static_cast<unsigned char>(name[i + 1])) != 0 && i > 0 &&
                                  std::isupper(static_cast<unsigned char>(name[i - 1])) != 0;
        if (upper && (after_lower || before_lower) && !out.empty() && out.back() != ' ') out += ' ';
        out += static_cast<char>(std::tolower(c));
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

}  // namespace clrbus::workbench
