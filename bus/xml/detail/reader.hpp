// For bus/xml alone: a locked-down Xerces SAX2 reader whose scanner events go straight into a TreeSink, past SAX's own layers.
// The only header of the room that names Xerces types. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>
#include <xercesc/framework/XMLGrammarPoolImpl.hpp>
#include <xercesc/parsers/SAX2XMLReaderImpl.hpp>
#include <xercesc/sax2/DefaultHandler.hpp>
#include <xercesc/util/SecurityManager.hpp>
#include <xercesc/util/SynchronizedStringPool.hpp>

#include "xml/detail/encoding.hpp"
#include "xml/detail/tree.hpp"

namespace clrbus::xml_detail {

// Writes Xerces' elements into a sink: names from a cache, namespaces by prefix, texts joined.
class ElementWriter {
public:
    explicit ElementWriter(const TreeLimits& limits) : sink(limits) {}

    void clear();  // for the next document; renews the names when there are many
    void start(const xercesc::SAX2XMLReaderImpl& reader, const XMLCh* local, unsigned uri, const XMLCh* prefix,
               const xercesc::RefVectorOf<xercesc::XMLAttr>& attributes, XMLSize_t count, std::uint64_t line,
               std::uint32_t column);
    void text(const XMLCh* text, XMLSize_t length);
    void end(bool drop_blank = false);

    // In scope before the first element: of the elements around a record. Cleared by clear().
    void inherit(const XMLCh* prefix, const XMLCh* uri);

    TreeSink sink;

private:
    struct Binding {
        DictName prefix;  // null: default
        _xmlNs* ns;
        std::size_t depth;
    };
    DictName name(const XMLCh* text);
    _xmlNs* find(DictName prefix);
    std::string_view utf8(const XMLCh* text);

    std::unordered_map<std::u16string_view, DictName> names_;
    std::vector<std::unique_ptr<std::u16string>> name_texts_;  // keys of names_
    std::vector<Binding> bindings_;
    std::vector<std::pair<std::u16string, std::u16string>> inherited_;
    XMLCh held_ = 0;  // first half of a surrogate pair that a buffer's end cut
    std::string scratch_;
};

// Bytes for Xerces with a guard: a token (attribute, comment, tag) that goes on for too long without one event ends the parse,
// since Xerces would gather it in memory.
struct Feed {
    std::function<std::size_t(char*, std::size_t)> read;
    std::size_t most_in_token = 0;
    std::size_t since_event = 0;
    std::uint64_t total = 0;
    std::size_t equal_signs = 0;  // '="' since the last event, counted in long tokens only
};

// Xerces gives a text on in pieces of a million characters: less cannot be asked for.
constexpr std::size_t most_in_token(std::size_t text_limit) {
    return 2 * text_limit + (4u << 20);
}

std::unique_ptr<xercesc::InputSource> feed_source(Feed& feed, const Encoding& encoding);

// The grammars that all readers share. A locked pool keeps every namespace that any document ever named; here a reader that is
// being made brings its own table for those, which goes with it.
class SharedGrammars : public xercesc::XMLGrammarPoolImpl {
public:
    SharedGrammars() : XMLGrammarPoolImpl(xercesc::XMLPlatformUtils::fgMemoryManager) {}
    xercesc::XMLStringPool* getURIStringPool() override;
    void lock();
    const xercesc::XMLStringPool* own_strings() const { return own_strings_; }

    static thread_local xercesc::XMLStringPool* reader_strings_;  // of the reader that this thread is making

private:
    const xercesc::XMLStringPool* own_strings_ = nullptr;  // known when locked
};

// Made before Xerces' part of a reader and gone after it.
class ReaderStrings {
public:
    explicit ReaderStrings(const SharedGrammars* grammars);
    ~ReaderStrings();
    ReaderStrings(const ReaderStrings&) = delete;
    ReaderStrings& operator=(const ReaderStrings&) = delete;

private:
    std::unique_ptr<xercesc::XMLSynchronizedStringPool> strings_;
};

class LockedReader : private ReaderStrings, public xercesc::SAX2XMLReaderImpl {
public:
    // grammars: a locked SharedGrammars: validates; null: well-formedness alone. file: of the schema, when it is one
    // for elements in no namespace: Xerces looks for those in the pool only when it is told a location.
    explicit LockedReader(SharedGrammars* grammars, const std::string& no_namespace_file = {});

    std::uint64_t line() const;
    std::uint32_t column() const;
    Feed& feed() { return feed_; }

    struct Report {  // a validity error
        unsigned code;
        std::uint64_t line, column;
        const _xmlNode* node;
    };

protected:
    virtual void on_start(const XMLCh* local, unsigned uri, const XMLCh* prefix,
                          const xercesc::RefVectorOf<xercesc::XMLAttr>& attributes, XMLSize_t count) = 0;
    virtual void on_text(const XMLCh* text, XMLSize_t length) = 0;
    virtual void on_end() = 0;
    virtual void on_invalid(unsigned code, std::uint64_t line, std::uint64_t column) = 0;
    virtual std::string open_path() const = 0;

private:
    void startElement(const xercesc::XMLElementDecl& element, unsigned uri, const XMLCh* prefix,
                      const xercesc::RefVectorOf<xercesc::XMLAttr>& attributes, XMLSize_t count, bool empty,
                      bool root) override;
    void endElement(const xercesc::XMLElementDecl& element, unsigned uri, bool root, const XMLCh* prefix) override;
    void docCharacters(const XMLCh* text, XMLSize_t length, bool cdata) override;
    void docComment(const XMLCh* text) override;
    void docPI(const XMLCh* target, const XMLCh* data) override;
    void ignorableWhitespace(const XMLCh* text, XMLSize_t length, bool cdata) override;
    void error(unsigned code, const XMLCh* domain, xercesc::XMLErrorReporter::ErrTypes type, const XMLCh* text,
               const XMLCh* system, const XMLCh* public_id, XMLFileLoc line, XMLFileLoc column) override;
    using xercesc::SAX2XMLReaderImpl::error;

    class Handler : public xercesc::DefaultHandler {
    public:
        void setDocumentLocator(const xercesc::Locator* locator) override { locator_ = locator; }
        const xercesc::Locator* locator_ = nullptr;
    };

    void event() { feed_.since_event = feed_.equal_signs = 0; }

    Handler handler_;  // only makes Xerces report to us
    xercesc::SecurityManager security_;
    Feed feed_;
};

// Runs a step of Xerces and gives its own exceptions as ours.
void guard_xerces(const std::function<void()>& step);

}  // namespace clrbus::xml_detail
