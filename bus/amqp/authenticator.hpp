// Who may connect. The listener asks; what is above answers from its configuration. Any thread; no call may block.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/password.hpp"

namespace clrbus::amqp {

class Authenticator {
public:
    virtual ~Authenticator() = default;
    // For PLAIN and SCRAM-SHA-256. Nothing: no such user (the peer is not told).
    virtual std::optional<crypto::ScramSecret> secret(std::string_view user) const = 0;
    // For EXTERNAL: the user whom this subject of a verified client certificate stands for.
    virtual std::optional<std::string> user_of_certificate(std::string_view subject) const = 0;
    // For ANONYMOUS: the user that such a peer becomes. Nothing: not offered.
    virtual std::optional<std::string> anonymous_user() const = 0;
};

// Users as values, filled from the configuration; may be replaced while the listener runs.
class UserStore : public Authenticator {
public:
    struct Users {
        std::map<std::string, crypto::ScramSecret, std::less<>> secrets;  // by name
        std::map<std::string, std::string, std::less<>> certificates;     // subject -> user
        std::optional<std::string> anonymous;
    };

    UserStore() : users_(std::make_shared<const Users>()) {}
    explicit UserStore(Users users) : users_(std::make_shared<const Users>(std::move(users))) {}

    void replace(Users users);  // connections that are open stay
    // Derives the keys of a password (takes as long as its iterations).
    void add(std::string_view user, std::string_view password, std::uint32_t iterations = crypto::kScramIterations);

    std::optional<crypto::ScramSecret> secret(std::string_view user) const override;
    std::optional<std::string> user_of_certificate(std::string_view subject) const override;
    std::optional<std::string> anonymous_user() const override;

private:
    std::shared_ptr<const Users> now() const;

    mutable std::mutex mutex_;
    std::shared_ptr<const Users> users_;  // shared with the calls that read it at the moment
};

}  // namespace clrbus::amqp
