#include "credentials/key_store.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>
#include <tuple>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "crypto/flat_json.hpp"
#include "crypto/secret_file.hpp"

namespace clrbus::credentials {

using crypto::Algorithm;

namespace {

constexpr Algorithm kKeyAlgorithms[] = {Algorithm::kEs256, Algorithm::kRs256, Algorithm::kEdDsa};
constexpr std::chrono::seconds kKeyWait{60};

[[noreturn]] void keys_fail(const std::filesystem::path& file, std::string why) {
    Where where;
    where.file = file.string();
    throw Error(Fault::kConfig, "KEYS-001", "reading the signing keys", where, std::move(why));
}

struct PublishedKey {
    KeyStore::Info info;
    std::string thumbprint;
    std::string jwk;
    crypto::PublicKey key;
};

// The members of the key with the kid that its tokens carry.
std::string keys_jwk(const crypto::PublicKey& key, std::string_view kid) {
    std::string out = key.jwk_core();
    out.pop_back();
    return out + R"(,"alg":")" + std::string(to_string(key.algorithm())) + R"(","kid":)" + crypto::json_string(kid) +
           R"(,"use":"sig"})";
}

PublishedKey keys_read_published(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    const auto json = crypto::FlatJson::parse(text.str());
    const auto kid = json ? json->string("kid") : std::nullopt;
    const auto created = json ? json->string("created") : std::nullopt;
    const auto* jwk = json ? json->find("jwk") : nullptr;
    if (!in || !kid || !created || jwk == nullptr) keys_fail(file, "it is not a published key");
    auto key = crypto::PublicKey::from_jwk(jwk->value);
    std::string thumbprint = key.thumbprint();
    if (file.stem() != thumbprint) keys_fail(file, "its name is not the key's thumbprint");
    std::string document = keys_jwk(key, *kid);
    return {{*kid, key.algorithm(), *created, false}, std::move(thumbprint), std::move(document), std::move(key)};
}

}  // namespace

struct KeyStore::Impl {
    std::filesystem::path folder;
    std::string key_url;
    const Clock& clock;

    mutable std::mutex mutex;
    std::map<Algorithm, Signer> current;
    std::vector<PublishedKey> published;      // newest first
    std::shared_ptr<const std::string> jwks;  // handed to readers, replaced by rotate()

    std::condition_variable made;  // a key, or its failure
    bool making = false;
    std::string failure;  // of the last attempt to make one

    std::jthread maker;  // last: works on all of the above

    Impl(std::filesystem::path f, std::string_view url, const Clock& c) : folder(std::move(f)), key_url(url), clock(c) {}

    void load_published() {
        for (const auto& entry : std::filesystem::directory_iterator(folder))
            if (entry.path().extension() == ".jwk") published.push_back(keys_read_published(entry.path()));
    }

    void load_current() {
        const auto file = folder / "current";
        if (!std::filesystem::exists(file)) {
            if (!published.empty()) keys_fail(file, "it is missing beside published keys: restore it from the backup");
            write_current();  // first of all, so that a first start that is cut short is not taken for a loss
            return;
        }
        const auto json = crypto::FlatJson::parse(crypto::read_secret_file(file));
        if (!json) keys_fail(file, "it is not a JSON object");
        for (const Algorithm algorithm : kKeyAlgorithms) {
            const auto thumbprint = json->string(to_string(algorithm));
            if (!thumbprint) continue;
            const auto known = std::find_if(published.begin(), published.end(),
                                            [&](const auto& key) { return key.thumbprint == *thumbprint; });
            if (known == published.end()) keys_fail(file, "it names a key that is not published here");
            auto key = crypto::SigningKey::load(folder / (*thumbprint + ".pem"));
            if (key.kid() != *thumbprint) keys_fail(folder / (*thumbprint + ".pem"), "its name is not the key's thumbprint");
            current.insert_or_assign(algorithm, Signer{std::move(key), known->info.kid});
        }
    }

    void write_current() const {
        std::string text = "{";
        for (const auto& [algorithm, signer] : current) {
            if (text.size() > 1) text += ',';
            text += crypto::json_string(to_string(algorithm)) + ":" + crypto::json_string(signer.key.kid());
        }
        crypto::write_secret_file(folder / "current", text + "}\n");
    }

    // Private key, public key, then the pointer: a crash between them leaves a key that nothing uses.
    void make(Algorithm algorithm) { add(algorithm, crypto::SigningKey::generate(algorithm)); }
    void add(Algorithm algorithm, crypto::SigningKey key) {
        const std::string thumbprint = key.kid();
        const std::string kid = key_url + thumbprint;
        const std::string created = to_rfc3339(clock.now());
        key.store(folder / (thumbprint + ".pem"));
        const auto file = folder / (thumbprint + ".jwk");
        crypto::write_secret_file(file, "{\"kid\":" + crypto::json_string(kid) +
                                            ",\"created\":" + crypto::json_string(created) +
                                            ",\"jwk\":" + keys_jwk(key.public_key(), kid) + "}\n");
        published.push_back({{kid, algorithm, created, true}, thumbprint, keys_jwk(key.public_key(), kid), key.public_key()});
        current.insert_or_assign(algorithm, Signer{std::move(key), kid});
        write_current();
    }

    void publish() {
        std::sort(published.begin(), published.end(), [](const auto& a, const auto& b) {
            return std::tie(a.info.created, a.thumbprint) > std::tie(b.info.created, b.thumbprint);
        });
        std::string text = "{\"keys\":[";
        for (PublishedKey& key : published) {
            const auto signer = current.find(key.info.algorithm);
            key.info.current = signer != current.end() && signer->second.key.kid() == key.thumbprint;
            if (text.back() != '[') text += ',';
            text += key.jwk;
        }
        jwks = std::make_shared<const std::string>(text + "]}");
    }

    // With the lock. A thread that made its keys is over before another begins.
    void begin() {
        if (making || std::all_of(std::begin(kKeyAlgorithms), std::end(kKeyAlgorithms),
                                  [this](Algorithm a) { return current.contains(a); }))
            return;
        making = true;
        failure.clear();
        maker = std::jthread([this] { make_all(); });
    }
    void make_all() {
        std::string why;
        for (const Algorithm algorithm : kKeyAlgorithms) {
            try {
                {
                    const std::scoped_lock lock(mutex);
                    if (current.contains(algorithm)) continue;
                }
                auto key = crypto::SigningKey::generate(algorithm);
                const std::scoped_lock lock(mutex);
                add(algorithm, std::move(key));
                publish();
                made.notify_all();
            } catch (const std::exception& e) {
                log::error("keys", std::string("making a signing key: ") + e.what());
                why = e.what();
            }
        }
        const std::scoped_lock lock(mutex);
        making = false;
        failure = why;
        made.notify_all();
    }

    const PublishedKey* find(std::string_view kid) const {
        for (const PublishedKey& key : published)
            if (key.info.kid == kid || key.thumbprint == kid) return &key;
        return nullptr;
    }
};

KeyStore::KeyStore() = default;
KeyStore::~KeyStore() = default;
KeyStore::KeyStore(KeyStore&&) noexcept = default;
KeyStore& KeyStore::operator=(KeyStore&&) noexcept = default;

KeyStore KeyStore::open(const std::filesystem::path& folder, std::string_view key_url, const Clock& clock) {
    std::filesystem::create_directories(folder);
    ::chmod(folder.c_str(), 0700);
    KeyStore out;
    out.impl_ = std::make_unique<Impl>(folder, key_url, clock);
    Impl& impl = *out.impl_;
    impl.load_published();
    impl.load_current();
    for (const Algorithm algorithm : kKeyAlgorithms)
        if (algorithm != Algorithm::kRs256 && !impl.current.contains(algorithm)) impl.make(algorithm);
    impl.publish();
    return out;
}

void KeyStore::make_missing() {
    const std::scoped_lock lock(impl_->mutex);
    impl_->begin();
}

Signer KeyStore::current(Algorithm algorithm) const {
    Impl& impl = *impl_;
    std::unique_lock lock(impl.mutex);
    if (!impl.current.contains(algorithm)) {
        impl.begin();
        const bool over = impl.made.wait_for(lock, kKeyWait, [&] { return impl.current.contains(algorithm) || !impl.making; });
        if (!impl.current.contains(algorithm))
            throw Error(Fault::kAway, "KEYS-002", "getting a signing key", over ? impl.failure : "it is still being made");
    }
    return impl.current.at(algorithm);
}

std::optional<crypto::PublicKey> KeyStore::find(std::string_view kid) const {
    const std::scoped_lock lock(impl_->mutex);
    const PublishedKey* key = impl_->find(kid);
    return key != nullptr ? std::optional(key->key) : std::nullopt;
}

std::string KeyStore::jwk(std::string_view kid) const {
    const std::scoped_lock lock(impl_->mutex);
    const PublishedKey* key = impl_->find(kid);
    return key != nullptr ? key->jwk : std::string();
}

std::shared_ptr<const std::string> KeyStore::jwks() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->jwks;
}

Signer KeyStore::rotate(Algorithm algorithm) {
    current(algorithm);  // made first, when it is missing
    const std::scoped_lock lock(impl_->mutex);
    const std::string old = impl_->current.at(algorithm).key.kid();
    impl_->make(algorithm);
    impl_->publish();
    std::error_code ignored;  // a private key that stays is no reason to lose the new one; nothing uses it
    std::filesystem::remove(impl_->folder / (old + ".pem"), ignored);
    return impl_->current.at(algorithm);
}

std::vector<KeyStore::Info> KeyStore::list() const {
    const std::scoped_lock lock(impl_->mutex);
    std::vector<Info> out;
    for (const PublishedKey& key : impl_->published) out.push_back(key.info);
    return out;
}

}  // namespace clrbus::credentials
