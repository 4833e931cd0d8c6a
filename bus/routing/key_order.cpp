#include "routing/key_order.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace clrbus {
namespace {

constexpr std::size_t kOrderPage = 64;

}  // namespace

KeyOrder::KeyOrder(Queues& queues, std::string inbox, std::size_t most)
    : queues_(queues), inbox_(std::move(inbox)), most_(most) {}

void KeyOrder::learn(const Hash& hash) {
    const auto delayed = [this] {
        for (const QueueState& state : queues_.states()) {
            if (state.name == inbox_) return state.delayed;
        }
        return std::uint64_t{0};
    };
    std::set<std::uint64_t> tried;  // they wait for an attempt of their own
    std::uint64_t found = 0, from = 0;
    const std::lock_guard lock(mutex_);
    while (found < delayed()) {
        const std::vector<BrowsedMessage> page = queues_.browse(inbox_, from, kOrderPage);
        if (page.empty()) break;
        from = page.back().sequence + 1;
        for (const BrowsedMessage& one : page) {
            if (one.not_before == Time{}) continue;  // it is given out in order
            ++found;
            if (known_.count(one.sequence) != 0) continue;
            if (known_.size() >= most_) {
                if (!floor_) floor_ = one.sequence;
                last_refused_ = one.sequence;
                continue;
            }
            if (one.attempts > 0) tried.insert(one.sequence);
            add(one.sequence, hash({inbox_, one.sequence, one.message, one.headers, one.attempts}), true);
        }
    }
    for (const auto& [key, sequences] : keys_) {
        const std::uint64_t first = *sequences.begin();
        if (tried.count(first) != 0) {
            known_.at(first).waits = false;
        } else {
            wake(first);
        }
    }
}

void KeyOrder::add(std::uint64_t sequence, std::uint64_t hash, bool waits) {
    known_[sequence] = {hash, false, waits};
    keys_[hash].insert(sequence);
}

bool KeyOrder::admit(const TakenMessage& message, const Hash& hash) {
    {
        const std::lock_guard lock(mutex_);
        if (known_.count(message.sequence) != 0) return true;
        if (known_.size() >= most_ || (floor_ && message.sequence > *floor_)) {
            if (!floor_ || message.sequence < *floor_) floor_ = message.sequence;
            last_refused_ = std::max(last_refused_, message.sequence);
            return false;
        }
    }
    const std::uint64_t key = hash(message);  // reads the document: not under the lock
    const std::lock_guard lock(mutex_);
    add(message.sequence, key, false);
    if (floor_ && message.sequence >= *floor_) next_floor();
    return true;
}

// The next one in the inbox that was refused.
void KeyOrder::next_floor() {
    for (std::uint64_t from = *floor_ + 1; from <= last_refused_;) {
        const std::vector<BrowsedMessage> next = queues_.browse(inbox_, from, 1);
        if (next.empty() || next.front().sequence > last_refused_) break;
        if (known_.count(next.front().sequence) == 0) {
            floor_ = next.front().sequence;
            return;
        }
        from = next.front().sequence + 1;
    }
    floor_.reset();
    last_refused_ = 0;
}

bool KeyOrder::begin(std::uint64_t sequence, const std::function<void()>& hold) {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(sequence);
    if (found == known_.end()) return true;
    Known& one = found->second;
    if (!one.running && *keys_.at(one.hash).begin() == sequence) {
        one.running = true;
        one.waits = false;
        return true;
    }
    // Under the lock, so that whoever wakes it does so behind this.
    one.waits = one.waits || !one.running;
    hold();
    return false;
}

void KeyOrder::returned(std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(sequence);
    if (found != known_.end()) found->second.running = false;
}

void KeyOrder::settled(std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(sequence);
    if (found == known_.end()) return;
    const auto key = keys_.find(found->second.hash);
    known_.erase(found);
    key->second.erase(sequence);
    if (key->second.empty()) {
        keys_.erase(key);
    } else {
        wake(*key->second.begin());
    }
}

void KeyOrder::wake(std::uint64_t sequence) {
    Known& one = known_.at(sequence);
    if (!one.waits) return;
    one.waits = false;
    queues_.wake(inbox_, sequence);
}

void KeyOrder::wake_all() {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> all;
    for (const auto& [sequence, one] : known_) all.push_back(sequence);
    std::sort(all.begin(), all.end());
    for (const std::uint64_t sequence : all) wake(sequence);
    known_.clear();
    keys_.clear();
    floor_.reset();
}

std::size_t KeyOrder::size() const {
    const std::lock_guard lock(mutex_);
    return known_.size();
}

}  // namespace clrbus
