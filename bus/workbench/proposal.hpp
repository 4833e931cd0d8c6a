// A first mapping for a sample: by the names and shapes of its fields. Nothing is guessed that could be wrong in silence: what
// has no likely place is listed as not wanted, what a message must have and no field gives is listed as missing. Pure.
#pragma once

#include <string>
#include <vector>

#include "workbench/mapping.hpp"
#include "workbench/sample.hpp"

namespace clrbus::workbench {

struct ProposalFacts {
    std::string kind;         // statement, definition, person
    std::string source;       // the system's short name
    std::string component;    // employment, …
    std::string type;         // achievement type
    std::string institution;  // issuer of ids that the campus gives: FICE:003658
};
MappingSheet propose_mapping(const Sample& sample, const ProposalFacts& facts);

// Fields whose names say that a learner record must not hold them (pay, social security number, birth date, …): proposed to be
// dropped at the door.
std::vector<const Field*> unwanted_fields(const Sample& sample);

}  // namespace clrbus::workbench
