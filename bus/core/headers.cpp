#include "core/headers.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/error.hpp"

namespace clrbus {
namespace {

// A message carries a few dozen headers of a few hundred bytes; more than this is not ours.
constexpr std::size_t kMaxHeaders = 256;
constexpr std::size_t kMaxHeaderBytes = 256U << 10;

void append_length(std::string& out, std::size_t size) {
    const auto value = static_cast<std::uint32_t>(size);
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string_view take_string(std::string_view& bytes) {
    std::uint32_t size = 0;
    if (bytes.size() < sizeof size) throw Error(Fault::kPoison, "CORE-002", "reading message headers", "cut short");
    std::memcpy(&size, bytes.data(), sizeof size);
    bytes.remove_prefix(sizeof size);
    if (bytes.size() < size) throw Error(Fault::kPoison, "CORE-002", "reading message headers", "a length beyond the end");
    const std::string_view text = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return text;
}

}  // namespace

void Headers::set(std::string_view name, std::string_view value) {
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), name,
                                     [](const Entry& e, std::string_view n) { return e.first < n; });
    if (at != entries_.end() && at->first == name) {
        at->second = value;
    } else {
        entries_.insert(at, Entry(name, value));
    }
}

void Headers::remove(std::string_view name) {
    std::erase_if(entries_, [name](const Entry& e) { return e.first == name; });
}

std::string_view Headers::get(std::string_view name) const {
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), name,
                                     [](const Entry& e, std::string_view n) { return e.first < n; });
    return at != entries_.end() && at->first == name ? std::string_view(at->second) : std::string_view{};
}

bool Headers::has(std::string_view name) const {
    return std::binary_search(entries_.begin(), entries_.end(), Entry(name, ""),
                              [](const Entry& a, const Entry& b) { return a.first < b.first; });
}

std::string Headers::encode() const {
    if (entries_.empty()) return {};
    std::string out;
    for (const auto& [name, value] : entries_) {
        append_length(out, name.size());
        out += name;
        append_length(out, value.size());
        out += value;
    }
    return out;
}

Headers Headers::decode(std::string_view bytes) {
    Headers headers;
    if (bytes.size() > kMaxHeaderBytes)
        throw Error(Fault::kPoison, "CORE-002", "reading message headers", "larger than 256 KB");
    while (!bytes.empty()) {
        if (headers.entries_.size() == kMaxHeaders)
            throw Error(Fault::kPoison, "CORE-002", "reading message headers", "more than 256");
        const std::string_view name = take_string(bytes);
        const std::string_view value = take_string(bytes);
        headers.set(name, value);
    }
    return headers;
}

}  // namespace clrbus
