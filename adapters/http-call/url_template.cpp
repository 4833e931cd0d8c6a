#include "adapters_http_call/url_template.hpp"

#include <algorithm>

#include "http/client.hpp"

namespace clrbus::adapters::http_call {

std::optional<UrlTemplate> UrlTemplate::read(std::string_view text, std::string& why) {
    const std::size_t scheme = text.find("://");
    const std::size_t path = scheme == std::string_view::npos ? scheme : text.find_first_of("/?", scheme + 3);
    if (text.substr(0, path).find_first_of("{}") != std::string_view::npos) {
        why = "a place stands in path or query alone";
        return std::nullopt;
    }
    UrlTemplate out;
    while (!text.empty()) {
        const std::size_t open = text.find('{');
        const std::size_t close = text.find('}');
        if (open == std::string_view::npos && close == std::string_view::npos) {
            out.parts_.push_back({std::string(text), ""});
            break;
        }
        if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2 ||
            text.substr(open + 1, close - open - 1).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._") !=
                std::string_view::npos) {
            why = "a place is {name}";
            return std::nullopt;
        }
        out.parts_.push_back({std::string(text.substr(0, open)), std::string(text.substr(open + 1, close - open - 1))});
        text.remove_prefix(close + 1);
    }
    return out;
}

std::optional<std::string> UrlTemplate::fill(const Values& values, std::string& missing) const {
    std::string out;
    for (const Part& part : parts_) {
        out += part.text;
        if (part.place.empty()) continue;
        const std::optional<std::string> value = values(part.place);
        if (!value || value->empty() || *value == "." || *value == "..") {
            missing = part.place;
            return std::nullopt;
        }
        out += percent_encoded(*value);
    }
    return out;
}

}  // namespace clrbus::adapters::http_call
