// What a field of the input does to what comes out, found by changing it and running the route again: it works with any
// stylesheet. One thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "routing/route.hpp"
#include "workbench/sample.hpp"

namespace clrbus::workbench {

struct FieldEffect {
    std::string path;               // /row/TITLE, without positions
    std::set<std::string> targets;  // places of what comes out: /statement/achievement/name
    bool decides = false;           // it decides whether and as what the message comes out
    Leaf leaf;                      // the shape of its values
    bool nothing() const { return targets.empty() && !decides; }
};

// Fields in the order of the document, at most `most`. input: the document as the steps get it; work: its facts.
std::vector<FieldEffect> field_effects(const CompiledRoute& route, const Work& work, const Document& input, std::size_t most);

}  // namespace clrbus::workbench
