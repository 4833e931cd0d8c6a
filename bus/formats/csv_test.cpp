#include "formats/csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "core/error.hpp"
#include "formats/csv_reducer.hpp"
#include "formats/csv_writer.hpp"
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

template <typename Call>
std::string csv_code(const Call& call) {
    try {
        call();
    } catch (const Error& e) {
        return e.code();
    }
    return "";
}

TEST(CsvRealWorld, FindsTheHeaderBelowATitle) {
    CsvOptions options;
    options.header_line = 3;
    const std::string bytes = "\"Report, of\nall\"\r\na,b\r\n1,2\r\n";  // the title has a line end in quotes
    for (std::size_t chunk = 1; chunk < 9; ++chunk)
        EXPECT_THAT(csv_split(bytes, options, chunk).documents, ElementsAre(csv_row("1", "2")));
    // A row above that is no row does not matter.
    EXPECT_THAT(csv_split("\"x\"y\n\na;b\n1;2\n",
                          [&] {
                              auto o = options;
                              o.delimiter = '\0';
                              return o;
                          }())
                    .documents,
                ElementsAre(csv_row("1", "2")));
    EXPECT_EQ(csv_split("a,b\n1,2\n", options).stream_error, "CSV-012");
    expect_resumes(csv(options), "t\nu\na,b\n1,2\n3,4\n5,6\n", 3);
}

TEST(CsvRealWorld, PassesOverAFooter) {
    CsvOptions options;
    options.footer = 2;
    for (std::size_t chunk = 1; chunk < 9; ++chunk) {
        const Split s = csv_split("a,b\n1,2\n3\n5,6\nTotal\n\"as of, today\"\n\n", options, chunk);
        EXPECT_THAT(s.documents, ElementsAre(csv_row("1", "2"), csv_row("5", "6")));
        ASSERT_THAT(s.broken_numbers, ElementsAre(2));
        EXPECT_EQ(s.broken_raw[0], "3");
        EXPECT_EQ(s.stream_error, "");
    }
    EXPECT_THAT(csv_split("a,b\n1,2\n", options).documents, IsEmpty());
    expect_resumes(csv(options), "a,b\n1,2\n3,4\n5,6\nTotal,3\nx,y\n", 3);
}

TEST(CsvRealWorld, NamesDoubledAndEmptyColumns) {
    const std::string bytes = "a,,a,\n1,2,3,4\n";
    EXPECT_EQ(csv_split(bytes).stream_error, "CSV-010");
    EXPECT_EQ(csv_split("a,a\n1,2\n").stream_error, "CSV-009");
    CsvOptions options;
    options.lenient_header = true;
    EXPECT_THAT(csv_split(bytes, options).documents,
                ElementsAre("<row><a>1</a><column-2>2</column-2><a-2>3</a-2><column-4>4</column-4></row>"));
}

TEST(CsvRealWorld, PadsRaggedRowsWhenAsked) {
    CsvOptions options;
    options.pad_ragged = true;
    const Split s = csv_split("a,b\n1\n1,2,,\n1,2,3\n", options);
    EXPECT_THAT(s.documents, ElementsAre(csv_row("1", ""), csv_row("1", "2")));
    ASSERT_EQ(s.broken.size(), 1u);
    EXPECT_EQ(s.broken[0].code(), "CSV-001");
}

TEST(CsvRealWorld, HoldsFieldsToTheirWidth) {
    CsvOptions options;
    options.widths = {{"a", 5}};
    const Split s = csv_split("a,b\n00012,x\n12,x\n,x\ncaf\xC3\xA9s,x\n", options);
    EXPECT_EQ(s.documents.size(), 3u);
    EXPECT_EQ(s.documents[0], csv_row("00012", "x")) << "leading zeros stay";
    ASSERT_EQ(s.broken.size(), 1u);
    EXPECT_EQ(s.broken[0].code(), "CSV-017");
    EXPECT_EQ(s.broken[0].where().path, "a");
    EXPECT_EQ(s.broken[0].where().row, 2u);
    EXPECT_THAT(s.broken[0].expected(), HasSubstr("5; were leading zeros lost?"));
    EXPECT_THAT(s.broken[0].what(), Not(HasSubstr("12")));
}

TEST(CsvRealWorld, ReadsWithoutQuotes) {
    CsvOptions options;
    options.quote = '\0';
    const Split s = csv_split("a,b\n\"x,y\"\n1,\0\n"s, options);
    EXPECT_THAT(s.documents, ElementsAre(csv_row("\"x", "y\"")));
    ASSERT_EQ(s.broken.size(), 1u);
    EXPECT_EQ(s.broken[0].code(), "CSV-004");
}

// What makes raw bytes a file of their own: the header as it stood in the source.
TEST(CsvRealWorld, AHeaderAndARowAreAFile) {
    for (const auto& [encoding, bytes] : std::vector<std::pair<std::string, std::string>>{{"", "a;b\r\n1;\xC3\xA9\r\n"},
                                                                                          {"windows-1252", "a;b\r\n1;\xE9\r\n"},
                                                                                          {"windows-1252",
                                                                                           "\xEF\xBB\xBF"
                                                                                           "a;b\r\n1;\xC3\xA9\r\n"}}) {
        CsvOptions options;
        options.delimiter = ';';
        options.encoding = encoding;
        std::string alone;
        std::unique_ptr<RecordSplitter> splitter;
        splitter = make_csv_splitter(
            options, {[&](std::uint64_t, std::uint64_t, std::string_view raw, const Document&) {
                          alone = splitter->head();
                          alone += raw;
                      },
                      [](std::uint64_t, std::uint64_t, std::string_view, const Error& e) { FAIL() << e.what(); }});
        feed(*splitter, bytes, 3);
        splitter->finish();
        EXPECT_THAT(csv_split(alone, options).documents, ElementsAre(csv_row("1", "\xC3\xA9"))) << encoding;
    }
}

TEST(CsvRealWorld, ADoorReducesAFileWithTitleAndFooter) {
    CsvReduction reduction;
    reduction.csv.header_line = 2;
    reduction.csv.footer = 1;
    reduction.csv.pad_ragged = true;
    reduction.drop = {"ssn"};
    std::string reduced;
    CsvReducer reducer(reduction, [&](std::string_view part) { reduced += part; });
    reducer.write("Report\na,ssn,b\n1,999,2\n3\nTotal,2\n");
    EXPECT_EQ(reducer.finish().kept, 2u);
    EXPECT_THAT(reduced, Not(HasSubstr("999")));
    EXPECT_THAT(reduced, Not(HasSubstr("Total")));
    const Split s = csv_split(reduced, reduction.csv);
    EXPECT_THAT(s.documents, ElementsAre(csv_row("1", "2"), csv_row("3", "")));
}

TEST(CsvWhole, ReadsAllRowsOrNone) {
    EXPECT_EQ(parse_csv("a,b\n1,2\n3,4\n", {}).write(), "<rows>" + csv_row("1", "2") + csv_row("3", "4") + "</rows>");
    EXPECT_EQ(parse_csv("a,b\n", {}).write(), "<rows/>");
    EXPECT_EQ(csv_code([] { (void)parse_csv("a,b\n1,2\n3\n", {}); }), "CSV-001");
    EXPECT_EQ(csv_code([] { (void)parse_csv("", {}); }), "CSV-012");
}

TEST(CsvWriter, RefusesWhatIsNoTable) {
    const auto refused = [](const std::string& json_like, const CsvOptions& options) {
        TreeBuilder b;
        b.start("rows");
        for (const char c : json_like) {
            if (c == '<') b.start("row");
            if (c == '>') b.end();
            if (c >= 'a' && c <= 'z') {
                b.start(std::string(1, c));
                b.text("x\xE2\x98\x83,y");
                b.end();
            }
        }
        b.end();
        const Document document = b.finish();
        return csv_code([&] { (void)write_csv(document, options); });
    };
    EXPECT_EQ(csv_code([] { (void)write_csv(Document(), {}); }), "CSV-020");
    EXPECT_EQ(refused("", {}), "CSV-020");
    EXPECT_EQ(refused("<>", {}), "CSV-020");
    EXPECT_EQ(refused("<ab><abc>", {}), "CSV-020");
    EXPECT_EQ(refused("<aba>", {}), "CSV-020");
    EXPECT_EQ(refused("<a<b>>", {}), "CSV-020");
    CsvOptions options;
    options.encoding = "windows-1252";
    EXPECT_EQ(refused("<a>", options), "CSV-021");
    options.encoding = "utf-16";
    EXPECT_EQ(refused("<a>", options), "CSV-013");
    options = {};
    options.quote = '\0';
    EXPECT_EQ(refused("<a>", options), "CSV-021");
    options = {};
    options.widths = {{"a", 2}};
    EXPECT_EQ(refused("<a>", options), "CSV-017");
    EXPECT_EQ(refused("<ab>", {}), "");
}

TEST(CsvWriter, WritesBackWhatWasRead) {
    const std::string bytes = "JOB CODE,b\r\n\"x,\"\"y\"\"\r\nz\",\r\n007,=SUM(A1)\r\n";
    CsvOptions options;
    EXPECT_EQ(write_csv(parse_csv(bytes, options), options), bytes);
    options.rename = {{"JOB CODE", "job"}};
    EXPECT_EQ(write_csv(parse_csv(bytes, options), options), bytes);
    options.escape_formulas = true;
    EXPECT_THAT(write_csv(parse_csv(bytes, options), options), HasSubstr("007,'=SUM(A1)\r\n"));
    options = {};
    options.delimiter = ';';
    options.encoding = "windows-1252";
    const std::string other = "a;b\r\n\xE9;\"1;2\"\r\n";
    EXPECT_EQ(write_csv(parse_csv(other, options), options), other);
    options = {};
    options.header = false;
    options.columns = {"b", "a"};
    EXPECT_EQ(write_csv(parse_csv("1,2\r\n", options), options), "1,2\r\n");
    EXPECT_EQ(write_csv(parse_csv("a\r\n\"\"\r\nx\r\n", {}), {}), "a\r\n\"\"\r\nx\r\n") << "a row of one empty field";
}

}  // namespace
}  // namespace clrbus
