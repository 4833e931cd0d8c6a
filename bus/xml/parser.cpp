#include "xml/parser.hpp"

#include <libxml/tree.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <xercesc/framework/XMLValidityCodes.hpp>
#include <xercesc/sax/InputSource.hpp>

#include "xml/detail/judge.hpp"
#include "xml/detail/library.hpp"
#include "xml/detail/reader.hpp"
#include "xml/detail/records.hpp"
#include "xml/detail/schema_unit.hpp"
#include "xml/detail/xerces_text.hpp"

namespace clrbus {

namespace {

using xml_detail::SchemaUnit;

// String pools of a reader keep every name that a message brought: a reader is replaced now and then.
constexpr std::size_t kParserMessages = 4096;
// Its buffers grow with the longest text, so that it is also replaced after a large message.
constexpr std::size_t kParserKeeps = 4u << 20;
// Beyond this size the second opinion (which names the wrong child and what was expected) would cost too much.
constexpr std::size_t kParserSecondOpinion = 32u << 20;

xml_detail::TreeLimits parser_limits(const XmlLimits& limits) {
    return {.depth = limits.depth,
            .attributes = limits.attributes,
            .nodes = limits.nodes,
            .text = limits.text,
            .names = std::min<std::size_t>(limits.nodes, 10'000)};
}

// What Xerces refuses, when the second judge has no better words.
Violation parser_violation(unsigned code) {
    using xercesc::XMLValid;
    Violation violation;
    switch (code) {
        case XMLValid::ElementNotDefined:
            violation.code = "XSD-003", violation.what = "an element that is not declared";
            break;
        case XMLValid::ElementNotValidForContent:
        case XMLValid::SimpleTypeHasChild:
            violation.code = "XSD-003", violation.what = "a child element is not allowed here";
            break;
        case XMLValid::NotEnoughElemsForCM:
        case XMLValid::EmptyNotValidForContent:
            violation.code = "XSD-002", violation.what = "a child element is missing";
            break;
        case XMLValid::AttNotDefinedForElement:
        case XMLValid::AttNotDefined:
        case XMLValid::ProhibitedAttributePresent:
            violation.code = "XSD-005", violation.what = "an attribute that is not allowed";
            break;
        case XMLValid::RequiredAttrNotProvided:
            violation.code = "XSD-006", violation.what = "a required attribute is missing";
            break;
        case XMLValid::NoCharDataInCM:
            violation.code = "XSD-007", violation.what = "text between child elements";
            break;
        case XMLValid::DatatypeError:
        case XMLValid::DatatypeValidationFailure:
        case XMLValid::FixedDifferentFromActual:
        case XMLValid::NotSameAsFixedValue:
        case XMLValid::DoesNotMatchEnumList:
            violation.code = "XSD-004", violation.what = "a value that is not valid";
            break;
        case XMLValid::IC_FieldMultipleMatch:
        case XMLValid::IC_UnknownField:
        case XMLValid::IC_AbsentKeyValue:
        case XMLValid::IC_KeyNotEnoughValues:
        case XMLValid::IC_DuplicateUnique:
        case XMLValid::IC_DuplicateKey:
        case XMLValid::IC_KeyNotFound:
            violation.code = "XSD-008", violation.what = "breaks a rule on keys";
            break;
        default:
            violation.code = "XSD-019", violation.what = "not valid";
    }
    return violation;
}

}  // namespace

namespace xml_detail {

struct ParserOtherUnit {
    const SchemaUnit* unit;
};

// One reader, bound to one schema (or none), used for many documents. Not in the unnamed namespace: XmlParser::Impl holds it,
// and unity builds include this file.
class DocumentReader : public LockedReader {
public:
    DocumentReader(const SchemaUnit* unit, const Schemas* schemas, const XmlLimits& limits)
        : LockedReader(unit != nullptr ? unit->grammars() : nullptr,
                       unit != nullptr && unit->find("") != nullptr ? unit->find("")->file.string() : std::string()),
          unit_(unit),
          schemas_(schemas),
          writer_(parser_limits(limits)) {
        feed().most_in_token = xml_detail::most_in_token(limits.text);
    }

    Document read(std::string_view bytes, const xml_detail::Encoding& encoding, std::string_view file) {
        writer_.clear();
        reports_.clear();
        stopped_ = false;
        file_ = file;
        std::size_t at = 0;
        feed().since_event = feed().equal_signs = 0;
        feed().total = encoding.mark;
        feed().read = [&](char* to, std::size_t most) {
            const std::size_t n = std::min(most, bytes.size() - at);
            std::memcpy(to, bytes.data() + at, n);
            at += n;
            return n;
        };
        const auto source = xml_detail::feed_source(feed(), encoding);
        try {
            xml_detail::guard_xerces([&] { parse(*source); });
        } catch (const Stop&) {
            stopped_ = true;
        }
        if (!reports_.empty()) throw refusal(bytes.size());
        return Document(static_cast<void*>(writer_.sink.take()));
    }

    void forget() { writer_.clear(); }

private:
    struct Stop {};

    void on_start(const XMLCh* local, unsigned uri, const XMLCh* prefix,
                  const xercesc::RefVectorOf<xercesc::XMLAttr>& attributes, XMLSize_t count) override {
        if (schemas_ != nullptr && writer_.sink.depth() == 0) choose(local, uri);
        writer_.start(*this, local, uri, prefix, attributes, count, line(), column());
        for (Report& report : reports_) {
            // Errors of a start tag come before its element.
            if (report.node == nullptr) report.node = writer_.sink.open();
        }
    }
    void on_text(const XMLCh* text, XMLSize_t length) override { writer_.text(text, length); }
    void on_end() override {
        writer_.end();
        if (reports_.size() >= xml_detail::kMostViolations) throw Stop{};
    }
    void on_invalid(unsigned code, std::uint64_t line, std::uint64_t column) override {
        using xercesc::XMLValid;
        const bool of_start_tag = code == XMLValid::ElementNotDefined || code == XMLValid::AttNotDefined ||
                                  code == XMLValid::AttNotDefinedForElement || code == XMLValid::RequiredAttrNotProvided ||
                                  code == XMLValid::ProhibitedAttributePresent;
        if (reports_.size() >= 2 * xml_detail::kMostViolations) throw Stop{};
        reports_.push_back({code, line, column, !of_start_tag && writer_.sink.depth() != 0 ? writer_.sink.open() : nullptr});
    }
    std::string open_path() const override { return writer_.sink.depth() != 0 ? writer_.sink.path() : std::string(); }

    // The root's namespace chooses the schema; what was reported before belongs to the wrong one.
    void choose(const XMLCh* local, unsigned uri) {
        const std::string namespace_uri = xml_detail::to_utf8(getURIText(uri));
        if (unit_ != nullptr && unit_->find(namespace_uri) != nullptr) return;
        const SchemaUnit* other = schemas_->impl().find(namespace_uri);
        if (other != nullptr) throw ParserOtherUnit{other};
        const std::string name = xml_detail::to_utf8(local);
        throw schemas_->impl().unknown_root(
            xml_detail::place(std::string(file_), "/" + xml_detail::shown_name(name), line(), column()), name, namespace_uri);
    }

    ValidationError refusal(std::size_t size) {
        xmlDoc* document = writer_.sink.document();
        std::vector<Violation> violations;
        if (document != nullptr && size <= kParserSecondOpinion) violations = xml_detail::judge_tree(*unit_, document, file_);
        if (stopped_) leave_out_open(violations);
        if (violations.empty()) violations = own_words();
        for (Violation& violation : violations) {
            if (violation.code != "XSD-001") continue;
            for (const SchemaUnit::Root& root : unit_->roots()) {
                for (const std::string& name : root.elements)
                    violation.expected += (violation.expected.empty() ? "" : ", ") + name;
            }
        }
        return xml_detail::violations_error(std::move(violations));
    }

    // A stopped parse leaves elements open: that they lack children says nothing.
    void leave_out_open(std::vector<Violation>& violations) const {
        for (const xmlNode* open = writer_.sink.open(); open != nullptr && open->type == XML_ELEMENT_NODE;
             open = open->parent) {
            const std::string path = xml_detail::path_of(open);
            std::erase_if(violations, [&](const Violation& v) { return v.code == "XSD-002" && v.where.path == path; });
        }
    }

    std::vector<Violation> own_words() const {
        std::vector<Violation> violations;
        for (const Report& report : reports_) {
            Violation violation = parser_violation(report.code);
            violation.where = xml_detail::place(
                std::string(file_), report.node != nullptr ? xml_detail::path_of(report.node) : "", report.line, report.column);
            violations.push_back(std::move(violation));
            if (violations.size() == xml_detail::kMostViolations) break;
        }
        return violations;
    }

    const SchemaUnit* unit_;
    const Schemas* schemas_;  // null: well-formedness alone
    std::string_view file_;
    std::vector<Report> reports_;
    bool stopped_ = false;
    xml_detail::ElementWriter writer_;
};

}  // namespace xml_detail

struct XmlParser::Impl {
    std::shared_ptr<const Schemas> schemas;  // shared by all parsers of a route
    XmlLimits limits;
    std::map<const SchemaUnit*, std::unique_ptr<xml_detail::DocumentReader>> readers;
    const SchemaUnit* last = nullptr;
    std::size_t messages = 0;

    Document parse(std::string_view bytes, const xml_detail::Encoding& encoding, std::string_view file) {
        if (++messages > kParserMessages) {
            readers.clear();
            messages = 0;
        }
        const SchemaUnit* unit = last;
        if (unit == nullptr && schemas && !schemas->impl().units.empty()) unit = smallest();
        for (int attempt = 0;; ++attempt) {
            std::unique_ptr<xml_detail::DocumentReader>& reader = readers[unit];
            if (!reader) reader = std::make_unique<xml_detail::DocumentReader>(unit, schemas.get(), limits);
            try {
                Document document = reader->read(bytes, encoding, file);
                last = unit;
                if (bytes.size() > kParserKeeps) readers.erase(unit);
                return document;
            } catch (const xml_detail::ParserOtherUnit& other) {
                readers.erase(unit);
                unit = other.unit;
                if (attempt > 0) throw std::logic_error("XmlParser: the root changes its namespace");
            } catch (...) {
                readers.erase(unit);
                throw;
            }
        }
    }

    // The first guess must not load a large schema for nothing.
    const SchemaUnit* smallest() const {
        const auto& units = schemas->impl().units;
        return std::min_element(units.begin(), units.end(),
                                [](const auto& a, const auto& b) { return a->bytes() < b->bytes(); })
            ->get();
    }
};

XmlParser::XmlParser(std::shared_ptr<const Schemas> schemas, const XmlLimits& limits) : impl_(std::make_unique<Impl>()) {
    xml_detail::init_libraries();
    impl_->schemas = std::move(schemas);
    impl_->limits = limits;
}

XmlParser::~XmlParser() = default;
XmlParser::XmlParser(XmlParser&&) noexcept = default;
XmlParser& XmlParser::operator=(XmlParser&&) noexcept = default;

Document XmlParser::parse(std::string_view bytes, std::string_view file) {
    try {
        if (bytes.size() > impl_->limits.bytes) {
            Error error(Fault::kPoison, "XML-020", "reading", "the document has " + std::to_string(bytes.size()) + " bytes");
            error.expected("at most " + std::to_string(impl_->limits.bytes) + " bytes");
            throw error;
        }
        const xml_detail::Encoding encoding = xml_detail::detect_encoding(bytes.substr(0, 1024));
        const std::string_view content = bytes.substr(encoding.mark);
        xml_detail::check_encoding(encoding, content, encoding.mark);
        xml_detail::refuse_doctype(encoding, content);
        return impl_->parse(content, encoding, file);
    } catch (Error& e) {
        if (!file.empty()) e.file(std::string(file));
        throw;
    }
}

void XmlParser::split(const Read& read, std::string_view record_path, const Record& record, const Broken& broken,
                      std::string_view file) {
    xml_detail::split_records(impl_->schemas.get(), impl_->limits, parser_limits(impl_->limits), read, record_path, record,
                              broken, file);
}

}  // namespace clrbus
