#include "xml/detail/writer.hpp"

#include <libxml/tree.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

namespace clrbus::xml_detail {

namespace {

constexpr std::string_view kXsi = "http://www.w3.org/2001/XMLSchema-instance";

std::string_view writer_view(const xmlChar* text) {
    return text != nullptr ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}

void writer_escape(std::string& out, std::string_view text, bool attribute) {
    std::size_t from = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string_view instead;
        switch (text[i]) {
            case '&':
                instead = "&amp;";
                break;
            case '<':
                instead = "&lt;";
                break;
            case '>':
                if (!attribute) instead = "&gt;";
                break;
            case '"':
                if (attribute) instead = "&quot;";
                break;
            case '\t':
                if (attribute) instead = "&#9;";
                break;
            case '\n':
                if (attribute) instead = "&#10;";
                break;
            case '\r':
                instead = "&#13;";
                break;
            default:
                break;
        }
        if (instead.empty()) continue;
        out.append(text, from, i - from);
        out += instead;
        from = i + 1;
    }
    out.append(text, from, text.size() - from);
}

using Scope = std::map<std::string_view, std::string_view>;  // prefix -> URI, sorted

class TreeWriter {
public:
    TreeWriter(std::string& out, const xmlNode* top, bool indent) : out_(out), top_(top), indent_(indent) {}

    void write() {
        const xmlNode* node = top_;
        if (node->type == XML_TEXT_NODE) {
            writer_escape(out_, writer_view(node->content), false);
            return;
        }
        if (node->type != XML_ELEMENT_NODE) return;
        while (true) {
            if (enter(node)) {
                node = node->children;
                continue;
            }
            while (node != top_ && node->next == nullptr) {
                node = node->parent;
                leave(node);
            }
            if (node == top_) return;
            node = node->next;
        }
    }

private:
    // True when its children are to be written next.
    bool enter(const xmlNode* node) {
        switch (node->type) {
            case XML_TEXT_NODE:
            case XML_CDATA_SECTION_NODE:
                writer_escape(out_, writer_view(node->content), false);
                return false;
            case XML_COMMENT_NODE:
                out_.append("<!--").append(writer_view(node->content)).append("-->");
                return false;
            case XML_PI_NODE:
                out_.append("<?").append(writer_view(node->name)).append(" ").append(writer_view(node->content)).append("?>");
                return false;
            case XML_ELEMENT_NODE:
                break;
            default:
                return false;
        }
        if (indent_ && node != top_ && elements_only(node->parent)) new_line(marks_.size());
        out_ += '<';
        name(node->ns, node->name);
        declarations(node);
        attributes(node);
        if (node->children == nullptr) {
            out_ += "/>";
            close_scope();
            return false;
        }
        out_ += '>';
        return true;
    }

    void leave(const xmlNode* node) {
        close_scope();
        if (indent_ && elements_only(node)) new_line(marks_.size());
        out_ += "</";
        name(node->ns, node->name);
        out_ += '>';
    }

    void name(const xmlNs* ns, const xmlChar* local) {
        if (ns != nullptr && ns->prefix != nullptr) out_.append(writer_view(ns->prefix)).append(":");
        out_ += writer_view(local);
    }

    // Pushes the scope of this element.
    void declarations(const xmlNode* node) {
        Scope added;
        if (node == top_) {
            for (const xmlNode* above = node->parent; above != nullptr && above->type == XML_ELEMENT_NODE;
                 above = above->parent) {
                for (const xmlNs* ns = above->nsDef; ns != nullptr; ns = ns->next)
                    outer_.emplace(writer_view(ns->prefix), writer_view(ns->href));
            }
        }
        const auto need = [&](std::string_view prefix, std::string_view uri) {
            const std::string_view* known = in_scope(prefix);
            if (known == nullptr ? (!prefix.empty() || !uri.empty()) : *known != uri) added[prefix] = uri;
        };
        for (const xmlNs* ns = node->nsDef; ns != nullptr; ns = ns->next) need(writer_view(ns->prefix), writer_view(ns->href));
        const auto use = [&](const xmlNs* ns) {
            if (writer_view(ns->prefix) != "xml") need(writer_view(ns->prefix), writer_view(ns->href));
        };
        if (node->ns != nullptr) {
            use(node->ns);
        } else {
            added.erase(std::string_view());
            need({}, {});
        }
        for (const xmlAttr* attribute = node->properties; attribute != nullptr; attribute = attribute->next) {
            if (attribute->ns == nullptr) continue;
            use(attribute->ns);
            // xsi:type holds a prefixed name: then every prefix from above may be meant.
            if (!outer_.empty() && writer_view(attribute->ns->href) == kXsi) {
                for (const auto& [prefix, uri] : outer_) {
                    if (!prefix.empty() && !added.contains(prefix) && in_scope(prefix) == nullptr) added[prefix] = uri;
                }
            }
        }
        for (const auto& [prefix, uri] : added) {
            out_ += prefix.empty() ? " xmlns" : " xmlns:";
            out_.append(prefix).append("=\"");
            writer_escape(out_, uri, true);
            out_ += '"';
        }
        marks_.push_back(scope_.size());
        scope_.insert(scope_.end(), added.begin(), added.end());
    }

    void close_scope() {
        scope_.resize(marks_.back());
        marks_.pop_back();
    }

    const std::string_view* in_scope(std::string_view prefix) const {
        for (auto entry = scope_.rbegin(); entry != scope_.rend(); ++entry) {
            if (entry->first == prefix) return &entry->second;
        }
        return nullptr;
    }

    void attributes(const xmlNode* node) {
        if (node->properties == nullptr) return;
        std::vector<const xmlAttr*> sorted;
        for (const xmlAttr* attribute = node->properties; attribute != nullptr; attribute = attribute->next)
            sorted.push_back(attribute);
        std::sort(sorted.begin(), sorted.end(), [](const xmlAttr* a, const xmlAttr* b) {
            const auto uri = [](const xmlAttr* x) { return x->ns != nullptr ? writer_view(x->ns->href) : std::string_view(); };
            const int order = uri(a).compare(uri(b));
            return order != 0 ? order < 0 : writer_view(a->name) < writer_view(b->name);
        });
        for (const xmlAttr* attribute : sorted) {
            out_ += ' ';
            name(attribute->ns, attribute->name);
            out_ += "=\"";
            for (const xmlNode* text = attribute->children; text != nullptr; text = text->next) {
                writer_escape(out_, writer_view(text->content), true);
            }
            out_ += '"';
        }
    }

    static bool elements_only(const xmlNode* node) {
        for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
            if (child->type != XML_ELEMENT_NODE) return false;
        }
        return true;
    }

    void new_line(std::size_t level) { out_.append("\n").append(2 * level, ' '); }

    std::string& out_;
    const xmlNode* top_;
    bool indent_;
    std::vector<std::pair<std::string_view, std::string_view>> scope_;  // prefix, URI; the last one counts
    std::vector<std::size_t> marks_;                                    // of scope_, one for each open element
    Scope outer_;                                                       // declared above top_
};

}  // namespace

void write_tree(std::string& out, const xmlNode* top, bool indent) {
    TreeWriter(out, top, indent).write();
}

}  // namespace clrbus::xml_detail
