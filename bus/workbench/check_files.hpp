// What may not be in a configuration's files: secrets in clear text; and that nobody else may change them. Pure but for reading
// files; one thread.
#pragma once

#include <filesystem>
#include <vector>

#include "config/config.hpp"
#include "workbench/findings.hpp"

namespace clrbus::workbench {

// CHECK-008: an attribute of the element, or of one below it, that holds a secret by its name, its form or its place in a URL.
// The value is never shown.
void check_secrets(const Config& element, Findings& found);
// CHECK-008 too: private keys and signed tokens in any text file below a folder.
void check_secrets_below(const std::filesystem::path& folder, Findings& found);

// CHECK-009: files and folders, these and all below, that others may write to.
void check_writable(const std::vector<std::filesystem::path>& paths, Findings& found);

}  // namespace clrbus::workbench
