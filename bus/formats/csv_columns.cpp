#include "formats/csv_columns.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace clrbus {
namespace {

constexpr std::size_t kCsvLongestName = 256;  // it is said in errors

std::size_t csv_characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

CsvColumns::CsvColumns(const CsvOptions& options) : options_(options) {
    if (options_.header) return;
    if (options_.columns.empty()) {
        throw Error(Fault::kConfig, "CSV-012", "reading CSV", "the file has no header and no columns are given")
            .expected("columns");
    }
    names_ = options_.columns;
    name_elements();
}

void CsvColumns::take_header(const CsvRow& row, const CsvProblem* problem) {
    if (problem != nullptr)
        bad_header(row, problem->code, problem->column, "in the header: " + problem->why, problem->expected);
    std::unordered_set<std::string> seen;
    for (std::size_t i = 0; i < row.fields->size(); ++i) {
        std::string_view name = trimmed((*row.fields)[i]);
        std::string other;
        if (options_.lenient_header && name.size() <= kCsvLongestName) name = other = lenient_name(name, i + 1);
        if (name.empty()) bad_header(row, "CSV-010", i + 1, "a column has no name", "a name for every column");
        if (name.size() > kCsvLongestName) {
            bad_header(row, "CSV-010", i + 1, "a column name is too long",
                       "at most " + std::to_string(kCsvLongestName) + " bytes");
        }
        if (!seen.emplace(name).second) bad_header(row, "CSV-009", i + 1, "a column name occurs twice", "each name once");
        names_.emplace_back(name);
    }
    name_elements();
    std::string missing;
    for (const std::string& wanted : options_.columns) {
        if (find(wanted) != size()) continue;
        missing += (missing.empty() ? "'" : ", '") + wanted + "'";
    }
    // The names that do stand there are not said: a file without a header would show a person's data.
    if (!missing.empty()) bad_header(row, "CSV-011", 0, "the header lacks columns", missing);
}

std::string CsvColumns::lenient_name(std::string_view name, std::size_t column) const {
    std::string out = name.empty() ? "column-" + std::to_string(column) : std::string(name);
    const std::string first = out;
    for (std::size_t n = 2; std::find(names_.begin(), names_.end(), out) != names_.end(); ++n)
        out = first + "-" + std::to_string(n);
    return out;
}

void CsvColumns::name_elements() {
    for (const auto& [name, width] : options_.widths) {
        const std::size_t at = find(name);
        // A column that was dropped at the door was held to its width there.
        if (at != size()) widths_.emplace_back(at, width);
    }
    for (const std::string& name : names_) {
        const auto renamed = options_.rename.find(name);
        elements_.push_back(xml_name(renamed == options_.rename.end() ? name : renamed->second));
    }
    std::unordered_set<std::string_view> seen;
    for (std::size_t i = 0; i < elements_.size(); ++i) {
        if (!seen.insert(elements_[i]).second) {
            bad_header({}, "CSV-009", i + 1, "two columns have one name after renaming", "each name once");
        }
    }
    known_ = true;
}

std::size_t CsvColumns::find(std::string_view name) const {
    for (std::size_t i = 0; i < names_.size(); ++i) {
        if (names_[i] == name) return i;
        const auto renamed = options_.rename.find(names_[i]);
        if (renamed != options_.rename.end() && renamed->second == name) return i;
    }
    return names_.size();
}

bool CsvColumns::blank(const CsvRow& row) const {
    return size() > 1 && row.raw.empty() && row.fields->size() == 1 && row.fields->front().empty();
}

bool CsvColumns::fits(const CsvRow& row, const CsvProblem* problem, CsvProblem& out) const {
    if (problem != nullptr) {
        out = *problem;
        return false;
    }
    const std::size_t fields = row.fields->size();
    const auto empty = [&](std::size_t i) { return (*row.fields)[i].empty(); };
    bool whole = fields == size();
    if (!whole && options_.pad_ragged) {
        whole = true;
        for (std::size_t i = size(); i < fields && whole; ++i) whole = empty(i);
    }
    if (whole) {
        for (const auto& [at, width] : widths_) {
            const std::string_view text = field(row, at);
            const std::size_t found = text.empty() ? width : csv_characters(text);
            if (found == width) continue;
            out = {"CSV-017", "the field has " + std::to_string(found) + " characters",
                   std::to_string(width) + "; were leading zeros lost?", at + 1};
            return false;
        }
        return true;
    }
    out = {"CSV-001", "the row has " + std::to_string(row.fields->size()) + " columns", std::to_string(size()) + " columns", 0};
    return false;
}

Document CsvColumns::document(const CsvRow& row) {
    builder_.line(row.line);
    builder_.start("row");
    for (std::size_t i = 0; i < elements_.size(); ++i) {
        builder_.start(elements_[i]);
        if (const std::string_view text = field(row, i); !text.empty()) builder_.text(text);
        builder_.end();
    }
    builder_.end();
    return builder_.finish();
}

Error CsvColumns::error(const CsvProblem& problem, std::uint64_t number, const CsvRow& row) const {
    Where where;
    where.file = options_.file;
    where.row = number;
    where.line = row.line;
    where.offset = static_cast<std::int64_t>(row.offset);
    if (problem.column != 0 && problem.column <= elements_.size()) where.path = elements_[problem.column - 1];
    Error error(Fault::kPoison, problem.code, "reading CSV", std::move(where), problem.why);
    if (!problem.expected.empty()) error.expected(problem.expected);
    return error;
}

void CsvColumns::bad_header(const CsvRow& row, const char* code, std::size_t column, std::string why,
                            std::string expected) const {
    Where where;
    where.file = options_.file;
    where.line = row.line;
    where.offset = static_cast<std::int64_t>(row.offset);
    if (column != 0) why += " (column " + std::to_string(column) + ")";
    Error error(Fault::kPoison, code, "reading CSV", std::move(where), std::move(why));
    error.expected(std::move(expected));
    throw error;
}

}  // namespace clrbus
