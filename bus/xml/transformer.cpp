#include "xml/transformer.hpp"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <libxslt/imports.h>
#include <libxslt/security.h>
#include <libxslt/transform.h>
#include <libxslt/variables.h>
#include <libxslt/xsltInternals.h>
#include <libxslt/xsltutils.h>

#include <algorithm>
#include <cctype>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "core/error.hpp"
#include "xml/detail/functions.hpp"
#include "xml/detail/library.hpp"
#include "xml/detail/stylesheet_check.hpp"
#include "xml/detail/tree.hpp"

namespace clrbus {

namespace {

constexpr std::size_t kMostMessages = 1000;
constexpr std::size_t kLongestMessage = 2000;

std::string transformer_view(const xmlChar* text) {
    return text != nullptr ? std::string(reinterpret_cast<const char*>(text)) : std::string();
}

std::string transformer_file(const xmlNode* node) {
    return node != nullptr && node->doc != nullptr ? transformer_view(node->doc->URL) : std::string();
}

// One transform: what it said and where it stopped.
struct TransformRun : xml_detail::FunctionCall {
    xsltTransformContextPtr context = nullptr;
    std::vector<TransformMessage> messages;
    bool in_error = false;  // the next text belongs to an engine error
    bool failed = false;
    int xpath_code = 0;
    std::string engine_text;
    std::string sheet, within;  // file:line and template of the instruction that failed
    Where where;                // in the document

    void note_place() {
        if (failed) return;
        failed = true;
        const xmlNode* instruction = context->inst;
        if (instruction != nullptr) {
            std::string file = transformer_file(instruction);
            if (const std::size_t slash = file.rfind('/'); slash != std::string::npos) file.erase(0, slash + 1);
            sheet = file + ":" + std::to_string(xmlGetLineNo(const_cast<xmlNode*>(instruction)));
        }
        if (const xsltTemplate* rule = context->templ) {
            within = rule->match != nullptr ? "match='" + transformer_view(rule->match) + "'"
                                            : "name='" + transformer_view(rule->name) + "'";
        }
        const xmlNode* node = context->node;
        if (node != nullptr && node->type != XML_NAMESPACE_DECL && node->doc == source) {
            where = xml_detail::place({}, xml_detail::path_of(node), xml_detail::line_of(node));
        }
    }
};

// CODE|severity|path|text
TransformMessage transformer_message(std::string text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    text.erase(0, std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    TransformMessage message;
    const std::size_t first = text.find('|');
    const std::size_t second = first == std::string::npos ? first : text.find('|', first + 1);
    const std::size_t third = second == std::string::npos ? second : text.find('|', second + 1);
    const bool code = first != std::string::npos && first > 0 && first <= 40 &&
                      text.substr(0, first).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == std::string::npos;
    if (code && third != std::string::npos) {
        message.code = text.substr(0, first);
        message.severity = text.substr(first + 1, second - first - 1);
        message.path = text.substr(second + 1, third - second - 1);
        message.text = text.substr(third + 1, kLongestMessage);
    } else {
        message.code = "XSL-110";
        message.severity = "info";
        message.text = text.substr(0, kLongestMessage);
    }
    return message;
}

// libxslt's way to speak: xsl:message is the format "%s" alone; an engine error is a line on the place, then "%s".
void transformer_said(void* data, const char* format, ...) {
    auto& run = *static_cast<TransformRun*>(data);
    const std::string_view form = format;
    if (form == "\n") return;
    std::string text(4096, '\0');
    va_list arguments;
    va_start(arguments, format);
    const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
    va_end(arguments);
    text.resize(std::min(text.size() - 1, static_cast<std::size_t>(std::max(0, length))));
    if (form != "%s") {
        run.in_error = true;
        run.note_place();
        return;
    }
    if (run.in_error) {
        if (run.engine_text.empty()) run.engine_text = text;
        run.in_error = false;
        run.context->state = XSLT_STATE_STOPPED;
        return;
    }
    if (run.messages.size() < kMostMessages) run.messages.push_back(transformer_message(std::move(text)));
}

void transformer_xpath_error(void* data, xmlErrorPtr error) {
    auto& run = *static_cast<TransformRun*>(static_cast<xml_detail::FunctionCall*>(data));
    if (run.xpath_code == 0 && error != nullptr) run.xpath_code = error->code - XML_XPATH_EXPRESSION_OK;
    run.note_place();
    run.context->state = XSLT_STATE_STOPPED;
}

// The engine's words without what stands in quotes (it may be a value of the document), but for names of the stylesheet.
std::string transformer_words(const std::string& text) {
    const bool names_sheet = text.starts_with("Variable '") || text.starts_with("xsl:call-template") ||
                             text.find("template named") != std::string::npos;
    std::string out;
    bool quoted = false;
    for (const char c : text) {
        if (c == '\n') break;
        if (c == '\'' && !names_sheet) {
            quoted = !quoted;
            if (!quoted) out += "'…'";
            continue;
        }
        if (!quoted) out += c;
    }
    return out;
}

std::string transformer_xpath_words(int code) {
    switch (code) {
        case XPATH_UNDEF_VARIABLE_ERROR:
            return "a variable that does not exist";
        case XPATH_UNKNOWN_FUNC_ERROR:
            return "a function that does not exist";
        case XPATH_UNDEF_PREFIX_ERROR:
            return "a namespace prefix that is not declared";
        case XPATH_INVALID_TYPE:
            return "a value of the wrong type in an expression";
        case XPATH_INVALID_ARITY:
            return "a wrong number of arguments";
        default:
            return "an expression that cannot be evaluated";
    }
}

xsltSecurityPrefs* transformer_prefs() {
    static xsltSecurityPrefs* const prefs = [] {
        xsltSecurityPrefs* made = xsltNewSecurityPrefs();
        for (const auto what : {XSLT_SECPREF_READ_FILE, XSLT_SECPREF_WRITE_FILE, XSLT_SECPREF_CREATE_DIRECTORY,
                                XSLT_SECPREF_READ_NETWORK, XSLT_SECPREF_WRITE_NETWORK}) {
            xsltSetSecurityPrefs(made, what, xsltSecurityForbid);
        }
        return made;  // shared by all transforms, for the life of the process
    }();
    return prefs;
}

// "compilation error: file F line N element E", then the reason; XPath's own errors come in front.
StylesheetError transformer_compile_error(const xml_detail::Complaints& complaints, const std::filesystem::path& file) {
    std::vector<Error> all;
    std::string why;
    Where where = xml_detail::place(file.string());
    const auto end_one = [&] {
        if (why.empty() && !all.empty()) return;
        all.emplace_back(Fault::kConfig, "XSL-002", "compiling stylesheet", where, why.empty() ? "not a stylesheet" : why);
        why.clear();
        where = xml_detail::place(file.string());
    };
    for (const xml_detail::Complaint& complaint : complaints.list()) {
        const std::string& text = complaint.text;
        const std::size_t at = text.find(" line ");
        const bool xpath = complaint.domain == XML_FROM_XPATH;
        if (text.starts_with("compilation error: file ") && at != std::string::npos) {
            if (where.line != 0) end_one();
            where.file = text.substr(24, at - 24);
            where.line = std::strtoull(text.c_str() + at + 6, nullptr, 10);
            continue;
        }
        if (xpath && where.line != 0) end_one();
        if (complaint.domain != XML_FROM_XSLT && complaint.line > 0 && where.line == 0 && !xpath) {
            where.line = static_cast<std::uint64_t>(complaint.line);
            if (!complaint.file.empty()) where.file = complaint.file;
        }
        std::string words = text.substr(0, text.find('\n'));
        if (xpath) words = "the expression '" + complaint.name + "' is not XPath 1.0";
        if (!words.empty() && why.find(words) == std::string::npos && why.size() < 400)
            why += (why.empty() ? "" : "; ") + words;
    }
    end_one();
    return StylesheetError(all);
}

using TransformTree = std::unique_ptr<xmlDoc, void (*)(xmlDoc*)>;

}  // namespace

struct Transformer::Impl {
    xsltStylesheet* style = nullptr;         // read by all workers
    std::shared_ptr<const CodeLists> codes;  // shared by the route's expressions and stylesheets
    Limits limits;
    std::string name;
    std::vector<std::filesystem::path> files;
    bool strips = false;  // xsl:strip-space: libxslt would change the input

    ~Impl() {
        if (style != nullptr) xsltFreeStylesheet(style);
    }

    TransformTree run(const Document& input, const std::map<std::string, std::string>& parameters,
                      std::vector<TransformMessage>* messages) const;
    [[noreturn]] void fail(TransformRun& run, bool operations) const;
};

Transformer::Transformer() : impl_(std::make_unique<Impl>()) {}
Transformer::~Transformer() = default;

const std::vector<std::filesystem::path>& Transformer::all_files() const {
    return impl_->files;
}

std::shared_ptr<const Transformer> Transformer::compile(const std::filesystem::path& file, const std::filesystem::path& root,
                                                        std::shared_ptr<const CodeLists> code_lists, const Limits& limits) {
    xml_detail::init_libraries();
    const std::shared_ptr<Transformer> transformer(new Transformer());
    Impl& impl = *transformer->impl_;
    impl.codes = std::move(code_lists);
    impl.limits = limits;
    impl.name = file.filename().string();
    xml_detail::FileScope scope(root);
    const std::filesystem::path real = xml_detail::FileScope::allowed(file.string());
    if (real.empty()) {
        throw Error(Fault::kConfig, "XSL-001", "compiling stylesheet", xml_detail::place(file.string()),
                    "no such file below " + root.string());
    }
    scope.read(real);
    xml_detail::Complaints complaints(20);
    const std::string bytes = xml_detail::read_file(real, "XSL-001");
    TransformTree tree(
        xmlReadMemory(bytes.data(), static_cast<int>(bytes.size()), real.c_str(), nullptr, XML_PARSE_NONET | XML_PARSE_NOCDATA),
        xmlFreeDoc);
    if (!tree) throw transformer_compile_error(complaints, real);
    xml_detail::StylesheetCheck(impl.codes.get()).check({real});
    impl.style = xsltParseStylesheetDoc(tree.get());
    if (impl.style == nullptr) throw transformer_compile_error(complaints, real);
    static_cast<void>(tree.release());  // the stylesheet's now
    if (impl.style->errors != 0) throw transformer_compile_error(complaints, real);
    xml_detail::StylesheetCheck(impl.codes.get()).check(scope.files());
    impl.files = scope.files();
    for (xsltStylesheet* sheet = impl.style; sheet != nullptr; sheet = xsltNextImport(sheet)) {
        impl.strips = impl.strips || sheet->stripSpaces != nullptr || sheet->stripAll != 0;
    }
    return transformer;
}

void Transformer::Impl::fail(TransformRun& run, bool operations) const {
    const std::string doing = "transforming with " + (run.sheet.empty() ? name : run.sheet);
    if (run.error) {
        try {
            std::rethrow_exception(run.error);
        } catch (Error& e) {
            e.within(doing);
            throw;
        }
    }
    const std::string in = run.within.empty() ? "" : " in template " + run.within;
    if (operations) {
        throw Error(Fault::kPoison, "XSL-104", doing, run.where,
                    "more than " + std::to_string(limits.operations) + " operations" + in);
    }
    if (run.engine_text.find("recursion") != std::string::npos) {
        throw Error(Fault::kPoison, "XSL-103", doing, run.where,
                    "templates call each other more than " + std::to_string(limits.template_depth) + " deep" + in);
    }
    if (run.failed) {
        const std::string words =
            run.engine_text.empty() ? transformer_xpath_words(run.xpath_code) : transformer_words(run.engine_text);
        throw Error(Fault::kPoison, "XSL-101", doing, run.where, words + in);
    }
    if (!run.messages.empty()) {
        const TransformMessage& last = run.messages.back();
        throw Error(Fault::kPoison, last.code, "transforming with " + name, xml_detail::place({}, last.path), last.text);
    }
    throw Error(Fault::kPoison, "XSL-102", doing, run.where, "the transform stopped");
}

TransformTree Transformer::Impl::run(const Document& input, const std::map<std::string, std::string>& parameters,
                                     std::vector<TransformMessage>* messages) const {
    const Node root = input.root();
    if (!root) throw Error(Fault::kPoison, "XSL-105", "transforming with " + name, "the document is empty");
    Document copy;
    if (strips) copy = Document::copy(root);
    auto* source = static_cast<xmlDoc*>(strips ? copy.raw() : input.raw());

    TransformRun run;
    run.codes = codes.get();
    run.source = source;
    xml_detail::Complaints quiet(1);
    const std::unique_ptr<xsltTransformContext, void (*)(xsltTransformContext*)> context(xsltNewTransformContext(style, source),
                                                                                         xsltFreeTransformContext);
    if (!context) throw std::bad_alloc();
    run.context = context.get();
    xsltSetCtxtSecurityPrefs(transformer_prefs(), context.get());
    xsltSetTransformErrorFunc(context.get(), &run, transformer_said);
    context->maxTemplateDepth = limits.template_depth;
    context->xpathCtxt->opLimit = limits.operations;
    context->xpathCtxt->error = transformer_xpath_error;
    context->xpathCtxt->userData = static_cast<xml_detail::FunctionCall*>(&run);
    std::vector<const char*> quoted;
    for (const auto& [key, value] : parameters) {
        quoted.push_back(key.c_str());
        quoted.push_back(value.c_str());
    }
    quoted.push_back(nullptr);
    // As strings: handed over in the other way they would be evaluated as XPath.
    if (xsltQuoteUserParams(context.get(), quoted.data()) != 0) {
        throw Error(Fault::kPoison, "XSL-106", "transforming with " + name, "a parameter's name is not a name");
    }
    TransformTree result(xsltApplyStylesheetUser(style, source, nullptr, nullptr, nullptr, context.get()), xmlFreeDoc);
    const bool operations = run.xpath_code == XPATH_OP_LIMIT_EXCEEDED || context->xpathCtxt->opCount > limits.operations;
    const bool good = context->state == XSLT_STATE_OK && result && !run.error && !run.failed;
    if (!good) fail(run, operations);
    if (messages != nullptr) *messages = std::move(run.messages);
    return result;
}

Document Transformer::transform(const Document& input, const std::map<std::string, std::string>& parameters,
                                std::vector<TransformMessage>* messages) const {
    return Document(static_cast<void*>(impl_->run(input, parameters, messages).release()));
}

std::string Transformer::transform_to_text(const Document& input, const std::map<std::string, std::string>& parameters) const {
    const TransformTree result = impl_->run(input, parameters, nullptr);
    xmlChar* text = nullptr;
    int length = 0;
    if (xsltSaveResultToString(&text, &length, result.get(), impl_->style) != 0) {
        throw Error(Fault::kPoison, "XSL-107", "transforming with " + impl_->name, "the result cannot be written");
    }
    const std::unique_ptr<xmlChar, void (*)(void*)> owned(text, [](void* p) { xmlFree(p); });
    return owned ? std::string(reinterpret_cast<const char*>(owned.get()), static_cast<std::size_t>(length)) : std::string();
}

}  // namespace clrbus
