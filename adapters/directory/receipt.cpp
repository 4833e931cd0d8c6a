#include "adapters_directory/receipt.hpp"

#include <string_view>

namespace clrbus::adapters::directory {

namespace {

// RFC 4180; a leading character that a spreadsheet would take for a formula gets an apostrophe.
std::string receipt_field(std::string_view text) {
    std::string field;
    if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos) field += '\'';
    field += text;
    if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
    std::string quoted = "\"";
    for (const char c : field) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + '"';
}

std::string receipt_line(const std::string& row, const std::string& state, const std::string& code, const std::string& path,
                         const std::string& expected) {
    return row + ',' + receipt_field(state) + ',' + receipt_field(code) + ',' + receipt_field(path) + ',' +
           receipt_field(expected) + "\r\n";
}

}  // namespace

std::string receipt_text(const Inbox::State& state) {
    std::string text = "row,state,code,path,expected\r\n";
    std::string whole = state.expected.empty() ? state.reason : state.expected;
    if (state.children != 0)
        whole = std::to_string(state.children) + " records, " + std::to_string(state.dead) + " of them dead";
    text += receipt_line("", state.state, state.code, state.path, whole);
    for (const Inbox::State::Row& row : state.rows)
        text += receipt_line(std::to_string(row.row), row.state, row.code, row.path, row.expected);
    return text;
}

}  // namespace clrbus::adapters::directory
