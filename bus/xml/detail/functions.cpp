#include "xml/detail/functions.hpp"

#include <libxml/tree.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <libxslt/extensions.h>
#include <libxslt/variables.h>
#include <libxslt/xsltInternals.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <memory>
#include <new>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "crypto/hash.hpp"
#include "xml/detail/library.hpp"
#include "xml/detail/tree.hpp"
#include "xml/functions/dates.hpp"
#include "xml/functions/words.hpp"

namespace clrbus::xml_detail {

namespace {

namespace fn = xml_functions;

constexpr std::size_t kMostSplitParts = 100'000;

class Arguments;
using FunctionRun = void (*)(Arguments&);

struct FunctionEntry {
    FunctionInfo info;
    FunctionRun run;
};

// The arguments of one call, and the way to give the result back.
class Arguments {
public:
    Arguments(xmlXPathParserContext* context, FunctionCall& call, int count)
        : context_(context), call_(call), values_(static_cast<std::size_t>(count)) {}
    ~Arguments() {
        if (nodes_ != nullptr) xmlXPathFreeNodeSet(nodes_);
    }
    Arguments(const Arguments&) = delete;
    Arguments& operator=(const Arguments&) = delete;

    // nodes_first: the first argument is wanted as a node-set.
    void pop(bool nodes_first) {
        for (std::size_t i = values_.size(); i-- > 0;) {
            if (i == 0 && nodes_first) {
                if (context_->value == nullptr || context_->value->type != XPATH_NODESET) {
                    throw Error(Fault::kPoison, "FUN-041", "f:join", "the first argument is not a node-set");
                }
                nodes_ = xmlXPathPopNodeSet(context_);
                return;
            }
            const std::unique_ptr<xmlChar, void (*)(void*)> value(xmlXPathPopString(context_), [](void* p) { xmlFree(p); });
            if (value) values_[i] = reinterpret_cast<const char*>(value.get());
        }
    }

    std::size_t count() const { return values_.size(); }
    const std::string& operator[](std::size_t i) const { return values_[i]; }
    xmlNodeSet* nodes() const { return nodes_; }

    const CodeLists* lists() const { return call_.codes; }  // null: there are none
    const CodeLists& codes(const char* function) const {
        if (call_.codes == nullptr || !call_.codes->has(values_[0])) {
            throw Error(Fault::kPoison, "FUN-030", function, "there is no code list '" + values_[0].substr(0, 60) + "'");
        }
        return *call_.codes;
    }

    // An empty view may have no data, and a null string equals nothing, not even ''.
    void give(std::string_view text) {
        const char* data = text.empty() ? "" : text.data();
        valuePush(context_,
                  xmlXPathWrapString(xmlStrndup(reinterpret_cast<const xmlChar*>(data), static_cast<int>(text.size()))));
    }
    void give(bool value) { valuePush(context_, xmlXPathNewBoolean(value ? 1 : 0)); }

    // A node-set of <t> elements.
    void give(const std::vector<std::string_view>& parts) {
        xsltTransformContextPtr transform = xsltXPathGetTransformContext(context_);
        xmlDoc* document = nullptr;
        if (transform != nullptr) {
            document = xsltCreateRVT(transform);
            if (document != nullptr) xsltRegisterLocalRVT(transform, document);
        } else if ((document = xmlNewDoc(reinterpret_cast<const xmlChar*>("1.0"))) != nullptr) {
            call_.made.push_back(document);
        }
        xmlXPathObject* result = xmlXPathNewNodeSet(nullptr);
        if (document == nullptr || result == nullptr) throw std::bad_alloc();
        for (const std::string_view part : parts) {
            xmlNode* node = xmlNewDocRawNode(document, nullptr, reinterpret_cast<const xmlChar*>("t"), nullptr);
            xmlAddChild(
                node, xmlNewDocTextLen(document, reinterpret_cast<const xmlChar*>(part.data()), static_cast<int>(part.size())));
            xmlAddChild(reinterpret_cast<xmlNode*>(document), node);
            xmlXPathNodeSetAddUnique(result->nodesetval, node);
        }
        valuePush(context_, result);
    }

private:
    xmlXPathParserContext* context_;
    FunctionCall& call_;
    std::vector<std::string> values_;
    xmlNodeSet* nodes_ = nullptr;
};

// f:code(list, key [, column [, default]]): '' or the default for a key that is not there.
void functions_code(Arguments& a) {
    const CodeLists& codes = a.codes("f:code");
    const std::string_view column = a.count() > 2 ? std::string_view(a[2]) : std::string_view();
    if (!column.empty() && !codes.has_column(a[0], column))
        throw Error(Fault::kPoison, "FUN-031", "f:code", "the list '" + a[0] + "' has no such column");
    const auto found = codes.find(a[0], a[1], column);
    a.give(found ? std::string_view(*found) : a.count() > 3 ? std::string_view(a[3]) : std::string_view());
}

// f:need-code(list, key [, column]): the key is there, or the message is none that can work. The key is not named: it is a
// value.
void functions_need_code(Arguments& a) {
    const CodeLists& codes = a.codes("f:need-code");
    const std::string_view column = a.count() > 2 ? std::string_view(a[2]) : std::string_view();
    if (!column.empty() && !codes.has_column(a[0], column))
        throw Error(Fault::kPoison, "FUN-031", "f:need-code", "the list '" + a[0] + "' has no such column");
    const auto found = codes.find(a[0], a[1], column);
    if (!found)
        throw Error(Fault::kPoison, "FUN-032", "f:need-code", "the key is not in the code list '" + a[0] + "'")
            .expected("a line for it in conf/codes/" + a[0] + ".csv");
    a.give(*found);
}

// HMAC-SHA-256 as hexadecimal text, with the secret of that name.
void functions_hmac(Arguments& a) {
    if (a.lists() == nullptr) throw Error(Fault::kConfig, "FUN-050", "f:hmac", "there are no secrets here");
    const std::string mac = crypto::hmac_sha256(a.lists()->secret(a[1]), a[0]);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string hex;
    for (const char c : mac) {
        hex += kDigits[static_cast<unsigned char>(c) >> 4U];
        hex += kDigits[static_cast<unsigned char>(c) & 15U];
    }
    a.give(hex);
}

void functions_group(Arguments& a) {
    if (a[2].empty() || a[2].size() > 2 || a[2].find_first_not_of("0123456789") != std::string::npos) {
        throw Error(Fault::kPoison, "FUN-040", "f:group", "the number of the group is not a number from 0 to 99");
    }
    a.give(fn::group(a[0], a[1], static_cast<std::size_t>(std::stoul(a[2]))));
}

void functions_join(Arguments& a) {
    std::string text;
    xmlNodeSet* nodes = a.nodes();
    if (nodes != nullptr) xmlXPathNodeSetSort(nodes);
    for (int i = 0; nodes != nullptr && i < nodes->nodeNr; ++i) {
        if (i != 0) text += a[1];
        const std::unique_ptr<xmlChar, void (*)(void*)> value(xmlXPathCastNodeToString(nodes->nodeTab[i]),
                                                              [](void* p) { xmlFree(p); });
        if (value) text += reinterpret_cast<const char*>(value.get());
    }
    a.give(text);
}

void functions_split(Arguments& a) {
    std::vector<std::string_view> parts;
    std::string_view text = a[0];
    if (!text.empty() && a[1].empty()) {
        parts.push_back(text);
    } else if (!text.empty()) {
        for (std::size_t at = 0;;) {
            const std::size_t end = text.find(a[1], at);
            parts.push_back(text.substr(at, end == std::string_view::npos ? end : end - at));
            if (end == std::string_view::npos) break;
            if (parts.size() >= kMostSplitParts) throw Error(Fault::kPoison, "FUN-020", "f:split", "more than 100000 parts");
            at = end + a[1].size();
        }
    }
    a.give(parts);
}

void functions_uuid5(Arguments& a) {
    const std::string& ns = a[0];
    bool good = ns.size() == 36;
    for (std::size_t i = 0; good && i < ns.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        good = dash ? ns[i] == '-' : std::isxdigit(static_cast<unsigned char>(ns[i])) != 0;
    }
    if (!good) throw Error(Fault::kPoison, "FUN-042", "f:uuid5", "the namespace is not a UUID");
    a.give(name_uuid(ns, a[1]));
}

constexpr std::array<FunctionEntry, 23> kFunctions = {{
    {{"code", 2, 4}, functions_code},
    {{"code-known", 2, 2}, [](Arguments& a) { a.give(a.codes("f:code-known").find(a[0], a[1]).has_value()); }},
    {{"date-time", 2, 2}, [](Arguments& a) { a.give(fn::date_time(a[0], a[1])); }},
    {{"default", 2, 2}, [](Arguments& a) { a.give(a[0].empty() ? a[1] : a[0]); }},
    {{"format-date", 2, 2}, [](Arguments& a) { a.give(fn::format_date(a[0], a[1])); }},
    {{"group", 3, 3}, functions_group},
    {{"hmac", 2, 2}, functions_hmac},
    {{"in-zone", 2, 2}, [](Arguments& a) { a.give(fn::in_zone(a[0], a[1])); }},
    {{"is-date", 1, 1}, [](Arguments& a) { a.give(fn::is_date(a[0])); }},
    {{"join", 2, 2}, functions_join},
    {{"lower", 1, 1}, [](Arguments& a) { a.give(fn::lower(a[0])); }},
    {{"matches", 2, 2}, [](Arguments& a) { a.give(fn::matches(a[0], a[1])); }},
    {{"need-code", 2, 3}, functions_need_code},
    {{"number", 1, 1}, [](Arguments& a) { a.give(fn::number(a[0])); }},
    {{"parse-date", 2, 2}, [](Arguments& a) { a.give(fn::parse_date(a[0], a[1])); }},
    {{"replace", 3, 3}, [](Arguments& a) { a.give(fn::replace(a[0], a[1], a[2])); }},
    {{"sha256", 1, 1}, [](Arguments& a) { a.give(crypto::sha256_hex(a[0])); }},
    {{"slug", 1, 1}, [](Arguments& a) { a.give(fn::slug(a[0])); }},
    {{"split", 2, 2}, functions_split},
    {{"trim", 1, 1}, [](Arguments& a) { a.give(fn::trimmed(a[0])); }},
    {{"upper", 1, 1}, [](Arguments& a) { a.give(fn::upper(a[0])); }},
    {{"utc", 1, 1}, [](Arguments& a) { a.give(fn::utc(a[0])); }},
    {{"uuid5", 2, 2}, functions_uuid5},
}};

const FunctionEntry* functions_find(std::string_view name) {
    for (const FunctionEntry& entry : kFunctions) {
        if (entry.info.name == name) return &entry;
    }
    return nullptr;
}

// The one function that libxml2 calls: the name stands in the context. C++ exceptions end here.
void functions_call(xmlXPathParserContext* context, int count) {
    auto* call = static_cast<FunctionCall*>(context->context->userData);
    if (call == nullptr) {
        context->error = XPATH_EXPR_ERROR;
        return;
    }
    try {
        const char* name = reinterpret_cast<const char*>(context->context->function);
        const FunctionEntry* entry = name != nullptr ? functions_find(name) : nullptr;
        if (entry == nullptr || count < entry->info.least || count > entry->info.most) {
            throw Error(Fault::kPoison, "FUN-040", "f:" + std::string(name != nullptr ? name : "?"),
                        "no such function, or a wrong number of arguments");
        }
        Arguments arguments(context, *call, count);
        arguments.pop(entry->run == functions_join);
        entry->run(arguments);
        return;
    } catch (Error& e) {
        const xmlNode* node = context->context->node;
        if (!e.where().known() && node != nullptr && node->doc == call->source && node->type != XML_NAMESPACE_DECL) {
            e.where() = place({}, path_of(node), line_of(node));
        }
        if (!call->error) call->error = std::make_exception_ptr(e);
    } catch (...) {
        if (!call->error) call->error = std::current_exception();
    }
    context->error = XPATH_EXPR_ERROR;
    if (xsltTransformContextPtr transform = xsltXPathGetTransformContext(context)) transform->state = XSLT_STATE_STOPPED;
}

xmlXPathFunction functions_lookup(void*, const xmlChar* name, const xmlChar* uri) {
    if (uri == nullptr || name == nullptr || reinterpret_cast<const char*>(uri) != kFunctionsNamespace) return nullptr;
    return functions_find(reinterpret_cast<const char*>(name)) != nullptr ? functions_call : nullptr;
}

}  // namespace

FunctionCall::~FunctionCall() {
    for (xmlDoc* document : made) xmlFreeDoc(document);
}

const FunctionInfo* find_function(std::string_view name) {
    const FunctionEntry* entry = functions_find(name);
    return entry != nullptr ? &entry->info : nullptr;
}

std::string function_names() {
    std::string names;
    for (const FunctionEntry& entry : kFunctions) names.append(names.empty() ? "" : ", ").append(entry.info.name);
    return names;
}

void register_xslt_functions() {
    for (const FunctionEntry& entry : kFunctions) {
        xsltRegisterExtModuleFunction(reinterpret_cast<const xmlChar*>(std::string(entry.info.name).c_str()),
                                      reinterpret_cast<const xmlChar*>(kFunctionsNamespace.data()), functions_call);
    }
}

void use_functions(xmlXPathContext* context, FunctionCall& call) {
    context->userData = &call;
    xmlXPathRegisterFuncLookup(context, functions_lookup, nullptr);
}

}  // namespace clrbus::xml_detail
