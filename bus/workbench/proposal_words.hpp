// The words that sources use for their fields, and what they most likely mean. Pure.
#pragma once

#include <string>
#include <vector>

#include "workbench/sample.hpp"

namespace clrbus::workbench {

// Names as sources write them, in words; the first that matches whole wins, then the first that ends a name.
struct Likely {
    const char* target;
    const char* rule;  // "" = by the field's shape
    std::vector<const char*> names;
};

const std::vector<Likely>& likely_person();       // target: scheme of an identifier
const std::vector<Likely>& likely_names();        // target: attribute of a name
const std::vector<Likely>& likely_achievement();  // target: as a mapping names it
extern const std::vector<const char*> kRecordIds;
extern const std::vector<const char*> kVersions;

// Better is smaller; -1: no. name: spoken.
int match(const std::string& name, const std::vector<const char*>& names);

// By its name it is nothing that a learner record may hold.
bool is_unwanted(const Field& field);

// Words of a person's name or form of address, which are no title of anything.
bool of_person(const Field& field);

// The argument of a map from a source's words for a status to ours, as far as they are plain.
std::string status_map(const Leaf& leaf);

}  // namespace clrbus::workbench
