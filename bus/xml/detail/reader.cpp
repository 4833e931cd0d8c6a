#include "xml/detail/reader.hpp"

#include <libxml/tree.h>

#include <limits>
#include <new>
#include <xercesc/framework/XMLAttr.hpp>
#include <xercesc/framework/XMLElementDecl.hpp>
#include <xercesc/framework/XMLErrorCodes.hpp>
#include <xercesc/framework/XMLGrammarPool.hpp>
#include <xercesc/sax/InputSource.hpp>
#include <xercesc/sax/Locator.hpp>
#include <xercesc/sax/SAXException.hpp>
#include <xercesc/util/BinInputStream.hpp>
#include <xercesc/util/OutOfMemoryException.hpp>
#include <xercesc/validators/schema/ComplexTypeInfo.hpp>
#include <xercesc/validators/schema/SchemaGrammar.hpp>

#include "xml/detail/library.hpp"
#include "xml/detail/xerces_text.hpp"

namespace clrbus::xml_detail {

namespace {

using xercesc::XMLErrs;
using xercesc::XMLUni;

constexpr std::size_t kLongToken = 64u << 10;
constexpr std::size_t kMostEqualSigns = 3'000;  // of one long tag: Xerces compares each attribute with all before it

std::size_t reader_length(const XMLCh* text) {
    return text != nullptr ? std::char_traits<XMLCh>::length(text) : 0;
}

class FeedStream : public xercesc::BinInputStream {
public:
    explicit FeedStream(Feed& feed) : feed_(feed) {}
    XMLFilePos curPos() const override { return feed_.total; }
    const XMLCh* getContentType() const override { return nullptr; }
    XMLSize_t readBytes(XMLByte* const to, const XMLSize_t most) override {
        if (feed_.since_event > feed_.most_in_token) {
            throw Error(Fault::kPoison, "XML-024", "reading", place({}, {}, 0, 0, static_cast<std::int64_t>(feed_.total)),
                        "a text, attribute, comment or tag is too long");
        }
        const std::size_t n = feed_.read(reinterpret_cast<char*>(to), most);
        feed_.total += n;
        feed_.since_event += n;
        if (feed_.since_event > kLongToken) count_attributes(to, n);
        return n;
    }

private:
    // Xerces keeps every attribute of a tag until its end.
    void count_attributes(const XMLByte* bytes, std::size_t n) {
        XMLByte before = 0;
        for (std::size_t i = 0; i < n; ++i) {
            if (bytes[i] == 0) continue;  // the other half of UTF-16
            if (before == '=' && (bytes[i] == '"' || bytes[i] == '\'')) ++feed_.equal_signs;
            before = bytes[i];
        }
        if (feed_.equal_signs > kMostEqualSigns) {
            throw Error(Fault::kPoison, "XML-023", "reading", place({}, {}, 0, 0, static_cast<std::int64_t>(feed_.total)),
                        "too many attributes");
        }
    }

    Feed& feed_;
};

class FeedSource : public xercesc::InputSource {
public:
    explicit FeedSource(Feed& feed) : feed_(feed) {}
    xercesc::BinInputStream* makeStream() const override { return new FeedStream(feed_); }

private:
    Feed& feed_;
};

struct ReaderFault {
    unsigned code;
    const char* number;
    const char* why;
};

// What is not well-formed, in our words: Xerces' texts quote the document.
constexpr ReaderFault kReaderFaults[] = {
    {XMLErrs::EndedWithTagsOnStack, "XML-011", "the document ends before its elements do"},
    {XMLErrs::UnexpectedEOE, "XML-011", "the document ends in the middle"},
    {XMLErrs::UnterminatedComment, "XML-011", "a comment does not end"},
    {XMLErrs::UnterminatedPI, "XML-011", "a processing instruction does not end"},
    {XMLErrs::UnterminatedCDATASection, "XML-011", "a CDATA section does not end"},
    {XMLErrs::UnterminatedXMLDecl, "XML-011", "the XML declaration does not end"},
    {XMLErrs::UnterminatedStartTag, "XML-001", "a start tag does not end"},
    {XMLErrs::UnterminatedEndTag, "XML-001", "an end tag does not end"},
    {XMLErrs::ExpectedEndOfTagX, "XML-001", "the end tag of the open element is missing"},
    {XMLErrs::MoreEndThanStartTags, "XML-001", "more end tags than start tags"},
    {XMLErrs::PartialTagMarkupError, "XML-001", "a tag that is cut"},
    {XMLErrs::InvalidCharacter, "XML-001", "a character that XML does not allow"},
    {XMLErrs::InvalidCharacterInAttrValue, "XML-001", "a character in an attribute that XML does not allow"},
    {XMLErrs::InvalidCharacterRef, "XML-001", "a character reference that XML does not allow"},
    {XMLErrs::UnterminatedCharRef, "XML-001", "a character reference does not end"},
    {XMLErrs::BadDigitForRadix, "XML-001", "a character reference with a wrong digit"},
    {XMLErrs::ExpectedNumericalCharRef, "XML-001", "a character reference without a number"},
    {XMLErrs::EntityNotFound, "XML-005", "an entity that is not defined"},
    {XMLErrs::UnterminatedEntityRef, "XML-001", "'&' does not start a reference"},
    {XMLErrs::ExpectedEntityRefName, "XML-001", "'&' does not start a reference"},
    {XMLErrs::InvalidEntityRefName, "XML-001", "'&' does not start a reference"},
    {XMLErrs::AttrAlreadyUsedInSTag, "XML-001", "an attribute stands twice in one tag"},
    {XMLErrs::BracketInAttrValue, "XML-001", "'<' in the value of an attribute"},
    {XMLErrs::ExpectedAttrValue, "XML-001", "an attribute without a value in quotes"},
    {XMLErrs::ExpectedEqSign, "XML-001", "an attribute without '='"},
    {XMLErrs::ExpectedAttrName, "XML-001", "not an attribute name"},
    {XMLErrs::InvalidAttrName, "XML-001", "not an attribute name"},
    {XMLErrs::ExpectedElementName, "XML-001", "'<' does not start a tag"},
    {XMLErrs::InvalidElementName, "XML-001", "not an element name"},
    {XMLErrs::ExpectedMarkup, "XML-001", "not a tag"},
    {XMLErrs::ExpectedCommentOrCDATA, "XML-001", "'<!' does not start a comment"},
    {XMLErrs::UnknownPrefix, "XML-001", "a namespace prefix that is not declared"},
    {XMLErrs::InvalidDocumentStructure, "XML-001", "the input does not start with a tag"},
    {XMLErrs::EmptyMainEntity, "XML-010", "the input is empty"},
    {XMLErrs::NotValidAfterContent, "XML-001", "more than one root element, or text behind it"},
    {XMLErrs::BadSequenceInCharData, "XML-001", "']]>' in a text"},
    {XMLErrs::IllegalSequenceInComment, "XML-001", "'--' in a comment"},
    {XMLErrs::Expected2ndSurrogateChar, "XML-002", "half a surrogate pair"},
    {XMLErrs::Unexpected2ndSurrogateChar, "XML-002", "half a surrogate pair"},
    {XMLErrs::XMLDeclMustBeFirst, "XML-001", "the XML declaration is not at the start"},
    {XMLErrs::UnsupportedXMLVersion, "XML-001", "not XML 1.0"},
    {XMLErrs::BadXMLVersion, "XML-001", "not XML 1.0"},
    {XMLErrs::EntityExpansionLimitExceeded, "XML-005", "too many entities"},
};

}  // namespace

void ElementWriter::clear() {
    sink.clear();
    bindings_.clear();
    inherited_.clear();
    held_ = 0;
    if (names_.size() > 5000) {
        names_.clear();
        name_texts_.clear();
        sink.renew_names(0);
    }
}

DictName ElementWriter::name(const XMLCh* text) {
    const std::u16string_view view(text, reader_length(text));
    const auto known = names_.find(view);
    if (known != names_.end()) return known->second;
    const DictName made = sink.name(utf8(text));
    name_texts_.push_back(std::make_unique<std::u16string>(view));
    names_.emplace(*name_texts_.back(), made);
    return made;
}

std::string_view ElementWriter::utf8(const XMLCh* text) {
    scratch_.clear();
    append_utf8(scratch_, text, reader_length(text));
    return scratch_;
}

xmlNs* ElementWriter::find(DictName prefix) {
    for (auto binding = bindings_.rbegin(); binding != bindings_.rend(); ++binding) {
        if (binding->prefix == prefix) return binding->ns;
    }
    if (prefix != nullptr && xmlStrEqual(prefix, reinterpret_cast<const xmlChar*>("xml")) != 0) {
        return xmlSearchNs(sink.document(), sink.open(), prefix);
    }
    return nullptr;
}

void ElementWriter::inherit(const XMLCh* prefix, const XMLCh* uri) {
    inherited_.emplace_back(prefix, uri);
}

void ElementWriter::start(const xercesc::SAX2XMLReaderImpl& reader, const XMLCh* local, unsigned uri, const XMLCh* prefix,
                          const xercesc::RefVectorOf<xercesc::XMLAttr>& attributes, XMLSize_t count, std::uint64_t line,
                          std::uint32_t column) {
    held_ = 0;
    sink.start(name(local), line, column);
    const auto declare = [&](DictName bound, const XMLCh* value) {
        xmlNs* ns = sink.declare(bound, utf8(value));
        bindings_.push_back({bound, *ns->href != 0 ? ns : nullptr, sink.depth()});
    };
    for (const auto& [bound, value] : inherited_) declare(bound.empty() ? nullptr : name(bound.c_str()), value.c_str());
    inherited_.clear();
    // Declarations first: an attribute in front may use them.
    const auto is_declaration = [](const xercesc::XMLAttr& attribute) {
        const XMLCh* p = attribute.getPrefix();
        if (p != nullptr && *p != 0) return std::u16string_view(p) == u"xmlns";
        const XMLCh* n = attribute.getName();
        return n[0] == u'x' && std::u16string_view(n) == u"xmlns";
    };
    bool plain = false;
    for (XMLSize_t i = 0; i < count; ++i) {
        const xercesc::XMLAttr& attribute = *attributes.elementAt(i);
        if (!is_declaration(attribute)) {
            plain = true;
            continue;
        }
        const XMLCh* p = attribute.getPrefix();
        declare(p != nullptr && *p != 0 ? name(attribute.getName()) : nullptr, attribute.getValue());
    }
    const XMLCh* element_uri = reader.getURIText(uri);
    if (element_uri != nullptr && *element_uri != 0) {
        sink.set_namespace(find(prefix != nullptr && *prefix != 0 ? name(prefix) : nullptr));
    }
    for (XMLSize_t i = 0; plain && i < count; ++i) {
        const xercesc::XMLAttr& attribute = *attributes.elementAt(i);
        if (is_declaration(attribute)) continue;
        const XMLCh* p = attribute.getPrefix();
        xmlNs* ns = p != nullptr && *p != 0 ? find(name(p)) : nullptr;
        const DictName attribute_name = name(attribute.getName());
        sink.attribute(attribute_name, ns, utf8(attribute.getValue()));
    }
}

void ElementWriter::text(const XMLCh* text, XMLSize_t length) {
    std::string& pending = sink.pending_text();
    if (held_ != 0 && length != 0) {
        const XMLCh pair[2] = {held_, text[0]};
        append_utf8(pending, pair, 2);
        held_ = 0;
        ++text;
        --length;
    }
    if (length != 0 && (text[length - 1] & 0xFC00) == 0xD800) held_ = text[--length];
    append_utf8(pending, text, length);
    sink.check_text();
}

void ElementWriter::end(bool drop_blank) {
    held_ = 0;
    while (!bindings_.empty() && bindings_.back().depth == sink.depth()) bindings_.pop_back();
    sink.end(drop_blank);
}

std::unique_ptr<xercesc::InputSource> feed_source(Feed& feed, const Encoding& encoding) {
    auto source = std::make_unique<FeedSource>(feed);
    source->setEncoding(encoding.xerces_name);
    return source;
}

thread_local xercesc::XMLStringPool* SharedGrammars::reader_strings_ = nullptr;

xercesc::XMLStringPool* SharedGrammars::getURIStringPool() {
    return reader_strings_ != nullptr ? reader_strings_ : XMLGrammarPoolImpl::getURIStringPool();
}

void SharedGrammars::lock() {
    own_strings_ = XMLGrammarPoolImpl::getURIStringPool();
    lockPool();
    // A complex type makes its content model when a reader first asks, without a lock: two readers that ask at once would race.
    auto grammars = getGrammarEnumerator();
    while (grammars.hasMoreElements()) {
        xercesc::Grammar& grammar = grammars.nextElement();
        if (grammar.getGrammarType() != xercesc::Grammar::SchemaGrammarType) continue;
        auto* types = static_cast<xercesc::SchemaGrammar&>(grammar).getComplexTypeRegistry();
        if (types == nullptr) continue;
        xercesc::RefHashTableOfEnumerator<xercesc::ComplexTypeInfo> each(types);
        while (each.hasMoreElements()) each.nextElement().getContentModel();
    }
}

ReaderStrings::ReaderStrings(const SharedGrammars* grammars) {
    if (grammars == nullptr) return;
    strings_ = std::make_unique<xercesc::XMLSynchronizedStringPool>(grammars->own_strings(), 109,
                                                                    xercesc::XMLPlatformUtils::fgMemoryManager);
    SharedGrammars::reader_strings_ = strings_.get();
}

ReaderStrings::~ReaderStrings() {
    if (SharedGrammars::reader_strings_ == strings_.get()) SharedGrammars::reader_strings_ = nullptr;
}

LockedReader::LockedReader(SharedGrammars* grammars, const std::string& no_namespace_file)
    : ReaderStrings(grammars), SAX2XMLReaderImpl(xercesc::XMLPlatformUtils::fgMemoryManager, grammars) {
    SharedGrammars::reader_strings_ = nullptr;
    const bool validate = grammars != nullptr;
    // The scanner first: neither of the two can read a DTD.
    setProperty(XMLUni::fgXercesScannerName, const_cast<XMLCh*>(validate ? XMLUni::fgSGXMLScanner : XMLUni::fgWFXMLScanner));
    setFeature(XMLUni::fgSAX2CoreNameSpaces, true);
    setFeature(XMLUni::fgXercesSchema, validate);
    setFeature(XMLUni::fgSAX2CoreValidation, validate);
    setFeature(XMLUni::fgXercesDynamic, false);
    setFeature(XMLUni::fgXercesUseCachedGrammarInParse, validate);
    setFeature(XMLUni::fgXercesLoadSchema, false);  // xsi:schemaLocation is a hint that nobody follows
    setFeature(XMLUni::fgXercesSchemaFullChecking, false);
    setFeature(XMLUni::fgXercesLoadExternalDTD, false);
    setFeature(XMLUni::fgXercesDisableDefaultEntityResolution, true);
    // Without a DTD only &amp; and its like remain, and this scanner counts them too: a low limit would refuse honest
    // documents.
    security_.setEntityExpansionLimit(std::numeric_limits<int>::max());
    setProperty(XMLUni::fgXercesSecurityManager, &security_);
    if (!no_namespace_file.empty()) {
        const std::u16string location = to_utf16(no_namespace_file);
        setProperty(XMLUni::fgXercesSchemaExternalNoNameSpaceSchemaLocation, const_cast<XMLCh*>(location.c_str()));
    }
    setExitOnFirstFatalError(false);  // error() decides and throws
    setContentHandler(&handler_);
    setErrorHandler(&handler_);
}

std::uint64_t LockedReader::line() const {
    return handler_.locator_ != nullptr ? handler_.locator_->getLineNumber() : 0;
}

std::uint32_t LockedReader::column() const {
    return handler_.locator_ != nullptr ? static_cast<std::uint32_t>(handler_.locator_->getColumnNumber()) : 0;
}

void LockedReader::startElement(const xercesc::XMLElementDecl& element, unsigned uri, const XMLCh* prefix,
                                const xercesc::RefVectorOf<xercesc::XMLAttr>& attributes, XMLSize_t count, bool empty, bool) {
    event();
    on_start(element.getBaseName(), uri, prefix, attributes, count);
    if (empty) on_end();
}

void LockedReader::endElement(const xercesc::XMLElementDecl&, unsigned, bool, const XMLCh*) {
    event();
    on_end();
}

void LockedReader::docCharacters(const XMLCh* text, XMLSize_t length, bool) {
    event();
    on_text(text, length);
}

void LockedReader::docComment(const XMLCh*) {
    event();
}

void LockedReader::docPI(const XMLCh*, const XMLCh*) {
    event();
}

void LockedReader::ignorableWhitespace(const XMLCh*, XMLSize_t, bool) {
    event();
}

void LockedReader::error(unsigned code, const XMLCh* domain, xercesc::XMLErrorReporter::ErrTypes type, const XMLCh*,
                         const XMLCh*, const XMLCh*, XMLFileLoc line, XMLFileLoc column) {
    if (type == xercesc::XMLErrorReporter::ErrType_Warning) return;
    const bool validity = domain != nullptr && std::u16string_view(domain) == XMLUni::fgValidityDomain;
    if (validity && type == xercesc::XMLErrorReporter::ErrType_Error) {
        on_invalid(code, line, column);
        return;
    }
    if (type == xercesc::XMLErrorReporter::ErrType_Error) {
        on_invalid(0, line, column);
        return;
    }
    const bool xml = domain != nullptr && std::u16string_view(domain) == XMLUni::fgXMLErrDomain;
    if (xml && code == XMLErrs::BadSchemaLocation) return;  // nobody follows it
    const char* number = "XML-001";
    const char* why = "the document is not well-formed";
    if (xml) {
        for (const ReaderFault& fault : kReaderFaults) {
            if (fault.code != code) continue;
            number = fault.number;
            why = fault.why;
        }
    }
    throw Error(Fault::kPoison, number, "reading", place({}, open_path(), line, column), why);
}

void guard_xerces(const std::function<void()>& step) {
    try {
        step();
    } catch (const xercesc::OutOfMemoryException&) {
        throw std::bad_alloc();
    } catch (const xercesc::XMLException&) {
        throw Error(Fault::kPoison, "XML-001", "reading", "the document is not well-formed");
    } catch (const xercesc::SAXException&) {
        throw Error(Fault::kPoison, "XML-001", "reading", "the document is not well-formed");
    }
}

}  // namespace clrbus::xml_detail
