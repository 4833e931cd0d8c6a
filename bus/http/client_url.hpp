// What the client needs to know of URLs. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clrbus {

// Where a redirect leads: location resolved against the URL that was asked. "" when it must not be followed: another scheme, a
// user in it, an origin that is neither its own nor allowed.
std::string http_redirect(std::string_view url, std::string_view location, const std::vector<std::string>& allowed);

// query ("a=1&b=2", percent-encoded) in addition to what the URL has; "" = as it is.
std::string http_with_query(std::string_view url, std::string_view query);

// A token of RFC 9110: names of methods and fields.
bool is_http_token(std::string_view text);
// No control character but tab.
bool is_http_field_value(std::string_view text);

}  // namespace clrbus
