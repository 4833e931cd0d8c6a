// Document -> CSV (RFC 4180). Any thread.
#pragma once

#include <string>

#include "formats/csv.hpp"

namespace clrbus {

// <rows> of <row>, or one <row>: columns as options.columns says, else as the first row has them; a header unless
// options.header is false; delimiter, quote, encoding, renamed columns and widths as for reading, lines end with CR LF. A field
// that a spreadsheet would take for a formula (= + - @ tab) is written as it is, or with ' before it (options.escape_formulas),
// which changes the value. Throws Error(kPoison, "CSV-020") for a tree that is not of the mapping, "CSV-021" for text that
// cannot stand in such a file, "CSV-017" for a width.
std::string write_csv(const Document& document, const CsvOptions& options);

}  // namespace clrbus
