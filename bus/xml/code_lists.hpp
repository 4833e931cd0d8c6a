// Look-up tables conf/codes/NAME.csv (first column: key; header line names the columns), for f:code(). Read-only after load,
// shared.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus {

class CodeLists {
public:
    // All *.csv of a folder. Throws Error(kConfig, "CODE-0xx") with file and line (ragged row, key twice).
    // secret: for f:hmac, the secret of a name as it is now; it throws for a name that there is none of.
    using Secret = std::function<std::string(std::string_view name)>;
    static std::shared_ptr<const CodeLists> load(const std::filesystem::path& folder, Secret secret = {});
    static std::shared_ptr<const CodeLists> none(Secret secret);  // no list, secrets alone
    virtual ~CodeLists() = default;
    // The value of a column (default: the second) for a key.
    virtual std::optional<std::string> find(std::string_view list, std::string_view key,
                                            std::string_view column = {}) const = 0;
    virtual bool has(std::string_view list) const = 0;
    virtual bool has_column(std::string_view list, std::string_view column) const = 0;
    // Throws Error(kConfig), "FUN-050" where no secrets were given.
    virtual std::string secret(std::string_view name) const = 0;
    virtual const std::vector<std::filesystem::path>& files() const = 0;
};

}  // namespace clrbus
