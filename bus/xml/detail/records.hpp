// For bus/xml alone: a batch as a stream of records, one in memory.
#pragma once

#include <string_view>

#include "xml/detail/tree.hpp"
#include "xml/parser.hpp"

namespace clrbus::xml_detail {

// See XmlParser::split.
void split_records(const Schemas* schemas, const XmlLimits& limits, const TreeLimits& tree_limits, const XmlParser::Read& read,
                   std::string_view record_path, const XmlParser::Record& record, const XmlParser::Broken& broken,
                   std::string_view file);

}  // namespace clrbus::xml_detail
