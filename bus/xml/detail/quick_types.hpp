// For bus/xml alone: simple types of XSD, as far as the quick judge reads them. Read-only once made; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "xml/schemas.hpp"

struct _xmlRegexp;
struct _xmlSchemaType;

namespace clrbus::xml_detail {

// Thrown while reading a schema: it uses what the quick judge does not know.
struct QuickUnknown {};

struct QuickRegexp {
    explicit QuickRegexp(const std::string& pattern);  // throws QuickUnknown
    ~QuickRegexp();
    QuickRegexp(const QuickRegexp&) = delete;
    QuickRegexp& operator=(const QuickRegexp&) = delete;
    _xmlRegexp* compiled = nullptr;
};

struct QuickSimple {
    enum class Kind : std::uint8_t {
        kString,
        kToken,
        kBoolean,
        kDecimal,
        kUnsigned,
        kDate,
        kDateTime,
        kYear,
        kYearMonth,
        kText,  // another built-in type whose length is counted in characters
        kOther,
        kUnion,
    };
    Kind kind = Kind::kString;
    _xmlSchemaType* built_in = nullptr;  // libxml2's own, asked for what is not plain
    std::size_t least = 0, most = SIZE_MAX;
    std::vector<std::vector<std::shared_ptr<const QuickRegexp>>> patterns;  // one of each list
    std::vector<std::vector<std::string>> values;                           // one of each list, sorted
    std::vector<const QuickSimple*> members;                                // of a union
    std::size_t number = 0;

    // Throws QuickUnknown for a name that it does not know.
    static QuickSimple built_in_type(std::string_view name);
    bool counts_characters() const;
    bool compares_text() const;
};

// What was found valid a moment ago, while one tree is judged: dates, types and sessions repeat.
class QuickMemory {
public:
    explicit QuickMemory(std::size_t types) : seen_(types) {}
    bool holds(const QuickSimple& type, const char* value);

private:
    struct Seen {
        std::string_view values[4];
        unsigned next = 0;
    };
    static bool judge(const QuickSimple& type, const char* value, std::string_view text);
    bool judge_union(const QuickSimple& type, const char* value);
    std::vector<Seen> seen_;  // views into the tree
};

}  // namespace clrbus::xml_detail
