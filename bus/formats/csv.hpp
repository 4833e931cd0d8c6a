// CSV rows -> Documents: <row> with one element per column, in the order and under the names of the header. One thread each.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/records.hpp"

namespace clrbus {

struct CsvLimits {
    std::size_t field = 1u << 20;  // bytes
    std::size_t row = 4u << 20;
    std::size_t columns = 2000;
};

struct CsvOptions {
    char delimiter = ',';  // '\0': the most frequent of , ; tab | in the first line
    char quote = '"';
    // "" = utf-8. Also utf-16 (with mark), utf-16le, utf-16be, windows-1252, iso-8859-1 and what single-byte encodings iconv
    // knows. A byte order mark at the start of the file wins over it.
    std::string encoding;
    bool header = true;
    std::vector<std::string> columns;           // with a header: those that must be there; without: the names
    std::map<std::string, std::string> rename;  // header name -> name in the Document
    std::string file;                           // in errors
    CsvLimits limits;
};

// Throws Error(kPoison, "CSV-0xx") from write() where header or stream are broken, Error(kConfig, "CSV-013") for the encoding.
std::unique_ptr<RecordSplitter> make_csv_splitter(const CsvOptions& options, RecordHandlers handlers);

// Files that a door reduced (csv_reducer.hpp) carry each row's place in the source in a first column of this name, for example
// 17@93 (row 17, line 93), and 17@93!CSV-001 for a row that was refused. The splitter reads it and shows the source's numbers.
inline constexpr std::string_view kCsvPlaceColumn = "clrbus:row";

}  // namespace clrbus
