// For bus/xml alone: what a stylesheet may not do, found by reading it before it ever runs: a transform is pure.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "xml/code_lists.hpp"

namespace clrbus::xml_detail {

// Reads the stylesheet and its imports as trees. Throws Error(kConfig, "XSL-0xx") with file and line: document(),
// generate-id(), random(), the clock, writing files, functions that do not exist, code lists that do not exist.
class StylesheetCheck {
public:
    explicit StylesheetCheck(const CodeLists* codes) : codes_(codes) {}
    void check(const std::vector<std::filesystem::path>& files);

private:
    void expression(const void* element, const std::filesystem::path& file, const std::string& text);
    void value_template(const void* element, const std::filesystem::path& file, const std::string& text);
    void element(const void* element, const std::filesystem::path& file);

    const CodeLists* codes_;     // may be null
    std::set<std::string> own_;  // {namespace}name of every func:function
};

}  // namespace clrbus::xml_detail
