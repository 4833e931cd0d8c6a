#include "adapters_http_call/url_template.hpp"

#include <gtest/gtest.h>

#include <map>

namespace clrbus::adapters::http_call {
namespace {

std::string filled(const std::string& text, const std::map<std::string, std::string>& values) {
    std::string why, missing;
    const auto url = UrlTemplate::read(text, why);
    if (!url) return "refused: " + why;
    const auto out = url->fill(
        [&](std::string_view name) -> std::optional<std::string> {
            const auto found = values.find(std::string(name));
            return found == values.end() ? std::nullopt : std::optional(found->second);
        },
        missing);
    return out ? *out : "missing: " + missing;
}

TEST(UrlTemplate, RefusesPlacesThatAreNone) {
    for (const char* text : {"https://h/{", "https://h/}", "https://h/{}", "https://h/{a{b}}", "https://h/{A}",
                             "https://h/{a b}", "https://h/}a{"})
        EXPECT_EQ(filled(text, {}), "refused: a place is {name}") << text;
    for (const char* text : {"https://{h}/", "{u}", "https://h{x}", "https://h:{port}/a"})
        EXPECT_EQ(filled(text, {}), "refused: a place stands in path or query alone") << text;
}

TEST(UrlTemplate, FillsAPlaceWithOneSegmentAndNothingElse) {
    EXPECT_EQ(filled("https://h/users/{id}?q={q}", {{"id", "7"}, {"q", "a b"}}), "https://h/users/7?q=a%20b");
    EXPECT_EQ(filled("https://h/users/{id}", {{"id", "../admin?x=1&y#z"}}), "https://h/users/..%2Fadmin%3Fx%3D1%26y%23z");
    EXPECT_EQ(filled("https://h/users/{id}", {{"id", "\r\nHost: x"}}), "https://h/users/%0D%0AHost%3A%20x");
    EXPECT_EQ(filled("https://h/{a}{a}/", {{"a", "\xc3\xa9"}}), "https://h/%C3%A9%C3%A9/");
    EXPECT_EQ(filled("https://h/plain", {}), "https://h/plain");
}

TEST(UrlTemplate, IsNotFilledWithNothingOrAWayUp) {
    for (const char* value : {"", ".", ".."}) EXPECT_EQ(filled("https://h/{id}/x", {{"id", value}}), "missing: id");
    EXPECT_EQ(filled("https://h/{id}/x", {}), "missing: id");
}

}  // namespace
}  // namespace clrbus::adapters::http_call
