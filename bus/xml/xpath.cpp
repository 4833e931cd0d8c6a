#include "xml/xpath.hpp"

#include <libxml/tree.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

#include <cstring>
#include <new>

#include "core/error.hpp"
#include "xml/detail/expression.hpp"
#include "xml/detail/functions.hpp"
#include "xml/detail/library.hpp"
#include "xml/detail/tree.hpp"

namespace clrbus {

namespace {

constexpr unsigned long kXPathOperations = 1'000'000;

const xmlChar* xpath_text(const std::string& text) {
    return reinterpret_cast<const xmlChar*>(text.c_str());
}

// Making a context registers thirty functions: a thread keeps one.
xmlXPathContext& xpath_context() {
    struct Free {
        void operator()(xmlXPathContext* context) const { xmlXPathFreeContext(context); }
    };
    thread_local const std::unique_ptr<xmlXPathContext, Free> context(xmlXPathNewContext(nullptr));
    if (!context) throw std::bad_alloc();
    return *context;
}

struct XPathVariables {
    const XPath::Variables* given;
    const XPath::Variables* constants;  // null: none
    std::string unknown;
};

xmlXPathObject* xpath_variable(void* data, const xmlChar* name, const xmlChar* uri) {
    auto& variables = *static_cast<XPathVariables*>(data);
    const char* text = reinterpret_cast<const char*>(name);
    for (const XPath::Variables* one : {variables.constants, variables.given}) {
        if (uri != nullptr || one == nullptr) continue;
        if (const auto found = one->find(text); found != one->end()) return xmlXPathNewString(xpath_text(found->second));
    }
    variables.unknown = text;
    return nullptr;
}

std::string_view xpath_reason(int code) {
    switch (code) {
        case XPATH_UNDEF_PREFIX_ERROR:
            return "a namespace prefix that is not declared";
        case XPATH_UNKNOWN_FUNC_ERROR:
            return "a function that does not exist";
        case XPATH_INVALID_TYPE:
            return "a value of the wrong type";
        case XPATH_INVALID_ARITY:
            return "a wrong number of arguments";
        case XPATH_OP_LIMIT_EXCEEDED:
            return "more than a million operations";
        case XPATH_UNDEF_VARIABLE_ERROR:
            return "a variable that does not exist";
        default:
            return "not an XPath 1.0 expression";
    }
}

// $property-… stands for what the configuration says: a name that it does not have is found when the expression compiles.
void xpath_check_properties(const std::string& text, const XPath::Variables* constants) {
    constexpr std::string_view kStart = "$property-", kNameCharacters = "-._0123456789";
    char quote = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (quote != 0 || text[at] == '\'' || text[at] == '"') {
            if (quote == 0) {
                quote = text[at];
            } else if (text[at] == quote) {
                quote = 0;
            }
            continue;
        }
        if (text.compare(at, kStart.size(), kStart) != 0) continue;
        std::size_t end = at + kStart.size();
        while (end < text.size() && (((text[end] | 0x20) >= 'a' && (text[end] | 0x20) <= 'z') ||
                                     kNameCharacters.find(text[end]) != std::string_view::npos))
            ++end;
        const std::string name = text.substr(at + 1, end - at - 1);
        if (constants == nullptr || constants->count(name) == 0) {
            throw Error(Fault::kConfig, "XPATH-002", "compiling the expression '" + text + "'",
                        xml_detail::place({}, {}, 1, at + 1), "there is no property for $" + name)
                .expected("<property name=\"" + name.substr(kStart.size() - 1) + "\" value=\"…\"/> in the configuration");
        }
        at = end - 1;
    }
}

}  // namespace

struct XPath::Impl {
    std::string text;
    std::shared_ptr<const CodeLists> codes;      // shared by the route's expressions and stylesheets
    std::shared_ptr<const Variables> constants;  // shared by all expressions; may be null
    xmlXPathCompExpr* compiled = nullptr;        // read by all threads
    std::vector<std::pair<std::string, std::string>> names;
    std::vector<xmlNs> namespaces;  // point into names
    std::vector<xmlNs*> namespace_list;

    ~Impl() {
        if (compiled != nullptr) xmlXPathFreeCompExpr(compiled);
    }

    template <typename Take>
    auto evaluate(const Document& document, const Variables& variables, Node at, const Take& take) const;
};

XPath::XPath() : impl_(std::make_unique<Impl>()) {}
XPath::~XPath() = default;

const std::string& XPath::expression() const {
    return impl_->text;
}
bool XPath::uses_variables() const {
    return impl_->text.find('$') != std::string::npos;
}

std::shared_ptr<const XPath> XPath::compile(std::string_view expression, const Namespaces& namespaces,
                                            std::shared_ptr<const CodeLists> code_lists,
                                            std::shared_ptr<const Variables> constants) {
    xml_detail::init_libraries();
    const std::shared_ptr<XPath> xpath(new XPath());
    Impl& impl = *xpath->impl_;
    impl.text = expression;
    impl.codes = std::move(code_lists);
    impl.constants = std::move(constants);
    impl.names.assign(namespaces.begin(), namespaces.end());
    impl.namespaces.resize(impl.names.size());
    for (std::size_t i = 0; i < impl.names.size(); ++i) {
        xmlNs& ns = impl.namespaces[i];
        std::memset(&ns, 0, sizeof ns);
        ns.type = XML_LOCAL_NAMESPACE;
        ns.prefix = xpath_text(impl.names[i].first);
        ns.href = xpath_text(impl.names[i].second);
        impl.namespace_list.push_back(&ns);
    }
    const auto refuse = [&](std::size_t position, const std::string& why) {
        throw Error(Fault::kConfig, "XPATH-001", "compiling the expression '" + impl.text + "'",
                    xml_detail::place({}, {}, 1, position + 1), why);
    };
    if (expression.empty()) refuse(0, "the expression is empty");
    if (expression.find('\0') != std::string_view::npos) refuse(expression.find('\0'), "a zero byte");
    xpath_check_properties(impl.text, impl.constants.get());
    xml_detail::Complaints complaints(1);
    {
        const std::unique_ptr<xmlXPathContext, void (*)(xmlXPathContext*)> context(xmlXPathNewContext(nullptr),
                                                                                   xmlXPathFreeContext);
        if (!context) throw std::bad_alloc();
        context->namespaces = impl.namespace_list.empty() ? nullptr : impl.namespace_list.data();
        context->nsNr = static_cast<int>(impl.namespace_list.size());
        impl.compiled = xmlXPathCtxtCompile(context.get(), xpath_text(impl.text));
        context->namespaces = nullptr;
        context->nsNr = 0;
    }
    if (impl.compiled == nullptr) {
        refuse(complaints.empty() ? 0 : static_cast<std::size_t>(complaints.list().front().position),
               std::string(xpath_reason(complaints.empty() ? 0 : complaints.list().front().code - XML_XPATH_EXPRESSION_OK)));
    }
    for (const xml_detail::FoundCall& call : xml_detail::find_calls(impl.text)) {
        if (call.prefix.empty()) {
            const bool xslt = call.name == "document" || call.name == "key" || call.name == "format-number" ||
                              call.name == "current" || call.name == "generate-id" || call.name == "system-property" ||
                              call.name == "unparsed-entity-uri" || call.name == "element-available" ||
                              call.name == "function-available";
            if (xslt || !xml_detail::is_core_function(call.name))
                refuse(call.position, "there is no function '" + call.name + "'");
            continue;
        }
        const auto uri = namespaces.find(call.prefix);
        if (uri == namespaces.end()) refuse(call.position, "the prefix '" + call.prefix + "' is not declared");
        const xml_detail::FunctionInfo* info =
            uri->second == xml_detail::kFunctionsNamespace ? xml_detail::find_function(call.name) : nullptr;
        if (info == nullptr)
            refuse(call.position, "there is no function '" + call.prefix + ":" + call.name +
                                      "' (there are: " + xml_detail::function_names() + ")");
        if (static_cast<int>(call.arguments) < info->least || static_cast<int>(call.arguments) > info->most) {
            refuse(call.position, "'" + call.prefix + ":" + call.name + "' is called with a wrong number of arguments");
        }
    }
    return xpath;
}

template <typename Take>
auto XPath::Impl::evaluate(const Document& document, const Variables& variables, Node at, const Take& take) const {
    auto* tree = static_cast<xmlDoc*>(document.raw());
    if (tree == nullptr) {
        throw Error(Fault::kPoison, "XPATH-104", "evaluating '" + text + "'", "the document is empty");
    }
    if (!at) at = document.root();
    xmlXPathContext& context = xpath_context();
    xml_detail::FunctionCall call;
    call.codes = codes.get();
    call.source = tree;
    XPathVariables lookup{&variables, constants.get(), {}};
    xml_detail::Complaints complaints(1);
    context.doc = tree;
    context.node = at ? static_cast<xmlNode*>(at.raw()) : reinterpret_cast<xmlNode*>(tree);
    context.namespaces = namespace_list.empty() ? nullptr : const_cast<xmlNs**>(namespace_list.data());
    context.nsNr = static_cast<int>(namespace_list.size());
    context.opLimit = kXPathOperations;
    context.opCount = 0;
    context.contextSize = context.proximityPosition = 1;
    context.varLookupFunc = xpath_variable;
    context.varLookupData = &lookup;
    xml_detail::use_functions(&context, call);
    const std::unique_ptr<xmlXPathObject, void (*)(xmlXPathObject*)> result(xmlXPathCompiledEval(compiled, &context),
                                                                            xmlXPathFreeObject);
    context.doc = nullptr;
    context.node = nullptr;
    context.namespaces = nullptr;
    context.nsNr = 0;
    context.varLookupData = nullptr;
    context.userData = nullptr;
    if (call.error) std::rethrow_exception(call.error);
    if (!result) {
        const Where where = xml_detail::place({}, at.path(), at.line());
        if (!lookup.unknown.empty()) {
            throw Error(Fault::kPoison, "XPATH-101", "evaluating '" + text + "'", where,
                        "there is no variable '" + lookup.unknown + "'");
        }
        const int code = complaints.empty() ? 0 : complaints.list().front().code - XML_XPATH_EXPRESSION_OK;
        throw Error(Fault::kPoison, code == XPATH_OP_LIMIT_EXCEEDED ? "XPATH-103" : "XPATH-102", "evaluating '" + text + "'",
                    where, std::string(xpath_reason(code)));
    }
    return take(*result, tree);
}

bool XPath::test(const Document& document, const Variables& variables, Node context) const {
    return impl_->evaluate(document, variables, context,
                           [](xmlXPathObject& result, xmlDoc*) { return xmlXPathCastToBoolean(&result) != 0; });
}

std::string XPath::string(const Document& document, const Variables& variables, Node context) const {
    return impl_->evaluate(document, variables, context, [](xmlXPathObject& result, xmlDoc*) {
        const std::unique_ptr<xmlChar, void (*)(void*)> text(xmlXPathCastToString(&result), [](void* p) { xmlFree(p); });
        return text ? std::string(reinterpret_cast<const char*>(text.get())) : std::string();
    });
}

double XPath::number(const Document& document, const Variables& variables, Node context) const {
    return impl_->evaluate(document, variables, context,
                           [](xmlXPathObject& result, xmlDoc*) { return xmlXPathCastToNumber(&result); });
}

std::vector<std::string> XPath::strings(const Document& document, const Variables& variables, Node context) const {
    return impl_->evaluate(document, variables, context, [](xmlXPathObject& result, xmlDoc*) {
        const auto take = [](xmlChar* made) {
            const std::unique_ptr<xmlChar, void (*)(void*)> text(made, [](void* p) { xmlFree(p); });
            return text ? std::string(reinterpret_cast<const char*>(text.get())) : std::string();
        };
        std::vector<std::string> out;
        if (result.type != XPATH_NODESET) {
            out.push_back(take(xmlXPathCastToString(&result)));
        } else if (result.nodesetval != nullptr) {
            xmlXPathNodeSetSort(result.nodesetval);
            for (int i = 0; i < result.nodesetval->nodeNr; ++i)
                out.push_back(take(xmlXPathCastNodeToString(result.nodesetval->nodeTab[i])));
        }
        return out;
    });
}

std::vector<Node> XPath::nodes(const Document& document, const Variables& variables, Node context) const {
    return impl_->evaluate(document, variables, context, [this](xmlXPathObject& result, xmlDoc* tree) {
        if (result.type != XPATH_NODESET) {
            throw Error(Fault::kPoison, "XPATH-102", "evaluating '" + impl_->text + "'", "the result is not a set of nodes");
        }
        std::vector<Node> nodes;
        if (result.nodesetval == nullptr) return nodes;
        xmlXPathNodeSetSort(result.nodesetval);
        for (int i = 0; i < result.nodesetval->nodeNr; ++i) {
            xmlNode* node = result.nodesetval->nodeTab[i];
            // Nodes that a function made, and namespace nodes, do not outlive the evaluation.
            if (node->type == XML_NAMESPACE_DECL || node->doc != tree || node->type == XML_DOCUMENT_NODE) continue;
            nodes.emplace_back(static_cast<void*>(node));
        }
        return nodes;
    });
}

}  // namespace clrbus
