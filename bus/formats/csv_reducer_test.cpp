#include "formats/csv_reducer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "formats/splitter_testing.hpp"

namespace clrbus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

CsvReduction student_jobs() {
    CsvReduction reduction;
    reduction.keep = XPath::compile("STUDENT_WORKER = 'Y'");
    reduction.drop = {"RATE", "SSN"};
    return reduction;
}

struct Reduced {
    std::string bytes, error;
    std::vector<CsvReject> rejects;
    CsvReduced counts;
};

Reduced reduced(const CsvReduction& reduction, std::string_view bytes, std::size_t chunk = 1000) {
    Reduced out;
    try {
        CsvReducer reducer(
            reduction, [&](std::string_view part) { out.bytes += part; },
            [&](const CsvReject& reject) { out.rejects.push_back(reject); });
        for (std::size_t i = 0; i < bytes.size(); i += chunk) reducer.write(bytes.substr(i, chunk));
        out.counts = reducer.finish();
    } catch (const Error& e) {
        out.error = e.code();
    }
    return out;
}

Split again(std::string_view bytes, const CsvOptions& options = CsvOptions{}) {
    return split([&](RecordHandlers handlers) { return make_csv_splitter(options, std::move(handlers)); }, bytes, 1000);
}

constexpr std::string_view kJobs =
    "ID,SSN,STUDENT_WORKER,RATE,TITLE\r\n"
    "1,900-11-0001,Y,15.25,\"Tutor, \"\"math\"\"\"\r\n"
    "2,900-11-0002,N,99.75,Dean\r\n"
    "3,900-11-0003,Y,16.25\r\n"
    "4,900-11-0004,Y,17.25,\"two\nlines\"\r\n"
    "900-11-0005,\"Y\"x,5,18.25,shifted\r\n"
    "6,900-11-0006,Y,19.25,last\r\n";

TEST(CsvReducer, KeepsRowsDropsColumnsAndAccountsForEveryRow) {
    for (std::size_t chunk = 1; chunk <= 7; ++chunk) {
        const Reduced r = reduced(student_jobs(), kJobs, chunk);
        EXPECT_EQ(r.error, "");
        EXPECT_EQ(r.bytes,
                  "\xEF\xBB\xBF"
                  "clrbus:row,ID,STUDENT_WORKER,TITLE\r\n"
                  "1@2,1,Y,\"Tutor, \"\"math\"\"\"\r\n"
                  "3@4!CSV-001;the row has 4 columns;5 columns,,,\r\n"
                  "4@5,4,Y,\"two\nlines\"\r\n"
                  "5@7!CSV-002;text follows a closing quote;a delimiter or the end of the line,,,\r\n"
                  "6@8,6,Y,last\r\n");
        EXPECT_EQ(r.counts.rows, 6U);
        EXPECT_EQ(r.counts.kept, 3U);
        EXPECT_EQ(r.counts.rejected, 2U);
        ASSERT_EQ(r.rejects.size(), 2U);
        EXPECT_EQ(r.rejects[0].row, 3U);
        EXPECT_EQ(r.rejects[1].line, 7U);
        for (const std::string secret : {"900-11", "5.25", "6.25", "8.25", "9.75", "Dean", "shifted"})
            EXPECT_THAT(r.bytes, Not(HasSubstr(secret)));
    }
}

TEST(CsvReducer, KeepsTheSourcesNumbersWhenSplit) {
    const Split s = again(reduced(student_jobs(), kJobs).bytes);
    EXPECT_EQ(s.stream_error, "");
    EXPECT_THAT(s.numbers, ElementsAre(1, 4, 6));
    EXPECT_THAT(s.documents.front(), "<row><ID>1</ID><STUDENT_WORKER>Y</STUDENT_WORKER><TITLE>Tutor, \"math\"</TITLE></row>");
    EXPECT_THAT(s.broken_numbers, ElementsAre(3, 5));
    EXPECT_THAT(s.broken_raw, ElementsAre("", ""));
    EXPECT_EQ(s.broken[0].code(), "CSV-001");
    EXPECT_EQ(s.broken[0].why(), "refused at the door: the row has 4 columns");
    EXPECT_EQ(s.broken[0].expected(), "5 columns");
    EXPECT_EQ(s.broken[1].where().row, 5U);
    EXPECT_EQ(s.broken[1].where().line, 7U);
}

TEST(CsvReducer, ItsFilesCanBeResumed) {
    const std::string bytes = reduced(student_jobs(), kJobs).bytes;
    const auto make = [](const CsvOptions& options) {
        return [options](RecordHandlers handlers) { return make_csv_splitter(options, std::move(handlers)); };
    };
    expect_resumes(make({}), bytes, 5);
    // The route's own options hold for the source; the reduced file says by itself what it is.
    CsvOptions options;
    options.encoding = "windows-1252";
    options.columns = {"ID", "SSN", "RATE"};
    EXPECT_EQ(again(bytes, options).documents.size(), 3U);
    options.header = false;
    EXPECT_EQ(again(bytes, options).documents.size(), 3U);
    expect_resumes(make(options), bytes, 5);
}

TEST(CsvReducer, ReadsAnyEncodingAndDelimiter) {
    CsvReduction reduction = student_jobs();
    reduction.csv.delimiter = '\0';
    reduction.csv.encoding = "windows-1252";
    const Reduced r = reduced(reduction, "ID;SSN;RATE;STUDENT_WORKER\n\xE9;1;2;Y\n\x81;1;2;Y\n\"a;b\";1;2;Y\n");
    EXPECT_EQ(r.bytes,
              "\xEF\xBB\xBF"
              "clrbus:row;ID;STUDENT_WORKER\r\n1@2;\xC3\xA9;Y\r\n"
              "\"2@3!CSV-005;a byte is no character of windows-1252;the encoding of the file\";;\r\n3@4;\"a;b\";Y\r\n");
    const Split s = again(r.bytes, reduction.csv);
    EXPECT_THAT(s.numbers, ElementsAre(1, 3));
    EXPECT_THAT(s.broken_numbers, ElementsAre(2));
}

TEST(CsvReducer, RefusesAFileWithoutTheColumnThatIsToBeDropped) {
    EXPECT_EQ(reduced(student_jobs(), "ID,SOCIAL,STUDENT_WORKER,RATE\n1,2,Y,3\n").error, "CSV-015");
    EXPECT_THAT(reduced(student_jobs(), "ID,SOCIAL,STUDENT_WORKER,RATE\n1,2,Y,3\n").bytes, IsEmpty());
    EXPECT_EQ(reduced(student_jobs(), "").error, "CSV-012");
    EXPECT_EQ(reduced(student_jobs(), "clrbus:row,SSN,RATE,STUDENT_WORKER\n").error, "CSV-016");
    EXPECT_EQ(reduced(student_jobs(), "SSN,RATE,STUDENT_WORKER\n1,\"2,Y\n").error, "CSV-003");
}

// A renamed column would make the condition false for every row: all of the file gone, and nobody told.
TEST(CsvReducer, RefusesAFileWithoutTheColumnThatRowsAreKeptBy) {
    EXPECT_EQ(reduced(student_jobs(), "ID,SSN,IS_STUDENT,RATE\n1,2,Y,3\n").error, "CSV-015");
    CsvReduction reduction;
    const auto keeps = [&](const char* expression) {
        reduction.keep = XPath::compile(expression);
        return reduced(reduction, "ID,TYPE CODE,and,x-1\n1,A,b,c\n").error;
    };
    for (const char* good : {"ID = 'Y and N'", "not(ID = \"x\") and starts-with(TYPE_x0020_CODE, 'A')", "/row/ID or child::ID",
                             "x-1 = 'c'", "string-length(.) > 3", "ID mod 2 = 1", "*[1] = '1'", "count(*[. = 'a']) >= 0"}) {
        EXPECT_EQ(keeps(good), "") << good;
    }
    for (const char* bad : {"KIND = 'A'", "not(KIND) and ID", "ID = KIND", "/row/KIND", "'ID' = KIND"})
        EXPECT_EQ(keeps(bad), "CSV-015") << bad;
}

TEST(CsvReducer, RefusesAReducedFileThatWasChanged) {
    for (const std::string row : {"2@3,x", "1@2,x,y", "0@1,x", "x,y", "9,x", "9@,x", "9@1?,x", "-1@1,x", ",x"}) {
        EXPECT_EQ(again("clrbus:row,A\n2@3,a\n" + row + "\n").stream_error, "CSV-016") << row;
    }
    EXPECT_EQ(again("clrbus:row,A\n2@3,\"a\"x\n").stream_error, "CSV-016");
}

TEST(CsvReducer, ReducesFilesThatOnlyTheOwnerMayRead) {
    const auto folder = std::filesystem::temp_directory_path() / ("clrbus_reduce_" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    std::ofstream(folder / "in.csv", std::ios::binary) << kJobs;
    const CsvReduced counts = reduce_csv_file(student_jobs(), folder / "in.csv", folder / "out.csv");
    EXPECT_EQ(counts.kept, 3U);
    EXPECT_EQ(std::filesystem::status(folder / "out.csv").permissions() & std::filesystem::perms::all,
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    std::stringstream out;
    out << std::ifstream(folder / "out.csv", std::ios::binary).rdbuf();
    EXPECT_EQ(out.str(), reduced(student_jobs(), kJobs).bytes);
    EXPECT_THROW(reduce_csv_file(student_jobs(), folder / "none.csv", folder / "out.csv"), Error);
    std::filesystem::remove_all(folder);
}

TEST(CsvReducer, HoldsOneRowInMemory) {
    std::uint64_t size = 0;
    CsvReducer reducer(student_jobs(), [&](std::string_view part) { size += part.size(); });
    const std::string row = "1,900-11-0001,Y,15.25,\"" + std::string(8000, 't') + "\"\n";
    std::uint64_t before = 0;
    reducer.write("ID,SSN,STUDENT_WORKER,RATE,TITLE\n");
    for (int i = 0; i < 6'500; ++i) {
        reducer.write(row);
        if (i == 100) before = resident_bytes();
    }
    EXPECT_EQ(reducer.finish().kept, 6'500U);
    if (!kSanitized) {
        EXPECT_LT(resident_bytes(), before + (16u << 20));
    }
    EXPECT_GT(size, 45u << 20);
}

// Whatever is done to a file, nothing of a dropped column comes out under a kept one.
TEST(CsvReducer, DamageNeverLeaksADroppedColumn) {
    std::uint64_t random = 7;
    const auto next = [&random] { return (random = random * 6364136223846793005u + 1442695040888963407u) >> 33; };
    std::string file = "ID,SSN,STUDENT_WORKER,RATE,TITLE\n";
    for (int i = 0; i < 6; ++i) file += std::to_string(i) + ",SECRET" + ",Y,SECRET,\"t,\"\"x\"\"\"\n";
    int whole = 0;
    for (int i = 0; i < 2000; ++i) {
        std::string damaged = file;
        // A line end is never put into a quoted field here: a row that is cut in two gives two rows of a wrong length.
        constexpr std::string_view likely = "\n\";\t x\x80\r";
        damaged[next() % damaged.size()] = likely[next() % likely.size()];
        if (i % 3 == 0) damaged.erase(33 + next() % (damaged.size() - 34), next() % 9 + 1);
        const Reduced r = reduced(student_jobs(), damaged, next() % 50 + 1);
        if (!r.error.empty()) continue;
        ++whole;
        EXPECT_THAT(r.bytes, Not(HasSubstr("SECRET"))) << damaged;
        const Split s = again(r.bytes);
        EXPECT_EQ(s.stream_error, "") << damaged;
        EXPECT_EQ(s.numbers.size() + s.broken_numbers.size(), r.counts.kept + r.counts.rejected);
        for (const std::string& raw : s.broken_raw) EXPECT_EQ(raw, "");
    }
    EXPECT_GT(whole, 400);
}

}  // namespace
}  // namespace clrbus
