#include "formats/json_splitter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "formats/splitter_testing.hpp"

namespace clrbus {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

JsonSplitOptions json_array(std::string path = {}) {
    JsonSplitOptions options;
    options.path = std::move(path);
    return options;
}
JsonSplitOptions json_lines() {
    JsonSplitOptions options;
    options.lines = true;
    return options;
}

Split json_split(const JsonSplitOptions& options, std::string_view bytes, std::size_t chunk = 1000) {
    return split([&](RecordHandlers handlers) { return make_json_splitter(options, std::move(handlers)); }, bytes, chunk);
}

TEST(JsonArraySplit, DeliversEachElementWithPlaceAndBytes) {
    const std::string bytes = " {\"n\":2, \"results\": [ {\"a\":1} ,\n\"two\",3 , [4,\"]\"],{}], \"end\":{\"results\":[9]}}\n";
    for (std::size_t chunk = 1; chunk <= 9; ++chunk) {
        const Split s = json_split(json_array("results"), bytes, chunk);
        EXPECT_THAT(s.raw, ElementsAre("{\"a\":1}", "\"two\"", "3", "[4,\"]\"]", "{}"));
        EXPECT_THAT(s.numbers, ElementsAre(1, 2, 3, 4, 5));
        ASSERT_EQ(s.documents.size(), 5U);
        EXPECT_EQ(s.documents[0], R"(<json><a type="number">1</a></json>)");
        EXPECT_THAT(s.broken, IsEmpty());
        EXPECT_EQ(s.stream_error, "");
        for (std::size_t i = 0; i < s.raw.size(); ++i) EXPECT_EQ(bytes.substr(s.offsets[i], s.raw[i].size()), s.raw[i]);
    }
}

TEST(JsonArraySplit, FindsNestedAndTopArrays) {
    EXPECT_THAT(json_split(json_array(), "[1,2]").raw, ElementsAre("1", "2"));
    EXPECT_THAT(json_split(json_array(), "\xEF\xBB\xBF[1]", 1).raw, ElementsAre("1"));
    EXPECT_THAT(json_split(json_array("data/items"), R"({"items":[0],"data":{"x":{"items":[8]},"items":[1,2]}})").raw,
                ElementsAre("1", "2"));
    EXPECT_THAT(json_split(json_array("results"), R"({"results":[]})").raw, IsEmpty());
    EXPECT_EQ(json_split(json_array("results"), R"({"results":[]})").stream_error, "");
    EXPECT_THAT(json_split(json_array("r"), R"({"s":"\"r\":[1,{","r":["a\\",2]})").raw, ElementsAre(R"("a\\")", "2"));
}

TEST(JsonArraySplit, GoesOnAfterABrokenRecord) {
    const std::string bytes = R"({"results":[{"a":1},{"a":01},{"b":"\ud800x"},{"a":1,"a":2},nul,{"c":3}]})";
    for (std::size_t chunk = 1; chunk <= 7; ++chunk) {
        const Split s = json_split(json_array("results"), bytes, chunk);
        EXPECT_THAT(s.numbers, ElementsAre(1, 6));
        EXPECT_THAT(s.broken_numbers, ElementsAre(2, 3, 4, 5));
        EXPECT_THAT(s.broken_raw, ElementsAre("{\"a\":01}", "{\"b\":\"\\ud800x\"}", "{\"a\":1,\"a\":2}", "nul"));
        EXPECT_EQ(s.stream_error, "");
        EXPECT_EQ(s.broken[2].where().path, "/results[4]/a");
        EXPECT_EQ(s.broken[2].where().row, 4U);
        EXPECT_GT(s.broken[2].where().offset, static_cast<std::int64_t>(s.broken_offsets[2]));
        EXPECT_EQ(bytes.substr(s.broken_offsets[2], 6), "{\"a\":1");
    }
}

TEST(JsonArraySplit, StopsWhereTheStreamIsBroken) {
    EXPECT_EQ(json_split(json_array(), R"([1,{"a":[}],2])").stream_error, "JSON-012");
    EXPECT_EQ(json_split(json_array(), R"([1,{"a":1)").stream_error, "JSON-002");
    EXPECT_EQ(json_split(json_array(), R"([1,2)").stream_error, "JSON-002");
    EXPECT_EQ(json_split(json_array("r"), R"({"r":[1])").stream_error, "JSON-002");
    EXPECT_EQ(json_split(json_array(), R"([1 2])").stream_error, "JSON-001");
    EXPECT_EQ(json_split(json_array(), R"([{"a":1}{"a":2}])").stream_error, "JSON-001");
    EXPECT_EQ(json_split(json_array(), R"(["a""b"])").stream_error, "JSON-001");
    EXPECT_EQ(json_split(json_array(), R"([1,,2])").stream_error, "JSON-001");
    EXPECT_EQ(json_split(json_array(), R"([1,])").stream_error, "JSON-001");
    EXPECT_EQ(json_split(json_array(), R"([1] x)").stream_error, "JSON-003");
    EXPECT_EQ(json_split(json_array(), R"([1][2])").stream_error, "JSON-003");
    EXPECT_EQ(json_split(json_array("r"), R"({"x":01,"r":[1]})").stream_error, "JSON-001");
    EXPECT_EQ(json_split(json_array("r"), R"({"r":[1]}})").stream_error, "JSON-003");
    EXPECT_EQ(json_split(json_array("r"), R"({"r":[1],"r":[2]})").stream_error, "JSON-008");
    EXPECT_EQ(json_split(json_array(), "").stream_error, "JSON-002");
    EXPECT_THAT(json_split(json_array(), R"([1,{"a":[}],2])").raw, ElementsAre("1"));
}

TEST(JsonArraySplit, SaysWhenThePathLeadsToNoArray) {
    for (const std::string bytes :
         {"{\"a\":[1]}", "{\"results\":{}}", "{\"results\":7}", "[1]", "{\"results\":null}", "{}", "7"}) {
        EXPECT_EQ(json_split(json_array("results"), bytes).stream_error, "JSON-011") << bytes;
    }
    EXPECT_EQ(json_split(json_array(), "{\"a\":[1]}").stream_error, "JSON-011");
}

TEST(JsonArraySplit, RefusesALargeRecordAlone) {
    JsonSplitOptions options = json_array();
    options.record = 1000;
    const std::string bytes = "[1,\"" + std::string(5000, 'x') + "\",{\"a\":[" + std::string(3000, ' ') + "]},2]";
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{700}, std::size_t{100'000}}) {
        const Split s = json_split(options, bytes, chunk);
        EXPECT_THAT(s.raw, ElementsAre("1", "2"));
        EXPECT_THAT(s.broken_numbers, ElementsAre(2, 3));
        EXPECT_THAT(s.broken_raw, ElementsAre("", ""));
        ASSERT_EQ(s.broken.size(), 2U);
        EXPECT_EQ(s.broken[0].code(), "JSON-013");
    }
}

TEST(JsonArraySplit, RefusesHundredThousandLevels) {
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    const Split s = json_split(json_array(), "[1," + deep + ",2]", 5000);
    EXPECT_THAT(s.numbers, ElementsAre(1, 3));
    ASSERT_EQ(s.broken.size(), 1U);
    EXPECT_EQ(s.broken[0].code(), "JSON-004");
    EXPECT_EQ(json_split(json_array("r"), "{\"x\":" + deep + "}").stream_error, "JSON-004");
    EXPECT_EQ(json_split(json_array(), "[" + std::string(3'000'000, '[')).stream_error, "JSON-004");
}

TEST(JsonArraySplit, ResumesAfterEveryRecord) {
    const std::string bytes = "{\"m\":{\"results\":[ {\"a\":1},\n {\"a\":01} , \"x\"\n,4 ] , \"t\":[{}]}}";
    expect_resumes([](RecordHandlers handlers) { return make_json_splitter(json_array("m/results"), std::move(handlers)); },
                   bytes, 4);
    EXPECT_EQ(json_split(json_array("m/results"), bytes.substr(0, bytes.size() - 1)).stream_error, "JSON-002");
}

TEST(JsonLinesSplit, DeliversEachLine) {
    const std::string bytes = "\xEF\xBB\xBF{\"a\":1}\n\n  {\"a\":2}  \r\n[3]\r\n\"x\"";
    for (std::size_t chunk = 1; chunk <= 7; ++chunk) {
        const Split s = json_split(json_lines(), bytes, chunk);
        EXPECT_THAT(s.numbers, ElementsAre(1, 2, 3, 4));
        EXPECT_EQ(s.documents[1], R"(<json><a type="number">2</a></json>)");
        EXPECT_EQ(s.stream_error, "");
    }
    EXPECT_THAT(json_split(json_lines(), "").raw, IsEmpty());
}

TEST(JsonLinesSplit, GoesOnAfterAnyBrokenLine) {
    const std::string bytes = "{\"a\":[}\n{\"b\":1}\n{\"a\n}\n7 8\n\xFF\n{\"c\":1}\n{\"d\"";
    for (std::size_t chunk = 1; chunk <= 7; ++chunk) {
        const Split s = json_split(json_lines(), bytes, chunk);
        EXPECT_THAT(s.numbers, ElementsAre(2, 7));
        EXPECT_THAT(s.broken_numbers, ElementsAre(1, 3, 4, 5, 6, 8));
        EXPECT_EQ(s.broken[3].code(), "JSON-003");
        EXPECT_EQ(s.broken[3].where().line, 5U);
        EXPECT_EQ(s.stream_error, "");
    }
}

TEST(JsonLinesSplit, ResumesAfterEveryRecord) {
    expect_resumes([](RecordHandlers handlers) { return make_json_splitter(json_lines(), std::move(handlers)); },
                   "{\"a\":1}\n\nbad\n [2] \n3", 4);
}

TEST(JsonSplit, HoldsOneRecordInMemory) {
    std::string record = "{\"name\":\"" + std::string(900, 'n') + "\",\"list\":[1,2,3]},\n";
    const auto bytes = [&](std::uint64_t i) { return i == 0 ? "{\"results\":[" + record : record; };
    std::uint64_t seen = 0;
    RecordHandlers handlers{[&](auto, auto, auto, const Document&) { ++seen; },
                            [](auto, auto, auto, const Error& e) { throw e; }};
    auto splitter = make_json_splitter(json_array("results"), handlers);
    expect_bounded(*splitter, bytes, 50u << 20);
    splitter->write("{}]}");
    splitter->finish();
    EXPECT_GT(seen, 50'000U);
}

TEST(JsonSplit, SurvivesDamage) {
    const std::string bytes =
        "{\"n\":[1,{}],\"results\":[{\"a\":\"x\\\"y\",\"b\":[1,2,{\"c\":null}]},[],\"s\",-1.5e3,true],\"z\":\"\\u00e9\"}";
    for (const bool lines : {false, true}) {
        expect_survives(
            [&](RecordHandlers handlers) {
                JsonSplitOptions options = json_array("results");
                options.lines = lines;
                return make_json_splitter(options, std::move(handlers));
            },
            bytes);
    }
}

}  // namespace
}  // namespace clrbus
