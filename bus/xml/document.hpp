// One tree for every format. A Document is made by a parser (xml/parser.hpp, formats/) or a Transformer, and stays on the
// thread that made it: only bytes cross threads. The tree library behind it shows in no header.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus {

// A node of a Document: a handle that is valid while its Document lives and is not changed. Value type; null when default-made.
class Node {
public:
    Node() = default;
    explicit operator bool() const { return node_ != nullptr; }

    std::string_view name() const;                             // local name
    std::string_view namespace_uri() const;                    // "" for none
    bool is_element() const;                                   // false for attributes and texts, which XPath finds too
    std::string text() const;                                  // string value: all text below
    std::string attribute(std::string_view local_name) const;  // "" when absent; attributes in no namespace
    bool has_attribute(std::string_view local_name) const;
    struct Attribute {
        std::string name, namespace_uri, value;
    };
    std::vector<Attribute> attributes() const;
    std::map<std::string, std::string> namespaces() const;  // prefixes in scope at this element, "" for the default one
    std::uint64_t line() const;                             // in the source, 0 when unknown
    std::string path() const;  // /enrollments/enrollment[104]/term: local names, positions where siblings share the name

    Node parent() const;
    Node first_child() const;                       // elements only
    Node next() const;                              // next sibling element
    Node child(std::string_view local_name) const;  // first child element of that local name in any namespace
    std::vector<Node> children(std::string_view local_name = {}) const;
    std::string child_text(std::string_view local_name) const {
        return child(local_name) ? child(local_name).text() : std::string();
    }

    void* raw() const { return node_; }  // for bus/xml alone
    explicit Node(void* node) : node_(node) {}

private:
    void* node_ = nullptr;
};

class Document {
public:
    Document();  // empty: no root
    ~Document();
    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;

    Node root() const;
    explicit operator bool() const { return static_cast<bool>(root()); }

    // UTF-8, without declaration unless asked. The same tree gives the same bytes: attributes and namespaces are sorted.
    struct WriteOptions {
        bool declaration = false;
        bool indent = false;
    };
    std::string write(const WriteOptions& options) const;
    std::string write() const { return write(WriteOptions{}); }
    static std::string write(Node node);  // a subtree with the namespaces it needs

    // A copy of one subtree as a Document of its own (line numbers kept).
    static Document copy(Node node);

    // Takes elements and attributes of this document out of it, with all below; handles to them are no longer valid. The root
    // is left alone.
    void remove(const std::vector<Node>& nodes);

    // The text becomes all that an element or attribute of this document holds; handles to what it held are no longer valid.
    // Throws Error(kPoison, "XML-028") for another kind of node. utf8: characters that XML can carry, as base64 or a text out
    // of another document.
    void set_text(const Node& node, std::string_view utf8);

    void* raw() const;  // for bus/xml alone
    explicit Document(void* raw_document);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Builds a Document from events; used by formats/ (JSON, CSV) and tests. One thread. Names are made valid XML names by the
// caller (xml_name below). Throws Error(kPoison, "XML-02x") beyond the limits or for a character that XML cannot carry.
class TreeBuilder {
public:
    struct Limits {
        std::size_t depth = 128;
        std::size_t nodes = 4'000'000;
        std::size_t text = 16u << 20;  // of one node
        std::size_t names = 20'000;    // different element and attribute names in one builder's life
    };
    TreeBuilder();
    explicit TreeBuilder(const Limits& limits);
    ~TreeBuilder();
    TreeBuilder(const TreeBuilder&) = delete;
    TreeBuilder& operator=(const TreeBuilder&) = delete;

    void start(std::string_view name);  // element in no namespace
    void start(std::string_view name, std::string_view namespace_uri);
    void attribute(std::string_view name, std::string_view value);
    void text(std::string_view utf8);
    void end();
    void line(std::uint64_t line);  // of the elements that follow
    std::size_t depth() const;
    std::string path() const;  // of the open element
    Document finish();         // the builder can then be used again
    void clear();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Any text as a valid XML name: characters that a name cannot hold become _xHHHH_ ("JOB CODE" -> JOB_x0020_CODE, "2ND" ->
// _x0032_ND); reversible by original_name.
std::string xml_name(std::string_view text);
std::string original_name(std::string_view name);

}  // namespace clrbus
