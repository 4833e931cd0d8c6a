// Bytes of a CSV file -> rows of fields in UTF-8 (RFC 4180, with the liberties of README.md). Knows no header and no Document.
// For csv.cpp and csv_reducer.cpp. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "formats/csv.hpp"

namespace clrbus {

// A row as it stands in the file; views are valid during the call.
struct CsvRow {
    std::uint64_t offset = 0;  // of its first byte in the source
    std::uint64_t line = 1;
    std::uint64_t next_offset = 0;  // of the byte behind its line end
    std::uint64_t next_line = 1;
    std::string_view raw;  // as in the source, without the line end; UTF-16 as UTF-8
    const std::vector<std::string_view>* fields = nullptr;
};

// What is wrong with one row; the rows after it can be read.
struct CsvProblem {
    const char* code = nullptr;
    std::string why, expected;
    std::size_t column = 0;  // from 1, 0 = the whole row
};

class CsvLexer {
public:
    // problem is null for a row that is right; a broken row has no fields.
    using OnRow = std::function<void(const CsvRow& row, const CsvProblem* problem)>;

    // Throws Error(kConfig, "CSV-013") for an encoding that is not known.
    CsvLexer(const CsvOptions& options, OnRow on_row);

    // Throws Error(kPoison) where the rest cannot be told apart: an open quote, broken UTF-16.
    void write(std::string_view chunk);
    void finish();
    // Goes on at a row start, with the encoding and delimiter found at the start of the file.
    void resume(std::uint64_t offset, std::uint64_t line);

    char delimiter() const { return delimiter_; }
    // Rows' raw bytes are UTF-8, whatever the configured encoding is.
    bool raw_is_utf8() const { return unit_ != Unit::kTable; }

private:
    enum class Unit : std::uint8_t { kUtf8, kTable, kUtf16Little, kUtf16Big };
    enum class State : std::uint8_t { kRowStart, kFieldStart, kUnquoted, kQuoted, kQuoteInQuoted, kRowEnd };

    void choose_encoding(const std::string& name);
    void begin(std::string_view head);
    void text(std::string_view bytes);  // bytes in the source's encoding, mark removed
    void choose_delimiter(std::string_view bytes, bool last);
    void scan(std::string_view bytes);
    void end_field();
    void end_row(const char* terminator, const char* next);
    void deliver();
    void clear_row();
    void add(const char* from, const char* to);
    void mark(const char* code, std::string why, std::string expected);
    void judge_row();
    void recode_row();
    bool decode_utf16(std::string_view bytes, std::string& out);
    std::uint64_t source_size(const char* from, const char* to) const;
    [[noreturn]] void broken_stream(const char* code, std::string why, std::string expected) const;

    CsvOptions options_;
    OnRow on_row_;
    Unit unit_ = Unit::kUtf8;
    std::array<std::uint32_t, 128> table_{};  // upper half of a single-byte encoding; 0 = no character
    bool begun_ = false;
    std::string head_;        // the first bytes, until the encoding is clear
    std::string first_line_;  // until the delimiter is clear
    bool delimiter_known_ = true;
    char delimiter_ = ',';
    std::string half_;  // an incomplete UTF-16 unit or pair

    State state_ = State::kRowStart;
    std::uint64_t line_ = 1;
    std::string data_;  // of the row's fields
    std::vector<std::size_t> ends_;
    std::size_t field_from_ = 0;
    std::string recoded_;
    std::vector<std::string_view> fields_;
    CsvRow row_;
    CsvProblem problem_;
    bool bad_ = false;
    std::string raw_kept_;  // of earlier chunks
    const char* raw_from_ = nullptr;
    std::uint64_t raw_size_ = 0;
    const char* measured_ = nullptr;  // the source's offset of this byte is offset_at_
    std::uint64_t offset_at_ = 0;
};

}  // namespace clrbus
