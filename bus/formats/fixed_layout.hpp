// The layout of a fixed-width file (xsd/fixed/layout.xsd). Loaded once, read-only, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus {

class Node;
class SingleByte;

struct FixedField {
    enum class Type : std::uint8_t { kText, kInteger, kDecimal, kDate };
    std::string name;
    std::size_t from = 0, length = 0;  // characters; from 0
    Type type = Type::kText;
    bool required = false, trim_left = false, trim_right = true, right = false, overpunch = false;
    char pad = ' ';
    std::size_t decimals = 0;
    std::string pattern, empty;
    int pivot = 50;
    std::vector<std::string> values;  // sorted; empty: any
    bool number() const { return type == Type::kInteger || type == Type::kDecimal; }
};

struct FixedTotal {
    std::size_t field = 0;  // of the record that holds it
    std::string of;         // a record, or "*"
    std::string sum;        // of this field of theirs; empty: their number
};

struct FixedRecord {
    enum class At : std::uint8_t { kBody, kFirst, kLast };
    struct Match {
        std::size_t from = 0;
        std::string value;
    };
    std::string name;
    At at = At::kBody;
    std::size_t parent = kNone;  // index of the record it belongs to
    std::size_t width = 0;       // up to its last field
    std::vector<Match> matches;
    std::vector<FixedField> fields;
    std::vector<FixedTotal> totals;
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
};

class FixedLayout {
public:
    enum class LineEnd : std::uint8_t { kAny, kCrLf, kLf, kNone };
    // A file that xsd/fixed/layout.xsd (schema) holds for right. Throws Error(kConfig, "FIX-009", "FIX-010") with file and
    // line.
    static std::shared_ptr<const FixedLayout> load(const std::filesystem::path& file, const std::filesystem::path& schema);

    const std::vector<FixedRecord>& records() const { return records_; }
    std::size_t find(std::string_view name) const;  // FixedRecord::kNone when there is none
    std::size_t header() const { return header_; }  // kNone when there is none
    std::size_t trailer() const { return trailer_; }
    const SingleByte* encoding() const { return encoding_.get(); }  // null: UTF-8
    LineEnd line_end() const { return line_end_; }
    std::size_t length() const { return length_; }  // 0: of the record
    bool pads_short_lines() const { return pads_; }

private:
    void read(Node root, const std::string& file);

    std::vector<FixedRecord> records_;
    std::size_t header_ = FixedRecord::kNone, trailer_ = FixedRecord::kNone;
    std::shared_ptr<const SingleByte> encoding_;
    LineEnd line_end_ = LineEnd::kAny;
    std::size_t length_ = 0;
    bool pads_ = true;
};

}  // namespace clrbus
