#include "broker/queue_index.hpp"

#include <algorithm>

namespace clrbus::broker {
namespace {

constexpr std::uint64_t kCleanAbove = 1024;

}  // namespace

QueueIndex::Entries::iterator QueueIndex::at(std::uint64_t sequence) {
    return std::lower_bound(entries_.begin(), entries_.end(), sequence,
                            [](const IndexEntry& entry, std::uint64_t wanted) { return entry.sequence < wanted; });
}

IndexEntry* QueueIndex::live(std::uint64_t sequence) {
    const auto found = at(sequence);
    if (found == entries_.end() || found->sequence != sequence || found->state == EntryState::kGone) return nullptr;
    return &*found;
}

const IndexEntry* QueueIndex::find(std::uint64_t sequence) const {
    return const_cast<QueueIndex*>(this)->live(sequence);
}

bool QueueIndex::add(const IndexEntry& entry) {
    if (!entries_.empty() && entry.sequence <= entries_.back().sequence) return false;
    entries_.push_back(entry);
    entries_.back().state = EntryState::kReady;
    ++ready_;
    ++live_;
    bytes_ += entry.length;
    return true;
}

const IndexEntry* QueueIndex::claim() {
    if (!returned_.empty()) {
        auto* entry = live(*returned_.begin());
        returned_.erase(returned_.begin());
        entry->state = EntryState::kInHand;
        --ready_;
        ++in_hand_;
        return entry;
    }
    if (ready_ == 0) return nullptr;
    while (cursor_ < entries_.size() && entries_[cursor_].state != EntryState::kReady) ++cursor_;
    if (cursor_ == entries_.size()) return nullptr;
    auto& entry = entries_[cursor_++];
    entry.state = EntryState::kInHand;
    --ready_;
    ++in_hand_;
    return &entry;
}

void QueueIndex::leave(IndexEntry& entry) {
    switch (entry.state) {
        case EntryState::kReady:
            --ready_;
            returned_.erase(entry.sequence);
            break;
        case EntryState::kInHand:
            --in_hand_;
            break;
        case EntryState::kDelayed: {
            const auto found = delayed_.find(entry.sequence);
            due_.erase({found->second, entry.sequence});
            delayed_.erase(found);
            break;
        }
        case EntryState::kSettling:
        case EntryState::kGone:
            break;
    }
}

void QueueIndex::ready_again(IndexEntry& entry) {
    entry.state = EntryState::kReady;
    ++ready_;
    const bool passed = cursor_ >= entries_.size() || entry.sequence < entries_[cursor_].sequence;
    if (passed) returned_.insert(entry.sequence);
}

void QueueIndex::give_back(std::uint64_t sequence) {
    auto* entry = live(sequence);
    if (entry == nullptr || entry->state != EntryState::kInHand) return;
    leave(*entry);
    ready_again(*entry);
}

bool QueueIndex::begin_settle(std::uint64_t sequence) {
    auto* entry = live(sequence);
    if (entry == nullptr || entry->state == EntryState::kSettling) return false;
    leave(*entry);
    entry->state = EntryState::kSettling;
    return true;
}

void QueueIndex::settle(std::uint64_t sequence) {
    auto* entry = live(sequence);
    if (entry == nullptr) return;
    leave(*entry);
    entry->state = EntryState::kGone;
    --live_;
    bytes_ -= entry->length;
    ++gone_;
    clean();
}

void QueueIndex::clean() {
    while (!entries_.empty() && entries_.front().state == EntryState::kGone) {
        entries_.pop_front();
        --gone_;
        if (cursor_ > 0) --cursor_;
    }
    if (gone_ < kCleanAbove || gone_ < entries_.size() / 2) return;
    const auto before = std::count_if(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(cursor_),
                                      [](const IndexEntry& entry) { return entry.state == EntryState::kGone; });
    cursor_ -= static_cast<std::size_t>(before);
    std::erase_if(entries_, [](const IndexEntry& entry) { return entry.state == EntryState::kGone; });
    gone_ = 0;
}

void QueueIndex::delay(std::uint64_t sequence, std::int64_t not_before, std::uint16_t attempts) {
    auto* entry = live(sequence);
    if (entry == nullptr || entry->state == EntryState::kSettling) return;
    leave(*entry);
    entry->attempts = attempts;
    entry->state = EntryState::kDelayed;
    delayed_[sequence] = not_before;
    due_.insert({not_before, sequence});
}

void QueueIndex::release(std::uint64_t sequence, std::uint16_t attempts) {
    auto* entry = live(sequence);
    if (entry == nullptr || entry->state == EntryState::kSettling) return;
    leave(*entry);
    entry->attempts = attempts;
    ready_again(*entry);
}

void QueueIndex::move(std::uint64_t sequence, storage::Position to, std::uint32_t length) {
    auto* entry = live(sequence);
    if (entry == nullptr) return;
    bytes_ += length;
    bytes_ -= entry->length;
    entry->position = to;
    entry->length = length;
}

bool QueueIndex::wake(std::int64_t now) {
    bool woke = false;
    while (!due_.empty() && due_.begin()->first <= now) {
        auto* entry = live(due_.begin()->second);
        leave(*entry);
        ready_again(*entry);
        woke = true;
    }
    return woke;
}

std::optional<std::int64_t> QueueIndex::next_wake() const {
    if (due_.empty()) return std::nullopt;
    return due_.begin()->first;
}

std::int64_t QueueIndex::not_before(std::uint64_t sequence) const {
    const auto found = delayed_.find(sequence);
    return found == delayed_.end() ? 0 : found->second;
}

std::int64_t QueueIndex::oldest() const {
    return live_ == 0 ? 0 : entries_.front().accepted;
}

std::vector<IndexEntry> QueueIndex::copy(std::uint64_t from, std::size_t most) const {
    std::vector<IndexEntry> found;
    for (auto it = const_cast<QueueIndex*>(this)->at(from); it != entries_.end() && found.size() < most; ++it) {
        if (it->state != EntryState::kGone) found.push_back(*it);
    }
    return found;
}

}  // namespace clrbus::broker
