// Fixed-width files <-> Document, by a layout: file > header, records (records that belong to one inside of it), trailer; each
// field an element. One thread each.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "formats/fixed_layout.hpp"
#include "formats/records.hpp"
#include "xml/document.hpp"

namespace clrbus {

struct FixedLimits {
    std::size_t bytes = 64u << 20;  // of a file that is read whole
    std::size_t line = 100'000;
    std::size_t record = 4u << 20;  // with what belongs to it
    std::size_t header = 800;       // its line is kept in notes
};

struct FixedOptions {
    std::shared_ptr<const FixedLayout> layout;  // never null
    std::string file;                           // in errors
    FixedLimits limits;
};

// A whole file. Throws Error(kPoison, "FIX-0xx") with line, column, offset and path, never a value.
Document parse_fixed(std::string_view bytes, const FixedOptions& options);

// Each record with what belongs to it as a Document of its own: file > header, record. raw holds the header's line, too, so
// that it can stand alone; such a file has no trailer, and parse_fixed_record reads it. A record that is wrong is given to
// on_broken and the next one follows; what is wrong with header, trailer and totals throws.
std::unique_ptr<RecordSplitter> make_fixed_splitter(const FixedOptions& options, RecordHandlers handlers);
Document parse_fixed_record(std::string_view raw, const FixedOptions& options);

// The reverse. Totals are ours; the trailer is made where it is missing and the layout can. Throws Error(kPoison, "FIX-020")
// for a tree that is not of the layout, "FIX-003", "FIX-004", "FIX-012", "FIX-021" for a value that does not go into its field.
std::string write_fixed(const Document& document, const FixedOptions& options);

}  // namespace clrbus
