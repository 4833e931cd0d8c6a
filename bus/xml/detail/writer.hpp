// For bus/xml alone: a tree as UTF-8. The same tree gives the same bytes: attributes and namespace declarations are sorted.
#pragma once

#include <string>

struct _xmlNode;

namespace clrbus::xml_detail {

// A subtree with the namespaces it needs from the elements above it. No recursion: any depth.
void write_tree(std::string& out, const _xmlNode* top, bool indent);

}  // namespace clrbus::xml_detail
