#include "xml/detail/quick_types.hpp"

#include <libxml/xmlregexp.h>
#include <libxml/xmlschemastypes.h>

#include <algorithm>
#include <array>

namespace clrbus::xml_detail {

namespace {

constexpr std::size_t kPlainDigits = 18;

const xmlChar* quick_bytes(const char* text) {
    return reinterpret_cast<const xmlChar*>(text);
}

bool quick_digit(char c) {
    return c >= '0' && c <= '9';
}

// As white space collapsing leaves it.
bool quick_collapsed(std::string_view text) {
    if (text.empty()) return true;
    if (text.front() == ' ' || text.back() == ' ') return false;
    char before = 'x';
    for (const char c : text) {
        if (c == '\t' || c == '\n' || c == '\r' || (c == ' ' && before == ' ')) return false;
        before = c;
    }
    return true;
}

std::size_t quick_characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Digits as many as given; -1 when there are others.
int quick_number(std::string_view text, std::size_t at, std::size_t digits) {
    int value = 0;
    if (at + digits > text.size()) return -1;
    for (std::size_t i = at; i < at + digits; ++i) {
        if (!quick_digit(text[i])) return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

// yyyy-MM-dd of the calendar, without zone.
bool quick_date(std::string_view text) {
    static constexpr std::array<int, 13> kDays{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
    const int year = quick_number(text, 0, 4);
    const int month = quick_number(text, 5, 2);
    const int day = quick_number(text, 8, 2);
    return year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= kDays.at(static_cast<std::size_t>(month));
}

// yyyy-MM-ddThh:mm:ss[.f…][Z|±hh:mm], leap seconds and the hour 24 left to libxml2.
bool quick_date_time(std::string_view text) {
    if (text.size() < 19 || !quick_date(text.substr(0, 10)) || text[10] != 'T' || text[13] != ':' || text[16] != ':')
        return false;
    const int hour = quick_number(text, 11, 2);
    const int minute = quick_number(text, 14, 2);
    const int second = quick_number(text, 17, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
    std::string_view rest = text.substr(19);
    if (!rest.empty() && rest[0] == '.') {
        std::size_t end = 1;
        while (end < rest.size() && quick_digit(rest[end])) ++end;
        if (end == 1 || end > 10) return false;
        rest.remove_prefix(end);
    }
    if (rest.empty() || rest == "Z") return true;
    if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') return false;
    const int zone = quick_number(rest, 1, 2);
    const int minutes = quick_number(rest, 4, 2);
    return zone >= 0 && zone <= 13 && minutes >= 0 && minutes <= 59;
}

bool quick_decimal(std::string_view text) {
    if (text.size() > kPlainDigits) return false;
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    const std::size_t point = text.find('.');
    const auto digits = [](std::string_view part) {
        return !part.empty() && std::all_of(part.begin(), part.end(), quick_digit);
    };
    if (point == std::string_view::npos) return digits(text);
    return digits(text.substr(0, point)) && digits(text.substr(point + 1));
}

bool quick_plain(const QuickSimple& type, std::string_view text) {
    using SimpleKind = QuickSimple::Kind;
    switch (type.kind) {
        case SimpleKind::kString:
        case SimpleKind::kToken:
            return true;
        case SimpleKind::kBoolean:
            return text == "true" || text == "false" || text == "1" || text == "0";
        case SimpleKind::kDecimal:
            return quick_decimal(text);
        case SimpleKind::kUnsigned:
            return !text.empty() && text.size() <= kPlainDigits && std::all_of(text.begin(), text.end(), quick_digit);
        case SimpleKind::kDate:
            return quick_date(text);
        case SimpleKind::kDateTime:
            return quick_date_time(text);
        case SimpleKind::kYear:
            return text.size() == 4 && quick_number(text, 0, 4) > 0;
        case SimpleKind::kYearMonth: {
            const int month = text.size() == 7 && text[4] == '-' ? quick_number(text, 5, 2) : -1;
            return month >= 1 && month <= 12 && quick_number(text, 0, 4) > 0;
        }
        case SimpleKind::kText:
        case SimpleKind::kOther:
        case SimpleKind::kUnion:
            break;
    }
    return false;
}

}  // namespace

QuickRegexp::QuickRegexp(const std::string& pattern) : compiled(xmlRegexpCompile(quick_bytes(pattern.c_str()))) {
    if (compiled == nullptr) throw QuickUnknown{};
}
QuickRegexp::~QuickRegexp() {
    xmlRegFreeRegexp(compiled);
}

QuickSimple QuickSimple::built_in_type(std::string_view name) {
    struct Known {
        std::string_view name;
        Kind kind;
        xmlSchemaValType type;
    };
    static constexpr std::array<Known, 15> kKnown{{
        {"string", Kind::kString, XML_SCHEMAS_STRING},
        {"token", Kind::kToken, XML_SCHEMAS_TOKEN},
        {"boolean", Kind::kBoolean, XML_SCHEMAS_BOOLEAN},
        {"decimal", Kind::kDecimal, XML_SCHEMAS_DECIMAL},
        {"unsignedLong", Kind::kUnsigned, XML_SCHEMAS_ULONG},
        {"nonNegativeInteger", Kind::kUnsigned, XML_SCHEMAS_NNINTEGER},
        {"date", Kind::kDate, XML_SCHEMAS_DATE},
        {"dateTime", Kind::kDateTime, XML_SCHEMAS_DATETIME},
        {"gYear", Kind::kYear, XML_SCHEMAS_GYEAR},
        {"gYearMonth", Kind::kYearMonth, XML_SCHEMAS_GYEARMONTH},
        {"anyURI", Kind::kText, XML_SCHEMAS_ANYURI},
        {"language", Kind::kText, XML_SCHEMAS_LANGUAGE},
        {"NMTOKEN", Kind::kText, XML_SCHEMAS_NMTOKEN},
        {"integer", Kind::kOther, XML_SCHEMAS_INTEGER},
        {"positiveInteger", Kind::kOther, XML_SCHEMAS_PINTEGER},
    }};
    const auto* known = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& k) { return k.name == name; });
    if (known == kKnown.end()) throw QuickUnknown{};
    QuickSimple out;
    out.kind = known->kind;
    out.built_in = xmlSchemaGetBuiltInType(known->type);
    if (out.built_in == nullptr) throw QuickUnknown{};
    return out;
}

bool QuickSimple::counts_characters() const {
    return kind == Kind::kString || kind == Kind::kToken || kind == Kind::kText;
}
bool QuickSimple::compares_text() const {
    return kind == Kind::kString || kind == Kind::kToken;
}

bool QuickMemory::holds(const QuickSimple& type, const char* value) {
    const std::string_view text(value);
    Seen& seen = seen_[type.number];
    for (const std::string_view before : seen.values) {
        if (before.data() != nullptr && before == text) return true;
    }
    if (type.kind == QuickSimple::Kind::kUnion ? !judge_union(type, value) : !judge(type, value, text)) return false;
    seen.values[seen.next++ % 4] = text;
    return true;
}

bool QuickMemory::judge_union(const QuickSimple& type, const char* value) {
    return std::any_of(type.members.begin(), type.members.end(),
                       [&](const QuickSimple* member) { return holds(*member, value); });
}

bool QuickMemory::judge(const QuickSimple& type, const char* value, std::string_view text) {
    if (type.kind != QuickSimple::Kind::kString && !quick_collapsed(text)) return false;
    if (!quick_plain(type, text) && xmlSchemaValidatePredefinedType(type.built_in, quick_bytes(value), nullptr) != 0) {
        return false;
    }
    if (text.size() < type.least || text.size() > type.most) {  // bytes are at least as many as characters
        if (text.size() < type.least || quick_characters(text) > type.most) return false;
    }
    if (type.least > 1 && quick_characters(text) < type.least) return false;
    for (const std::vector<std::string>& one_of : type.values) {
        const auto found = std::lower_bound(one_of.begin(), one_of.end(), text);
        if (found == one_of.end() || *found != text) return false;
    }
    return std::all_of(type.patterns.begin(), type.patterns.end(), [&](const auto& one_of) {
        return std::any_of(one_of.begin(), one_of.end(), [&](const std::shared_ptr<const QuickRegexp>& pattern) {
            return xmlRegexpExec(pattern->compiled, quick_bytes(value)) == 1;
        });
    });
}

}  // namespace clrbus::xml_detail
