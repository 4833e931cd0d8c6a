#include <string>
#include <unordered_map>
#include <vector>

#include "core/error.hpp"
#include "formats/json.hpp"

namespace clrbus {
namespace {

constexpr int kJsonDeepest = 1000;

void json_quote(std::string& out, std::string_view text) {
    constexpr char hex[] = "0123456789abcdef";
    out.push_back('"');
    std::size_t plain = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7F) continue;
        out.append(text, plain, i - plain);
        plain = i + 1;
        switch (byte) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                out += "\\u00";
                out.push_back(hex[byte >> 4]);
                out.push_back(hex[byte & 15]);
        }
    }
    out.append(text, plain);
    out.push_back('"');
}

// RFC 8259 section 6.
bool json_is_number(std::string_view s) {
    std::size_t i = 0;
    const auto digits = [&] {
        const std::size_t from = i;
        while (i < s.size() && s[i] >= '0' && s[i] <= '9') ++i;
        return i - from;
    };
    if (i < s.size() && s[i] == '-') ++i;
    const std::size_t first = i;
    const std::size_t whole = digits();
    if (whole == 0 || (whole > 1 && s[first] == '0')) return false;
    if (i < s.size() && s[i] == '.') {
        ++i;
        if (digits() == 0) return false;
    }
    if (i < s.size() && (s[i] == 'e' || s[i] == 'E')) {
        ++i;
        if (i < s.size() && (s[i] == '+' || s[i] == '-')) ++i;
        if (digits() == 0) return false;
    }
    return i == s.size();
}

[[noreturn]] void json_unwritable(Node node, std::string why, std::string expected) {
    Where where;
    where.path = node.path();
    where.line = node.line();
    Error error(Fault::kPoison, "JSON-020", "writing JSON", std::move(where), std::move(why));
    error.expected(std::move(expected));
    throw error;
}

void json_value(std::string& out, Node node, int depth);

void json_items(std::string& out, const std::vector<Node>& nodes, int depth) {
    out.push_back('[');
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (i != 0) out.push_back(',');
        json_value(out, nodes[i], depth + 1);
    }
    out.push_back(']');
}

void json_object(std::string& out, Node node, int depth) {
    // Siblings of one name belong together, wherever they stand.
    std::vector<std::pair<std::string_view, std::vector<Node>>> members;
    std::unordered_map<std::string_view, std::size_t> index;
    for (Node child = node.first_child(); child; child = child.next()) {
        const auto [found, is_new] = index.try_emplace(child.name(), members.size());
        if (is_new) members.emplace_back(child.name(), std::vector<Node>{});
        members[found->second].second.push_back(child);
    }
    out.push_back('{');
    bool first = true;
    for (const auto& [name, nodes] : members) {
        if (!first) out.push_back(',');
        first = false;
        json_quote(out, original_name(name));
        out.push_back(':');
        if (nodes.size() > 1 || nodes.front().attribute("array") == "true") {
            json_items(out, nodes, depth);
        } else {
            json_value(out, nodes.front(), depth + 1);
        }
    }
    out.push_back('}');
}

void json_value(std::string& out, Node node, int depth) {
    if (depth > kJsonDeepest) json_unwritable(node, "the tree is too deep", "at most 1000 levels");
    const std::string type = node.attribute("type");
    if (type == "array") {
        json_items(out, node.children(), depth);
    } else if (type == "object" || (type.empty() && node.first_child())) {
        json_object(out, node, depth);
    } else if (type.empty() || type == "string") {
        json_quote(out, node.text());
    } else if (type == "number") {
        const std::string text = node.text();
        if (!json_is_number(text)) json_unwritable(node, "type is number, and the text is none", "a JSON number");
        out += text;
    } else if (type == "boolean") {
        const std::string text = node.text();
        if (text != "true" && text != "false") json_unwritable(node, "type is boolean, and the text is none", "true or false");
        out += text;
    } else if (type == "null") {
        out += "null";
    } else {
        json_unwritable(node, "the type is not of the mapping", "string, number, boolean, null, array or object");
    }
}

}  // namespace

std::string write_json(Node node) {
    std::string out;
    json_value(out, node, 0);
    return out;
}

std::string write_json(const Document& document) {
    if (!document) throw Error(Fault::kPoison, "JSON-020", "writing JSON", "the document has no root");
    return write_json(document.root());
}

}  // namespace clrbus
