// JSON bytes -> the same bytes without the members that the record must not hold, before the first durable write. Only bytes
// that the strict reader takes are reduced: a document that is no JSON is refused whole, and a record of a stream that cannot
// be read is replaced by one that says nothing, {!}, so that it is dead-lettered with its place. Everything else keeps its
// bytes and lines. Streams, reads the file twice; memory holds one record. One thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json_splitter.hpp"

namespace clrbus {

struct JsonReduction {
    // A member of one of these names goes with its value, wherever it stands, however its name is escaped.
    std::vector<std::string> drop;
    bool split = false;        // a stream of records (lines, or the elements of an array), as the route splits it
    JsonSplitOptions records;  // of a stream
    JsonLimits limits;         // of a document that is read whole
};

// Well-formed JSON, or a stream of it. Chunks of any size.
class JsonDropper {
public:
    using Write = std::function<void(std::string_view bytes)>;
    JsonDropper(std::vector<std::string> names, Write write);
    ~JsonDropper();
    JsonDropper(JsonDropper&&) noexcept;
    JsonDropper& operator=(JsonDropper&&) noexcept;

    void write(std::string_view chunk);
    void instead(std::string_view bytes);  // as a value, of something that is left out
    void finish();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The whole file; out is made or emptied (mode 0600), not synced. The number of records that cannot be read. Throws
// Error(kPoison, "JSON-0xx") with the place for what cannot be read at all, "JSON-014" for more than 100,000 broken records,
// and Error(kAway, "FILE-001"): then no byte of the output may be used.
std::size_t reduce_json_file(const JsonReduction& reduction, const std::filesystem::path& in, const std::filesystem::path& out);

}  // namespace clrbus
