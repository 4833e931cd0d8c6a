// The closed vocabularies of CLR 2.0 and how the canonical message's words become theirs. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace clrbus::clr {

// "ext:" and the text with what the term cannot hold replaced by '-'; a text that begins with ext: stays one.
std::string extension_term(std::string_view text);
// One of the standard's types, or ext:…
std::string achievement_type(std::string_view type);
std::string alignment_type(std::string_view type);   // empty stays empty
std::string identity_type(std::string_view scheme);  // email -> emailAddress, sis-id -> sisSourcedId, …
bool is_uri(std::string_view text);                  // scheme:something without a space
bool is_language(std::string_view text);             // as the standard's inLanguage
bool is_email(std::string_view text);
std::string slug(std::string_view text);  // lower case letters, digits and '-'; never empty
// What a group of types is called on a page: "Course", "Employment", "Bachelor degree".
std::string type_title(std::string_view type);

}  // namespace clrbus::clr
