// Look-up tables conf/codes/NAME.csv (first column: key; header line names the columns), for f:code(). Read-only after load,
// shared.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus {

class CodeLists {
public:
    // All *.csv of a folder. Throws Error(kConfig, "CODE-0xx") with file and line (ragged row, key twice).
    static std::shared_ptr<const CodeLists> load(const std::filesystem::path& folder);
    virtual ~CodeLists() = default;
    // The value of a column (default: the second) for a key.
    virtual std::optional<std::string> find(std::string_view list, std::string_view key,
                                            std::string_view column = {}) const = 0;
    virtual bool has(std::string_view list) const = 0;
    virtual const std::vector<std::filesystem::path>& files() const = 0;
};

}  // namespace clrbus
