// For this folder's .cpp files alone (Boost.JSON is only declared here): strict reading and look-ups by path.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace boost::json {
class value;
}

namespace clrbus::credentials {

// One JSON document, each member once, nesting up to 64. Throws Error(kPoison, "CRED-002") with the offset.
boost::json::value parse_json(std::string_view text);

// The value below object members, or null when one is missing or no object.
const boost::json::value* find_at(const boost::json::value& document, std::initializer_list<std::string_view> path);
std::optional<std::string> text_at(const boost::json::value& document, std::initializer_list<std::string_view> path);
// A member that is a string or an array of strings holds this text.
bool holds_text(const boost::json::value& document, std::string_view member, std::string_view text);
// issuer, which is a URI or an object with one.
std::optional<std::string> issuer_id(const boost::json::value& document);

}  // namespace clrbus::credentials
