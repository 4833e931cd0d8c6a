#include "xml/detail/library.hpp"

#include <libexslt/exslt.h>
#include <libxml/globals.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/uri.h>
#include <libxml/xmlerror.h>
#include <libxslt/documents.h>
#include <libxslt/security.h>
#include <libxslt/xslt.h>
#include <libxslt/xsltutils.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <sstream>
#include <xercesc/util/PlatformUtils.hpp>

#include "xml/detail/functions.hpp"

namespace clrbus::xml_detail {

namespace {

thread_local FileScope* t_file_scope = nullptr;

void library_stay_quiet(void*, const char*, ...) {}

// libxslt reports compile errors through one global function: it goes the way of the structured errors, to this thread's
// Complaints.
void library_xslt_error(void*, const char* format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (xmlStructuredError == nullptr) return;
    xmlError error{};
    error.domain = XML_FROM_XSLT;
    error.message = text;
    xmlStructuredError(xmlStructuredErrorContext, &error);
}

xmlParserInputPtr library_load_entity(const char* url, const char*, xmlParserCtxtPtr context) {
    const std::filesystem::path file = url != nullptr ? FileScope::allowed(url) : std::filesystem::path();
    if (file.empty()) return nullptr;
    FileScope::current()->read(file);
    return xmlNewInputFromFile(context, file.c_str());
}

int library_check_read(xsltSecurityPrefsPtr, xsltTransformContextPtr, const char* value) {
    return value != nullptr && !FileScope::allowed(value).empty() ? 1 : 0;
}

// For xsl:import and xsl:include; document() is refused at compile time and again here.
xmlDocPtr library_load_stylesheet(const xmlChar* uri, xmlDictPtr dict, int options, void*, xsltLoadType type) {
    if (type != XSLT_LOAD_STYLESHEET || uri == nullptr) return nullptr;
    const std::filesystem::path file = FileScope::allowed(reinterpret_cast<const char*>(uri));
    if (file.empty()) return nullptr;
    xmlParserCtxtPtr parser = xmlNewParserCtxt();
    if (parser == nullptr) return nullptr;
    if (dict != nullptr) {
        if (parser->dict != nullptr) xmlDictFree(parser->dict);
        parser->dict = dict;
        xmlDictReference(dict);
    }
    FileScope::current()->read(file);
    const int safe =
        (options & ~(XML_PARSE_NOENT | XML_PARSE_DTDLOAD | XML_PARSE_DTDATTR)) | XML_PARSE_NONET | XML_PARSE_NOCDATA;
    xmlDocPtr document = xmlCtxtReadFile(parser, file.c_str(), nullptr, safe);
    xmlFreeParserCtxt(parser);
    return document;
}

void library_init() {
    // Read at parse time by Xerces: a DOCTYPE ends the parse, whatever the scanner.
    ::setenv("XERCES_DISABLE_DTD", "1", 1);
    xercesc::XMLPlatformUtils::Initialize();
    xmlInitParser();
    xmlThrDefSetGenericErrorFunc(nullptr, library_stay_quiet);
    xmlSetGenericErrorFunc(nullptr, library_stay_quiet);
    xmlSetExternalEntityLoader(library_load_entity);
    xsltInit();
    xsltSetGenericErrorFunc(nullptr, library_xslt_error);
    exsltCommonRegister();
    exsltStrRegister();
    exsltDateRegister();
    exsltSetsRegister();
    exsltMathRegister();
    exsltFuncRegister();
    xsltSecurityPrefsPtr prefs = xsltNewSecurityPrefs();
    xsltSetSecurityPrefs(prefs, XSLT_SECPREF_READ_FILE, library_check_read);
    for (const auto what :
         {XSLT_SECPREF_WRITE_FILE, XSLT_SECPREF_CREATE_DIRECTORY, XSLT_SECPREF_READ_NETWORK, XSLT_SECPREF_WRITE_NETWORK}) {
        xsltSetSecurityPrefs(prefs, what, xsltSecurityForbid);
    }
    xsltSetDefaultSecurityPrefs(prefs);  // kept for the life of the process
    xsltSetLoaderFunc(library_load_stylesheet);
    register_xslt_functions();
}

std::string library_text(const char* text) {
    return text != nullptr ? std::string(text) : std::string();
}

}  // namespace

void init_libraries() {
    static std::once_flag once;
    std::call_once(once, library_init);
}

FileScope::FileScope(std::filesystem::path root) : root_(std::move(root)), outer_(t_file_scope) {
    if (!root_.empty()) root_ = std::filesystem::weakly_canonical(root_);
    t_file_scope = this;
}

FileScope::~FileScope() {
    t_file_scope = outer_;
}

FileScope* FileScope::current() {
    return t_file_scope;
}

std::filesystem::path FileScope::allowed(const std::string& uri) {
    if (t_file_scope == nullptr) return {};
    std::string name = uri;
    if (name.starts_with("file://")) name.erase(0, 7);
    if (name.find("://") != std::string::npos || name.starts_with("http:") || name.starts_with("ftp:")) return {};
    std::string plain = name;
    if (char* raw = xmlURIUnescapeString(name.c_str(), static_cast<int>(name.size()), nullptr)) {
        plain = raw;
        xmlFree(raw);
    }
    std::error_code failed;
    std::filesystem::path file = std::filesystem::canonical(plain, failed);
    if (failed) file = std::filesystem::canonical(name, failed);
    if (failed || !std::filesystem::is_regular_file(file, failed)) return {};
    const std::filesystem::path& root = t_file_scope->root_;
    if (!root.empty() && std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first != root.end()) return {};
    return file;
}

void FileScope::read(const std::filesystem::path& file) {
    if (std::find(files_.begin(), files_.end(), file) == files_.end()) files_.push_back(file);
}

Where place(std::string file, std::string path, std::uint64_t line, std::uint64_t column, std::int64_t offset) {
    Where where;
    where.file = std::move(file);
    where.path = std::move(path);
    where.line = line;
    where.column = column;
    where.offset = offset;
    return where;
}

std::string read_file(const std::filesystem::path& file, std::string_view code) {
    std::ifstream in(file, std::ios::binary);
    std::error_code failed;
    if (!in || !std::filesystem::is_regular_file(file, failed)) {
        throw Error(Fault::kConfig, code, "reading", place(file.string()), "no such file, or it may not be read");
    }
    std::ostringstream bytes;
    bytes << in.rdbuf();
    return std::move(bytes).str();
}

Complaints::Complaints(std::size_t most)
    : most_(most),
      outer_context_(xmlStructuredErrorContext),
      outer_function_(reinterpret_cast<void (*)()>(xmlStructuredError)) {
    xmlSetStructuredErrorFunc(this, reinterpret_cast<xmlStructuredErrorFunc>(&Complaints::take));
}

Complaints::~Complaints() {
    xmlSetStructuredErrorFunc(outer_context_, reinterpret_cast<xmlStructuredErrorFunc>(outer_function_));
}

void Complaints::take(void* self, void* raw) {
    auto& complaints = *static_cast<Complaints*>(self);
    const auto* error = static_cast<const xmlError*>(raw);
    if (error == nullptr || error->level == XML_ERR_WARNING || complaints.list_.size() >= complaints.most_) return;
    Complaint complaint;
    complaint.domain = error->domain;
    complaint.code = error->code;
    complaint.line = error->line;
    complaint.column = error->int2;
    complaint.position = error->int1;
    complaint.node = error->node;
    complaint.file = library_text(error->file);
    complaint.text = library_text(error->message);
    complaint.name = library_text(error->str1);
    complaints.list_.push_back(std::move(complaint));
}

}  // namespace clrbus::xml_detail
