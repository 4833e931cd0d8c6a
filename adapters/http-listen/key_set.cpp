#include "adapters_http_listen/key_set.hpp"

#include <sys/stat.h>

#include <boost/json.hpp>
#include <system_error>
#include <utility>

#include "config/loader.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus::adapters::http_listen {

namespace {

constexpr std::uintmax_t kKeySetMost = 256 << 10;
constexpr std::size_t kKeysMost = 64;

[[noreturn]] void bad_key_set(std::string why) {
    throw Error(Fault::kConfig, "HTL-001", "reading a key set", std::move(why))
        .expected("{\"keys\": [JWK, …]} with public keys");
}

// Changes whenever the file does. Empty when it is not there.
std::string stamp_of(const std::filesystem::path& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return {};
    return std::to_string(status.st_ino) + ' ' + std::to_string(status.st_size) + ' ' + std::to_string(status.st_mtim.tv_sec) +
           ' ' + std::to_string(status.st_mtim.tv_nsec);
}

}  // namespace

std::map<std::string, crypto::PublicKey> read_key_set(std::string_view json) {
    boost::system::error_code error;
    const boost::json::value set = boost::json::parse(json, error);
    if (error || !set.is_object()) bad_key_set("it is not a JSON object");
    const boost::json::value* list = set.get_object().if_contains("keys");
    if (list == nullptr || !list->is_array() || list->get_array().size() > kKeysMost) bad_key_set("it has no list of keys");
    std::map<std::string, crypto::PublicKey> keys;
    for (const boost::json::value& one : list->get_array()) {
        if (!one.is_object()) bad_key_set("a key is not an object");
        const boost::json::value* kid = one.get_object().if_contains("kid");
        if (kid == nullptr || !kid->is_string()) continue;
        if (one.get_object().contains("d")) bad_key_set("it holds a private key");
        std::optional<crypto::PublicKey> key;
        try {
            key = crypto::PublicKey::from_jwk(boost::json::serialize(one));
        } catch (const Error&) {
            continue;  // of a kind that we do not check with
        }
        if (!keys.emplace(std::string(kid->get_string()), std::move(*key)).second) bad_key_set("one kid stands for two keys");
    }
    if (keys.empty()) bad_key_set("it has no key that can be used");
    return keys;
}

KeySet::KeySet(std::filesystem::path file) : file_(std::move(file)), stamp_(stamp_of(file_)) {
    keys_ = read_key_set(read_file(file_, kKeySetMost));
}

void KeySet::refresh(std::chrono::steady_clock::time_point now) {
    if (looked_ != std::chrono::steady_clock::time_point{} && now - looked_ < std::chrono::seconds(1)) return;
    looked_ = now;
    std::string stamp = stamp_of(file_);
    if (stamp == stamp_) return;
    stamp_ = std::move(stamp);
    try {
        keys_ = read_key_set(read_file(file_, kKeySetMost));
        problem_.clear();
    } catch (const Error& error) {
        problem_ = error.what();
        log::warn("http-listen", "the key set was not taken: " + problem_);
    }
}

std::optional<crypto::PublicKey> KeySet::find(const std::string& kid, std::chrono::steady_clock::time_point now) {
    const std::lock_guard lock(mutex_);
    refresh(now);
    const auto found = keys_.find(kid);
    if (found == keys_.end()) return std::nullopt;
    return found->second;
}

std::string KeySet::problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
}

}  // namespace clrbus::adapters::http_listen
