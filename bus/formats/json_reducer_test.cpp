// What is dropped is gone from the bytes, whatever is around it; what cannot be read is refused or says nothing.
#include "formats/json_reducer.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "core/error.hpp"
#include "support/test_directory.hpp"

namespace clrbus {
namespace {

std::string json_dropped(const std::string& text, std::size_t piece = 1U << 20) {
    std::string out;
    JsonDropper dropper({"ssn", "pay rate", "é"}, [&](std::string_view bytes) { out += bytes; });
    for (std::size_t at = 0; at < text.size(); at += piece) dropper.write(std::string_view(text).substr(at, piece));
    dropper.finish();
    return out;
}

TEST(JsonDropper, LeavesOutMembersWithTheirValuesAndKeepsEverythingElse) {
    const std::pair<const char*, const char*> cases[] = {
        {R"({"ssn":"1"})", "{}"},
        {R"({"ssn":"1","a":2})", R"({"a":2})"},
        {R"({"a":2,"ssn":"1"})", R"({"a":2})"},
        {R"({"a":2,"ssn":"1","b":3})", R"({"a":2,"b":3})"},
        {R"({"ssn":1,"ssn":2,"a":[],"ssn":3,"ssn":4})", R"({"a":[]})"},
        {R"({"a":1,"ssn":-1.5e3,"pay rate":true,"b":null})", R"({"a":1,"b":null})"},
        {R"({"a":1,"ssn":{"x":["]","}","\"",{"y":1}]},"b":3})", R"({"a":1,"b":3})"},
        {R"([{"ssn":[1,2]},{"a":{"ssn":"\\"}},"ssn",{"x":"ssn"}])", R"([{},{"a":{}},"ssn",{"x":"ssn"}])"},
        {R"({"\u0073s\u006E":"9","b":1})", R"({"b":1})"},
        {R"({"\u00e9":1,"é":2,"SSN":3,"ssn ":4})", R"({"SSN":3,"ssn ":4})"},
        {R"({"a":"\"ssn\":\"7\",","b":"\\"})", R"({"a":"\"ssn\":\"7\",","b":"\\"})"},
        {"{ \"a\" : 1 ,\n  \"ssn\" :\n \"1\" ,\n  \"b\" : 2 }", "{ \"a\" : 1 ,\n  \n \n  \"b\" : 2 }"},
        {"{\"a\":1,\n\"ssn\":2\n}", "{\"a\":1\n\n}"},
        {R"("ssn")", R"("ssn")"},
        {R"({"ssn":1}
{"a":1,"ssn":2}
)",
         "{}\n{\"a\":1}\n"},
    };
    for (const auto& [text, expected] : cases) {
        for (const std::size_t piece : {1U, 2U, 3U, 7U, 1000U}) EXPECT_EQ(json_dropped(text, piece), expected) << text;
    }
    const std::string long_name = "{\"" + std::string(10'000, 'n') + "\":\"x\",\"ssn\":1}";
    EXPECT_EQ(json_dropped(long_name), "{\"" + std::string(10'000, 'n') + "\":\"x\"}");
}

class JsonReducerFile : public testing::Test {
protected:
    std::string reduced(const std::string& text, JsonReduction reduction) {
        reduction.drop = {"ssn"};
        const std::filesystem::path root = directory_.path();
        std::ofstream(root / "in", std::ios::binary) << text;
        try {
            broken_ = reduce_json_file(reduction, root / "in", root / "out");
        } catch (const Error& e) {
            error_ = e.what();
            return e.code();
        }
        std::ifstream in(root / "out", std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static JsonReduction stream(bool lines, const std::string& path = "") {
        JsonReduction out;
        out.split = true;
        out.records.lines = lines;
        out.records.path = path;
        return out;
    }
    TestDirectory directory_;
    std::size_t broken_ = 0;
    std::string error_;
};

TEST_F(JsonReducerFile, ADocumentThatIsNoneIsRefusedWhole) {
    EXPECT_EQ(reduced(R"({"a":1,"ssn":"999"})", {}), R"({"a":1})");
    // Quotes that do not match, a name without quotes, comments, an end in the middle, another encoding.
    EXPECT_EQ(reduced(R"({"a":"x"y","ssn":"999"})", {}), "JSON-001");
    EXPECT_EQ(reduced(R"({ssn:"999"})", {}), "JSON-001");
    EXPECT_EQ(reduced(R"({'ssn':'999'})", {}), "JSON-001");
    EXPECT_EQ(error_.find("999"), std::string::npos) << "no value in an error";
    EXPECT_EQ(reduced(R"({"a":1,"ssn":"99)", {}), "JSON-002");
    EXPECT_EQ(reduced("{\"a\":\"\xFF\",\"ssn\":\"999\"}", {}), "JSON-005");
    EXPECT_EQ(reduced(std::string("{\0\"\0s\0s\0n\0", 10), {}), "JSON-001");
    EXPECT_EQ(reduced("", {}), "JSON-010");
}

TEST_F(JsonReducerFile, ARecordThatCannotBeReadSaysNothing) {
    EXPECT_EQ(reduced("{\"ssn\":\"999\",\"a\":1}\n{\"ssn\":\"999\"\n{\"a\":\"x\"y\",\"ssn\":\"999\"}\n{\"b\":2}", stream(true)),
              "{\"a\":1}\n{!}\n{!}\n{\"b\":2}");
    EXPECT_EQ(broken_, 2U);
    EXPECT_EQ(
        reduced("{\"ssn\":[{\"ssn\":999}],\"items\":[{\"ssn\":999},{\"ssn\":999,\n\"b\":tru},3]}", stream(false, "items")),
        "{\"items\":[{},{!\n},3]}");
    EXPECT_EQ(broken_, 1U);
    // What is read of the result: the records that are good, and the broken one at its place.
    std::vector<std::string> found;
    auto splitter =
        make_json_splitter(stream(false, "items").records,
                           {[&](std::uint64_t, std::uint64_t, std::string_view raw, Document) { found.emplace_back(raw); },
                            [&](std::uint64_t number, std::uint64_t, std::string_view raw, const Error& e) {
                                found.push_back(std::to_string(number) + " " + std::string(raw) + " " + e.code());
                            }});
    splitter->write("{\"items\":[{},{!\n},3]}");
    splitter->finish();
    EXPECT_EQ(found, (std::vector<std::string>{"{}", "2 {!\n} JSON-001", "3"}));
}

TEST_F(JsonReducerFile, AStreamWhoseEndIsUnknownIsRefusedWhole) {
    EXPECT_EQ(reduced(R"([{"a":1},{"ssn":"999"],{"b":2}])", stream(false)), "JSON-012");
    EXPECT_EQ(reduced(R"([{"a":1},{"ssn":"999")", stream(false)), "JSON-002");
    EXPECT_EQ(reduced(R"({"error":"none","ssn":"999"})", stream(false, "items")), "JSON-011");
    std::string many;
    for (int i = 0; i < 100'001; ++i) many += "x\n";
    EXPECT_EQ(reduced(many, stream(true)), "JSON-014");
}

// Whatever is made of these bytes: no digit of what is to be dropped is left, or the file is refused.
TEST_F(JsonReducerFile, NoMutationLetsAValueThrough) {
    const std::string text =
        R"({"items":[{"name":"a \"b\"","ssn":"999-99","x":{"ssn":[999,{"y":"]"}]}},{"n":1.5,"ssn":999}],"ssn":"999"})";
    std::uint64_t seed = 42;
    const auto random = [&seed](std::size_t below) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<std::size_t>(seed >> 33U) % below;
    };
    constexpr std::string_view signs = "\"\\{}[],: \n'";
    for (int i = 0; i < 250; ++i) {
        std::string mutated = text;
        for (std::size_t n = 1 + random(3); n > 0; --n) {
            const std::size_t at = random(mutated.size());
            if (mutated.compare(at, 3, "ssn") == 0 || mutated.find("ssn", at > 2 ? at - 2 : 0) < at + 1)
                continue;  // the names stay
            if (random(2) == 0) {
                mutated.insert(at, 1, signs[random(signs.size())]);
            } else if (mutated[at] != '9') {
                mutated[at] = signs[random(signs.size())];
            }
        }
        for (const auto& how : {JsonReduction{}, stream(false, "items"), stream(true)}) {
            const std::string out = reduced(mutated, how);
            if (out.size() > 8 && out.rfind("JSON-", 0) != 0) {
                // A value may have got another name, or none: then it is not what was to be dropped.
                for (std::size_t at = out.find("\"ssn\""); at != std::string::npos; at = out.find("\"ssn\"", at + 1))
                    ADD_FAILURE_AT(__FILE__, __LINE__) << mutated << "\n" << out;
            }
        }
    }
}

}  // namespace
}  // namespace clrbus
