#include <gmock/gmock.h>

#include <cstring>

#include "xml/parser.hpp"
#include "xml/test_support.hpp"

namespace clrbus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace xml_test;

struct Result {
    std::vector<std::string> records;
    std::vector<std::string> broken;  // number code path
    std::vector<std::uint64_t> lines;
};

// Gives the bytes in pieces of that size.
XmlParser::Read pieces(const std::string& bytes, std::size_t size, std::size_t& at) {
    return [&bytes, size, &at](char* to, std::size_t most) {
        const std::size_t n = std::min({size, most, bytes.size() - at});
        std::memcpy(to, bytes.data() + at, n);
        at += n;
        return n;
    };
}

Result split(XmlParser& parser, const std::string& bytes, const std::string& path, std::size_t piece = 7) {
    Result result;
    std::size_t at = 0;
    parser.split(
        pieces(bytes, piece, at), path,
        [&](std::uint64_t number, Document record) {
            EXPECT_EQ(number, result.records.size() + result.broken.size() + 1);
            result.lines.push_back(record.root().line());
            result.records.push_back(record.write());
        },
        [&](std::uint64_t number, const Error& e, const Document& invalid) {
            EXPECT_EQ(static_cast<bool>(invalid), e.code().starts_with("XSD"));
            result.broken.push_back(std::to_string(number) + " " + e.code() + " " + e.where().path);
            EXPECT_EQ(e.where().row, number);
        },
        "batch.xml");
    return result;
}

Error split_error(XmlParser& parser, const std::string& bytes, const std::string& path) {
    return error_of([&] { split(parser, bytes, path); });
}

TEST(Split, RefusesAPathThatIsNone) {
    XmlParser parser;
    for (const char* path : {"", "/", "a//b", "a/b[1]", "a b"}) {
        const Error error = split_error(parser, "<a/>", path);
        EXPECT_EQ(error.code(), "XML-030") << path;
        EXPECT_EQ(error.fault(), Fault::kConfig);
    }
}

TEST(Split, RefusesAnotherRoot) {
    XmlParser parser;
    const Error error = split_error(parser, "<other><row/></other>", "rows/row");
    EXPECT_EQ(error.code(), "XML-031");
    EXPECT_THAT(error.what(), HasSubstr("'other'"));
    EXPECT_EQ(error.expected(), "'rows'");
    EXPECT_EQ(error.where().file, "batch.xml");
}

TEST(Split, RefusesABrokenStreamWithItsPlaceAfterTheGoodRecords) {
    XmlParser parser;
    std::vector<std::uint64_t> seen;
    const auto run = [&](const std::string& bytes) {
        seen.clear();
        std::size_t at = 0;
        return error_of([&] {
            parser.split(
                pieces(bytes, 5, at), "rows/row", [&](std::uint64_t number, Document) { seen.push_back(number); },
                [](std::uint64_t, const Error&, const Document&) { FAIL(); }, "b.xml");
        });
    };
    Error error = run("<rows>\n<row>1</row>\n<row>2</row>\n<row><a></row></rows>");
    EXPECT_EQ(error.code(), "XML-001");
    EXPECT_EQ(error.where().row, 3u);
    EXPECT_EQ(error.where().line, 4u);
    EXPECT_EQ(error.where().path, "/rows/row/a");
    EXPECT_THAT(seen, ElementsAre(1, 2));
    EXPECT_EQ(run("<rows><row>1</row><row>2").code(), "XML-011");
    EXPECT_THAT(seen, ElementsAre(1));
    error = run("<rows>\n<row>1</row>\n<row>\xFF</row></rows>");
    EXPECT_EQ(error.code(), "XML-002");
    EXPECT_EQ(error.where().offset, 25);
    EXPECT_EQ(error.where().line, 3u);
    EXPECT_THAT(seen, ElementsAre(1));
    EXPECT_EQ(run("").code(), "XML-010");
    EXPECT_EQ(run("<!DOCTYPE rows [<!ENTITY x 'y'>]><rows/>").code(), "XML-004");
    EXPECT_EQ(run("<rows><row>&x;</row></rows>").code(), "XML-005");
}

TEST(Split, GivesEachRecordAlone) {
    XmlParser parser;
    for (const std::size_t piece : {1u, 3u, 1000u}) {
        const Result result =
            split(parser, "<b><head><row>no</row></head><c>\n<x>1</x><y a='2'/>\n<z><x/></z></c></b>", "b/c/*", piece);
        EXPECT_THAT(result.records, ElementsAre("<x>1</x>", "<y a=\"2\"/>", "<z><x/></z>"));
        EXPECT_THAT(result.lines, ElementsAre(2, 2, 3));
    }
    EXPECT_THAT(split(parser, "<a><b/></a>", "a").records, ElementsAre("<a><b/></a>"));
    EXPECT_THAT(split(parser, "<a><b/></a>", "*").records, ElementsAre("<a><b/></a>"));
    EXPECT_THAT(split(parser, "<a/>", "a/b").records, ElementsAre());
    EXPECT_THAT(split(parser, "<a><b>1</b><c><b>no</b></c><b>2</b></a>", "/a/b").records, ElementsAre("<b>1</b>", "<b>2</b>"));
}

TEST(Split, CarriesTheNamespacesFromAround) {
    XmlParser parser;
    const Result result =
        split(parser,
              "<b xmlns='urn:d' xmlns:p='urn:p1'><c xmlns:q='urn:q' xmlns:p='urn:p2'><p:x q:a='1'><y/></p:x><z xmlns=''/></c>"
              "<c><p:x/></c></b>",
              "b/c/*");
    EXPECT_THAT(result.records,
                ElementsAre("<p:x xmlns=\"urn:d\" xmlns:p=\"urn:p2\" xmlns:q=\"urn:q\" q:a=\"1\"><y/></p:x>",
                            "<z xmlns:p=\"urn:p2\" xmlns:q=\"urn:q\"/>", "<p:x xmlns=\"urn:d\" xmlns:p=\"urn:p1\"/>"));
}

TEST(Split, ReadsUtf16) {
    XmlParser parser;
    EXPECT_THAT(split(parser, to_utf16_bytes("<a><b>1</b></a>", true, true), "a/b").records, ElementsAre("<b>1</b>"));
    EXPECT_THAT(split(parser, to_utf16_bytes("<a><b>1</b></a>", false, false), "a/b").records, ElementsAre("<b>1</b>"));
}

TEST(Split, ABrokenRecordLeavesTheOthersAlone) {
    XmlParser parser(Schemas::load({testdata("job.xsd"), testdata("record.xsd")}),
                     XmlLimits{.depth = 6, .text = 1000, .nodes = 100});
    std::string good = slurp(testdata("good-record.xml"));
    good = good.substr(good.find("<r:Record"));
    const std::string deep = "<job><a><a><a><a><a><a/></a></a></a></a></a></job>";
    const std::string bytes =
        "<batch>\n<job><title>a</title>\n<hours>1</hours></job><job><title>b</title><hours>SECRET</hours></job>" + good + deep +
        "<unknown xmlns='urn:u'/><job><title>" + std::string(1001, 'x') +
        "</title></job><job><title>z</title><hours>2</hours></job></batch>";
    const Result result = split(parser, bytes, "batch/*");
    ASSERT_EQ(result.records.size(), 4u);
    EXPECT_EQ(result.records[0], "<job><title>a</title><hours>1</hours></job>");  // no white space between elements
    EXPECT_THAT(result.records[1], HasSubstr("<b>and</b> <b>kind</b>"));
    EXPECT_EQ(result.records[2], "<unknown xmlns=\"urn:u\"/>");
    EXPECT_THAT(result.broken, ElementsAre("2 XSD-004 /job/hours", "4 XML-022 /job/a/a/a/a/a", "6 XML-024 /job/title"));
}

TEST(Split, WhatARecordThrowsPassesThrough) {
    XmlParser parser;
    const std::string bytes = "<a><b/><b/></a>";
    std::size_t at = 0;
    int seen = 0;
    EXPECT_THROW(parser.split(
                     pieces(bytes, 100, at), "a/b",
                     [&](std::uint64_t, Document) {
                         ++seen;
                         throw std::runtime_error("stop");
                     },
                     [](std::uint64_t, const Error&, const Document&) {}),
                 std::runtime_error);
    EXPECT_EQ(seen, 1);
    EXPECT_THAT(split(parser, bytes, "a/b").records.size(), 2u);
}

}  // namespace
}  // namespace clrbus
