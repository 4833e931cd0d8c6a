#include "xml/detail/tree.hpp"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/tree.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <vector>

#include "core/error.hpp"
#include "xml/detail/library.hpp"
#include "xml/detail/text.hpp"

namespace clrbus::xml_detail {

namespace {

// _private of an element holds the line in the low 40 bits and the column above: xmlNode.line ends at 65535.
constexpr unsigned kTreeLineBits = 40;
constexpr std::uint64_t kTreeLineMask = (std::uint64_t{1} << kTreeLineBits) - 1;

template <typename T>
T* tree_allocate() {
    auto* memory = static_cast<T*>(xmlMalloc(sizeof(T)));
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(static_cast<void*>(memory), 0, sizeof(T));
    return memory;
}

xmlNode* tree_text_node(xmlDoc* document, xmlNode* parent, std::string_view text) {
    xmlNode* node = tree_allocate<xmlNode>();
    node->type = XML_TEXT_NODE;
    node->name = xmlStringText;
    node->doc = document;
    node->parent = parent;
    // Short texts lie in the node itself, as libxml2's own COMPACT option does it.
    if (text.size() < 2 * sizeof(void*)) {
        auto* inside = reinterpret_cast<char*>(&node->properties);
        std::memcpy(inside, text.data(), text.size());
        inside[text.size()] = 0;
        node->content = reinterpret_cast<xmlChar*>(inside);
        return node;
    }
    auto* copy = static_cast<xmlChar*>(xmlMallocAtomic(text.size() + 1));
    if (copy == nullptr) {
        xmlFree(node);
        throw std::bad_alloc();
    }
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = 0;
    node->content = copy;
    return node;
}

std::size_t tree_position(const xmlNode* node, bool& several) {
    std::size_t before = 0;
    several = false;
    for (const xmlNode* s = node->prev; s != nullptr; s = s->prev) {
        if (s->type == XML_ELEMENT_NODE && xmlStrEqual(s->name, node->name) != 0) ++before;
    }
    several = before != 0;
    for (const xmlNode* s = node->next; s != nullptr && !several; s = s->next) {
        several = s->type == XML_ELEMENT_NODE && xmlStrEqual(s->name, node->name) != 0;
    }
    return before + 1;
}

}  // namespace

std::uint64_t line_of(const xmlNode* node) {
    while (node != nullptr && node->type != XML_ELEMENT_NODE && node->type != XML_DOCUMENT_NODE) node = node->parent;
    if (node == nullptr || node->type != XML_ELEMENT_NODE) return 0;
    const std::uint64_t line = reinterpret_cast<std::uintptr_t>(node->_private) & kTreeLineMask;
    return line != 0 ? line : node->line;
}

std::uint32_t column_of(const xmlNode* node) {
    if (node == nullptr || node->type != XML_ELEMENT_NODE) return 0;
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(node->_private) >> kTreeLineBits);
}

void set_place(xmlNode* node, std::uint64_t line, std::uint32_t column) {
    node->line = static_cast<unsigned short>(std::min<std::uint64_t>(line, 65535));
    const std::uint64_t packed =
        (line & kTreeLineMask) | (std::uint64_t{std::min<std::uint32_t>(column, 0xFFFFFF)} << kTreeLineBits);
    node->_private = reinterpret_cast<void*>(static_cast<std::uintptr_t>(packed));
}

std::string path_of(const xmlNode* node) {
    std::vector<std::string> steps;
    for (; node != nullptr && node->type != XML_DOCUMENT_NODE; node = node->parent) {
        if (node->type == XML_ATTRIBUTE_NODE) {
            steps.push_back(std::string("/@") + reinterpret_cast<const char*>(node->name));
        } else if (node->type == XML_ELEMENT_NODE) {
            std::string step = std::string("/") + reinterpret_cast<const char*>(node->name);
            bool several = false;
            const std::size_t position = tree_position(node, several);
            if (several) step += "[" + std::to_string(position) + "]";
            steps.push_back(std::move(step));
        }
    }
    std::string path;
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) path += *step;
    return path;
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

TreeSink::TreeSink(const TreeLimits& limits) : limits_(limits), dict_(nullptr) {
    init_libraries();
    dict_ = xmlDictCreate();
    if (dict_ == nullptr) throw std::bad_alloc();
}

TreeSink::~TreeSink() {
    clear();
    xmlDictFree(dict_);
}

DictName TreeSink::name(std::string_view text, bool checked) {
    const auto known = names_.find(text);
    if (known != names_.end()) return known->second;
    if (!checked && !is_name(text)) refuse("XML-027", "not an XML name", "a name made by xml_name");
    if (names_.size() >= limits_.names) {
        refuse("XML-026", "too many different names",
               "at most " + std::to_string(limits_.names) + " element and attribute names");
    }
    const xmlChar* name = xmlDictLookup(dict_, reinterpret_cast<const xmlChar*>(text.data()), static_cast<int>(text.size()));
    if (name == nullptr) throw std::bad_alloc();
    names_.emplace(std::string_view(reinterpret_cast<const char*>(name), text.size()), name);
    return name;
}

void TreeSink::renew_names(std::size_t most) {
    if (names_.size() <= most) return;
    if (document_ != nullptr) throw std::logic_error("names renewed inside a document");
    xmlDict* fresh = xmlDictCreate();
    if (fresh == nullptr) throw std::bad_alloc();
    names_.clear();
    xmlDictFree(dict_);  // documents made with it hold it until they are gone
    dict_ = fresh;
}

void TreeSink::count_node() {
    if (++nodes_ > limits_.nodes) {
        refuse("XML-025", "too many elements, attributes and texts", "at most " + std::to_string(limits_.nodes));
    }
}

xmlNode* TreeSink::start(DictName name, std::uint64_t line, std::uint32_t column) {
    flush_text();
    line_ = line;
    if (depth_ >= limits_.depth) {
        refuse("XML-022", "elements are nested too deep", "at most " + std::to_string(limits_.depth) + " levels");
    }
    count_node();
    if (document_ == nullptr) {
        document_ = xmlNewDoc(reinterpret_cast<const xmlChar*>("1.0"));
        if (document_ == nullptr) throw std::bad_alloc();
        document_->dict = dict_;
        xmlDictReference(dict_);
        open_ = reinterpret_cast<xmlNode*>(document_);
    }
    xmlNode* node = tree_allocate<xmlNode>();
    node->type = XML_ELEMENT_NODE;
    node->name = name;
    node->doc = document_;
    node->parent = open_;
    set_place(node, line, column);
    // What xmlXPathOrderDocElems() would write later: comparing two elements then needs no walk.
    node->content = reinterpret_cast<xmlChar*>(--order_);
    node->prev = open_->last;
    if (open_->last != nullptr) {
        open_->last->next = node;
    } else {
        open_->children = node;
    }
    open_->last = node;
    open_ = node;
    ++depth_;
    attributes_ = 0;
    return node;
}

xmlNs* TreeSink::declare(DictName prefix, std::string_view uri) {
    xmlNs* ns = tree_allocate<xmlNs>();
    ns->type = XML_LOCAL_NAMESPACE;
    ns->href = xmlStrndup(reinterpret_cast<const xmlChar*>(uri.data()), static_cast<int>(uri.size()));
    ns->prefix = prefix != nullptr ? xmlStrdup(prefix) : nullptr;
    xmlNs** last = &open_->nsDef;
    while (*last != nullptr) last = &(*last)->next;
    *last = ns;
    if (++attributes_ > limits_.attributes) {
        refuse("XML-023", "too many attributes",
               "at most " + std::to_string(limits_.attributes) + " attributes of one element");
    }
    return ns;
}

void TreeSink::set_namespace(xmlNs* ns) {
    open_->ns = ns;
}

void TreeSink::attribute(DictName name, xmlNs* ns, std::string_view value) {
    if (++attributes_ > limits_.attributes) {
        refuse("XML-023", "too many attributes",
               "at most " + std::to_string(limits_.attributes) + " attributes of one element");
    }
    if (value.size() > limits_.text) too_much_text();
    count_node();
    xmlAttr* node = tree_allocate<xmlAttr>();
    node->type = XML_ATTRIBUTE_NODE;
    node->name = name;
    node->ns = ns;
    node->doc = document_;
    node->parent = open_;
    xmlAttr* last = open_->properties;
    if (last == nullptr) {
        open_->properties = node;
    } else {
        while (last->next != nullptr) last = last->next;
        last->next = node;
        node->prev = last;
    }
    node->children = node->last = tree_text_node(document_, reinterpret_cast<xmlNode*>(node), value);
}

void TreeSink::flush_text() {
    if (text_.empty()) return;
    if (depth_ == 0) {
        text_.clear();
        return;
    }
    count_node();
    xmlNode* node = tree_text_node(document_, open_, text_);
    node->prev = open_->last;
    if (open_->last != nullptr) {
        open_->last->next = node;
    } else {
        open_->children = node;
    }
    open_->last = node;
    text_.clear();
}

void TreeSink::end(bool drop_blank) {
    flush_text();
    if (drop_blank && open_->children != open_->last) {
        bool only_blank = true;
        for (xmlNode* child = open_->children; child != nullptr && only_blank; child = child->next) {
            if (child->type == XML_TEXT_NODE) only_blank = is_blank(reinterpret_cast<const char*>(child->content));
        }
        for (xmlNode* child = only_blank ? open_->children : nullptr; child != nullptr;) {
            xmlNode* next = child->next;
            if (child->type == XML_TEXT_NODE) {
                xmlUnlinkNode(child);
                xmlFreeNode(child);
            }
            child = next;
        }
    }
    open_ = open_->parent;
    --depth_;
}

void TreeSink::too_much_text() {
    refuse("XML-024", "a text or attribute is too long", "at most " + std::to_string(limits_.text) + " bytes");
}

std::string TreeSink::path() const {
    return path_of(open_);
}

xmlDoc* TreeSink::take() {
    xmlDoc* document = document_;
    document_ = nullptr;
    clear();
    return document;
}

void TreeSink::clear() {
    if (document_ != nullptr) xmlFreeDoc(document_);
    document_ = nullptr;
    open_ = nullptr;
    depth_ = nodes_ = attributes_ = 0;
    order_ = 0;
    line_ = 0;
    text_.clear();
    if (text_.capacity() > (1u << 20)) text_.shrink_to_fit();
}

void TreeSink::refuse(std::string_view code, std::string why, std::string expected) const {
    Error error(Fault::kPoison, code, "reading", place({}, path(), line_), std::move(why));
    error.expected(std::move(expected));
    throw error;
}

}  // namespace clrbus::xml_detail
