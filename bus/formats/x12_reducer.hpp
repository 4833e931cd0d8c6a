// X12 bytes -> the same bytes without the elements that the record must not hold, before the first durable write. First all of
// it is read by the tables: a file in which one set is not as they say is refused whole, because what stands where in it is not
// known. Everything else keeps its bytes. Streams, reads the file twice; memory holds one set. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/x12.hpp"

namespace clrbus {

// REF02, or REF02[REF01=SY]: only where the other element has this value.
struct X12Drop {
    std::string segment;
    std::size_t element = 0;  // from 1
    std::size_t where = 0;    // 0: everywhere
    std::string is;
    static std::optional<X12Drop> read(std::string_view text);  // nothing for what is none, or of an envelope
};

struct X12Reduction {
    X12Options x12;  // with tables
    std::vector<X12Drop> drop;
};

// The whole file; out is made or emptied (mode 0600), not synced. Throws Error(kPoison, "X12-0xx") with the place of what is
// wrong first, and Error(kAway, "FILE-001"): then no byte of the output may be used.
void reduce_x12_file(const X12Reduction& reduction, const std::filesystem::path& in, const std::filesystem::path& out);

}  // namespace clrbus
