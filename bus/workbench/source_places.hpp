// Where the elements and attributes of an XML file stand, by their path: what a parsed tree no longer knows. A value type; the
// file need not be well-formed, then it knows what stands in front of the break.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::workbench {

struct SourcePlace {
    std::uint64_t line = 0, column = 0;  // from 1; columns in characters
};

class SourcePlaces {
public:
    explicit SourcePlaces(std::string_view xml);

    // path as in Error::where(): /routes/route[2]/from, local names, positions where siblings share the name.
    std::optional<SourcePlace> element(std::string_view path) const;
    std::optional<SourcePlace> attribute(std::string_view path, std::string_view name) const;
    // The character of an attribute's value, from 1, when the value stands there without references and line breaks.
    std::optional<SourcePlace> in_value(std::string_view path, std::string_view name, std::uint64_t character) const;
    // The element whose start tag covers a line; of several the last one that begins there. "" when there is none.
    std::string path_at(std::uint64_t line) const;
    // The attribute of an element whose value contains the text.
    std::optional<SourcePlace> value_with(std::string_view path, std::string_view text) const;

private:
    struct Attribute {
        std::string name, value;  // as written
        SourcePlace at, value_at;
    };
    struct Element {
        std::string path;
        SourcePlace at;
        std::uint64_t last_line = 0;  // of the start tag
        std::vector<Attribute> attributes;
    };
    const Element* find(std::string_view path) const;
    std::vector<Element> elements_;  // in document order
};

}  // namespace clrbus::workbench
