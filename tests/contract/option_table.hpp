// The table of an adapter's options for its README, written from its config.xsd.
#pragma once

#include <filesystem>
#include <string>

namespace clrbus::contract {

inline constexpr const char* kTableBegin =
    "<!-- options of config.xsd: written by the contract tests (CLRBUS_WRITE_TABLES=1) -->\n";
inline constexpr const char* kTableEnd = "<!-- end of options -->\n";

// Each line "| option | value | without it | meaning |". Throws std::runtime_error when an option has no documentation.
std::string option_table(const std::filesystem::path& schema);

// The README with the table between its two marks. Throws std::runtime_error when the marks are not there.
std::string with_table(const std::string& readme, const std::string& table);

}  // namespace clrbus::contract
