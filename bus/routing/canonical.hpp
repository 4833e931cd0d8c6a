// Reads the envelope of a canonical message (xsd/learner-record.xsd), already valid, for the records' apply header.
#pragma once

#include "routing/apply_header.hpp"
#include "xml/document.hpp"

namespace clrbus {

inline constexpr std::string_view kLearnerRecordNamespace = "urn:clrbus:learner-record:1";

// Throws Error(kPoison, "REC-002") for a root that is none of the four kinds.
ApplyHeader read_apply_header(Node root);

}  // namespace clrbus
