// Lines of a fixed-width file -> units: a record with what belongs to it. Knows the kinds of line, header, trailer and totals.
// For fixed.cpp and fixed_splitter.cpp. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/fixed.hpp"
#include "formats/fixed_lines.hpp"

namespace clrbus {

struct FixedUnit {
    struct Line {
        std::size_t from = 0, size = 0;  // in text
        std::size_t record = 0;          // of the layout
        std::uint64_t offset = 0, line = 1;
    };
    std::uint64_t number = 0, offset = 0;
    std::string text;  // its lines in UTF-8
    std::string raw;   // as in the file, each line with a line end
    std::vector<Line> lines;
};

class FixedSink {
public:
    virtual ~FixedSink() = default;
    virtual void header(const FixedUnit& header) = 0;
    // broken: null, or what is wrong with it already.
    virtual void unit(const FixedUnit& unit, const Error* broken) = 0;
    virtual void trailer(const FixedUnit& trailer) = 0;
};

class FixedStream {
public:
    FixedStream(const FixedOptions& options, FixedSink& sink, bool needs_trailer);

    void write(std::string_view chunk) { lines_.write(chunk); }
    void finish();
    const StreamPosition& next() const { return next_; }
    void resume(const StreamPosition& position);
    std::string_view line_end() const { return lines_.line_end(); }
    const std::string& header_raw() const { return header_raw_; }

    // For the sink: a unit's fields into the tree, the lines nested as they belong. Throws Error(kPoison).
    void build(TreeBuilder& builder, const FixedUnit& unit);

private:
    void take(const FixedLine& line);
    bool decode(const FixedLine& line, std::string& out, Error* why) const;
    std::size_t kind_of(std::string_view text) const;
    void body(const FixedLine& line, std::string_view text, std::size_t kind);
    void begin(const FixedLine& line);
    void add(const FixedLine& line, std::string_view text, std::size_t kind);
    void flush(std::uint64_t next_offset, std::uint64_t next_line);
    void give_broken(const FixedLine& line, const Error& why);
    void take_header(const FixedLine& line, std::string_view text);
    void take_trailer(const FixedLine& line, std::string_view text);
    void count(const FixedUnit& unit);
    void field(TreeBuilder& builder, const FixedUnit::Line& line, std::string_view text, const FixedField& spec);
    void set_next(std::uint64_t offset, std::uint64_t line);
    Error error(const char* code, const FixedLine& line, std::string why, std::string expected) const;

    FixedOptions options_;
    const FixedLayout& layout_;
    FixedSink& sink_;
    bool needs_trailer_;
    FixedUnit unit_;
    bool open_ = false, large_ = false;
    bool first_ = true, ended_ = false;
    std::string header_raw_, text_, columns_, value_;
    std::uint64_t number_ = 1;
    std::vector<std::int64_t> totals_;  // of the trailer's
    bool broken_ = false;               // a line could not be read: totals say nothing
    StreamPosition next_;
    FixedLines lines_;  // last: calls back into this
};

// What stands in columns of a line in UTF-8; nothing behind its end.
std::string_view fixed_columns(std::string_view text, std::size_t from, std::size_t length);

}  // namespace clrbus
