// Tables of X12 transaction sets (xsd/x12/table.xsd): which segments stand where, and what each element may hold. Loaded once,
// read-only, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus {

class Node;

struct X12Element {
    enum class Type : std::uint8_t { kText, kCode, kWhole, kDecimal, kDate, kTime, kComposite };
    std::string id, name;  // 1258, Academic Grade
    Type type = Type::kText;
    std::size_t min = 0, max = 0;    // characters, of a number its digits; max 0 = no limit
    std::vector<std::string> codes;  // sorted; empty: any
    struct Part;
    std::vector<Part> parts;  // of a composite
};

// An element in its place.
struct X12Use {
    std::string name;  // CRS06, or REF04-1
    const X12Element* element = nullptr;
    bool required = false;
    std::size_t repeat = 1;
    std::vector<std::string> codes;  // instead of the element's own, when not empty
};
struct X12Element::Part : X12Use {};

struct X12SegmentSpec {
    std::string id, name;
    std::vector<X12Use> uses;
};

// A segment or a loop in its place.
struct X12Item {
    std::string id;         // of the segment; of a loop: of its first segment
    std::string loop_name;  // "CRS-loop", empty for a segment
    std::size_t min = 0, max = 1;
    const X12SegmentSpec* segment = nullptr;  // of a segment
    std::vector<X12Item> items;               // of a loop, the first one being its segment
    bool is_loop() const { return !loop_name.empty(); }
};

struct X12Set {
    std::string id, group, name, release;
    std::vector<X12Item> items;
};

class X12Tables {
public:
    // Files that xsd/x12/table.xsd (schema) holds for right. Throws Error(kConfig, "X12-022") with file and line.
    static std::shared_ptr<const X12Tables> load(const std::vector<std::filesystem::path>& files,
                                                 const std::filesystem::path& schema);

    // version: GS08. Null when there is none.
    const X12Set* find(std::string_view id, std::string_view version) const;

private:
    void read(Node root, const std::string& file);

    // deque: what points into them stays where it is.
    std::deque<X12Element> elements_;
    std::deque<X12SegmentSpec> segments_;
    std::deque<X12Set> sets_;
};

}  // namespace clrbus
