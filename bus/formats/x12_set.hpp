// One transaction set, from ST to SE, into the tree: loops by its table, elements checked. For x12.cpp and x12_splitter.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/encoding.hpp"
#include "formats/x12.hpp"
#include "formats/x12_scanner.hpp"

namespace clrbus {

// The element of that number, from 1; empty when there is none. 0: the id.
std::string_view x12_element_of(std::string_view segment, char separator, std::size_t number);

// How the interchange was written, as attributes of <interchange>: element, segment, line-end (crlf, lf, cr).
void x12_describe(TreeBuilder& builder, const X12Delimiters& delimiters, std::string_view line_end);

// Where a set stands and what its envelope says.
struct X12Place {
    std::uint64_t offset = 0, line = 1;
    std::string group_code, version;  // GS01, GS08
};

class X12SetReader {
public:
    // Throws Error(kConfig, "X12-009") for an encoding that is not known.
    explicit X12SetReader(const X12Options& options);

    // Adds <ISA>, <GS> or another segment of an envelope.
    void segment(TreeBuilder& builder, std::string_view text, const X12Delimiters& delimiters, const Where& where);
    // Adds <transaction>. raw: the set's bytes. Throws Error(kPoison); the builder is then in the middle of something.
    void set(TreeBuilder& builder, std::string_view raw, const X12Delimiters& delimiters, const X12Place& place);

private:
    struct Frame {
        const std::vector<X12Item>* items;
        std::size_t at = 0, count = 0;
    };
    struct Now;  // the segment in hand

    std::string_view decoded(std::string_view raw, const X12Delimiters& delimiters, const X12Place& place);
    void begin(Now& now);
    void in_set(Now& now);
    const X12Item& place(Now& now);
    void require(Now& now, const Frame& frame, std::size_t until);
    void leave(Now& now);
    void end(Now& now, std::size_t count);
    void write(Now& now, const X12SegmentSpec* spec);
    void element(Now& now, std::string_view text, const std::string& name, const X12Use* use);
    void value(Now& now, std::string_view text, const std::string& name, const X12Use* use);
    void check(Now& now, std::string_view text, const std::string& name, const X12Use& use) const;
    [[noreturn]] void fail(const Now& now, const char* code, const std::string& name, std::string why,
                           std::string expected) const;
    std::string allowed() const;

    X12Options options_;
    std::shared_ptr<const SingleByte> table_;  // shared with nobody; null for UTF-8
    std::vector<Frame> frames_;
    std::string decoded_;
    std::string name_;
};

}  // namespace clrbus
