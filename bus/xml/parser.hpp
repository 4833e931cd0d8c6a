// XML bytes -> Document in one parse by Xerces SAX2 (no DTD, no entities, no network), validated on the way when schemas are
// given. Reuse one parser for many documents; one thread each.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "xml/document.hpp"
#include "xml/schemas.hpp"

namespace clrbus {

struct XmlLimits {
    std::size_t bytes = 256u << 20;
    std::size_t depth = 128;
    std::size_t attributes = 256;  // of one element
    std::size_t text = 16u << 20;  // of one node or attribute
    std::size_t nodes = 4'000'000;
};

class XmlParser {
public:
    explicit XmlParser(std::shared_ptr<const Schemas> schemas = nullptr, const XmlLimits& limits = XmlLimits{});
    ~XmlParser();
    XmlParser(XmlParser&&) noexcept;
    XmlParser& operator=(XmlParser&&) noexcept;

    // Detects UTF-8, UTF-16 by the bytes first. Throws Error or ValidationError (kPoison, "XML-0xx", "XSD-0xx") with line,
    // column and element path. file: the name in errors.
    Document parse(std::string_view bytes, std::string_view file = {});

    // Streams a batch: each element whose path of local names is record_path ("AcademicRecordBatch/BatchContent/*", a last '*'
    // = every child) becomes a Document of its own (validated when schemas know its namespace). Memory holds one record. read
    // fills the buffer and returns the bytes, 0 at the end. record gets the number from 1; what it throws passes through. A
    // broken record is given to broken and the next one follows; a broken stream throws.
    using Read = std::function<std::size_t(char*, std::size_t)>;
    using Record = std::function<void(std::uint64_t number, Document)>;
    // invalid: the record, when a schema refused it; empty when it could not be read.
    using Broken = std::function<void(std::uint64_t number, const Error&, const Document& invalid)>;
    void split(const Read& read, std::string_view record_path, const Record& record, const Broken& broken,
               std::string_view file = {});

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus
