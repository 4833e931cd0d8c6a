#include "workbench/namespaces_met.hpp"

#include <cctype>
#include <string_view>

#include "config/loader.hpp"

namespace clrbus::workbench {
namespace {

constexpr std::string_view kMetXslt = "http://www.w3.org/1999/XSL/Transform";
constexpr std::string_view kMetSchema = "http://www.w3.org/2001/XMLSchema";

bool met_name_char(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' ||
           static_cast<unsigned char>(c) >= 0x80;
}

// The prefixes of the element names that a pattern tests ("" for names without one). Attributes, variables, functions, axes,
// operators and literals are none.
void prefixes_tested(const std::string& text, std::set<std::string>& out) {
    bool operand = false;  // a name here is an operator: and, or, div, mod
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == '\'' || c == '"') {
            at = text.find(c, at + 1);
            if (at == std::string::npos) return;
            ++at;
            operand = true;
        } else if (c == '@' || c == '$') {
            ++at;
            while (at < text.size() && (met_name_char(text[at]) || text[at] == ':' || text[at] == '*')) ++at;
            operand = true;
        } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
            while (at < text.size() && (met_name_char(text[at]))) ++at;
            operand = true;
        } else if (met_name_char(c) && c != '-' && c != '.') {
            std::string name;
            while (at < text.size() && met_name_char(text[at])) name += text[at++];
            std::string prefix;
            bool wild = false;
            if (text.compare(at, 2, "::") == 0) {  // an axis
                at += 2;
                if (name == "attribute" || name == "namespace") {
                    while (at < text.size() && (met_name_char(text[at]) || text[at] == ':' || text[at] == '*')) ++at;
                    operand = true;
                }
                continue;
            }
            if (at < text.size() && text[at] == ':') {
                prefix = name;
                name.clear();
                ++at;
                wild = at < text.size() && text[at] == '*';
                if (wild) ++at;
                while (at < text.size() && met_name_char(text[at])) name += text[at++];
            }
            std::size_t behind = at;
            while (behind < text.size() && text[behind] == ' ') ++behind;
            const bool call = behind < text.size() && text[behind] == '(';
            const bool is_operator =
                operand && prefix.empty() && (name == "and" || name == "or" || name == "div" || name == "mod");
            if (!call && !is_operator) out.insert(prefix);
            operand = !is_operator && !call;
        } else {
            if (c == ')' || c == ']' || c == '.' || (c == '*' && !operand)) {
                operand = true;
            } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
                operand = false;
            }
            ++at;
        }
    }
}

void collect_read(const Config& element, std::set<std::string>& out) {
    if (element.namespace_uri() == kMetXslt) {
        for (const char* attribute : {"match", "select"}) {
            if (!element.has(attribute)) continue;
            // Of a select only what begins at the root or is a template's own way in is certain to be the input's.
            if (attribute == std::string_view("select") && element.get(attribute).rfind('/', 0) != 0) continue;
            std::set<std::string> prefixes;
            prefixes_tested(element.get(attribute), prefixes);
            for (const std::string& prefix : prefixes) {
                const auto uri = element.namespaces().find(prefix);
                if (prefix.empty()) {
                    out.insert("");
                } else if (uri != element.namespaces().end()) {
                    out.insert(uri->second);
                }
            }
        }
    }
    for (const Config& child : element.children()) collect_read(child, out);
}

bool local_elements(const Config& element) {
    if (element.name() == "element" && element.namespace_uri() == kMetSchema && element.has("name") &&
        element.get("form") != "qualified")
        return true;
    for (const Config& child : element.children())
        if (local_elements(child)) return true;
    return false;
}

}  // namespace

std::set<std::string> namespaces_read(const std::vector<std::filesystem::path>& stylesheets) {
    std::set<std::string> out;
    for (const auto& file : stylesheets) collect_read(ConfigLoader(nullptr).load(file), out);
    return out;
}

std::set<std::string> namespaces_declared(const std::vector<std::filesystem::path>& schemas) {
    std::set<std::string> out;
    for (const auto& file : schemas) {
        const Config schema = ConfigLoader(nullptr).load(file);
        out.insert(schema.get("targetNamespace"));
        if (schema.get("elementFormDefault") == "qualified") continue;
        for (const Config& top : schema.children()) {
            if (top.name() != "element") {
                if (local_elements(top)) out.insert("");
                continue;
            }
            for (const Config& inside : top.children())
                if (local_elements(inside)) out.insert("");
        }
    }
    return out;
}

}  // namespace clrbus::workbench
