// Little-endian numbers and length-prefixed strings of the journal's formats.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace clrbus::storage {

static_assert(std::endian::native == std::endian::little, "the journal's files are little-endian");

template <typename Number>
void put_number(std::string& out, Number value) {
    static_assert(std::is_integral_v<Number>);
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void put_text(std::string& out, std::string_view text) {
    put_number(out, static_cast<std::uint32_t>(text.size()));
    out.append(text);
}

// Reads what put_number and put_text wrote. After a read beyond the end ok() is false and everything reads as 0 or "".
class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}
    template <typename Number>
    Number number() {
        Number value = 0;
        const auto raw = take(sizeof value);
        if (ok_) std::memcpy(&value, raw.data(), sizeof value);
        return value;
    }
    std::string_view text() { return take(number<std::uint32_t>()); }
    std::string_view take(std::size_t size) {
        if (!ok_ || size > bytes_.size()) {
            ok_ = false;
            return {};
        }
        const auto taken = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return taken;
    }
    std::string_view rest() { return take(bytes_.size()); }
    bool ok() const { return ok_; }
    bool at_end() const { return bytes_.empty(); }

private:
    std::string_view bytes_;
    bool ok_ = true;
};

}  // namespace clrbus::storage
