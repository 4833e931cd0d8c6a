#include "xml/detail/stylesheet_check.hpp"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxslt/extensions.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "core/error.hpp"
#include "xml/detail/expression.hpp"
#include "xml/detail/functions.hpp"
#include "xml/detail/library.hpp"

namespace clrbus::xml_detail {

namespace {

constexpr std::string_view kCheckXslt = "http://www.w3.org/1999/XSL/Transform";
constexpr std::string_view kCheckCommon = "http://exslt.org/common";
constexpr std::string_view kCheckFunctions = "http://exslt.org/functions";
constexpr std::string_view kCheckDates = "http://exslt.org/dates-and-times";
constexpr std::string_view kCheckMath = "http://exslt.org/math";

std::string_view check_view(const xmlChar* text) {
    return text != nullptr ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}

std::string_view check_namespace(const xmlNode* node) {
    return node->ns != nullptr ? check_view(node->ns->href) : std::string_view();
}

std::string check_value(const xmlAttr* attribute) {
    std::string text;
    for (const xmlNode* part = attribute->children; part != nullptr; part = part->next) text += check_view(part->content);
    return text;
}

[[noreturn]] void check_refuse(const char* code, const std::filesystem::path& file, const xmlNode* node, std::string why) {
    throw Error(Fault::kConfig, code, "compiling stylesheet",
                place(file.string(), {}, static_cast<std::uint64_t>(std::max(0L, xmlGetLineNo(const_cast<xmlNode*>(node))))),
                std::move(why));
}

// Every element, in document order.
template <typename Take>
void check_walk(const xmlNode* top, const Take& take) {
    const xmlNode* node = top;
    while (node != nullptr) {
        if (node->type == XML_ELEMENT_NODE) take(node);
        if (node->type == XML_ELEMENT_NODE && node->children != nullptr) {
            node = node->children;
            continue;
        }
        while (node != nullptr && node != top && node->next == nullptr) node = node->parent;
        node = node == nullptr || node == top ? nullptr : node->next;
    }
}

using Tree = std::unique_ptr<xmlDoc, void (*)(xmlDoc*)>;

}  // namespace

void StylesheetCheck::check(const std::vector<std::filesystem::path>& files) {
    std::vector<Tree> trees;
    for (const std::filesystem::path& file : files) {
        const std::string bytes = read_file(file, "XSL-001");
        trees.emplace_back(xmlReadMemory(bytes.data(), static_cast<int>(bytes.size()), file.c_str(), nullptr,
                                         XML_PARSE_NONET | XML_PARSE_NOCDATA),
                           xmlFreeDoc);
        xmlDoc* tree = trees.back().get();
        if (tree == nullptr) check_refuse("XSL-002", file, nullptr, "not well-formed");
        if (tree->intSubset != nullptr)
            throw Error(Fault::kConfig, "XSL-002", "compiling stylesheet", place(file.string()), "a DOCTYPE is not allowed");
        check_walk(xmlDocGetRootElement(tree), [&](const xmlNode* node) {
            if (check_namespace(node) != kCheckFunctions || check_view(node->name) != "function") return;
            for (const xmlAttr* a = node->properties; a != nullptr; a = a->next) {
                if (check_view(a->name) != "name") continue;
                const std::string name = check_value(a);
                const std::size_t colon = name.find(':');
                const xmlNs* ns = colon == std::string::npos
                                      ? nullptr
                                      : xmlSearchNs(tree, const_cast<xmlNode*>(node),
                                                    reinterpret_cast<const xmlChar*>(name.substr(0, colon).c_str()));
                own_.insert("{" + std::string(ns != nullptr ? check_view(ns->href) : "") + "}" + name.substr(colon + 1));
            }
        });
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        check_walk(xmlDocGetRootElement(trees[i].get()), [&](const xmlNode* node) { element(node, files[i]); });
    }
}

void StylesheetCheck::element(const void* raw, const std::filesystem::path& file) {
    const auto* node = static_cast<const xmlNode*>(raw);
    const std::string_view ns = check_namespace(node);
    const std::string_view name = check_view(node->name);
    if ((ns == kCheckXslt || ns == kCheckCommon || ns == "http://icl.com/saxon" ||
         ns == "org.apache.xalan.xslt.extensions.Redirect") &&
        (name == "document" || name == "output-document" || (name == "output" && ns != kCheckXslt) || name == "write")) {
        check_refuse("XSL-004", file, node, "a transform writes no files: '" + std::string(name) + "' is not allowed");
    }
    constexpr std::array<std::string_view, 35> kInstructions = {"apply-imports",
                                                                "apply-templates",
                                                                "attribute",
                                                                "attribute-set",
                                                                "call-template",
                                                                "choose",
                                                                "comment",
                                                                "copy",
                                                                "copy-of",
                                                                "decimal-format",
                                                                "element",
                                                                "fallback",
                                                                "for-each",
                                                                "if",
                                                                "import",
                                                                "include",
                                                                "key",
                                                                "message",
                                                                "namespace-alias",
                                                                "number",
                                                                "otherwise",
                                                                "output",
                                                                "param",
                                                                "preserve-space",
                                                                "processing-instruction",
                                                                "sort",
                                                                "strip-space",
                                                                "stylesheet",
                                                                "template",
                                                                "text",
                                                                "transform",
                                                                "value-of",
                                                                "variable",
                                                                "when",
                                                                "with-param"};
    if (ns == kCheckXslt && std::find(kInstructions.begin(), kInstructions.end(), name) == kInstructions.end()) {
        check_refuse("XSL-002", file, node, "XSLT 1.0 has no instruction xsl:" + std::string(name));
    }
    constexpr std::array<std::string_view, 7> kExpressions = {"select", "test", "match", "use", "count", "from", "value"};
    const bool instruction = ns == kCheckXslt || ns == kCheckFunctions;
    for (const xmlAttr* a = node->properties; a != nullptr; a = a->next) {
        const bool is_expression =
            instruction && a->ns == nullptr &&
            std::find(kExpressions.begin(), kExpressions.end(), check_view(a->name)) != kExpressions.end();
        if (is_expression) {
            expression(node, file, check_value(a));
        } else {
            value_template(node, file, check_value(a));
        }
    }
}

void StylesheetCheck::value_template(const void* node, const std::filesystem::path& file, const std::string& text) {
    for (std::size_t at = text.find('{'); at != std::string::npos; at = text.find('{', at)) {
        if (at + 1 < text.size() && text[at + 1] == '{') {
            at += 2;
            continue;
        }
        std::size_t end = at + 1;
        char quote = 0;
        for (; end < text.size() && (quote != 0 || text[end] != '}'); ++end) {
            if (quote != 0) {
                if (text[end] == quote) quote = 0;
            } else if (text[end] == '"' || text[end] == '\'') {
                quote = text[end];
            }
        }
        expression(node, file, text.substr(at + 1, end - at - 1));
        at = std::min(end, text.size());
    }
}

void StylesheetCheck::expression(const void* raw, const std::filesystem::path& file, const std::string& text) {
    auto* node = static_cast<xmlNode*>(const_cast<void*>(raw));
    for (const FoundCall& call : find_calls(text)) {
        const std::string shown = (call.prefix.empty() ? "" : call.prefix + ":") + call.name + "()";
        if (call.prefix.empty()) {
            if (call.name == "document")
                check_refuse("XSL-004", file, node, "document() is not allowed: a transform reads no files");
            if (call.name == "generate-id")
                check_refuse("XSL-004", file, node, "generate-id() is not allowed: its values differ from run to run");
            if (!is_core_function(call.name)) check_refuse("XSL-003", file, node, "there is no function " + shown);
            continue;
        }
        const xmlNs* ns = xmlSearchNs(node->doc, node, reinterpret_cast<const xmlChar*>(call.prefix.c_str()));
        if (ns == nullptr) check_refuse("XSL-003", file, node, "the prefix of " + shown + " is not declared");
        const std::string_view uri = check_view(ns->href);
        if (uri == kFunctionsNamespace) {
            const FunctionInfo* info = find_function(call.name);
            if (info == nullptr)
                check_refuse("XSL-003", file, node, "there is no function " + shown + " (there are: " + function_names() + ")");
            if (static_cast<int>(call.arguments) < info->least || static_cast<int>(call.arguments) > info->most) {
                check_refuse("XSL-005", file, node, shown + " is called with a wrong number of arguments");
            }
            const bool code = call.name == "code" || call.name == "code-known" || call.name == "need-code";
            if (code && !call.first_literal.empty() && (codes_ == nullptr || !codes_->has(call.first_literal))) {
                check_refuse("XSL-006", file, node, "there is no code list '" + call.first_literal + "'");
            }
            continue;
        }
        if (own_.contains("{" + std::string(uri) + "}" + call.name)) continue;
        if (uri == kCheckMath && call.name == "random")
            check_refuse("XSL-004", file, node, shown + " is not allowed: a transform is pure");
        if (uri == kCheckDates && call.arguments == 0) {
            check_refuse("XSL-004", file, node, shown + " without an argument is not allowed: it reads the clock");
        }
        if (xsltExtModuleFunctionLookup(reinterpret_cast<const xmlChar*>(call.name.c_str()), ns->href) == nullptr) {
            check_refuse("XSL-003", file, node, "there is no function " + shown + " in namespace '" + std::string(uri) + "'");
        }
    }
}

}  // namespace clrbus::xml_detail
