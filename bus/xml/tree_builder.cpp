#include <libxml/tree.h>

#include <stdexcept>
#include <vector>

#include "core/error.hpp"
#include "xml/detail/text.hpp"
#include "xml/detail/tree.hpp"
#include "xml/document.hpp"

namespace clrbus {

namespace {

xml_detail::TreeLimits builder_limits(const TreeBuilder::Limits& limits) {
    // A record of a wide file has hundreds of columns: no own limit on attributes, the nodes are counted.
    return {
        .depth = limits.depth, .attributes = limits.nodes, .nodes = limits.nodes, .text = limits.text, .names = limits.names};
}

}  // namespace

struct TreeBuilder::Impl {
    explicit Impl(const Limits& limits) : sink(builder_limits(limits)), limits_given(limits) {}

    void check(std::string_view text) const {
        const std::size_t bad = xml_detail::first_bad_xml_char(text);
        if (bad == xml_detail::kAllGood) return;
        if (static_cast<unsigned char>(text[bad]) < 0x20) {
            sink.refuse("XML-021", "a control character that XML cannot carry", "text without control characters");
        }
        sink.refuse("XML-021", "not UTF-8, or a character that XML cannot carry", "text in UTF-8");
    }

    xml_detail::TreeSink sink;
    Limits limits_given;
    std::uint64_t line = 0;
    bool content = false;  // the open element has text or children: too late for attributes
};

TreeBuilder::TreeBuilder() : TreeBuilder(Limits{}) {}
TreeBuilder::TreeBuilder(const Limits& limits) : impl_(std::make_unique<Impl>(limits)) {}
TreeBuilder::~TreeBuilder() = default;

void TreeBuilder::start(std::string_view name) {
    start(name, {});
}

void TreeBuilder::start(std::string_view name, std::string_view namespace_uri) {
    xml_detail::TreeSink& sink = impl_->sink;
    if (sink.depth() == 0 && sink.document() != nullptr) throw std::logic_error("TreeBuilder: a second root");
    const xml_detail::DictName known = impl_->sink.name(name, false);
    if (!namespace_uri.empty()) impl_->check(namespace_uri);
    const xmlNode* parent = sink.depth() != 0 ? sink.open() : nullptr;
    sink.start(known, impl_->line, 0);
    impl_->content = false;
    if (namespace_uri.empty()) return;
    if (parent != nullptr && parent->ns != nullptr && reinterpret_cast<const char*>(parent->ns->href) == namespace_uri) {
        sink.set_namespace(parent->ns);
    } else {
        sink.set_namespace(sink.declare(nullptr, namespace_uri));
    }
}

void TreeBuilder::attribute(std::string_view name, std::string_view value) {
    if (impl_->sink.depth() == 0 || impl_->content) throw std::logic_error("TreeBuilder: attribute outside of a start tag");
    impl_->check(value);
    const xml_detail::DictName known = impl_->sink.name(name, false);
    for (const xmlAttr* a = impl_->sink.open()->properties; a != nullptr; a = a->next) {
        if (a->name == known) impl_->sink.refuse("XML-028", "an attribute stands twice", "each attribute once");
    }
    impl_->sink.attribute(known, nullptr, value);
}

void TreeBuilder::text(std::string_view utf8) {
    if (impl_->sink.depth() == 0) throw std::logic_error("TreeBuilder: text outside of an element");
    impl_->check(utf8);
    impl_->content = true;
    impl_->sink.pending_text().append(utf8);
    impl_->sink.check_text();
}

void TreeBuilder::end() {
    if (impl_->sink.depth() == 0) throw std::logic_error("TreeBuilder: end without start");
    impl_->sink.end();
    impl_->content = true;
}

void TreeBuilder::line(std::uint64_t line) {
    impl_->line = line;
}

std::size_t TreeBuilder::depth() const {
    return impl_->sink.depth();
}

std::string TreeBuilder::path() const {
    return impl_->sink.depth() != 0 ? impl_->sink.path() : std::string();
}

Document TreeBuilder::finish() {
    if (impl_->sink.depth() != 0) throw std::logic_error("TreeBuilder: finish inside an element");
    impl_->line = 0;
    if (impl_->sink.document() == nullptr) return {};
    return Document(static_cast<void*>(impl_->sink.take()));
}

void TreeBuilder::clear() {
    impl_->sink.clear();
    impl_->sink.renew_names(impl_->limits_given.names / 2);
    impl_->line = 0;
    impl_->content = false;
}

}  // namespace clrbus
