#include "xml/detail/expression.hpp"

#include <algorithm>
#include <array>

namespace clrbus::xml_detail {

namespace {

bool expression_name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' ||
           static_cast<unsigned char>(c) >= 0x80;
}

bool expression_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

constexpr std::array<std::string_view, 4> kNodeTests = {"node", "text", "comment", "processing-instruction"};
constexpr std::array<std::string_view, 4> kOperators = {"and", "or", "div", "mod"};

}  // namespace

std::vector<FoundCall> find_calls(std::string_view text) {
    std::vector<FoundCall> calls;
    struct Open {
        std::size_t call;   // index in calls, or npos for plain brackets
        bool empty = true;  // nothing inside yet
    };
    constexpr std::size_t kNone = std::string_view::npos;
    std::vector<Open> open;
    bool operand = false;  // the last token ends an operand, so that a name is an operator
    const auto inside = [&] {
        if (open.empty() || !open.back().empty) return;
        open.back().empty = false;
        if (open.back().call != kNone) calls[open.back().call].arguments = 1;
    };
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (expression_blank(c)) {
            ++at;
            continue;
        }
        if (c == '"' || c == '\'') {
            const std::size_t end = std::min(text.find(c, at + 1), text.size());
            if (!open.empty() && open.back().empty && open.back().call != kNone) {
                calls[open.back().call].first_literal = text.substr(at + 1, end - at - 1);
            }
            inside();
            operand = true;
            at = std::min(end + 1, text.size());
            continue;
        }
        if (expression_name_byte(c) && !(c >= '0' && c <= '9') && c != '-' && c != '.') {
            const std::size_t from = at;
            while (at < text.size() && expression_name_byte(text[at])) ++at;
            std::string prefix, name(text.substr(from, at - from));
            if (at + 1 < text.size() && text[at] == ':' && text[at + 1] != ':' && expression_name_byte(text[at + 1])) {
                const std::size_t local = ++at;
                while (at < text.size() && expression_name_byte(text[at])) ++at;
                prefix = std::move(name);
                name = text.substr(local, at - local);
            }
            std::size_t next = at;
            while (next < text.size() && expression_blank(text[next])) ++next;
            const bool is_operator =
                operand && prefix.empty() && std::find(kOperators.begin(), kOperators.end(), name) != kOperators.end();
            if (next < text.size() && text[next] == '(' && !is_operator &&
                !(prefix.empty() && std::find(kNodeTests.begin(), kNodeTests.end(), name) != kNodeTests.end())) {
                inside();
                calls.push_back({std::move(prefix), std::move(name), from, 0, {}});
                open.push_back({calls.size() - 1});
                at = next + 1;
                operand = false;
                continue;
            }
            inside();
            operand = !is_operator;
            continue;
        }
        if (c == '(' || c == '[') {
            inside();
            open.push_back({kNone});
            operand = false;
        } else if (c == ')' || c == ']') {
            if (!open.empty()) open.pop_back();
            operand = true;
        } else if (c == ',') {
            if (!open.empty() && open.back().call != kNone) ++calls[open.back().call].arguments;
            operand = false;
        } else {
            inside();
            operand = c == '.' || c == '*' || (c >= '0' && c <= '9');
        }
        ++at;
    }
    return calls;
}

bool is_core_function(std::string_view name) {
    constexpr std::array<std::string_view, 36> kCore = {"last",
                                                        "position",
                                                        "count",
                                                        "id",
                                                        "local-name",
                                                        "namespace-uri",
                                                        "name",
                                                        "string",
                                                        "concat",
                                                        "starts-with",
                                                        "contains",
                                                        "substring-before",
                                                        "substring",
                                                        "substring-after",
                                                        "string-length",
                                                        "normalize-space",
                                                        "translate",
                                                        "boolean",
                                                        "not",
                                                        "true",
                                                        "false",
                                                        "lang",
                                                        "number",
                                                        "sum",
                                                        "floor",
                                                        "ceiling",
                                                        "round",
                                                        "document",
                                                        "key",
                                                        "format-number",
                                                        "current",
                                                        "generate-id",
                                                        "system-property",
                                                        "element-available",
                                                        "function-available",
                                                        "unparsed-entity-uri"};
    return std::find(kCore.begin(), kCore.end(), name) != kCore.end();
}

}  // namespace clrbus::xml_detail
