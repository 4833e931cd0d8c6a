#include "formats/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.hpp"

namespace clrbus {
namespace {

using namespace std::string_literals;

Error json_error(const std::string& bytes, const JsonLimits& limits = JsonLimits{}) {
    try {
        parse_json(bytes, "f.json", limits);
    } catch (const Error& e) {
        return e;
    }
    ADD_FAILURE() << "accepted: " << bytes.substr(0, 60);
    return Error(Fault::kConfig, "NONE", "", "");
}

Document json_in_chunks(std::string_view bytes, std::size_t size) {
    JsonReader reader;
    for (std::size_t i = 0; i < bytes.size(); i += size) reader.write(bytes.substr(i, size));
    return reader.finish();
}

struct JsonCase {
    std::string json, xml;
};

// Everything the mapping has to say.
const std::vector<JsonCase>& json_cases() {
    static const std::vector<JsonCase> cases = {
        {R"({})", R"(<json type="object"/>)"},
        {R"([])", R"(<json type="array"/>)"},
        {R"("x")", R"(<json>x</json>)"},
        {R"(12)", R"(<json type="number">12</json>)"},
        {R"(null)", R"(<json type="null"/>)"},
        {R"({"a":"b","c":""})", R"(<json><a>b</a><c/></json>)"},
        {R"({"t":true,"f":false,"n":null})",
         R"(<json><t type="boolean">true</t><f type="boolean">false</f><n type="null"/></json>)"},
        {R"({"o":{"a":{}}})", R"(<json><o><a type="object"/></o></json>)"},
        {R"({"a":[]})", R"(<json><a type="array"/></json>)"},
        {R"({"a":["x"]})", R"(<json><a array="true">x</a></json>)"},
        {R"({"a":[1,"x"],"b":2})",
         R"(<json><a array="true" type="number">1</a><a array="true">x</a><b type="number">2</b></json>)"},
        {R"({"a":[{"b":1},{}]})", R"(<json><a array="true"><b type="number">1</b></a><a array="true" type="object"/></json>)"},
        {R"({"a":[[]]})", R"(<json><a array="true" type="array"/></json>)"},
        {R"({"a":[[1],[2,[3]]]})",
         R"(<json><a array="true" type="array"><item type="number">1</item></a><a array="true" type="array"><item type="number">2</item><item type="array"><item type="number">3</item></item></a></json>)"},
        {R"([[1],{"a":2},"x"])",
         R"(<json type="array"><item type="array"><item type="number">1</item></item><item><a type="number">2</a></item><item>x</item></json>)"},
        {R"({"@context":"u","2nd":1,"JOB CODE":"x"})",
         R"(<json><_x0040_context>u</_x0040_context><_x0032_nd type="number">1</_x0032_nd><JOB_x0020_CODE>x</JOB_x0020_CODE></json>)"},
        {R"({"":1,"_x0040_context":2})",
         R"(<json><_x_ type="number">1</_x_><_x005F_x0040_context type="number">2</_x005F_x0040_context></json>)"},
    };
    return cases;
}

TEST(Json, MapsEveryShapeAndBack) {
    for (const JsonCase& c : json_cases()) {
        const Document document = parse_json(c.json);
        EXPECT_EQ(document.write(), c.xml) << c.json;
        EXPECT_EQ(write_json(document), c.json);
    }
}

TEST(Json, ReadsChunksOfAnySize) {
    for (const JsonCase& c : json_cases()) {
        for (std::size_t size = 1; size <= 7; ++size)
            EXPECT_EQ(json_in_chunks(c.json, size).write(), c.xml) << size << ' ' << c.json;
    }
}

TEST(Json, KeepsTheSpellingOfNumbers) {
    for (const std::string number :
         {"1.10", "3.0", "1E2", "-0", "1234567890123456789012345", "1e400", "-1.5e-7", "0", "18446744073709551616"}) {
        const Document document = parse_json("{\"n\":" + number + "}");
        EXPECT_EQ(document.root().child_text("n"), number);
        EXPECT_EQ(write_json(document), "{\"n\":" + number + "}");
        EXPECT_EQ(json_in_chunks("[" + number + "]", 1).root().first_child().text(), number);
    }
}

TEST(Json, KeepsTextExactly) {
    const Document document = parse_json("{\"s\":\"\\u00e9\\ud83c\\udf93\\n\\t\\r\\\"\\\\\\/ \xC3\xA9\"}");
    EXPECT_EQ(document.root().child_text("s"), "\xC3\xA9\xF0\x9F\x8E\x93\n\t\r\"\\/ \xC3\xA9");
    EXPECT_EQ(write_json(document), "{\"s\":\"\xC3\xA9\xF0\x9F\x8E\x93\\n\\t\\r\\\"\\\\/ \xC3\xA9\"}");
}

TEST(Json, TakesAByteOrderMarkAndBlanks) {
    EXPECT_EQ(parse_json("\xEF\xBB\xBF {\"a\":1} \r\n").write(), R"(<json><a type="number">1</a></json>)");
    EXPECT_EQ(json_in_chunks("\xEF\xBB\xBF[1]", 1).write(), R"(<json type="array"><item type="number">1</item></json>)");
    EXPECT_EQ(json_in_chunks("1", 1).write(), R"(<json type="number">1</json>)");
}

TEST(Json, GivesElementsTheirLines) {
    const Document document = parse_json("{\n \"a\": 1,\n \"b\":\n  {\"c\": 2}\n}");
    EXPECT_EQ(document.root().child("a").line(), 2U);
    EXPECT_EQ(document.root().child("b").line(), 3U);
    EXPECT_EQ(document.root().child("b").child("c").line(), 4U);
}

TEST(JsonRefuses, WhatIsNotJson) {
    for (const std::string bad : {"NaN", "[Infinity]", "/* c */ 1", "[1,]", "{\"a\":1,}", "01", "+1", "1.", ".5", "'a'",
                                  "{a:1}", "[1 2]", "tru", "\"\\x\"", "\"\\u12\"", "[\"\n\"]", "}", "]"}) {
        const std::string code = json_error(bad).code();
        EXPECT_TRUE(code == "JSON-001" || code == "JSON-002" || code == "JSON-003") << bad << ' ' << code;
    }
}

TEST(JsonRefuses, TrailingGarbageTruncationAndEmptiness) {
    EXPECT_EQ(json_error("{} x").code(), "JSON-003");
    EXPECT_EQ(json_error("1 2").code(), "JSON-003");
    EXPECT_EQ(json_error("{}{}").where().offset, 2);
    EXPECT_EQ(json_error("{\"a\":[1").code(), "JSON-002");
    EXPECT_EQ(json_error("{\"a").code(), "JSON-002");
    EXPECT_EQ(json_error("").code(), "JSON-010");
    EXPECT_EQ(json_error("  \n ").code(), "JSON-002");
    JsonReader reader;
    reader.write("{}");
    EXPECT_THROW(reader.write(" x"), Error);
}

TEST(JsonRefuses, BadUtf8) {
    for (const std::string bad : {"\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xC3"}) {
        EXPECT_EQ(json_error("[\"" + bad + "\"]").code(), "JSON-005") << bad;
    }
    EXPECT_EQ(json_error("\xFF\xFE[\0"s).code(), "JSON-005");
}

TEST(JsonRefuses, HalfSurrogates) {
    for (const std::string bad : {"\\ud800", "\\udc00", "\\ud800x", "\\ud800\\n", "\\ud800\\ud800"}) {
        const std::string code = json_error("[\"" + bad + "\"]").code();
        EXPECT_TRUE(code == "JSON-006" || code == "JSON-001") << bad << ' ' << code;
    }
}

TEST(JsonRefuses, CharactersThatXmlCannotCarryWithTheirPath) {
    for (const std::string bad : {"\\u0000", "\\u0001", "\\uffff", "\\ufffe", "abc\\u000b"}) {
        const Error error = json_error("{\"body\":{\"list\":[1,{\"secret-text\":\"" + bad + "\"}]}}");
        EXPECT_EQ(error.code(), "JSON-007") << bad;
        EXPECT_EQ(error.where().path, "/body/list[2]/secret-text");
    }
    EXPECT_EQ(json_error("{\"a\\u0000b\":1}").code(), "JSON-007");
}

TEST(JsonRefuses, DuplicateNames) {
    EXPECT_EQ(json_error(R"({"a":1,"b":2,"a":3})").code(), "JSON-008");
    EXPECT_EQ(json_error(R"({"a":{"b":1},"\u0061":3})").code(), "JSON-008");
    parse_json(R"({"a":{"a":1},"b":{"a":[{"a":1},{"a":2}]}})");
    std::string many = "{";
    for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\":{\"k1\":0},";
    EXPECT_EQ(json_error(many + "\"k50\":1}").code(), "JSON-008");
    EXPECT_EQ(parse_json(many + "\"x\":1}").root().children().size(), 101U);
}

TEST(JsonRefuses, HundredThousandLevels) {
    EXPECT_EQ(json_error(std::string(100'000, '[')).code(), "JSON-004");
    std::string objects;
    for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
    EXPECT_EQ(json_error(objects).code(), "JSON-004");
    std::string fits = std::string(128, '[') + std::string(128, ']');
    EXPECT_NO_THROW(parse_json(fits));
    EXPECT_EQ(json_error('[' + fits + ']').code(), "JSON-004");
}

TEST(JsonRefuses, WhatIsTooLarge) {
    JsonLimits limits;
    limits.string = 100;
    limits.key = 10;
    limits.number = 20;
    limits.members = 50;
    limits.names = 60;
    limits.nodes = 200;
    limits.bytes = 4000;
    EXPECT_EQ(json_error("[\"" + std::string(101, 'x') + "\"]", limits).code(), "JSON-009");
    EXPECT_EQ(json_error("{\"" + std::string(11, 'x') + "\":1}", limits).code(), "JSON-009");
    EXPECT_EQ(json_error("[" + std::string(21, '1') + "]", limits).code(), "JSON-009");
    std::string members = "{", names = "[", nodes = "[";
    for (int i = 0; i < 51; ++i) members += "\"k" + std::to_string(i) + "\":1,";
    for (int i = 0; i < 61; ++i) names += "{\"k" + std::to_string(i) + "\":1},";
    for (int i = 0; i < 201; ++i) nodes += "1,";
    EXPECT_EQ(json_error(members + "\"z\":1}", limits).code(), "JSON-009");
    EXPECT_EQ(json_error(names + "1]", limits).code(), "JSON-009");
    EXPECT_EQ(json_error(nodes + "1]", limits).code(), "JSON-009");
    EXPECT_EQ(json_error("[" + std::string(4001, ' ') + "]", limits).code(), "JSON-009");
    parse_json("[\"" + std::string(100, 'x') + "\"," + std::string(20, '1') + "]", {}, limits);
}

// The parser collects an endless number in no limit of its own: a chunk at a time must stop early.
TEST(JsonRefuses, AnEndlessNumberStringAndKey) {
    for (const std::string begin : {"[1", "[\"", "{\""}) {
        JsonReader reader;
        const std::string chunk(65'536, '7');
        std::size_t written = 0;
        reader.write(begin);
        try {
            for (; written < (100u << 20); written += chunk.size()) reader.write(chunk);
            FAIL() << begin;
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), "JSON-009");
        }
        EXPECT_LE(written, 17u << 20) << begin;
    }
}

TEST(JsonRefuses, AMillionDifferentNamesEarly) {
    JsonReader reader;
    reader.write("{\"a\":0");
    int i = 0;
    try {
        for (; i < 1'000'000; ++i) reader.write(",\"k" + std::to_string(i) + "\":0");
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), "JSON-009");
    }
    EXPECT_LE(i, 10'000);
}

TEST(JsonErrors, SayPlaceAndNeverAValue) {
    const Error error = json_error("{\n  \"body\": {\"\xC3\xA9t\xC3\xA9\": \"ok\", \"score\": Jane-Doe-123}\n}");
    EXPECT_EQ(error.where().line, 2U);
    EXPECT_EQ(error.where().column, 34U);
    EXPECT_EQ(error.where().path, "/body/score");
    EXPECT_EQ(error.where().file, "f.json");
    EXPECT_THAT(std::string(error.what()), testing::Not(testing::HasSubstr("Jane")));
}

TEST(JsonErrors, LeaveTheReaderUsableAfterClear) {
    JsonReader reader;
    EXPECT_THROW(reader.write("[1,]"), Error);
    reader.clear();
    reader.write("[1]");
    EXPECT_EQ(write_json(reader.finish()), "[1]");
    reader.write("[2]");
    EXPECT_EQ(write_json(reader.finish()), "[2]");
}

TEST(JsonReader, ServesManyDocumentsWithEverNewNames) {
    JsonReader reader;
    for (int i = 0; i < 30'000; ++i) {
        reader.write("{\"k" + std::to_string(i) + "\":1}");
        ASSERT_TRUE(reader.finish());
    }
}

TEST(JsonReader, TakesADocumentWhateverCameBefore) {
    JsonReader reader;
    const auto names = [](const std::string& prefix, int count) {
        std::string out = "{\"x\":0";
        for (int i = 0; i < count; ++i) out += ",\"" + prefix + std::to_string(i) + "\":0";
        return out + "}";
    };
    for (const std::string prefix : {"a", "b", "c", "d", "e"}) {
        reader.write(names(prefix, 9'999));
        EXPECT_EQ(reader.finish().root().children().size(), 10'000U);
    }
    EXPECT_THROW(reader.write(names("f", 10'000)), Error);
}

TEST(JsonWriter, RefusesWhatIsNoJson) {
    const auto tree = [](std::string_view type, std::string_view text) {
        TreeBuilder builder;
        builder.start("json");
        builder.attribute("type", type);
        builder.text(text);
        builder.end();
        return builder.finish();
    };
    for (const std::string bad : {"01", "1.", "", "-", "1e", "+1", "nan", "0x1", "1 "}) {
        EXPECT_THROW(write_json(tree("number", bad)), Error) << bad;
    }
    EXPECT_THROW(write_json(tree("boolean", "1")), Error);
    EXPECT_THROW(write_json(tree("date", "2024")), Error);
    EXPECT_THROW(write_json(Document()), Error);
}

// Every document of the samples survives there and back, and a damaged one is refused or read, never worse.
TEST(JsonCorpus, SamplesRoundTripAndSurviveDamage) {
    const std::filesystem::path samples = std::filesystem::path(CLRBUS_SOURCE_DIR) / "../shared/samples";
    if (!std::filesystem::is_directory(samples)) GTEST_SKIP() << "no sample documents beside the project";
    int read = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(samples)) {
        if (entry.path().extension() != ".json" || entry.path().string().find("/errors/") != std::string::npos) continue;
        std::ifstream in(entry.path(), std::ios::binary);
        std::stringstream text;
        text << in.rdbuf();
        const std::string bytes = text.str();
        Document document;
        try {
            document = parse_json(bytes);
        } catch (const Error& e) {
            ADD_FAILURE() << entry.path() << ": " << e.what();
            continue;
        }
        const std::string once = write_json(document);
        EXPECT_EQ(write_json(parse_json(once)), once) << entry.path();
        EXPECT_EQ(json_in_chunks(bytes, 7).write(), document.write()) << entry.path();
        ++read;
        std::uint64_t random = bytes.size();
        for (int i = 0; i < 40; ++i) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            std::string damaged = bytes;
            damaged[(random >> 20) % damaged.size()] = static_cast<char>(random >> 56);
            if (i % 4 == 0) damaged.resize((random >> 30) % damaged.size());
            try {
                write_json(parse_json(damaged));
            } catch (const Error& e) {
                EXPECT_EQ(e.fault(), Fault::kPoison);
            }
        }
    }
    EXPECT_GT(read, 20);
}

}  // namespace
}  // namespace clrbus
