#include "formats/reduce.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "formats/json.hpp"

namespace clrbus {
namespace {

std::vector<std::shared_ptr<const XPath>> drop_paths(const std::vector<std::string>& expressions) {
    std::vector<std::shared_ptr<const XPath>> out;
    out.reserve(expressions.size());
    for (const std::string& e : expressions) out.push_back(XPath::compile(e));
    return out;
}

TEST(Reduce, DropsWhatThePathsName) {
    const auto reduced =
        reduce_document(parse_json(R"({"id":1,"ssn":"9","jobs":[{"rate":2,"title":"a"},{"rate":3}],"list":[1,2]})"), nullptr,
                        drop_paths({"//rate", "/json/ssn", "/json/list[1]", "/json/jobs[2]", "//@type[. = 'x']"}));
    ASSERT_TRUE(reduced);
    EXPECT_EQ(write_json(*reduced), R"({"id":1,"jobs":[{"title":"a"}],"list":[2]})");
}

TEST(Reduce, DropsAttributesAndNestedFindsOnce) {
    TreeBuilder builder;
    builder.start("a");
    builder.attribute("ssn", "9");
    builder.start("b");
    builder.attribute("ssn", "8");
    builder.start("c");
    builder.text("x");
    builder.end();
    builder.end();
    builder.start("d");
    builder.end();
    builder.end();
    const auto reduced = reduce_document(builder.finish(), nullptr, drop_paths({"//@ssn", "//b", "//c", "//b"}));
    ASSERT_TRUE(reduced);
    EXPECT_EQ(reduced->write(), "<a><d/></a>");
}

TEST(Reduce, KeepsOnlyWhatHolds) {
    const auto keep = XPath::compile("/json/student = 'true'");
    EXPECT_TRUE(reduce_document(parse_json(R"({"student":true})"), keep.get(), {}));
    EXPECT_FALSE(reduce_document(parse_json(R"({"student":false})"), keep.get(), {}));
}

TEST(Reduce, RefusesToDropEverythingOrNothing) {
    EXPECT_THROW(reduce_document(parse_json("{}"), nullptr, drop_paths({"/json"})), Error);
    EXPECT_THROW(reduce_document(parse_json("{}"), nullptr, drop_paths({"/*"})), Error);
    EXPECT_THROW(reduce_document(parse_json(R"({"a":1})"), nullptr, drop_paths({"//ssn"}), true), Error);
    EXPECT_TRUE(reduce_document(parse_json(R"({"a":1})"), nullptr, drop_paths({"//ssn"})));
}

}  // namespace
}  // namespace clrbus
