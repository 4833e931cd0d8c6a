#include "adapters_http_poll/request_text.hpp"

#include <algorithm>

#include "crypto/flat_json.hpp"

namespace clrbus::adapters::http_poll {

namespace {

constexpr std::string_view kPlaces[] = {"since", "until", "cursor", "offset", "page", "size"};

bool is_word(std::string_view text) {
    return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string_view::npos;
}

}  // namespace

std::optional<RequestText> RequestText::read(std::string_view text, bool only_places, std::string& why) {
    RequestText out;
    out.parts_.emplace_back();
    while (!text.empty()) {
        const std::size_t open = std::min(text.find('{'), text.size());
        out.parts_.back().text += text.substr(0, open);
        text.remove_prefix(open);
        if (text.empty()) break;
        const std::size_t close = text.find('}');
        const std::string_view name = close == std::string_view::npos ? std::string_view() : text.substr(1, close - 1);
        if (std::find(std::begin(kPlaces), std::end(kPlaces), name) != std::end(kPlaces)) {
            out.parts_.back().place = name;
            out.parts_.emplace_back();
            text.remove_prefix(close + 1);
        } else if (only_places || is_word(name)) {
            why = "a place is {since}, {until}, {cursor}, {offset}, {page} or {size}";
            return std::nullopt;
        } else {
            out.parts_.back().text += '{';
            text.remove_prefix(1);
        }
    }
    return out;
}

std::optional<std::string> RequestText::fill(const Values& values, const Escape& escape, bool empty_places) const {
    std::string out;
    for (const Part& part : parts_) {
        out += part.text;
        if (part.place.empty()) continue;
        const std::optional<std::string> value = values(part.place);
        if (!value && !empty_places) return std::nullopt;
        if (value) out += escape(*value);
    }
    return out;
}

bool RequestText::has(std::string_view place) const {
    return std::any_of(parts_.begin(), parts_.end(), [place](const Part& part) { return part.place == place; });
}

std::string json_escaped(std::string_view text) {
    const std::string quoted = crypto::json_string(text);
    return quoted.substr(1, quoted.size() - 2);
}

}  // namespace clrbus::adapters::http_poll
