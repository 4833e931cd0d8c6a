#include "xml/detail/schema_unit.hpp"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/uri.h>
#include <libxml/xmlschemas.h>

#include <algorithm>
#include <cstring>
#include <xercesc/framework/LocalFileInputSource.hpp>
#include <xercesc/framework/XMLGrammarPoolImpl.hpp>
#include <xercesc/parsers/SAX2XMLReaderImpl.hpp>
#include <xercesc/sax/SAXParseException.hpp>
#include <xercesc/sax2/DefaultHandler.hpp>
#include <xercesc/util/OutOfMemoryException.hpp>
#include <xercesc/util/XMLEntityResolver.hpp>
#include <xercesc/util/XMLResourceIdentifier.hpp>
#include <xercesc/validators/common/Grammar.hpp>

#include "core/text.hpp"
#include "xml/detail/library.hpp"
#include "xml/detail/quick_judge.hpp"
#include "xml/detail/reader.hpp"
#include "xml/detail/xerces_text.hpp"

namespace clrbus::xml_detail {

namespace {

constexpr const char* kSchemaNamespace = "http://www.w3.org/2001/XMLSchema";

std::string unit_attribute(const xmlNode* node, const char* name) {
    const std::unique_ptr<xmlChar, void (*)(void*)> value(
        xmlGetNoNsProp(const_cast<xmlNode*>(node), reinterpret_cast<const xmlChar*>(name)), [](void* p) { xmlFree(p); });
    return value ? reinterpret_cast<const char*>(value.get()) : std::string();
}

bool unit_is(const xmlNode* node, const char* name) {
    return node->type == XML_ELEMENT_NODE && node->ns != nullptr &&
           std::strcmp(reinterpret_cast<const char*>(node->ns->href), kSchemaNamespace) == 0 &&
           std::strcmp(reinterpret_cast<const char*>(node->name), name) == 0;
}

// A location beside a file, as both judges see it.
std::filesystem::path unit_resolve(const std::filesystem::path& base, std::string location) {
    if (location.starts_with("file://")) location.erase(0, 7);
    if (char* raw = xmlURIUnescapeString(location.c_str(), static_cast<int>(location.size()), nullptr)) {
        location = raw;
        xmlFree(raw);
    }
    std::error_code failed;
    const std::filesystem::path file = std::filesystem::canonical(base.parent_path() / location, failed);
    return failed ? std::filesystem::path() : file;
}

std::string unit_uri(const std::filesystem::path& file) {
    const std::string name = file.string();
    const std::unique_ptr<xmlChar, void (*)(void*)> escaped(
        xmlURIEscapeStr(reinterpret_cast<const xmlChar*>(name.c_str()), reinterpret_cast<const xmlChar*>("/")),
        [](void* p) { xmlFree(p); });
    return escaped ? reinterpret_cast<const char*>(escaped.get()) : name;
}

std::string unit_one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
}

// The first error of a grammar load, and only the files of the unit.
class UnitHandler : public xercesc::DefaultHandler, public xercesc::XMLEntityResolver {
public:
    UnitHandler(const std::vector<std::filesystem::path>& files, std::string missing)
        : files_(files), missing_(std::move(missing)) {}

    void warning(const xercesc::SAXParseException&) override {}
    void error(const xercesc::SAXParseException& e) override { refuse(e); }
    void fatalError(const xercesc::SAXParseException& e) override { refuse(e); }
    void resetErrors() override {}

    xercesc::InputSource* resolveEntity(const XMLCh*, const XMLCh*) override { return nullptr; }
    xercesc::InputSource* resolveEntity(xercesc::XMLResourceIdentifier* id) override {
        std::string location = to_utf8(id->getSchemaLocation());
        if (location.empty()) location = to_utf8(id->getSystemId());
        std::string base = to_utf8(id->getBaseURI());
        if (base.starts_with("file://")) base.erase(0, 7);
        const std::filesystem::path file = unit_resolve(base, location);
        if (std::find(files_.begin(), files_.end(), file) == files_.end()) return nullptr;  // an import that is not there
        const std::u16string name = to_utf16(file.string());
        return new xercesc::LocalFileInputSource(name.c_str());  // owned by the caller
    }

private:
    [[noreturn]] void refuse(const xercesc::SAXParseException& e) {
        std::string file = to_utf8(e.getSystemId());
        if (file.starts_with("file://")) file.erase(0, 7);
        throw Error(Fault::kConfig, "XSD-054", "loading schema", place(file, {}, e.getLineNumber(), e.getColumnNumber()),
                    unit_one_line(to_utf8(e.getMessage())) + missing_);
    }

    const std::vector<std::filesystem::path>& files_;
    std::string missing_;
};

}  // namespace

struct SchemaUnit::Compiled {
    std::unique_ptr<SharedGrammars> grammars;  // read by all parsers, locked
    xmlSchema* schema = nullptr;               // read by all validations
    std::unique_ptr<QuickJudge> quick;         // asked first
    void load(const SchemaUnit& unit);
    void parse(const SchemaUnit& unit);

    Compiled() = default;
    ~Compiled() {
        if (schema != nullptr) xmlSchemaFree(schema);
    }
    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;
};

void SchemaUnit::Compiled::load(const SchemaUnit& unit) {
    grammars = std::make_unique<SharedGrammars>();
    for (const Root& root : unit.roots_) {
        const std::u16string target = to_utf16(root.namespace_uri);
        bool known = false;  // an import of a root before it
        xercesc::RefHashTableOfEnumerator<xercesc::Grammar> all = grammars->getGrammarEnumerator();
        while (all.hasMoreElements()) {
            const XMLCh* other = all.nextElement().getTargetNamespace();
            known = known || target == (other != nullptr ? other : u"");
        }
        if (known) continue;
        const std::string name = root.file.string();
        try {
            UnitHandler handler(unit.files_, unit.missing());
            xercesc::SAX2XMLReaderImpl reader(xercesc::XMLPlatformUtils::fgMemoryManager, grammars.get());
            reader.setFeature(xercesc::XMLUni::fgXercesSchema, true);
            reader.setFeature(xercesc::XMLUni::fgXercesSchemaFullChecking, true);
            reader.setFeature(xercesc::XMLUni::fgXercesUseCachedGrammarInParse, true);
            reader.setFeature(xercesc::XMLUni::fgXercesLoadExternalDTD, false);
            reader.setFeature(xercesc::XMLUni::fgXercesDisableDefaultEntityResolution, true);
            reader.setErrorHandler(&handler);
            reader.setXMLEntityResolver(&handler);
            const std::u16string path = to_utf16(name);
            const xercesc::LocalFileInputSource source(path.c_str());
            if (reader.loadGrammar(source, xercesc::Grammar::SchemaGrammarType, true) == nullptr) {
                throw Error(Fault::kConfig, "XSD-054", "loading schema", place(name), "Xerces does not accept it");
            }
        } catch (const xercesc::XMLException& e) {
            throw Error(Fault::kConfig, "XSD-054", "loading schema", place(name), unit_one_line(to_utf8(e.getMessage())));
        } catch (const xercesc::OutOfMemoryException&) {
            throw std::bad_alloc();
        }
    }
    grammars->lock();
}

void SchemaUnit::Compiled::parse(const SchemaUnit& unit) {
    const std::string name = unit.roots_.front().file.string();
    std::string wrapper;
    if (unit.roots_.size() > 1) {
        wrapper = "<xs:schema xmlns:xs='" + std::string(kSchemaNamespace) + "' targetNamespace='urn:clrbus:all-schemas'>";
        for (const Root& root : unit.roots_) {
            wrapper += "<xs:import schemaLocation=\"" + xml_escaped(unit_uri(root.file)) + "\"";
            if (!root.namespace_uri.empty()) wrapper += " namespace=\"" + xml_escaped(root.namespace_uri) + "\"";
            wrapper += "/>";
        }
        wrapper += "</xs:schema>";
    }
    FileScope scope({});
    Complaints complaints(1);
    const std::unique_ptr<xmlSchemaParserCtxt, void (*)(xmlSchemaParserCtxt*)> parser(
        wrapper.empty() ? xmlSchemaNewParserCtxt(name.c_str())
                        : xmlSchemaNewMemParserCtxt(wrapper.data(), static_cast<int>(wrapper.size())),
        xmlSchemaFreeParserCtxt);
    if (parser) {
        xmlSchemaSetParserStructuredErrors(parser.get(), reinterpret_cast<xmlStructuredErrorFunc>(&Complaints::take),
                                           &complaints);
        schema = xmlSchemaParse(parser.get());
    }
    if (schema != nullptr) return;
    const Complaint why = complaints.empty() ? Complaint{} : complaints.list().front();
    throw Error(Fault::kConfig, "XSD-055", "loading schema",
                place(why.file.empty() ? name : why.file, {}, static_cast<std::uint64_t>(why.line)),
                unit_one_line(why.text) + unit.missing());
}

SchemaUnit::SchemaUnit(const std::filesystem::path& file) {
    init_libraries();
    std::error_code failed;
    const std::filesystem::path real = std::filesystem::canonical(file, failed);
    if (failed) throw Error(Fault::kConfig, "XSD-050", "loading schema", place(file.string()), "no such file");
    read(real);
}

SchemaUnit::~SchemaUnit() = default;

void SchemaUnit::read(const std::filesystem::path& file) {
    if (std::find(files_.begin(), files_.end(), file) != files_.end()) return;
    const bool first = files_.empty();
    files_.push_back(file);
    const std::string bytes = read_file(file, "XSD-050");
    bytes_ += bytes.size();
    Complaints complaints(1);
    const std::unique_ptr<xmlDoc, void (*)(xmlDoc*)> document(
        xmlReadMemory(bytes.data(), static_cast<int>(bytes.size()), file.c_str(), nullptr, XML_PARSE_NONET), xmlFreeDoc);
    if (!document || document->intSubset != nullptr) {
        const Complaint why = complaints.empty() ? Complaint{} : complaints.list().front();
        throw Error(Fault::kConfig, "XSD-051", "loading schema", place(file.string(), {}, static_cast<std::uint64_t>(why.line)),
                    document ? "a DOCTYPE is not allowed" : unit_one_line(why.text));
    }
    const xmlNode* root = xmlDocGetRootElement(document.get());
    if (root == nullptr || !unit_is(root, "schema")) {
        throw Error(Fault::kConfig, "XSD-051", "loading schema", place(file.string(), {}, root != nullptr ? root->line : 1u),
                    "the root element is not xs:schema");
    }
    if (first) roots_.push_back({file, unit_attribute(root, "targetNamespace"), {}});
    if (first) provided_.emplace(roots_[0].namespace_uri, file);
    for (const xmlNode* node = root->children; node != nullptr; node = node->next) {
        if (first && unit_is(node, "element")) roots_[0].elements.push_back(unit_attribute(node, "name"));
        if (!unit_is(node, "import") && !unit_is(node, "include") && !unit_is(node, "redefine")) continue;
        const std::string location = unit_attribute(node, "schemaLocation");
        if (location.empty() && unit_is(node, "import")) continue;
        const Where where = place(file.string(), {}, node->line);
        if (location.find("://") != std::string::npos && !location.starts_with("file://")) {
            throw Error(Fault::kConfig, "XSD-052", "loading schema", where, "schemaLocation is a network address")
                .expected("a copy of the schema in a file beside this one");
        }
        const std::filesystem::path next = unit_resolve(file, location);
        if (next.empty()) {
            // An import that nothing uses may be missing (official schemas name some); if it is used, compiling says so.
            if (!unit_is(node, "import")) {
                throw Error(Fault::kConfig, "XSD-052", "loading schema", where, "there is no file '" + location + "'");
            }
            missing_ += (missing_.empty() ? " (imports that are not there: " : ", ") + location;
            continue;
        }
        if (unit_is(node, "import")) provided_.emplace(unit_attribute(node, "namespace"), next);
        read(next);
    }
}

bool SchemaUnit::can_join(const SchemaUnit& other) const {
    return std::all_of(other.provided_.begin(), other.provided_.end(), [&](const auto& given) {
        const auto mine = provided_.find(given.first);
        return mine == provided_.end() || mine->second == given.second;
    });
}

void SchemaUnit::join(const SchemaUnit& other) {
    roots_.insert(roots_.end(), other.roots_.begin(), other.roots_.end());
    for (const auto& file : other.files_) {
        if (std::find(files_.begin(), files_.end(), file) == files_.end()) files_.push_back(file);
    }
    provided_.insert(other.provided_.begin(), other.provided_.end());
    bytes_ += other.bytes_;
    missing_ += other.missing_;
}

const SchemaUnit::Root* SchemaUnit::find(std::string_view namespace_uri) const {
    const auto root =
        std::find_if(roots_.begin(), roots_.end(), [&](const Root& r) { return r.namespace_uri == namespace_uri; });
    return root != roots_.end() ? &*root : nullptr;
}

std::string SchemaUnit::missing() const {
    return missing_.empty() ? std::string() : missing_ + ")";
}

void SchemaUnit::compile() const {
    std::call_once(once_, [this] {
        auto compiled = std::make_unique<Compiled>();
        compiled->load(*this);
        compiled->parse(*this);
        if (files_.size() == roots_.size()) {
            std::vector<QuickJudge::Source> sources;
            for (const Root& root : roots_) sources.push_back({root.file, root.namespace_uri, root.elements});
            compiled->quick = std::make_unique<QuickJudge>(sources);
        }
        compiled_ = std::move(compiled);
    });
}

SharedGrammars* SchemaUnit::grammars() const {
    compile();
    return compiled_->grammars.get();
}

const QuickJudge* SchemaUnit::quick() const {
    compile();
    return compiled_->quick.get();
}

xmlSchema* SchemaUnit::tree_schema() const {
    compile();
    return compiled_->schema;
}

}  // namespace clrbus::xml_detail
