// A CSV file -> the same file without what the record must not hold: rows that <keep> does not name and columns that <drop>
// names are gone before the first durable write. Streams; memory holds one row. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/csv.hpp"
#include "xml/xpath.hpp"

namespace clrbus {

struct CsvReduction {
    CsvOptions csv;
    // Tested on each <row>, before columns are dropped; null keeps every row. The columns it names must be there, too.
    std::shared_ptr<const XPath> keep;
    std::vector<std::string> drop;  // header names (or new names); each must be there, else the file is refused
};

// A row that could not be read. It says nothing of what stood in it.
struct CsvReject {
    std::uint64_t row = 0, line = 0;
    std::string code, why, expected;
};

struct CsvReduced {
    std::uint64_t rows = 0, kept = 0, rejected = 0;
};

// The output is UTF-8 with a mark, the source's delimiter, and a first column kCsvPlaceColumn with each row's number and line
// in the source; a refused row is a marker there, without its fields, so that it is dead-lettered with its place when the file
// is split. Throws Error(kPoison, "CSV-0xx") for a broken stream or header, "CSV-015" for a column to drop that is not there:
// then no byte of the output may be used.
class CsvReducer {
public:
    using Write = std::function<void(std::string_view bytes)>;
    using Rejects = std::function<void(const CsvReject& reject)>;
    CsvReducer(const CsvReduction& reduction, Write write, Rejects rejects = {});
    ~CsvReducer();
    CsvReducer(CsvReducer&&) noexcept;
    CsvReducer& operator=(CsvReducer&&) noexcept;

    void write(std::string_view chunk);
    CsvReduced finish();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The whole file; out is made or emptied (mode 0600), not synced. Throws also Error(kAway, "FILE-001").
CsvReduced reduce_csv_file(const CsvReduction& reduction, const std::filesystem::path& in, const std::filesystem::path& out,
                           const CsvReducer::Rejects& rejects = {});

}  // namespace clrbus
