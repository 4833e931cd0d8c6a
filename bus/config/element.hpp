// What a Config points to. For config/ alone. A Boost property tree would hold names and values; the place of each attribute
// and the namespaces in scope are what it cannot hold, so the element is our own.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace clrbus {

struct Config::Element {
    std::string name, namespace_uri, text;
    Where where;
    std::map<std::string, std::string> attributes;
    std::map<std::string, std::string> namespaces;
    std::vector<std::shared_ptr<const Element>> children;
};

}  // namespace clrbus
