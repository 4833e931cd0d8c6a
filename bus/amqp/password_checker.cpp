#include "amqp/password_checker.hpp"

#include <atomic>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/executor.hpp"
#include "crypto/hash.hpp"

namespace clrbus::amqp {
namespace {

constexpr int kMaxWaiting = 256;         // checks in the queue; more are told to try again
constexpr std::size_t kMaxKnown = 1024;  // remembered credentials

}  // namespace

struct PasswordChecker::State {
    explicit State(const Authenticator& authenticator) : users(authenticator) {}

    const Authenticator& users;
    const std::string key = crypto::random_bytes(32);  // of this process alone
    const crypto::KeyedHash hash{key};
    std::atomic<int> waiting{0};
    std::mutex mutex;
    std::unordered_map<std::string, std::string> known;  // keyed hash of user and password -> stored key that it matched
    ThreadPool pool{1, "amqp-password"};                 // last: its jobs use all of the above

    std::string digest(const std::string& user, const std::string& password) const {
        std::string both = std::to_string(user.size());
        return hash.raw(both.append(":").append(user).append(password));
    }

    bool remembered(const std::string& digest_of, const crypto::ScramSecret& secret) {
        const std::lock_guard lock(mutex);
        const auto found = known.find(digest_of);
        // A changed password has another stored key.
        return found != known.end() && crypto::constant_time_equal(found->second, secret.stored_key);
    }

    void remember(std::string digest_of, const crypto::ScramSecret& secret) {
        const std::lock_guard lock(mutex);
        if (known.size() >= kMaxKnown) known.clear();
        known.insert_or_assign(std::move(digest_of), secret.stored_key);
    }
};

PasswordChecker::PasswordChecker(const Authenticator& users) : state_(std::make_unique<State>(users)) {}

PasswordChecker::~PasswordChecker() = default;

crypto::ScramSecret PasswordChecker::secret_or_decoy(const std::string& user, bool& known) const {
    auto secret = state_->users.secret(user);
    known = secret.has_value();
    return known ? *std::move(secret) : crypto::make_scram_decoy(state_->key, user);
}

void PasswordChecker::check(const std::string& user, const std::string& password, std::function<void(Answer)> done) {
    bool known = false;
    const crypto::ScramSecret secret = secret_or_decoy(user, known);
    std::string digest = state_->digest(user, password);
    if (known && state_->remembered(digest, secret)) {
        done(Answer::kRight);
        return;
    }
    if (state_->waiting.fetch_add(1) >= kMaxWaiting) {
        state_->waiting.fetch_sub(1);
        done(Answer::kBusy);
        return;
    }
    state_->pool.post([state = state_.get(), secret, known, password, digest = std::move(digest), done = std::move(done)] {
        // An unknown user costs the same time.
        const bool right = crypto::scram_password_matches(secret, password) && known;
        if (right) state->remember(digest, secret);
        state->waiting.fetch_sub(1);
        done(right ? Answer::kRight : Answer::kWrong);
    });
}

}  // namespace clrbus::amqp
