// Which namespaces a stylesheet reads and which a schema lets through: as far as both say so. Pure but for reading files.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace clrbus::workbench {

// Of the name tests in match patterns and select expressions, "" for names without a prefix. Empty when the stylesheet says
// nothing certain: it uses wildcards or local-name() alone.
std::set<std::string> namespaces_read(const std::vector<std::filesystem::path>& stylesheets);
// In which an instance of the schemas may have elements, "" among them where local elements are unqualified or there is no
// target namespace.
std::set<std::string> namespaces_declared(const std::vector<std::filesystem::path>& schemas);

}  // namespace clrbus::workbench
