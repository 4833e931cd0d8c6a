#include "records/vault.hpp"

#include <zstd.h>

#include <cstring>

#include "core/error.hpp"
#include "crypto/aead.hpp"
#include "crypto/hash.hpp"

namespace clrbus::records {
namespace {

constexpr int kZstdLevel = 3;
constexpr std::size_t kRoomKept = std::size_t{256} << 10;
constexpr std::size_t kMostBodyBytes = std::size_t{256} << 20;

// One compressor and one decompressor a thread: making them costs more than a small body.
struct VaultZstd {
    ZSTD_CCtx* compress = ZSTD_createCCtx();
    ZSTD_DCtx* decompress = ZSTD_createDCtx();
    VaultZstd() = default;
    VaultZstd(const VaultZstd&) = delete;
    VaultZstd& operator=(const VaultZstd&) = delete;
    ~VaultZstd() {
        ZSTD_freeCCtx(compress);
        ZSTD_freeDCtx(decompress);
    }
};

VaultZstd& vault_zstd() {
    thread_local VaultZstd contexts;
    return contexts;
}

void append_size(std::string& out, std::size_t size) {
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>((size >> shift) & 0xFF));
}

std::string row_name(std::string_view table, std::int64_t row) {
    std::string name(table);
    name += '/';
    name += std::to_string(row);
    return name;
}

// The size of the text in four bytes, then a zstd frame.
std::string compressed(std::string_view text) {
    // Compressed into memory that is kept: the bound of a body is as large as the body, and its pages would be new each time.
    thread_local std::string room;
    const std::size_t bound = ZSTD_compressBound(text.size());
    if (room.size() < bound) room.resize(bound);
    const std::size_t used =
        ZSTD_compressCCtx(vault_zstd().compress, room.data(), room.size(), text.data(), text.size(), kZstdLevel);
    if (ZSTD_isError(used) != 0) throw Error(Fault::kAway, "REC-010", "compressing a record", ZSTD_getErrorName(used));
    std::string out;
    out.reserve(4 + used);
    append_size(out, text.size());
    out.append(room, 0, used);
    if (room.size() > kRoomKept) std::string().swap(room);
    return out;
}

[[noreturn]] void unsound(std::string_view table, std::int64_t row, std::string why) {
    Where where;
    where.path = row_name(table, row);
    throw Error(Fault::kConfig, "REC-020", "opening a sealed record", where, std::move(why));
}

}  // namespace

struct Vault::Impl {
    explicit Impl(const crypto::KeyFile& k) : keys(k), keyed(k.derive("records: keyed hashes")) {}
    const crypto::KeyFile& keys;
    crypto::KeyedHash keyed;
};

Vault::Vault(const crypto::KeyFile& keys) : impl_(std::make_unique<Impl>(keys)) {}
Vault::~Vault() = default;

std::string Vault::full_hash(std::string_view purpose, std::string_view bytes) const {
    std::string input;
    input.reserve(purpose.size() + bytes.size() + 1);
    input += purpose;
    input += '\0';
    input += bytes;
    return impl_->keyed.raw(input);
}

std::string Vault::hash(std::string_view purpose, std::string_view a, std::string_view b, std::string_view c) const {
    std::string input;
    input.reserve(purpose.size() + a.size() + b.size() + c.size() + 13);
    input += purpose;
    input += '\0';
    for (const std::string_view part : {a, b, c}) {
        append_size(input, part.size());
        input += part;
    }
    std::string result = impl_->keyed.raw(input);
    result.resize(kHashBytes);
    return result;
}

std::string Vault::uuid(std::string_view purpose, std::string_view a, std::string_view b) const {
    std::string bytes = hash(purpose, a, b);
    bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x80);
    bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
    std::string text = crypto::to_hex(bytes);
    for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, "-");
    return text;
}

std::string Vault::seal_text(std::string_view table, std::int64_t row, std::string_view text) const {
    return seal_packed(table, row, compressed(text));
}

std::string Vault::seal_packed(std::string_view table, std::int64_t row, std::string_view packed) const {
    return impl_->keys.seal(packed, row_name(table, row));
}

std::string Vault::open_text(std::string_view table, std::int64_t row, std::string_view sealed) const {
    std::string small;
    try {
        small = impl_->keys.open(sealed, row_name(table, row));
    } catch (const Error& e) {
        unsound(table, row,
                e.why() + " (" + e.code() + "); restore the row's backup, or the key file that belongs to this store");
    }
    if (small.size() < 4) unsound(table, row, "cut short");
    std::size_t size = 0;
    for (unsigned i = 0; i < 4; ++i) size |= std::size_t{static_cast<unsigned char>(small[i])} << (8 * i);
    if (size > kMostBodyBytes) unsound(table, row, "larger than 256 MB");
    std::string text(size, '\0');
    const std::size_t used =
        ZSTD_decompressDCtx(vault_zstd().decompress, text.data(), text.size(), small.data() + 4, small.size() - 4);
    if (ZSTD_isError(used) != 0 || used != size) unsound(table, row, "it does not decompress");
    return text;
}

std::string Vault::pack(const std::string& apply_header, std::string_view xml) const {
    if (xml.size() + apply_header.size() > kMostBodyBytes) {
        throw Error(Fault::kPoison, "REC-003", "applying a message", "a body of more than 256 MB");
    }
    std::string text;
    text.reserve(4 + apply_header.size() + xml.size());
    append_size(text, apply_header.size());
    text += apply_header;
    text += xml;
    return compressed(text);
}

std::string Vault::seal(std::string_view table, std::int64_t row, const std::string& apply_header, std::string_view xml) const {
    return seal_packed(table, row, pack(apply_header, xml));
}

Vault::Body Vault::open(std::string_view table, std::int64_t row, std::string_view sealed) const {
    const std::string text = open_text(table, row, sealed);
    std::size_t size = 0;
    if (text.size() >= 4) {
        for (unsigned i = 0; i < 4; ++i) size |= std::size_t{static_cast<unsigned char>(text[i])} << (8 * i);
    }
    if (text.size() < 4 || size > text.size() - 4) unsound(table, row, "cut short");
    try {
        return {ApplyHeader::decode(std::string_view(text).substr(4, size)), text.substr(4 + size)};
    } catch (const Error& e) {
        unsound(table, row, e.why());  // of the store, not of the message in hand
    }
}

}  // namespace clrbus::records
