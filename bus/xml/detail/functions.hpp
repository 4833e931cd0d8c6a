// For bus/xml alone: the functions of urn:clrbus:functions:1 for XPath and XSLT. Any thread; a FunctionCall belongs to one
// evaluation.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "xml/code_lists.hpp"

struct _xmlDoc;
struct _xmlNode;
struct _xmlXPathContext;

namespace clrbus::xml_detail {

inline constexpr std::string_view kFunctionsNamespace = "urn:clrbus:functions:1";

// What the functions of one evaluation know and leave behind; hangs on the context's userData.
struct FunctionCall {
    const CodeLists* codes = nullptr;
    const _xmlDoc* source = nullptr;  // places are given for nodes of this document
    std::exception_ptr error;         // the first one; the evaluation has stopped
    std::vector<_xmlDoc*> made;       // trees that results point into
    FunctionCall() = default;
    ~FunctionCall();
    FunctionCall(const FunctionCall&) = delete;
    FunctionCall& operator=(const FunctionCall&) = delete;
};

struct FunctionInfo {
    std::string_view name;
    int least, most;  // arguments
};
const FunctionInfo* find_function(std::string_view name);
std::string function_names();  // for errors: "code, code-known, …"

void register_xslt_functions();                                     // once a process
void use_functions(_xmlXPathContext* context, FunctionCall& call);  // for XPath outside of XSLT

}  // namespace clrbus::xml_detail
