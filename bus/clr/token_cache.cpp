#include "clr/token_cache.hpp"

namespace clrbus::clr {

void TokenCache::drop(std::list<Item>::iterator item) {
    bytes_ -= item->size();
    index_.erase(item->key);
    items_.erase(item);
}

std::shared_ptr<const SignedRecord> TokenCache::find(const std::string& key, Point now) {
    const std::scoped_lock lock(mutex_);
    const auto known = index_.find(key);
    if (known == index_.end()) return nullptr;
    const auto item = known->second;
    if (now - item->since > life_) {
        drop(item);
        return nullptr;
    }
    items_.splice(items_.begin(), items_, item);
    return item->record;
}

void TokenCache::put(const std::string& key, std::shared_ptr<const SignedRecord> record, Point now) {
    const std::scoped_lock lock(mutex_);
    if (const auto known = index_.find(key); known != index_.end()) drop(known->second);
    items_.push_front({key, std::move(record), now});
    index_[key] = items_.begin();
    bytes_ += items_.front().size();
    while (bytes_ > most_bytes_ && !items_.empty()) drop(std::prev(items_.end()));
}

std::size_t TokenCache::bytes() const {
    const std::scoped_lock lock(mutex_);
    return bytes_;
}

}  // namespace clrbus::clr
