#include "routing/answer_cache.hpp"

#include <iterator>
#include <utility>

namespace clrbus {

std::optional<CachedAnswer> AnswerCache::find(const std::string& key, Time now) {
    const std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return std::nullopt;
    if (now >= found->second->until) {
        drop(found->second);
        return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->answer;
}

void AnswerCache::put(const std::string& key, CachedAnswer answer, Time now) {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_key_.find(key); found != by_key_.end()) drop(found->second);
    entries_.push_front({key, std::move(answer), now + life_});
    by_key_[key] = entries_.begin();
    bytes_ += entries_.front().bytes();
    while (entries_.size() > most_ || bytes_ > most_bytes_) drop(std::prev(entries_.end()));
}

void AnswerCache::drop(std::list<Entry>::iterator entry) {
    bytes_ -= entry->bytes();
    by_key_.erase(entry->key);
    entries_.erase(entry);
}

}  // namespace clrbus
