// A compiled XPath 1.0 expression with namespaces, variables (headers and properties of a message as $name) and the f:
// functions. Compiled once; evaluated on any worker (evaluation makes its own context).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "xml/code_lists.hpp"
#include "xml/document.hpp"

namespace clrbus {

class XPath {
public:
    using Namespaces = std::map<std::string, std::string>;  // prefix -> URI
    using Variables = std::map<std::string, std::string>;

    // Throws Error(kConfig, "XPATH-001") with the position in the expression; "XPATH-002" for a variable $property-… that the
    // constants do not have. constants: variables that are the same for every message.
    static std::shared_ptr<const XPath> compile(std::string_view expression, const Namespaces& namespaces = {},
                                                std::shared_ptr<const CodeLists> code_lists = nullptr,
                                                std::shared_ptr<const Variables> constants = nullptr);
    ~XPath();

    // context: the root of the document when null. Throws Error(kPoison, "XPATH-1xx"): unknown variable, more than 1 M
    // operations.
    bool test(const Document& document, const Variables& variables = {}, Node context = {}) const;
    std::string string(const Document& document, const Variables& variables = {}, Node context = {}) const;
    double number(const Document& document, const Variables& variables = {}, Node context = {}) const;
    // A node-set: the text of each node, in document order; any other value: its text.
    std::vector<std::string> strings(const Document& document, const Variables& variables = {}, Node context = {}) const;
    std::vector<Node> nodes(const Document& document, const Variables& variables = {}, Node context = {}) const;

    const std::string& expression() const;
    bool uses_variables() const;  // false: none need be given

private:
    XPath();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus
