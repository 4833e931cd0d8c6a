// A small XML or JSON document without what the record must not hold; for CSV files see csv_reducer.hpp. Any thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "xml/document.hpp"
#include "xml/xpath.hpp"

namespace clrbus {

// The document without the elements and attributes that drop names, or nothing when keep (null: everything) does not hold. keep
// is tested first, on the whole document. Throws Error(kPoison, "REDUCE-001") when the root itself is to be dropped, and for a
// drop expression that finds nothing when must_find: it may have a new name.
std::optional<Document> reduce_document(Document document, const XPath* keep,
                                        const std::vector<std::shared_ptr<const XPath>>& drop, bool must_find = false);

}  // namespace clrbus
