#include "adapters_http_poll/answer_fields.hpp"

#include <gtest/gtest.h>

namespace clrbus::adapters::http_poll {
namespace {

std::string link_of(std::string_view value) {
    HttpFields fields;
    fields.add("link", value);
    return next_link(fields);
}

TEST(NextLink, IsTheOneOfRelationNext) {
    EXPECT_EQ(
        link_of(
            "<https://a/?page=1>; rel=\"current\",<https://a/?page=2&x=a,b;c>; rel=\"next\",<https://a/?page=9>; rel=\"last\""),
        "https://a/?page=2&x=a,b;c");
    EXPECT_EQ(link_of("</p>;rel=next"), "/p");
    EXPECT_EQ(link_of("</p> ; title=\"a, \\\"b\\\"; rel=x\" ; REL = \"prev Next\""), "/p");
    EXPECT_EQ(link_of("nonsense, </p>; rel=next"), "/p");
    HttpFields two;
    two.add("Link", "</a>; rel=prev");
    two.add("Link", "</b>; rel=next");
    EXPECT_EQ(next_link(two), "/b");
}

TEST(NextLink, IsNothingOtherwise) {
    for (const char* value : {"", "<", "<a", "<a>", "<a>; rel=prev", "<a>; rel=prev; rel=next", "<a>; title=\"rel=next\"",
                              "<a>; rel=\"nexted\"", ";;,,<>;", "<a>; rel=\"next"})
        EXPECT_EQ(link_of(value), "") << value;
}

TEST(RateWait, RestsWhileFewRequestsAreLeft) {
    const Time now = from_rfc3339("2026-01-02T03:04:05Z");
    const auto wait = [&](std::initializer_list<std::pair<const char*, const char*>> entries, double least) {
        HttpFields fields;
        for (const auto& [name, value] : entries) fields.add(name, value);
        const auto out = rate_wait(fields, least, now);
        return out ? out->count() : 0;
    };
    EXPECT_EQ(wait({}, 100), 0);
    EXPECT_EQ(wait({{"X-Rate-Limit-Remaining", "600.0"}, {"X-Request-Cost", "0.5"}}, 100), 0);
    EXPECT_EQ(wait({{"X-Rate-Limit-Remaining", "99.5"}, {"X-Request-Cost", "0.5"}}, 100), 10);
    EXPECT_EQ(wait({{"X-Rate-Limit-Remaining", "3.5"}, {"X-Request-Cost", "7.5"}}, 0), 10);
    EXPECT_EQ(wait({{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "42"}}, 0), 42);
    EXPECT_EQ(wait({{"RateLimit-Remaining", "0"}, {"RateLimit-Reset", "1767323105"}}, 0), 60) << "seconds since 1970";
    EXPECT_EQ(wait({{"RateLimit-Remaining", "0"}, {"RateLimit-Reset", "99999999999"}}, 0), 3600);
    EXPECT_EQ(wait({{"RateLimit-Remaining", "0"}, {"RateLimit-Reset", "1"}}, 0), 1);
    EXPECT_EQ(wait({{"RateLimit-Remaining", "lots"}, {"RateLimit-Reset", "-"}}, 10), 0);
    EXPECT_EQ(wait({{"RateLimit-Remaining", "nan"}}, 10), 0);
}

}  // namespace
}  // namespace clrbus::adapters::http_poll
