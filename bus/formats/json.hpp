// JSON bytes <-> Document. The mapping (README.md): the root element is json; a member is an element of its name; an array is
// its elements repeated under the member's name, each with array="true"; type= says what is not a string. One thread each.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "xml/document.hpp"

namespace clrbus {

struct JsonLimits {
    std::size_t bytes = 64u << 20;  // of one document
    std::size_t depth = 128;
    std::size_t string = 16u << 20;
    std::size_t key = 1024;
    std::size_t number = 1024;      // digits and all
    std::size_t members = 100'000;  // of one object
    std::size_t names = 10'000;     // different member names in one document
    std::size_t nodes = 4'000'000;  // of the tree
};

// Reads one document after the other from chunks of any size. Throws Error(kPoison, "JSON-0xx") with offset, line, column and
// path
// (/body/results[3]/score), never with a value; after an error clear() makes the reader usable again.
class JsonReader {
public:
    explicit JsonReader(const JsonLimits& limits = JsonLimits{});
    ~JsonReader();
    JsonReader(JsonReader&&) noexcept;
    JsonReader& operator=(JsonReader&&) noexcept;

    void file(std::string_view name);  // in errors
    // Where the bytes that follow lie in the input, for a record in the middle of a stream.
    void start_at(std::uint64_t offset, std::uint64_t line, std::uint64_t column);
    void write(std::string_view chunk);
    Document finish();  // throws when the document is not complete
    void clear();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

Document parse_json(std::string_view bytes, std::string_view file = {}, const JsonLimits& limits = JsonLimits{});

// The reverse: the same values and number spellings, no white space. Siblings of one name are an array. Throws Error(kPoison,
// "JSON-020") for a number that is none, a boolean that is none, or a type= that is not of the mapping.
std::string write_json(const Document& document);
std::string write_json(Node node);

}  // namespace clrbus
