#include "adapter/refresh_token_file.hpp"

#include <utility>

#include "crypto/hash.hpp"
#include "crypto/secret_file.hpp"

namespace clrbus {

RefreshTokenFile::RefreshTokenFile(const std::filesystem::path& state_dir, std::string_view name,
                                   std::function<std::string()> first)
    : file_(state_dir / "refresh-tokens" / crypto::sha256_hex(name).substr(0, 32)), first_(std::move(first)) {}

std::string RefreshTokenFile::token() const {
    const std::string first = first_();
    if (!std::filesystem::exists(file_)) return first;
    const std::string text = crypto::read_secret_file(file_);
    const std::size_t end = text.find('\n');
    const bool follows = end != std::string::npos && text.substr(0, end) == crypto::sha256_hex(first);
    return follows ? text.substr(end + 1) : first;
}

void RefreshTokenFile::keep(const std::string& token) const {
    std::filesystem::create_directories(file_.parent_path());
    std::filesystem::permissions(file_.parent_path(), std::filesystem::perms::owner_all);
    crypto::write_secret_file(file_, crypto::sha256_hex(first_()) + '\n' + token);
}

}  // namespace clrbus
