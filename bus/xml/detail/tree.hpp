// For bus/xml alone: builds a libxml2 tree from events, one text node between two tags, with names of one dictionary, the full
// line and column of every start tag, and elements numbered in document order (which makes XPath sorting linear).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "xml/document.hpp"

struct _xmlDoc;
struct _xmlNode;
struct _xmlNs;
struct _xmlDict;

namespace clrbus::xml_detail {

struct TreeLimits {
    std::size_t depth = 128;
    std::size_t attributes = 256;
    std::size_t nodes = 4'000'000;
    std::size_t text = 16u << 20;
    std::size_t names = 20'000;
};

using DictName = const unsigned char*;

// The tree sink of one thread. Throws Error(kPoison, "XML-02x") with path and line beyond a limit.
class TreeSink {
public:
    explicit TreeSink(const TreeLimits& limits);
    ~TreeSink();
    TreeSink(const TreeSink&) = delete;
    TreeSink& operator=(const TreeSink&) = delete;

    // A name of the dictionary. checked: the text is known to be a name; else XML-027 for one that is not.
    DictName name(std::string_view text, bool checked = true);
    // Starts a new dictionary when the old one holds more names than a document may have. Between documents only.
    void renew_names(std::size_t most);

    _xmlNode* start(DictName name, std::uint64_t line, std::uint32_t column);
    _xmlNs* declare(DictName prefix, std::string_view uri);  // on the open element; prefix null = default
    void set_namespace(_xmlNs* ns);
    void attribute(DictName name, _xmlNs* ns, std::string_view value);
    std::string& pending_text() { return text_; }  // append here, then check_text()
    void check_text() {
        if (text_.size() > limits_.text) too_much_text();
    }
    // drop_blank: white space between elements goes, where an element holds elements and nothing but white space beside them.
    void end(bool drop_blank = false);

    std::size_t depth() const { return depth_; }
    _xmlNode* open() const { return open_; }
    _xmlDoc* document() const { return document_; }
    std::string path() const;
    _xmlDoc* take();
    void clear();

    [[noreturn]] void refuse(std::string_view code, std::string why, std::string expected) const;

private:
    void flush_text();
    void count_node();
    [[noreturn]] void too_much_text();

    TreeLimits limits_;
    _xmlDict* dict_;
    std::unordered_map<std::string_view, DictName> names_;  // keys lie in dict_
    _xmlDoc* document_ = nullptr;
    _xmlNode* open_ = nullptr;
    std::size_t depth_ = 0;
    std::size_t nodes_ = 0;
    std::size_t attributes_ = 0;
    std::intptr_t order_ = 0;
    std::uint64_t line_ = 0;
    std::string text_;
};

std::uint64_t line_of(const _xmlNode* node);
std::uint32_t column_of(const _xmlNode* node);
void set_place(_xmlNode* node, std::uint64_t line, std::uint32_t column);
std::string path_of(const _xmlNode* node);
bool is_blank(std::string_view text);

}  // namespace clrbus::xml_detail
