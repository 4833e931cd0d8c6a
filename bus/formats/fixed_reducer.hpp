// A fixed-width file -> the same file with blanks where the record must not hold what stood there, before the first durable
// write. A line that is not as the layout says could hold anything anywhere: one control character takes its place, so that it
// is dead-lettered with its place (FIX-005) and says nothing. A line whose fields are shifted and still read as the layout says
// cannot be told from a good one. Streams; memory holds one line. One thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "formats/fixed.hpp"

namespace clrbus {

struct FixedReduction {
    FixedOptions fixed;
    std::vector<std::string> drop;  // RECORD.FIELD of the layout
};

// What the layout does not allow to be blank: a name that it does not have, a required field, one that tells the kind of a
// line, one that a total counts. Empty when all is well.
std::string fixed_drop_fault(const FixedReduction& reduction);

// The whole file; out is made or emptied (mode 0600), not synced. The number of lines that could not be read. Throws
// Error(kAway, "FILE-001"): then no byte of the output may be used.
std::size_t reduce_fixed_file(const FixedReduction& reduction, const std::filesystem::path& in,
                              const std::filesystem::path& out);

}  // namespace clrbus
