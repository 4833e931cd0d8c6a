// Enumerating an element's attributes and the namespaces in scope: what configuration files need, and no message path does.
#include <libxml/tree.h>

#include "xml/document.hpp"

namespace clrbus {

std::vector<Node::Attribute> Node::attributes() const {
    std::vector<Attribute> out;
    const auto* element = static_cast<const xmlNode*>(node_);
    if (element == nullptr || element->type != XML_ELEMENT_NODE) return out;
    for (xmlAttr* a = element->properties; a != nullptr; a = a->next) {
        xmlChar* value = xmlNodeListGetString(element->doc, a->children, 1);
        Attribute attribute;
        attribute.name = reinterpret_cast<const char*>(a->name);
        if (a->ns != nullptr && a->ns->href != nullptr) attribute.namespace_uri = reinterpret_cast<const char*>(a->ns->href);
        if (value != nullptr) attribute.value = reinterpret_cast<const char*>(value);
        xmlFree(value);
        out.push_back(std::move(attribute));
    }
    return out;
}

std::map<std::string, std::string> Node::namespaces() const {
    std::map<std::string, std::string> out;
    const auto* element = static_cast<const xmlNode*>(node_);
    for (; element != nullptr && element->type == XML_ELEMENT_NODE; element = element->parent) {
        for (const xmlNs* ns = element->nsDef; ns != nullptr; ns = ns->next) {
            // emplace: the inner declaration of a prefix wins
            out.emplace(ns->prefix == nullptr ? "" : reinterpret_cast<const char*>(ns->prefix),
                        ns->href == nullptr ? "" : reinterpret_cast<const char*>(ns->href));
        }
    }
    return out;
}

}  // namespace clrbus
