// Writes JSON text. No tree in between: a record of 400 achievements takes half a millisecond. One thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::clr {

class JsonText {
public:
    JsonText& object();                       // an element of an array, or the root
    JsonText& object(std::string_view name);  // a member
    JsonText& array();
    JsonText& array(std::string_view name);
    JsonText& end();  // of the innermost object or array

    // Text must be UTF-8, else Error(kPoison, "CLR-010") with the member's name.
    JsonText& member(std::string_view name, std::string_view text);
    JsonText& optional(std::string_view name, std::string_view text);  // left out when empty
    JsonText& flag(std::string_view name, bool value);
    JsonText& raw(std::string_view name, std::string_view json);  // JSON text as it stands
    JsonText& raw(std::string_view json);
    JsonText& number(std::string_view name, std::string_view decimal);  // an XSD decimal as a JSON number; left out when empty
    JsonText& text(std::string_view text);                              // an element
    JsonText& strings(std::string_view name, std::initializer_list<std::string_view> values);

    void reserve(std::size_t bytes) { out_.reserve(bytes); }
    std::string take();  // the text; the writer is empty again

private:
    void comma();
    void name(std::string_view name);
    void quoted(std::string_view text, std::string_view name);

    std::string out_;
    std::vector<char> open_;  // the closing character of each open level
    bool first_ = true;
};

// "+03.50" -> "3.50", ".5" -> "0.5", "4." -> "4": an XSD decimal in JSON's spelling, digits kept; empty when it is none.
std::string json_decimal(std::string_view decimal);

}  // namespace clrbus::clr
