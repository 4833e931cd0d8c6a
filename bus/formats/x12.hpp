// X12 interchanges <-> Document. The mapping (README.md): interchange > ISA, group > GS, transaction > ST, segments in the
// loops of a table ("CRS-loop"), elements by their place (CRS06), components (REF04-1). One thread each.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "formats/records.hpp"
#include "formats/x12_tables.hpp"
#include "xml/document.hpp"

namespace clrbus {

struct X12Limits {
    std::size_t bytes = 64u << 20;    // of one interchange, read whole
    std::size_t set = 16u << 20;      // of one transaction set
    std::size_t segment = 64u << 10;  // of one segment
    std::size_t elements = 200;       // of one segment; components and repetitions of one element, too
    std::size_t sets = 100'000;       // in an interchange that is read whole
};

struct X12Options {
    // Null: envelopes are checked, and what stands in a set is read as it comes, without loops.
    std::shared_ptr<const X12Tables> tables;
    std::string encoding;  // "" = utf-8; also windows-1252, iso-8859-1 and what single-byte encodings iconv knows
    std::string file;      // in errors
    X12Limits limits;
};

// One interchange. Throws Error(kPoison, "X12-0xx") with the path down to the element, the segment's number in its set, line
// and offset, and what was expected, never a value.
Document parse_x12(std::string_view bytes, const X12Options& options = X12Options{});

// Each transaction set as a Document of its own: interchange > ISA, group > GS, transaction, without trailers. raw is the set
// in envelopes of its own, so that it can stand alone. A set that is wrong is given to on_broken and the next one follows;
// wrong envelopes throw. The counts of an envelope are known only at its end: its sets have been delivered by then.
std::unique_ptr<RecordSplitter> make_x12_splitter(const X12Options& options, RecordHandlers handlers);

// The reverse. Control numbers are the tree's; counts are ours, trailers are made where they are missing. What parse_x12 read
// comes out byte by byte as it was. Throws Error(kPoison, "X12-020") for a tree that is not of the mapping, "X12-021" where
// text holds a delimiter or a character that the encoding lacks (there is no escape in X12), and with tables what reading the
// result would throw.
std::string write_x12(const Document& document, const X12Options& options = X12Options{});

}  // namespace clrbus
