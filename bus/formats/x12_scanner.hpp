// Bytes of X12 interchanges -> segments. Knows ISA and nothing of what stands between the envelopes. For x12.cpp and
// x12_splitter.cpp. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "formats/x12.hpp"

namespace clrbus {

constexpr std::size_t kX12IsaSize = 106;  // with its terminator

struct X12Delimiters {
    char element = '*', component = '>', segment = '~';
    char repetition = '\0';  // none before release 004020
};

struct X12Segment {
    std::string_view text;  // without the terminator; empty when it was too large
    std::uint64_t offset = 0, line = 1;
    std::uint64_t next_offset = 0;  // of the byte behind the terminator
    bool too_large = false;
    std::string_view id(char element) const { return text.substr(0, text.find(element)); }
};

// A character of an ISA as text: itself when it prints, else its byte, x1D.
std::string x12_shown(char delimiter);
// The reverse; '\0' for what is none.
char x12_delimiter(std::string_view shown);

// What ISA says of delimiters. Throws Error(kPoison, "X12-001", "X12-002") with the file and where's offset and line.
X12Delimiters x12_read_isa(std::string_view isa, const Where& where);

class X12Scanner {
public:
    using OnSegment = std::function<void(const X12Segment& segment)>;
    X12Scanner(const X12Options& options, OnSegment on_segment);

    // Throws Error(kPoison, "X12-001", "X12-002", "X12-003").
    void write(std::string_view chunk);
    void finish();
    // Goes on before a segment of an interchange; line_end: how many bytes follow each terminator.
    void resume(std::uint64_t offset, std::uint64_t line, const X12Delimiters& delimiters, std::size_t line_end);

    void end_interchange() { in_interchange_ = false; }  // asked for in on_segment, at IEA
    const X12Delimiters& delimiters() const { return delimiters_; }
    std::string_view line_end() const {
        return line_end_;
    }  // that follows ISA: "", CR, LF, CRLF; known from the next segment on
    std::uint64_t line() const { return line_; }
    std::uint64_t offset() const { return offset_; }

private:
    std::string_view begin_interchange(std::string_view bytes);
    std::string_view pass_gap(std::string_view bytes);
    void deliver(std::string_view text);

    const X12Options& options_;  // of the owner
    OnSegment on_segment_;
    X12Delimiters delimiters_;
    bool in_interchange_ = false, after_isa_ = false, at_start_ = true, begun_ = false, in_segment_ = false;
    std::string kept_;  // of earlier chunks: a segment, or the start of an ISA
    std::uint64_t size_ = 0;
    std::string line_end_;
    std::uint64_t offset_ = 0, line_ = 1;           // of the next byte
    std::uint64_t started_ = 0, started_line_ = 1;  // of the segment
};

}  // namespace clrbus
