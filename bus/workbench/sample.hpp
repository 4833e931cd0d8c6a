// What a sample file says about a source: its records, their elements, and the shape of what stands in them. Values are looked
// at and not kept, but for short lists of choices. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "xml/document.hpp"

namespace clrbus::workbench {

enum class Shape : std::uint8_t { kEmpty, kText, kId, kInteger, kDecimal, kDate, kInstant, kFlag, kEmail, kUrl };

// A place that holds text: an element without children, or an attribute.
struct Leaf {
    Shape shape = Shape::kEmpty;
    std::string pattern;  // of kDate: as f:parse-date reads it (M/d/yyyy); "" when it is ISO
    std::size_t filled = 0, longest = 0;
    std::map<std::string, std::size_t> values;  // how often each
    bool many = false;                          // too many or too long to count: values is empty
    void see(const std::string& text);
    bool unique() const;  // no value came twice
};

struct Attribute {
    std::string name;
    std::size_t seen = 0;
    Leaf leaf;
};

struct Element {
    std::string name, namespace_uri;
    std::size_t count = 0;  // of all such elements
    std::size_t seen = 0;   // in how many parents
    std::size_t most = 0;   // in one parent
    Leaf leaf;
    std::vector<Attribute> attributes;  // without those of the JSON mapping
    std::vector<std::unique_ptr<Element>> children;
};

// One place as a mapping names it.
struct Field {
    std::string path;   // from the record's root: term/name, @id, p:course/@code
    std::string name;   // as the source writes it
    std::string group;  // the repeated element around it, as a path; "" for none
    const Leaf* leaf = nullptr;
    bool repeated = false;  // itself, within its group
};

struct Sample {
    std::string format;                           // csv, json, xml
    std::string record;                           // path of the split; "" with `whole`
    bool whole = false;                           // the file is one record
    std::string delimiter;                        // csv: "" for a comma
    std::string encoding;                         // csv: "" for UTF-8
    std::size_t records = 0;                      // that were read
    Element root;                                 // of a record
    std::vector<Field> fields;                    // in the order of the source
    std::map<std::string, std::string> prefixes;  // prefix -> namespace, as the paths use them
};

inline constexpr std::uintmax_t kSampleBytes = 16U << 20;
inline constexpr std::size_t kSampleRecords = 2000;
inline constexpr std::size_t kSampleFields = 1000;

// format: csv, json, xml, or "" to go by the name and the first bytes. record: path of the records, or "" to look for them: the
// first repeated element on the way down. Throws Error(kPoison) of the parser, Error(kConfig, "WORK-001") for a file that is no
// sample (too large, no record, no field).
Sample read_sample(const std::filesystem::path& file, const std::string& format, const std::string& record);

// Each record of the sample's file again, at most `most`.
void each_record(const Sample& sample, const std::filesystem::path& file, std::size_t most,
                 const std::function<void(const Document&)>& record);

}  // namespace clrbus::workbench
