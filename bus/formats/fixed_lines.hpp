// Bytes of a fixed-width file -> lines. For fixed_stream.cpp. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "formats/fixed.hpp"

namespace clrbus {

struct FixedLine {
    std::string_view raw;  // without the line end; empty when it was too large
    std::uint64_t offset = 0, line = 1;
    bool too_large = false;
};

class FixedLines {
public:
    using OnLine = std::function<void(const FixedLine& line)>;
    FixedLines(const FixedOptions& options, OnLine on_line) : options_(options), on_line_(std::move(on_line)) {}

    void write(std::string_view chunk);
    void finish();
    void resume(std::uint64_t offset, std::uint64_t line);
    std::uint64_t offset() const { return offset_; }  // of the next byte
    std::uint64_t line() const { return line_; }
    std::string_view line_end() const { return line_end_; }  // the first one, as far as it is known

private:
    void write_records(std::string_view chunk);
    void keep(std::string_view part);
    void deliver(std::string_view last);

    const FixedOptions& options_;  // of the owner
    OnLine on_line_;
    std::string kept_;
    std::uint64_t size_ = 0;  // of the line so far
    std::uint64_t offset_ = 0, line_ = 1, started_ = 0;
    bool begun_ = false, after_return_ = false;
    std::string line_end_;
    bool line_end_known_ = false;
};

}  // namespace clrbus
