// The header of a CSV file, judged, and its rows as Documents. For csv.cpp and csv_reducer.cpp. One thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "formats/csv.hpp"
#include "formats/csv_lexer.hpp"

namespace clrbus {

class CsvColumns {
public:
    explicit CsvColumns(const CsvOptions& options);

    bool known() const { return known_; }
    // Takes the header row. Throws Error(kPoison): empty or doubled names, a required column that is missing.
    void take_header(const CsvRow& row, const CsvProblem* problem);
    std::size_t size() const { return names_.size(); }
    const std::vector<std::string>& names() const { return names_; }  // as in the file
    // Position of a column, by its name in the file or its new name; size() when there is none.
    std::size_t find(std::string_view name) const;

    // Empty where a padded row has none.
    static std::string_view field(const CsvRow& row, std::size_t i) {
        return i < row.fields->size() ? (*row.fields)[i] : std::string_view();
    }

    // An empty line, which is no row when there are several columns.
    bool blank(const CsvRow& row) const;
    // What is wrong with the row: the lexer's problem, or the number of its fields. True when it is right.
    bool fits(const CsvRow& row, const CsvProblem* problem, CsvProblem& out) const;
    Document document(const CsvRow& row);
    Error error(const CsvProblem& problem, std::uint64_t number, const CsvRow& row) const;

private:
    [[noreturn]] void bad_header(const CsvRow& row, const char* code, std::size_t column, std::string why,
                                 std::string expected) const;
    void name_elements();
    std::string lenient_name(std::string_view name, std::size_t column) const;

    CsvOptions options_;
    bool known_ = false;
    std::vector<std::string> names_, elements_;
    std::vector<std::pair<std::size_t, std::size_t>> widths_;  // column, characters
    TreeBuilder builder_;
};

}  // namespace clrbus
