// CSV rows -> Documents: <row> with one element per column, in the order and under the names of the header. One thread each.
#pragma once

#include <cstddef>
#include <cstdint>
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
    char quote = '"';      // '\0': none, a quote is text
    // "" = utf-8. Also utf-16 (with mark), utf-16le, utf-16be, windows-1252, iso-8859-1 and what single-byte encodings iconv
    // knows. A byte order mark at the start of the file wins over it.
    std::string encoding;
    bool header = true;
    std::uint64_t header_line = 1;              // what stands above it is passed over
    bool lenient_header = false;                // a name that occurs again becomes NAME-2, an empty one column-N
    std::size_t footer = 0;                     // rows at the end that are no rows: totals and the like
    bool pad_ragged = false;                    // a short row has empty fields; a long one may have empty ones too many
    std::vector<std::string> columns;           // with a header: those that must be there; without: the names
    std::map<std::string, std::string> rename;  // header name -> name in the Document
    std::map<std::string, std::size_t> widths;  // by header name: a value has exactly so many characters, or is empty
    bool escape_formulas = false;               // write_csv alone
    std::string file;                           // in errors
    CsvLimits limits;
};

// Throws Error(kPoison, "CSV-0xx") from write() where header or stream are broken, Error(kConfig, "CSV-013") for the encoding.
std::unique_ptr<RecordSplitter> make_csv_splitter(const CsvOptions& options, RecordHandlers handlers);

// A whole file: <rows> of <row>. Throws Error(kPoison) for the first row that is wrong, too.
Document parse_csv(std::string_view bytes, const CsvOptions& options);

// Files that a door reduced (csv_reducer.hpp) carry each row's place in the source in a first column of this name, for example
// 17@93 (row 17, line 93), and 17@93!CSV-001 for a row that was refused. The splitter reads it and shows the source's numbers.
inline constexpr std::string_view kCsvPlaceColumn = "clrbus:row";

}  // namespace clrbus
