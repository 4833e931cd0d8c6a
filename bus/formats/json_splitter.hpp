// The records of a JSON stream: the elements of one array, or JSON lines. What stands around the array is read strictly, too.
#pragma once

#include <memory>
#include <string>

#include "formats/json.hpp"
#include "formats/records.hpp"

namespace clrbus {

struct JsonSplitOptions {
    bool lines = false;              // one document a line; empty lines are passed over
    std::string path;                // of the array, when not lines: "" = the document, "results", "data/items"
    std::string file;                // in errors
    std::size_t record = 16u << 20;  // bytes of one record; a larger one is broken, and the next follows
    JsonLimits limits;               // of each record
};

// A record whose brackets do not match makes the rest of an array unreadable (write throws "JSON-012"); in JSON lines never.
// Throws Error(kPoison, "JSON-011") when the path leads to no array.
std::unique_ptr<RecordSplitter> make_json_splitter(const JsonSplitOptions& options, RecordHandlers handlers);

}  // namespace clrbus
