#include "routing/apply_header.hpp"

#include <algorithm>

#include "core/error.hpp"

// Layout, versions 1 and 2: 'A', version, kind, flags, then strings and lists of strings. A number is a LEB128 varint of at
// most 5 bytes in its shortest form, a string is its length and its bytes, a list is its count and its items. Nothing may
// follow. Version 2 ends with the correction and is written when there is one.
namespace clrbus {
namespace {

constexpr char kApplyMagic = 'A';
constexpr char kApplyVersion = 1;
constexpr char kApplyVersionCorrected = 2;
constexpr std::size_t kMostApplyBytes = std::size_t{224} << 10;  // the headers of a message are at most 256 KB
constexpr std::size_t kMostApplyString = 4096;                   // a Text of 1000 characters, each up to 4 bytes
constexpr std::size_t kMostCodes = 64;
constexpr std::size_t kMostIdentifiers = 100;
constexpr std::size_t kMostMatch = 64;
constexpr std::size_t kMostAchievements = 20'000;

constexpr unsigned kFlagCoversAll = 1, kFlagBlocked = 2, kFlagDeleted = 4, kFlagIdentityAuthority = 8, kFlagsKnown = 15;

[[noreturn]] void refuse_apply(std::size_t offset, std::string why) {
    Where where;
    where.offset = static_cast<std::int64_t>(offset);
    throw Error(Fault::kPoison, "REC-001", "reading the apply header", where, std::move(why));
}

class ApplyWriter {
public:
    explicit ApplyWriter(std::string& out) : out_(out) {}

    void number(std::size_t n) {
        while (n >= 0x80) {
            out_.push_back(static_cast<char>((n & 0x7F) | 0x80));
            n >>= 7;
        }
        out_.push_back(static_cast<char>(n));
    }
    void string(const std::string& text) {
        if (text.size() > kMostApplyString) refuse_apply(out_.size(), "a value of more than 4096 bytes");
        if (text.find('\0') != std::string::npos) refuse_apply(out_.size(), "a value holds a zero byte");
        number(text.size());
        out_ += text;
    }
    void strings(const std::vector<std::string>& list, std::size_t most) {
        count(list.size(), most);
        for (const std::string& item : list) string(item);
    }
    void count(std::size_t n, std::size_t most) {
        if (n > most) refuse_apply(out_.size(), "a list of more than " + std::to_string(most) + " items");
        number(n);
    }

private:
    std::string& out_;
};

class ApplyReader {
public:
    explicit ApplyReader(std::string_view bytes) : bytes_(bytes) {}

    unsigned byte() {
        if (at_ == bytes_.size()) refuse_apply(at_, "it ends too early");
        return static_cast<unsigned char>(bytes_[at_++]);
    }
    std::size_t number() {
        std::uint64_t n = 0;
        for (unsigned shift = 0; shift < 35; shift += 7) {
            const unsigned b = byte();
            n |= std::uint64_t{b & 0x7F} << shift;
            if ((b & 0x80) == 0) {
                if (b == 0 && shift != 0) refuse_apply(at_ - 1, "a number is not in its shortest form");
                return n;
            }
        }
        refuse_apply(at_, "a number is longer than 5 bytes");
    }
    std::string string() {
        const std::size_t size = number();
        if (size > kMostApplyString) refuse_apply(at_, "a value of more than 4096 bytes");
        if (size > bytes_.size() - at_) refuse_apply(at_, "it ends too early");
        std::string text(bytes_.substr(at_, size));
        if (text.find('\0') != std::string::npos) refuse_apply(at_, "a value holds a zero byte");
        at_ += size;
        return text;
    }
    // At least one byte an item is left, so that a hostile count reserves no memory.
    std::size_t count(std::size_t most) {
        const std::size_t n = number();
        if (n > most) refuse_apply(at_, "a list of more than " + std::to_string(most) + " items");
        if (n > bytes_.size() - at_) refuse_apply(at_, "it ends too early");
        return n;
    }
    std::vector<std::string> strings(std::size_t most) {
        const std::size_t n = count(most);
        std::vector<std::string> list;
        list.reserve(n);
        for (std::size_t i = 0; i < n; ++i) list.push_back(string());
        return list;
    }
    void end() const {
        if (at_ != bytes_.size()) refuse_apply(at_, "bytes follow its end");
    }
    std::size_t at() const { return at_; }

private:
    std::string_view bytes_;
    std::size_t at_ = 0;
};

bool is_sha256_hex(const std::string& text) {
    return text.size() == 64 &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// What every header must have; the same for the writer and the reader, so that what was written can be read.
void check_apply_header(const ApplyHeader& header, std::size_t offset) {
    if (header.source.empty()) refuse_apply(offset, "no source");
    if (header.key.empty()) refuse_apply(offset, "no key");
    if (!is_sha256_hex(header.content_sha256)) refuse_apply(offset, "the content hash is not 64 lower-case hexadecimal digits");
    for (const ApplyHeader::Identifier& id : header.identifiers) {
        if (id.scheme.empty() || id.issuer.empty() || id.value.empty())
            refuse_apply(offset, "an identifier without scheme, issuer or value");
    }
    const ApplyHeader::Correction& correction = header.correction;
    const bool whole = !correction.at.empty() && !correction.letter.empty() && !correction.original.empty();
    if (correction.by.empty() ? correction != ApplyHeader::Correction{} : !whole) refuse_apply(offset, "half a correction");
}

}  // namespace

std::string ApplyHeader::encode() const {
    check_apply_header(*this, 0);
    std::string out;
    out.push_back(kApplyMagic);
    out.push_back(correction.by.empty() ? kApplyVersion : kApplyVersionCorrected);
    out.push_back(static_cast<char>(kind));
    out.push_back(static_cast<char>((covers_all ? kFlagCoversAll : 0U) | (blocked ? kFlagBlocked : 0U) |
                                    (deleted ? kFlagDeleted : 0U) | (identity_authority ? kFlagIdentityAuthority : 0U)));
    ApplyWriter writer(out);
    for (const std::string* text :
         {&source, &key, &version, &document_key, &content_sha256, &organization, &given, &family, &full, &authority}) {
        writer.string(*text);
    }
    writer.strings(organization_codes, kMostCodes);
    writer.count(identifiers.size(), kMostIdentifiers);
    for (const Identifier& id : identifiers) {
        writer.string(id.scheme);
        writer.string(id.issuer);
        writer.string(id.value);
    }
    writer.strings(match, kMostMatch);
    writer.strings(achievements, kMostAchievements);
    if (!correction.by.empty()) {
        for (const std::string* text :
             {&correction.by, &correction.at, &correction.why, &correction.letter, &correction.original})
            writer.string(*text);
    }
    if (out.size() > kMostApplyBytes) refuse_apply(out.size(), "more than 224 KB");
    return out;
}

ApplyHeader ApplyHeader::decode(std::string_view bytes) {
    if (bytes.size() > kMostApplyBytes) refuse_apply(0, "more than 224 KB");
    ApplyReader reader(bytes);
    if (reader.byte() != static_cast<unsigned char>(kApplyMagic)) refuse_apply(0, "not an apply header");
    const unsigned version = reader.byte();
    const bool corrected = version == static_cast<unsigned char>(kApplyVersionCorrected);
    if (!corrected && version != static_cast<unsigned char>(kApplyVersion)) {
        refuse_apply(1, "written by another version of the bus (this one reads versions 1 and 2)");
    }
    ApplyHeader header;
    const unsigned kind = reader.byte();
    if (kind > static_cast<unsigned>(Kind::kPerson)) refuse_apply(2, "an unknown kind of message");
    header.kind = static_cast<Kind>(kind);
    const unsigned flags = reader.byte();
    if ((flags & ~kFlagsKnown) != 0) refuse_apply(3, "an unknown flag");
    header.covers_all = (flags & kFlagCoversAll) != 0;
    header.blocked = (flags & kFlagBlocked) != 0;
    header.deleted = (flags & kFlagDeleted) != 0;
    header.identity_authority = (flags & kFlagIdentityAuthority) != 0;
    for (std::string* text : {&header.source, &header.key, &header.version, &header.document_key, &header.content_sha256,
                              &header.organization, &header.given, &header.family, &header.full, &header.authority}) {
        *text = reader.string();
    }
    header.organization_codes = reader.strings(kMostCodes);
    header.identifiers.resize(reader.count(kMostIdentifiers));
    for (Identifier& id : header.identifiers) {
        id.scheme = reader.string();
        id.issuer = reader.string();
        id.value = reader.string();
    }
    header.match = reader.strings(kMostMatch);
    header.achievements = reader.strings(kMostAchievements);
    if (corrected) {
        ApplyHeader::Correction& made = header.correction;
        for (std::string* text : {&made.by, &made.at, &made.why, &made.letter, &made.original}) *text = reader.string();
        if (made.by.empty()) refuse_apply(reader.at(), "half a correction");
    }
    reader.end();
    check_apply_header(header, reader.at());
    return header;
}

}  // namespace clrbus
