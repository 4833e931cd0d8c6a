#include "xml/document.hpp"

#include <libxml/tree.h>

#include <new>
#include <unordered_set>

#include "core/error.hpp"
#include "xml/detail/library.hpp"
#include "xml/detail/tree.hpp"
#include "xml/detail/writer.hpp"

namespace clrbus {

namespace {

const xmlNode* document_node(const void* raw) {
    return static_cast<const xmlNode*>(raw);
}

std::string_view document_view(const xmlChar* text) {
    return text != nullptr ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}

xmlNode* document_element_from(xmlNode* node) {
    while (node != nullptr && node->type != XML_ELEMENT_NODE) node = node->next;
    return node;
}

bool document_has_children(const xmlNode* node) {
    return node->type == XML_ELEMENT_NODE || node->type == XML_DOCUMENT_NODE || node->type == XML_ATTRIBUTE_NODE;
}

const xmlAttr* document_attribute(const xmlNode* node, std::string_view name) {
    if (node == nullptr || node->type != XML_ELEMENT_NODE) return nullptr;
    for (const xmlAttr* attribute = node->properties; attribute != nullptr; attribute = attribute->next) {
        if (attribute->ns == nullptr && document_view(attribute->name) == name) return attribute;
    }
    return nullptr;
}

// All text below, without recursion.
std::string document_text(const xmlNode* top) {
    std::string text;
    if (top->type == XML_TEXT_NODE || top->type == XML_CDATA_SECTION_NODE) return std::string(document_view(top->content));
    if (!document_has_children(top)) return text;
    const xmlNode* node = top->children;
    while (node != nullptr) {
        if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) text += document_view(node->content);
        if (node->type == XML_ELEMENT_NODE && node->children != nullptr) {
            node = node->children;
            continue;
        }
        while (node != nullptr && node->next == nullptr) {
            node = node->parent;
            if (node == top) return text;
        }
        if (node != nullptr) node = node->next;
    }
    return text;
}

// Both trees have the same shape: carries what xmlDocCopyNode leaves behind.
void document_carry_places(const xmlNode* from, xmlNode* to) {
    std::intptr_t order = 0;
    const xmlNode* const top = from;
    while (true) {
        if (from->type == XML_ELEMENT_NODE) {
            xml_detail::set_place(to, xml_detail::line_of(from), xml_detail::column_of(from));
            to->content = reinterpret_cast<xmlChar*>(--order);
            if (from->children != nullptr) {
                from = from->children;
                to = to->children;
                continue;
            }
        }
        while (from != top && from->next == nullptr) {
            from = from->parent;
            to = to->parent;
        }
        if (from == top) return;
        from = from->next;
        to = to->next;
    }
}

}  // namespace

std::string_view Node::name() const {
    return node_ != nullptr ? document_view(document_node(node_)->name) : std::string_view();
}

std::string_view Node::namespace_uri() const {
    const xmlNode* node = document_node(node_);
    if (node == nullptr || (node->type != XML_ELEMENT_NODE && node->type != XML_ATTRIBUTE_NODE) || node->ns == nullptr)
        return {};
    return document_view(node->ns->href);
}

std::string Node::text() const {
    return node_ != nullptr ? document_text(document_node(node_)) : std::string();
}

std::string Node::attribute(std::string_view local_name) const {
    const xmlAttr* found = document_attribute(document_node(node_), local_name);
    return found != nullptr ? document_text(reinterpret_cast<const xmlNode*>(found)) : std::string();
}

bool Node::has_attribute(std::string_view local_name) const {
    return document_attribute(document_node(node_), local_name) != nullptr;
}

std::uint64_t Node::line() const {
    return xml_detail::line_of(document_node(node_));
}

std::string Node::path() const {
    return xml_detail::path_of(document_node(node_));
}

Node Node::parent() const {
    if (node_ == nullptr) return {};
    xmlNode* parent = document_node(node_)->parent;
    return parent != nullptr && parent->type == XML_ELEMENT_NODE ? Node(parent) : Node();
}

Node Node::first_child() const {
    const xmlNode* node = document_node(node_);
    if (node == nullptr || node->type != XML_ELEMENT_NODE) return {};
    return Node(document_element_from(node->children));
}

Node Node::next() const {
    const xmlNode* node = document_node(node_);
    if (node == nullptr || node->type == XML_ATTRIBUTE_NODE) return {};
    return Node(document_element_from(node->next));
}

Node Node::child(std::string_view local_name) const {
    Node child = first_child();
    while (child && child.name() != local_name) child = child.next();
    return child;
}

std::vector<Node> Node::children(std::string_view local_name) const {
    std::vector<Node> found;
    for (Node child = first_child(); child; child = child.next()) {
        if (local_name.empty() || child.name() == local_name) found.push_back(child);
    }
    return found;
}

struct Document::Impl {
    xmlDoc* document = nullptr;
    Impl() = default;
    ~Impl() {
        if (document != nullptr) xmlFreeDoc(document);
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
};

Document::Document() = default;
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

Document::Document(void* raw_document) : impl_(std::make_unique<Impl>()) {
    impl_->document = static_cast<xmlDoc*>(raw_document);
}

void* Document::raw() const {
    return impl_ ? impl_->document : nullptr;
}

Node Document::root() const {
    const auto* document = static_cast<const xmlDoc*>(raw());
    return document != nullptr ? Node(document_element_from(document->children)) : Node();
}

std::string Document::write(const WriteOptions& options) const {
    std::string out;
    if (options.declaration) out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    const Node top = root();
    if (top) xml_detail::write_tree(out, static_cast<const xmlNode*>(top.raw()), options.indent);
    if (top && options.indent) out += '\n';
    return out;
}

std::string Document::write(Node node) {
    std::string out;
    if (node) xml_detail::write_tree(out, static_cast<const xmlNode*>(node.raw()), false);
    return out;
}

Document Document::copy(Node node) {
    if (!node || document_node(node.raw())->type != XML_ELEMENT_NODE) return {};
    xml_detail::init_libraries();
    xmlDoc* made = xmlNewDoc(reinterpret_cast<const xmlChar*>("1.0"));
    if (made == nullptr) throw std::bad_alloc();
    Document document(made);
    auto* from = static_cast<xmlNode*>(node.raw());
    xmlNode* to = xmlDocCopyNode(from, made, 1);
    if (to == nullptr) throw std::bad_alloc();
    xmlDocSetRootElement(made, to);
    document_carry_places(from, to);
    return document;
}

bool Node::is_element() const {
    return node_ != nullptr && document_node(node_)->type == XML_ELEMENT_NODE;
}

void Document::set_text(const Node& node, std::string_view utf8) {
    auto* raw = static_cast<xmlNode*>(node.raw());
    if (raw == nullptr || (raw->type != XML_ELEMENT_NODE && raw->type != XML_ATTRIBUTE_NODE))
        throw Error(Fault::kPoison, "XML-028", "setting a text", "neither an element nor an attribute");
    xmlFreeNodeList(raw->children);
    raw->children = raw->last = nullptr;
    if (utf8.empty()) return;
    xmlNode* text = xmlNewDocTextLen(raw->doc, reinterpret_cast<const xmlChar*>(utf8.data()), static_cast<int>(utf8.size()));
    if (text == nullptr) throw std::bad_alloc();
    text->parent = raw;
    raw->children = raw->last = text;
}

void Document::remove(const std::vector<Node>& nodes) {
    std::unordered_set<const void*> wanted;
    for (const Node& node : nodes) wanted.insert(node.raw());
    // What lies below another one of them goes with it.
    std::vector<xmlNode*> tops;
    for (const void* raw : wanted) {
        auto* node = static_cast<xmlNode*>(const_cast<void*>(raw));
        if (node == nullptr || node->parent == nullptr || node->parent->type == XML_DOCUMENT_NODE) continue;
        bool covered = false;
        for (const xmlNode* above = node->parent; above != nullptr && !covered; above = above->parent) {
            covered = wanted.count(above) != 0 && above->parent != nullptr && above->parent->type != XML_DOCUMENT_NODE;
        }
        if (!covered) tops.push_back(node);
    }
    for (xmlNode* node : tops) {
        if (node->type == XML_ATTRIBUTE_NODE) {
            xmlRemoveProp(reinterpret_cast<xmlAttr*>(node));
        } else {
            xmlUnlinkNode(node);
            xmlFreeNode(node);
        }
    }
}

}  // namespace clrbus
