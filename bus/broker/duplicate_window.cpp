#include "broker/duplicate_window.hpp"

#include <algorithm>
#include <cstring>

#include "crypto/hash.hpp"

namespace clrbus::broker {
namespace {

constexpr std::size_t kFirstSlots = 64;
constexpr std::uint32_t kLastNumber = 0x7FFFFFFF;

std::uint64_t window_hash(const KeyHash& hash) {
    std::uint64_t value = 0;
    std::memcpy(&value, hash.data(), sizeof value);
    return value;
}

int window_hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}  // namespace

KeyHash key_hash(std::string_view key) {
    const auto whole = crypto::sha256(key);
    KeyHash hash;
    std::memcpy(hash.data(), whole.data(), hash.size());
    return hash;
}

KeyHash pack_id(std::string_view id) {
    KeyHash packed{};
    if (id.size() != 36) return packed;
    std::size_t digit = 0;
    for (std::size_t i = 0; i < id.size(); ++i) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (id[i] != '-') return KeyHash{};
            continue;
        }
        const int value = window_hex_digit(id[i]);
        if (value < 0) return KeyHash{};
        packed[digit / 2] = static_cast<char>(static_cast<unsigned char>(packed[digit / 2]) << 4 | value);
        ++digit;
    }
    return packed;
}

std::string unpack_id(const KeyHash& packed) {
    if (packed == KeyHash{}) return {};
    std::string text;
    for (std::size_t i = 0; i < packed.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        constexpr std::string_view kDigits = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(packed[i]);
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

std::size_t DuplicateWindow::slot_of(const KeyHash& hash) const {
    const auto mask = slots_.size() - 1;
    auto slot = window_hash(hash) & mask;
    while (slots_[slot] != 0 && entries_[slots_[slot] - first_].hash != hash) slot = (slot + 1) & mask;
    return slot;
}

void DuplicateWindow::forget_first() {
    const auto mask = slots_.size() - 1;
    auto hole = slot_of(entries_.front().hash);
    slots_[hole] = 0;
    // Moves back what stands behind the hole only because the hole was taken.
    for (auto next = (hole + 1) & mask; slots_[next] != 0; next = (next + 1) & mask) {
        const auto home = window_hash(entries_[slots_[next] - first_].hash) & mask;
        if (((next - home) & mask) >= ((next - hole) & mask)) {
            slots_[hole] = slots_[next];
            slots_[next] = 0;
            hole = next;
        }
    }
    entries_.pop_front();
    ++first_;
}

void DuplicateWindow::grow() {
    if (first_ + entries_.size() >= kLastNumber) first_ = 1;  // and all slots are written anew
    std::size_t size = std::max(slots_.size(), kFirstSlots);
    while (size < 2 * (entries_.size() + 1)) size *= 2;
    slots_.assign(size, 0);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        slots_[slot_of(entries_[i].hash)] = static_cast<std::uint32_t>(first_ + i);
    }
}

const DuplicateWindow::Entry* DuplicateWindow::find(const KeyHash& hash, std::int64_t now) {
    while (!entries_.empty() && entries_.front().time + age_ms_ < now) forget_first();
    if (entries_.empty()) return nullptr;
    const auto slot = slot_of(hash);
    return slots_[slot] == 0 ? nullptr : &entries_[slots_[slot] - first_];
}

void DuplicateWindow::add(const Entry& entry) {
    if (most_ == 0) return;
    if (2 * (entries_.size() + 1) > slots_.size() || first_ + entries_.size() >= kLastNumber) grow();
    if (slots_[slot_of(entry.hash)] != 0) return;
    if (entries_.size() >= most_) forget_first();
    const auto slot = slot_of(entry.hash);
    entries_.push_back(entry);
    slots_[slot] = static_cast<std::uint32_t>(first_ + entries_.size() - 1);
}

std::vector<DuplicateWindow::Entry> DuplicateWindow::copy(std::uint64_t after, std::uint64_t last, std::size_t most) const {
    const auto behind = [](std::uint64_t sequence, const Entry& entry) { return sequence < entry.sequence; };
    const auto from = std::upper_bound(entries_.begin(), entries_.end(), after, behind);
    const auto to = std::upper_bound(from, entries_.end(), last, behind);
    const auto count = std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(most), to - from);
    return {from, from + count};
}

}  // namespace clrbus::broker
