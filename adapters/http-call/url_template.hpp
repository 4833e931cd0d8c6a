// A URL with {name} places in its path and query. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::adapters::http_call {

class UrlTemplate {
public:
    // The template, or the reason why it is none.
    static std::optional<UrlTemplate> read(std::string_view text, std::string& why);

    // Every place filled, percent-encoded, so that a value is one segment or one value of the query and nothing else. Nothing
    // when a value is absent or would change the path ("", ".", ".."): its name then is in missing.
    using Values = std::function<std::optional<std::string>(std::string_view name)>;
    std::optional<std::string> fill(const Values& values, std::string& missing) const;

private:
    struct Part {
        std::string text, place;  // text, then the value of place ("" = none)
    };
    std::vector<Part> parts_;
};

}  // namespace clrbus::adapters::http_call
