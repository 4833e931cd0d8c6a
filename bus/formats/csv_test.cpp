#include "formats/csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "core/error.hpp"
#include "formats/splitter_testing.hpp"

namespace clrbus {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

MakeSplitter csv(const CsvOptions& options = CsvOptions{}) {
    return [options](RecordHandlers handlers) { return make_csv_splitter(options, std::move(handlers)); };
}
Split csv_split(std::string_view bytes, const CsvOptions& options = CsvOptions{}, std::size_t chunk = 1000) {
    return split(csv(options), bytes, chunk);
}
std::string csv_row(std::string_view a, std::string_view b) {
    const auto element = [](char name, std::string_view text) {
        const std::string n(1, name);
        return text.empty() ? "<" + n + "/>" : "<" + n + ">" + std::string(text) + "</" + n + ">";
    };
    return "<row>" + element('a', a) + element('b', b) + "</row>";
}
std::string utf16(std::string_view ascii, bool little, bool mark) {
    std::string out = !mark ? "" : little ? "\xFF\xFE" : "\xFE\xFF";
    for (const char c : ascii) out += little ? std::string{c, '\0'} : std::string{'\0', c};
    return out;
}

TEST(Csv, ReadsQuotesDelimitersAndLineEndsInFields) {
    const std::string bytes = "a,b\r\n1,\"x,\"\"y\"\"\r\nz\"\r\n,\"\"\r\n\"\"\"\",last";
    for (std::size_t chunk = 1; chunk <= 9; ++chunk) {
        const Split s = csv_split(bytes, {}, chunk);
        EXPECT_EQ(s.stream_error, "");
        EXPECT_THAT(s.broken, IsEmpty());
        EXPECT_THAT(s.documents, ElementsAre(csv_row("1", "x,\"y\"&#13;\nz"), csv_row("", ""), csv_row("\"", "last")));
        EXPECT_THAT(s.raw, ElementsAre("1,\"x,\"\"y\"\"\r\nz\"", ",\"\"", "\"\"\"\",last"));
        EXPECT_THAT(s.offsets, ElementsAre(5, 21, 26));
        EXPECT_THAT(s.numbers, ElementsAre(1, 2, 3));
    }
}

TEST(Csv, TakesEveryLineEnd) {
    for (const std::string& end : {"\n"s, "\r\n"s, "\r"s}) {
        for (const std::string& last : {""s, end}) {
            for (std::size_t chunk = 1; chunk <= 4; ++chunk) {
                std::string bytes = "a,b";
                bytes.append(end).append("1,2").append(end).append("3,4").append(last);
                const Split s = csv_split(bytes, {}, chunk);
                EXPECT_THAT(s.documents, ElementsAre(csv_row("1", "2"), csv_row("3", "4")));
                EXPECT_THAT(s.raw, ElementsAre("1,2", "3,4"));
            }
        }
    }
}

TEST(Csv, PassesOverEmptyLinesButNotOverEmptyValues) {
    EXPECT_THAT(csv_split("\n\na,b\n\n1,2\n\n\n3,4\n\n").documents, ElementsAre(csv_row("1", "2"), csv_row("3", "4")));
    EXPECT_THAT(csv_split("a\n1\n\n2\n").documents,
                ElementsAre("<row><a>1</a></row>", "<row><a/></row>", "<row><a>2</a></row>"));
    EXPECT_THAT(csv_split("a,b\n").documents, IsEmpty());
    EXPECT_EQ(csv_split("a,b").stream_error, "");
}

TEST(Csv, EscapesHeaderNamesAndRenamesThem) {
    CsvOptions options;
    options.rename = {{"JOB CODE", "job"}};
    EXPECT_THAT(csv_split("JOB CODE,2ND,x:y\n1,2,3\n", options).documents,
                ElementsAre("<row><job>1</job><_x0032_ND>2</_x0032_ND><x_x003A_y>3</x_x003A_y></row>"));
}

TEST(Csv, PassesOverBlanksAroundHeaderNames) {
    EXPECT_THAT(csv_split(" a ,\"b \"\n 1 ,2\n").documents, ElementsAre(csv_row(" 1 ", "2")));
    EXPECT_EQ(csv_split("a,a \n").stream_error, "CSV-009");
    EXPECT_EQ(csv_split("a, \n").stream_error, "CSV-010");
}

TEST(Csv, ReadsFilesWithoutHeader) {
    CsvOptions options;
    options.header = false;
    options.columns = {"a", "b"};
    EXPECT_THAT(csv_split("1,2\n3,4\n", options).documents, ElementsAre(csv_row("1", "2"), csv_row("3", "4")));
    EXPECT_THAT(csv_split("", options).documents, IsEmpty());
    expect_resumes(csv(options), "1,2\n\"3\n\",4\n5,6\n", 3);
    options.columns.clear();
    EXPECT_EQ(csv_split("1,2\n", options).stream_error, "CSV-012");
}

TEST(Csv, FindsTheDelimiter) {
    CsvOptions options;
    options.delimiter = '\0';
    for (const char d : {',', ';', '\t', '|'}) {
        const std::string bytes = std::string("a") + d + "b\n\"1,;\"" + d + "2\n";
        for (std::size_t chunk = 1; chunk <= 5; ++chunk) {
            const Split s = csv_split(bytes, options, chunk);
            EXPECT_THAT(s.documents, ElementsAre(csv_row("1,;", "2"))) << d;
        }
    }
    EXPECT_THAT(csv_split("\"x,y\";b\n1;2\n", options).documents, ElementsAre("<row><x_x002C_y>1</x_x002C_y><b>2</b></row>"));
    EXPECT_THAT(csv_split("a\n1", options).documents, ElementsAre("<row><a>1</a></row>"));
}

TEST(Csv, ReadsEncodings) {
    EXPECT_THAT(csv_split("\xEF\xBB\xBF"
                          "a,b\n\xC3\xA9,2\n",
                          {}, 1)
                    .documents,
                ElementsAre(csv_row("\xC3\xA9", "2")));
    CsvOptions options;
    options.encoding = "Windows-1252";
    EXPECT_THAT(csv_split("a,b\n\xE9\x92,\x80\n", options).documents,
                ElementsAre(csv_row("\xC3\xA9\xE2\x80\x99", "\xE2\x82\xAC")));
    EXPECT_THAT(csv_split("a,b\n\xE9\x92,\x80\n", options).raw, ElementsAre("\xE9\x92,\x80"));
    EXPECT_THAT(csv_split("\xEF\xBB\xBF"
                          "a,b\n\xC3\xA9,2\n",
                          options)
                    .documents,
                ElementsAre(csv_row("\xC3\xA9", "2")));
    options.encoding = "iso-8859-1";
    EXPECT_THAT(csv_split("a,b\n\xE9,2\n", options).documents, ElementsAre(csv_row("\xC3\xA9", "2")));
    options.encoding = "iso-8859-15";
    EXPECT_THAT(csv_split("a,b\n\xA4,2\n", options).documents, ElementsAre(csv_row("\xE2\x82\xAC", "2")));
    for (const std::string name : {"utf-7", "shift-jis", "utf-32", "cp037", "no such"}) {
        options.encoding = name;
        EXPECT_EQ(csv_split("a,b\n", options).stream_error, "CSV-013") << name;
    }
}

TEST(Csv, ReadsUtf16WithOffsetsOfTheSource) {
    const std::string text = "a,b\r\n1,\"2\n\"\r\n3,4\n";
    for (const bool little : {true, false}) {
        for (std::size_t chunk = 1; chunk <= 7; ++chunk) {
            const Split s = csv_split(utf16(text, little, true), {}, chunk);
            EXPECT_THAT(s.documents, ElementsAre(csv_row("1", "2\n"), csv_row("3", "4")));
            EXPECT_THAT(s.offsets, ElementsAre(12, 28));
        }
        expect_resumes(csv(), utf16(text, little, true), 2);
        CsvOptions options;
        options.encoding = little ? "utf-16le" : "utf-16be";
        EXPECT_EQ(csv_split(utf16(text, little, false), options).documents.size(), 2U);
    }
    const std::string pair =
        utf16("a,b\n", true, true) + "\x3C\xD8\x93\xDF"s + utf16(",2\n", true, false) + utf16("x,y\n", true, false);
    for (std::size_t chunk = 1; chunk <= 5; ++chunk) {
        const Split s = csv_split(pair, {}, chunk);
        EXPECT_THAT(s.documents, ElementsAre(csv_row("\xF0\x9F\x8E\x93", "2"), csv_row("x", "y")));
        EXPECT_THAT(s.offsets, ElementsAre(10, 20));
    }
}

TEST(CsvRefuses, RaggedRowsAloneWithPlaceCountsAndBytes) {
    const std::string bytes = "a,b,c\n1,2,3\n\"x\n\",2\n1,2,3,4\n5,6,7\n";
    for (std::size_t chunk = 1; chunk <= 7; ++chunk) {
        const Split s = csv_split(bytes, {}, chunk);
        EXPECT_THAT(s.numbers, ElementsAre(1, 4));
        EXPECT_THAT(s.broken_numbers, ElementsAre(2, 3));
        EXPECT_THAT(s.broken_raw, ElementsAre("\"x\n\",2", "1,2,3,4"));
        EXPECT_THAT(s.broken_offsets, ElementsAre(12, 19));
        EXPECT_EQ(s.broken[0].code(), "CSV-001");
        EXPECT_EQ(s.broken[0].why(), "the row has 2 columns");
        EXPECT_EQ(s.broken[0].expected(), "3 columns");
        EXPECT_EQ(s.broken[0].where().row, 2U);
        EXPECT_EQ(s.broken[0].where().line, 3U);
        EXPECT_EQ(s.broken[1].where().line, 5U);
    }
}

TEST(CsvRefuses, BrokenRowsAloneAndNamesTheirColumn) {
    struct Case {
        std::string row, code, column;
    };
    for (const Case& c :
         {Case{"\"Jane\"Doe,2", "CSV-002", "a"}, Case{"1,\"Jane\" ", "CSV-002", "b"}, Case{"1,Ja\0ne"s, "CSV-004", "b"},
          Case{"Jane\x01,2", "CSV-004", "a"}, Case{"Jane\x92,2", "CSV-005", "a"}, Case{"1,\xED\xA0\x80", "CSV-005", "b"}}) {
        for (std::size_t chunk = 1; chunk <= 7; ++chunk) {
            const Split s = csv_split("a,b\n1,2\n" + c.row + "\n3,4\n", {}, chunk);
            EXPECT_THAT(s.numbers, ElementsAre(1, 3)) << c.row;
            ASSERT_EQ(s.broken.size(), 1U);
            EXPECT_EQ(s.broken[0].code(), c.code) << c.row;
            EXPECT_EQ(s.broken[0].where().path, c.column) << c.row;
            EXPECT_EQ(s.broken[0].where().line, 3U);
            EXPECT_THAT(s.broken_raw, ElementsAre(c.row));
            EXPECT_THAT(std::string(s.broken[0].what()), Not(HasSubstr("Jan")));
        }
    }
    CsvOptions options;
    options.encoding = "windows-1252";
    const Split s = csv_split("a,b\n1,\x81\n3,4\n", options);
    ASSERT_EQ(s.broken.size(), 1U);
    EXPECT_EQ(s.broken[0].code(), "CSV-005");
    EXPECT_THAT(s.numbers, ElementsAre(2));
}

TEST(CsvRefuses, AnOpenQuote) {
    const Split s = csv_split("a,b\n1,2\n3,\"open\n5,6\n");
    EXPECT_EQ(s.stream_error, "CSV-003");
    EXPECT_THAT(s.numbers, ElementsAre(1));
    const Split large = csv_split("a,b\n1,2\n3,\"" + std::string(2u << 20, 'x') + "\n5,6\n", {}, 65'536);
    EXPECT_EQ(large.stream_error, "CSV-006");
    EXPECT_THAT(large.numbers, ElementsAre(1));
}

TEST(CsvRefuses, BrokenUtf16) {
    EXPECT_EQ(csv_split(utf16("a,b\n1,2\n", true, true) + "x").stream_error, "CSV-014");
    EXPECT_EQ(csv_split(utf16("a,b\n1,2\n", true, true) + "\x3C\xD8").stream_error, "CSV-014");
    EXPECT_EQ(csv_split(utf16("a,b\n", true, true) + "\x3C\xD8,\0,\0"s).stream_error, "CSV-014");
    EXPECT_EQ(csv_split(utf16("a,b\n", true, true) + "\x93\xDF,\0"s).stream_error, "CSV-014");
    EXPECT_EQ(csv_split(utf16("a,b\n1,2\n", true, false)).stream_error, "CSV-004");  // UTF-16 that nobody announced
}

TEST(CsvRefuses, WhatIsTooLargeAlone) {
    CsvOptions options;
    options.limits = {.field = 100, .row = 250, .columns = 3};
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{90}, std::size_t{10'000}}) {
        const std::string row = std::string(90, 'x') + "," + std::string(90, 'y') + "," + std::string(90, 'z');
        const Split s =
            csv_split("a,b,c\n1,2,3\n" + std::string(101, 'f') + ",2,3\n" + row + "\n1,2,3,4\n4,5,6\n", options, chunk);
        EXPECT_THAT(s.numbers, ElementsAre(1, 5));
        ASSERT_EQ(s.broken.size(), 3U);
        EXPECT_EQ(s.broken[0].code(), "CSV-006");
        EXPECT_EQ(s.broken[1].code(), "CSV-007");
        EXPECT_EQ(s.broken[2].code(), "CSV-008");
    }
    EXPECT_EQ(csv_split("a,b,c,d\n", options).stream_error, "CSV-008");
}

TEST(CsvRefuses, BadHeaders) {
    EXPECT_EQ(csv_split("").stream_error, "CSV-012");
    EXPECT_EQ(csv_split("\n\n").stream_error, "CSV-012");
    EXPECT_EQ(csv_split("a,b,a\n1,2,3\n").stream_error, "CSV-009");
    EXPECT_EQ(csv_split("a,,c\n1,2,3\n").stream_error, "CSV-010");
    EXPECT_EQ(csv_split("a," + std::string(257, 'b') + "\n1,2\n").stream_error, "CSV-010");
    EXPECT_EQ(csv_split("a," + std::string(256, 'b') + "\n1,2\n").stream_error, "");
    EXPECT_EQ(csv_split("a,b,\n1,2,3\n").stream_error, "CSV-010");
    EXPECT_EQ(csv_split("a,\"b\nc").stream_error, "CSV-003");
    EXPECT_EQ(csv_split("a,\"b\"x\n").stream_error, "CSV-002");
    CsvOptions options;
    options.columns = {"a", "z", "y"};
    try {
        make_csv_splitter(options, {})->write("a,Jane Doe,c\n1,2,3\n");
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), "CSV-011");
        EXPECT_EQ(e.expected(), "'z', 'y'");
        EXPECT_THAT(std::string(e.what()), Not(HasSubstr("Jane")));
    }
    options.columns = {};
    options.rename = {{"a", "b"}};
    EXPECT_EQ(csv_split("a,b\n1,2\n", options).stream_error, "CSV-009");
}

TEST(Csv, ResumesAfterEveryRow) {
    const std::string bytes =
        "\xEF\xBB\xBF"
        "a,b\r\n1,2\r\n\"x\r\n\"\"y\",4\r\n\r\nragged\r\n5,6\n7,8\r9,0";
    expect_resumes(csv(), bytes, 6);
    CsvOptions options;
    options.delimiter = '\0';
    options.encoding = "windows-1252";
    expect_resumes(csv(options), "a;b\n\xE9;2\n\x81;2\n3;4\n", 3);
}

TEST(Csv, ResumesAlsoBehindTheHead) {
    Split rest;
    std::unique_ptr<RecordSplitter> splitter;
    splitter = make_csv_splitter({}, collect(rest, splitter));
    for (const char c : std::string("a,b\n1,2\n")) {
        if (!splitter->needs_head()) break;
        splitter->write({&c, 1});
    }
    splitter->resume({3, 8, 4});
    splitter->write("5,6\n");
    splitter->finish();
    EXPECT_THAT(rest.numbers, ElementsAre(3));
    EXPECT_THAT(rest.documents, ElementsAre(csv_row("5", "6")));
}

TEST(Csv, DrivesAFileAndResumesIt) {
    const auto file = std::filesystem::temp_directory_path() / ("clrbus_csv_" + std::to_string(::getpid()) + ".csv");
    const auto write = [&] {
        std::ofstream out(file, std::ios::binary);
        out << "a,b\n";
        for (int i = 1; i <= 20'000; ++i) out << i << ",\"some, text\"\n";
    };
    write();
    Split all, rest;
    std::unique_ptr<RecordSplitter> splitter;
    splitter = make_csv_splitter({}, collect(all, splitter));
    split_file(*splitter, file);
    ASSERT_EQ(all.numbers.size(), 20'000U);
    splitter = make_csv_splitter({}, collect(rest, splitter));
    split_file(*splitter, file, all.next[14'999]);
    EXPECT_EQ(rest.numbers.size(), 5'000U);
    EXPECT_EQ(rest.documents.front(), all.documents[15'000]);
    EXPECT_EQ(rest.next.back(), all.next.back());
    std::filesystem::remove(file);
    EXPECT_THROW(split_file(*splitter, file), Error);
}

TEST(Csv, HoldsOneRowInMemory) {
    std::uint64_t rows = 0;
    auto splitter = make_csv_splitter(
        {}, {[&](auto, auto, auto, const Document&) { ++rows; }, [](auto, auto, auto, const Error& e) { throw e; }});
    const std::string row = "123,\"" + std::string(400, 'x') + "\n\"\"quoted\"\"\",\xC3\xA9\n";
    expect_bounded(
        *splitter, [&](std::uint64_t i) { return i == 0 ? "a,b,c\n" : row; }, 50u << 20);
    splitter->finish();
    EXPECT_GT(rows, 100'000U);
}

TEST(Csv, SurvivesDamage) {
    CsvOptions options;
    options.limits = {.field = 30, .row = 60, .columns = 5};
    for (const std::string encoding : {"", "windows-1252"}) {
        options.encoding = encoding;
        expect_survives(csv(options), "a,b,c\r\n1,\"x,\"\"y\"\"\r\n\",3\n\xC3\xA9,,\"\"\r4,5,6\n\n7,8,9");
    }
    expect_survives(csv(), utf16("a,b\r\n1,\"x\n\"\r\n3,4\n", true, true));
}

}  // namespace
}  // namespace clrbus
