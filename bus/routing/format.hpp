// A format with its options, as <parse>, <split> and <marshal> name it: bytes to a document and back. Read-only after load;
// shared by all workers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "formats/csv.hpp"
#include "formats/fixed.hpp"
#include "formats/x12.hpp"
#include "xml/document.hpp"

namespace clrbus {

class Config;
class RouteAssets;

struct FormatPlan {
    enum class Format : std::uint8_t { kXml, kJson, kJsonLines, kCsv, kX12, kFixed };
    Format format = Format::kXml;
    std::string path;  // of a split; xml: local names; json: member names to the array
    CsvOptions csv;
    X12Options x12;
    FixedOptions fixed;

    // Throws Error(kConfig) with the element's place.
    static FormatPlan read(const Config& element, RouteAssets& assets);

    // A whole message of any format but XML (routing/parser_pool.hpp). Throws Error(kPoison).
    Document parse(std::string_view bytes) const;
    // The document as bytes of this format, and their media type.
    std::string write(const Document& document) const;
    std::string_view media_type() const;
};

}  // namespace clrbus
