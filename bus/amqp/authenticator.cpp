#include "amqp/authenticator.hpp"

#include <utility>

#include "crypto/hash.hpp"

namespace clrbus::amqp {

void UserStore::replace(Users users) {
    auto next = std::make_shared<const Users>(std::move(users));
    const std::lock_guard lock(mutex_);
    users_ = std::move(next);
}

void UserStore::add(std::string_view user, std::string_view password, std::uint32_t iterations) {
    auto secret = crypto::make_scram_secret(password, crypto::random_bytes(16), iterations);
    const std::lock_guard lock(mutex_);
    auto next = std::make_shared<Users>(*users_);
    next->secrets.insert_or_assign(std::string(user), std::move(secret));
    users_ = std::move(next);
}

std::shared_ptr<const UserStore::Users> UserStore::now() const {
    const std::lock_guard lock(mutex_);
    return users_;
}

std::optional<crypto::ScramSecret> UserStore::secret(std::string_view user) const {
    const auto users = now();
    const auto found = users->secrets.find(user);
    if (found == users->secrets.end()) return std::nullopt;
    return found->second;
}

std::optional<std::string> UserStore::user_of_certificate(std::string_view subject) const {
    const auto users = now();
    const auto found = users->certificates.find(subject);
    if (found == users->certificates.end()) return std::nullopt;
    return found->second;
}

std::optional<std::string> UserStore::anonymous_user() const {
    return now()->anonymous;
}

}  // namespace clrbus::amqp
