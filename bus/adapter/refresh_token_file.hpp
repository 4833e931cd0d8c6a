// Where a refresh token is kept that a far side gave instead of the one it was given: a file of the state directory, its
// owner's alone. The token of the configuration counts until it was used, and again when a person has put another one there.
// Any thread.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace clrbus {

class RefreshTokenFile {
public:
    // name: the same for the same grant. first: the secret of the configuration as it is now.
    RefreshTokenFile(const std::filesystem::path& state_dir, std::string_view name, std::function<std::string()> first);

    std::string token() const;                  // throws what first throws
    void keep(const std::string& token) const;  // on disk when it returns; throws Error(kConfig, "CRYPTO-011")

private:
    std::filesystem::path file_;
    std::function<std::string()> first_;
};

}  // namespace clrbus
