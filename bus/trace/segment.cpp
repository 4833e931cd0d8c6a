#include "trace/segment.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "storage/bytes.hpp"
#include "storage/crc32c.hpp"

namespace clrbus::trace {
namespace {

constexpr std::uint64_t kDirectoryMost = 64U << 20;
constexpr std::uint64_t kCheckedAtOnce = 1U << 20;
constexpr std::size_t kRowGuess = 256;

[[noreturn]] void segment_damaged(const std::string& path, const char* what) {
    Where where;
    where.file = path;
    throw Error(Fault::kPoison, "TRACE-002", "reading the index of messages", where, what);
}

}  // namespace

std::uint64_t tagged(HashOf what, std::uint64_t hash) {
    // Ids, outputs and parents of one id are three different hashes.
    return hash ^ static_cast<std::uint64_t>(what) * 0x9e3779b97f4a7c15ULL;
}

std::string SegmentDirectory::encode() const {
    std::string out;
    using storage::put_number;
    for (const SegmentPart& part : parts) {
        put_number(out, part.offset);
        put_number(out, part.size);
        put_number(out, part.crc);
    }
    for (const std::uint64_t one : {journal, position}) put_number(out, one);
    for (const std::int64_t one : {from, to}) put_number(out, one);
    put_number(out, rows);
    put_number(out, hashes);
    put_number(out, static_cast<std::uint32_t>(kinds.size()));
    for (const SegmentKind& kind : kinds) {
        storage::put_text(out, kind.queue);
        put_number(out, static_cast<std::uint8_t>(kind.state));
        put_number(out, kind.count);
        put_number(out, kind.first);
    }
    return out;
}

SegmentDirectory SegmentDirectory::decode(std::string_view bytes) {
    SegmentDirectory out;
    storage::ByteReader in(bytes);
    for (SegmentPart& part : out.parts) {
        part.offset = in.number<std::uint64_t>();
        part.size = in.number<std::uint64_t>();
        part.crc = in.number<std::uint32_t>();
    }
    out.journal = in.number<std::uint64_t>();
    out.position = in.number<std::uint64_t>();
    out.from = in.number<std::int64_t>();
    out.to = in.number<std::int64_t>();
    out.rows = in.number<std::uint32_t>();
    out.hashes = in.number<std::uint32_t>();
    const auto count = in.number<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
        SegmentKind& kind = out.kinds.emplace_back();
        kind.queue = in.text();
        const auto state = in.number<std::uint8_t>();
        kind.state = static_cast<VisitState>(state);
        kind.count = in.number<std::uint32_t>();
        kind.first = in.number<std::uint32_t>();
        if (state >= kVisitStates) segment_damaged("", "a kind of no state");
    }
    if (!in.ok() || !in.at_end()) segment_damaged("", "its directory is malformed");
    return out;
}

Segment::Segment(storage::Files& files, std::string path, std::uint64_t first, std::uint64_t last)
    : path_(std::move(path)), first_(first), last_(last), file_(files.open(path_, storage::Open::kRead)) {
    bytes_ = file_->size();
    if (bytes_ < kTrailerBytes) segment_damaged(path_, "it is shorter than its end");
    std::string trailer(kTrailerBytes, '\0');
    if (file_->read(bytes_ - kTrailerBytes, trailer.data(), trailer.size()) != trailer.size())
        segment_damaged(path_, "it ends early");
    storage::ByteReader in(trailer);
    const auto offset = in.number<std::uint64_t>();
    const auto size = in.number<std::uint64_t>();
    const auto crc = in.number<std::uint32_t>();
    if (in.rest() != kSegmentMagic || size > kDirectoryMost || size > bytes_ || offset > bytes_ - size)
        segment_damaged(path_, "its end is not one");
    std::string directory(size, '\0');
    if (file_->read(offset, directory.data(), size) != size || storage::crc32c(0, directory) != crc)
        segment_damaged(path_, "the checksum of its directory does not hold");
    directory_ = SegmentDirectory::decode(directory);
    for (const SegmentPart& part : directory_.parts) {
        if (part.size > bytes_ || part.offset > bytes_ - part.size) segment_damaged(path_, "a part is outside of the file");
    }
    const auto part = [this](SegmentParts which) { return directory_.parts[static_cast<std::size_t>(which)].size; };
    const std::uint64_t fences = (std::uint64_t{directory_.hashes} + kFenceEvery - 1) / kFenceEvery;
    if (part(SegmentParts::kOffsets) != std::uint64_t{directory_.rows} * 4 ||
        part(SegmentParts::kHashes) != std::uint64_t{directory_.hashes} * kHashBytes ||
        part(SegmentParts::kFences) != fences * 8)
        segment_damaged(path_, "its parts do not fit each other");
    for (const SegmentKind& kind : directory_.kinds) {
        if ((std::uint64_t{kind.first} + kind.count) * kPostingBytes > part(SegmentParts::kPostings))
            segment_damaged(path_, "its parts do not fit each other");
    }
    fences_.resize(fences);
    const std::string bytes = read(SegmentParts::kFences, 0, fences * 8);
    if (storage::crc32c(0, bytes) != directory_.parts[static_cast<std::size_t>(SegmentParts::kFences)].crc)
        segment_damaged(path_, "a checksum does not hold");
    if (!bytes.empty()) std::memcpy(fences_.data(), bytes.data(), bytes.size());
}

std::string Segment::read(SegmentParts which, std::uint64_t from, std::uint64_t size) const {
    const SegmentPart& part = directory_.parts[static_cast<std::size_t>(which)];
    if (from > part.size) segment_damaged(path_, "a place outside of its part");
    std::string out(std::min(size, part.size - from), '\0');
    if (file_->read(part.offset + from, out.data(), out.size()) != out.size()) segment_damaged(path_, "it ends early");
    return out;
}

void Segment::find(std::uint64_t hash, const std::function<bool(std::uint32_t)>& each) const {
    for (auto block = static_cast<std::uint64_t>(std::upper_bound(fences_.begin(), fences_.end(), hash) - fences_.begin());
         block-- > 0;) {
        const std::string bytes = read(SegmentParts::kHashes, block * kFenceEvery * kHashBytes, kFenceEvery * kHashBytes);
        for (std::size_t at = bytes.size() / kHashBytes * kHashBytes; at != 0;) {
            at -= kHashBytes;
            std::uint64_t found = 0;
            std::memcpy(&found, bytes.data() + at, sizeof found);
            if (found > hash) continue;
            if (found < hash) return;
            std::uint32_t number = 0;
            std::memcpy(&number, bytes.data() + at + sizeof found, sizeof number);
            if (!each(number)) return;
        }
    }
}

std::string Segment::row(std::uint32_t number) const {
    if (number >= directory_.rows) segment_damaged(path_, "a row that it does not have");
    const std::string place = read(SegmentParts::kOffsets, std::uint64_t{number} * 4, 4);
    std::uint32_t offset = 0;
    std::memcpy(&offset, place.data(), sizeof offset);
    std::string bytes = read(SegmentParts::kRows, offset, kRowGuess);
    std::uint16_t length = 0;
    if (bytes.size() < sizeof length) segment_damaged(path_, "a row outside of it");
    std::memcpy(&length, bytes.data(), sizeof length);
    if (bytes.size() < sizeof length + length) bytes = read(SegmentParts::kRows, offset, sizeof length + length);
    if (bytes.size() < sizeof length + length) segment_damaged(path_, "a row that is cut off");
    return bytes.substr(sizeof length, length);
}

std::vector<SegmentPosting> Segment::postings(const SegmentKind& kind, std::uint32_t from, std::uint32_t most) const {
    if (from >= kind.count) return {};
    const std::uint32_t count = std::min(most, kind.count - from);
    const std::string bytes =
        read(SegmentParts::kPostings, (std::uint64_t{kind.first} + from) * kPostingBytes, std::uint64_t{count} * kPostingBytes);
    std::vector<SegmentPosting> out(bytes.size() / kPostingBytes);
    for (std::size_t i = 0; i < out.size(); ++i) {
        std::memcpy(&out[i].row, bytes.data() + i * kPostingBytes, 4);
        std::memcpy(&out[i].seconds, bytes.data() + i * kPostingBytes + 4, 4);
    }
    return out;
}

void Segment::verify(const std::function<bool()>& stop) const {
    for (std::size_t i = 0; i < kSegmentParts; ++i) {
        const SegmentPart& part = directory_.parts[i];
        std::uint32_t crc = 0;
        for (std::uint64_t at = 0; at < part.size; at += kCheckedAtOnce) {
            if (stop && stop()) return;
            crc = storage::crc32c(crc, read(static_cast<SegmentParts>(i), at, kCheckedAtOnce));
        }
        if (crc != part.crc) segment_damaged(path_, "a checksum does not hold");
    }
}

}  // namespace clrbus::trace
