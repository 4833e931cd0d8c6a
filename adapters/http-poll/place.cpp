#include "adapters_http_poll/place.hpp"

#include <algorithm>
#include <charconv>

#include "core/error.hpp"
#include "crypto/flat_json.hpp"

namespace clrbus::adapters::http_poll {

namespace {

bool all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Time time_of_mark(std::string_view given) {
    std::string text(given);
    if (all_digits(text) && (text.size() == 10 || text.size() == 13)) {
        std::int64_t number = 0;
        std::from_chars(text.data(), text.data() + text.size(), number);
        return Time(std::chrono::milliseconds(text.size() == 10 ? number * 1000 : number));
    }
    if (text.size() == 10) text += "T00:00:00";
    if (text.size() > 10 && text[10] == ' ') text[10] = 'T';
    if (text.find_first_of("Zz+", 11) == std::string::npos && text.find('-', 11) == std::string::npos) text += 'Z';
    // +0000, as Java and Salesforce write it.
    if (text.size() > 5 && (text[text.size() - 5] == '+' || text[text.size() - 5] == '-')) text.insert(text.size() - 2, ":");
    return from_rfc3339(text);
}

struct PlaceMember {
    const char* name;
    std::string Place::*value;
};
constexpr PlaceMember kMembers[] = {{"since", &Place::since}, {"etag", &Place::etag}, {"modified", &Place::modified},
                                    {"asked", &Place::asked}, {"body", &Place::body}, {"run", &Place::run},
                                    {"start", &Place::start}, {"high", &Place::high}, {"next", &Place::next}};

}  // namespace

Place Place::decode(std::string_view text) {
    Place out;
    const auto json = crypto::FlatJson::parse(text);
    if (!json) return out;
    for (const PlaceMember& member : kMembers) out.*member.value = json->string(member.name).value_or("");
    if (const auto* pages = json->find("pages"))
        std::from_chars(pages->value.data(), pages->value.data() + pages->value.size(), out.pages);
    return out;
}

std::string Place::encode() const {
    std::string out = "{";
    for (const PlaceMember& member : kMembers) {
        const std::string& value = this->*member.value;
        if (!value.empty()) out += std::string("\"") + member.name + "\":" + crypto::json_string(value) + ",";
    }
    return out + "\"pages\":" + std::to_string(pages) + "}";
}

void Place::begin(Time planned, Time now) {
    if (!run.empty()) return;
    run = to_rfc3339(planned);
    start = to_rfc3339(now);
    high = since;
    next.clear();
    pages = 0;
}

void Place::end(MarkType type) {
    // A mark that lies ahead of the run would pass over what changes until then.
    if (type == MarkType::kTime && later_mark(type, start, high) == high) high = std::max(since, start);
    since = later_mark(type, since, high);
    run.clear();
    start.clear();
    high.clear();
    next.clear();
    pages = 0;
}

const std::string& later_mark(MarkType type, const std::string& a, const std::string& b) {
    if (b.empty()) return a;
    if (a.empty() || type == MarkType::kText) return b;
    if (type == MarkType::kNumber && a.size() != b.size()) return a.size() < b.size() ? b : a;
    return a < b ? b : a;  // RFC 3339 in UTC with milliseconds sorts as text
}

std::string read_mark(MarkType type, std::string_view text) {
    const auto wrong = [](const char* expected) {
        return Error(Fault::kAway, "HPOLL-014", "reading a mark", "it is none").expected(expected);
    };
    if (type == MarkType::kText) return std::string(text);
    if (type == MarkType::kNumber) {
        if (!all_digits(text) || text.size() > 40) throw wrong("digits");
        text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
        return std::string(text);
    }
    try {
        return to_rfc3339(time_of_mark(text));
    } catch (const Error&) {
        throw wrong("a time: RFC 3339, a date, or seconds or milliseconds since 1970");
    }
}

}  // namespace clrbus::adapters::http_poll
