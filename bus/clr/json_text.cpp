#include "clr/json_text.hpp"

#include "core/error.hpp"
#include "crypto/flat_json.hpp"

namespace clrbus::clr {

void JsonText::comma() {
    if (!first_) out_ += ',';
    first_ = false;
}

void JsonText::name(std::string_view name) {
    comma();
    out_ += '"';
    out_ += name;  // our own member names: nothing to escape
    out_ += "\":";
}

void JsonText::quoted(std::string_view text, std::string_view name) {
    static constexpr char hex[] = "0123456789abcdef";
    if (!crypto::is_utf8(text))
        throw Error(Fault::kPoison, "CLR-010", "writing a record", "the text of '" + std::string(name) + "' is not UTF-8");
    out_ += '"';
    std::size_t from = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        out_.append(text, from, i - from);
        from = i + 1;
        out_ += '\\';
        if (c == '"' || c == '\\') {
            out_ += static_cast<char>(c);
        } else if (c == '\n') {
            out_ += 'n';
        } else if (c == '\t') {
            out_ += 't';
        } else {
            out_ += "u00";
            out_ += hex[c >> 4];
            out_ += hex[c & 15];
        }
    }
    out_.append(text, from, text.size() - from);
    out_ += '"';
}

JsonText& JsonText::object() {
    comma();
    out_ += '{';
    open_.push_back('}');
    first_ = true;
    return *this;
}

JsonText& JsonText::object(std::string_view member_name) {
    name(member_name);
    first_ = true;
    return object();
}

JsonText& JsonText::array() {
    comma();
    out_ += '[';
    open_.push_back(']');
    first_ = true;
    return *this;
}

JsonText& JsonText::array(std::string_view member_name) {
    name(member_name);
    first_ = true;
    return array();
}

JsonText& JsonText::end() {
    out_ += open_.back();
    open_.pop_back();
    first_ = false;
    return *this;
}

JsonText& JsonText::member(std::string_view member_name, std::string_view text) {
    name(member_name);
    quoted(text, member_name);
    return *this;
}

JsonText& JsonText::optional(std::string_view member_name, std::string_view text) {
    return text.empty() ? *this : member(member_name, text);
}

JsonText& JsonText::flag(std::string_view member_name, bool value) {
    return raw(member_name, value ? "true" : "false");
}

JsonText& JsonText::raw(std::string_view member_name, std::string_view json) {
    name(member_name);
    out_ += json;
    return *this;
}

JsonText& JsonText::raw(std::string_view json) {
    comma();
    out_ += json;
    return *this;
}

JsonText& JsonText::number(std::string_view member_name, std::string_view decimal) {
    const std::string value = json_decimal(decimal);
    return value.empty() ? *this : raw(member_name, value);
}

JsonText& JsonText::text(std::string_view value) {
    comma();
    quoted(value, "");
    return *this;
}

JsonText& JsonText::strings(std::string_view member_name, std::initializer_list<std::string_view> values) {
    array(member_name);
    for (const std::string_view value : values) text(value);
    return end();
}

std::string JsonText::take() {
    std::string out = std::move(out_);
    out_.clear();
    open_.clear();
    first_ = true;
    return out;
}

std::string json_decimal(std::string_view decimal) {
    std::string out;
    if (decimal.starts_with('-')) out = "-";
    if (decimal.starts_with('-') || decimal.starts_with('+')) decimal.remove_prefix(1);
    const auto point = decimal.find('.');
    std::string_view whole = decimal.substr(0, point);
    const std::string_view part = point == decimal.npos ? std::string_view{} : decimal.substr(point + 1);
    if ((whole.empty() && part.empty()) ||
        (std::string(whole) + std::string(part)).find_first_not_of("0123456789") != std::string::npos)
        return {};
    while (whole.size() > 1 && whole.front() == '0') whole.remove_prefix(1);
    out += whole.empty() ? "0" : whole;
    if (!part.empty()) (out += '.') += part;
    return out;
}

}  // namespace clrbus::clr
