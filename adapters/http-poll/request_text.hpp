// Texts with {places} of which requests are made: parameters of the query, a body, a URL. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::adapters::http_poll {

class RequestText {
public:
    // Nothing, with the reason in why, for a place that is none of since, until, cursor, offset, page and size. Other braces
    // (of JSON) are text when only_places is false.
    static std::optional<RequestText> read(std::string_view text, bool only_places, std::string& why);

    using Values = std::function<std::optional<std::string>(std::string_view name)>;
    using Escape = std::function<std::string(std::string_view value)>;
    // Nothing when a place has no value; with empty_places it is left empty instead.
    std::optional<std::string> fill(const Values& values, const Escape& escape, bool empty_places) const;
    bool has(std::string_view place) const;

private:
    struct Part {
        std::string text, place;  // text, then the value of place ("" = none)
    };
    std::vector<Part> parts_;
};

std::string json_escaped(std::string_view text);  // without quotes

}  // namespace clrbus::adapters::http_poll
