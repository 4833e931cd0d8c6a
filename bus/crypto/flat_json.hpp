// A small strict JSON reader for the objects of JOSE: headers and keys. One object; each member is a string, a number, true,
// false or null, or a nested value whose text is kept as it stands. Duplicate names, bad UTF-8, lone surrogates, control
// characters, trailing bytes and nesting above 16 are refused. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::crypto {

class FlatJson {
public:
    enum class Kind : unsigned char { kString, kNumber, kTrue, kFalse, kNull, kObject, kArray };
    struct Member {
        std::string name;
        Kind kind = Kind::kNull;
        std::string value;  // kString: decoded; else the JSON text
    };

    // Empty when the text is not one such object, is larger than limit bytes or has more than 64 members.
    static std::optional<FlatJson> parse(std::string_view text, std::size_t limit = 64 * 1024);

    const Member* find(std::string_view name) const;
    std::optional<std::string> string(std::string_view name) const;  // empty when absent or not a string
    const std::vector<Member>& members() const { return members_; }

private:
    std::vector<Member> members_;
};

bool is_utf8(std::string_view text);  // well-formed: no overlong form, no surrogate, at most U+10FFFF

// text as a JSON string with its quotes. Throws Error(kPoison, "CRYPTO-040") when it is not UTF-8.
std::string json_string(std::string_view text);

}  // namespace clrbus::crypto
