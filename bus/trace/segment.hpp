// A file of the index: visits that were written together, sorted for looking up. Never changed once it has its name; several
// become one (merge), old ones are deleted whole.
//
// rows: the visits as they came. offsets: u32 a row. hashes: (u64, u32 row), sorted; of ids, of outputs, of keys, of the
// parents of a split's children. postings: (u32 row, u32 seconds) for each kind (queue and state), rising. Then a directory
// with a checksum of each part, and a trailer. In memory: the directory and every 256th hash, about 0.2 bytes a visit. Any
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/file.hpp"
#include "trace/visit.hpp"

namespace clrbus::trace {

enum class HashOf : std::uint8_t { kId, kMade, kParent, kKey };
// What is looked for, as it stands among the hashes.
std::uint64_t tagged(HashOf what, std::uint64_t hash);

struct SegmentKind {
    std::string queue;
    VisitState state = VisitState::kWaiting;
    std::uint32_t count = 0;
    std::uint32_t first = 0;  // among the postings
};

struct SegmentPart {
    std::uint64_t offset = 0, size = 0;
    std::uint32_t crc = 0;
};
enum class SegmentParts : std::uint8_t { kRows, kOffsets, kHashes, kPostings, kFences };
inline constexpr std::size_t kSegmentParts = 5;

struct SegmentDirectory {
    std::array<SegmentPart, kSegmentParts> parts{};
    std::vector<SegmentKind> kinds;
    std::uint64_t journal = 0;      // id of the journal that it was told by
    std::uint64_t position = 0;     // in it: all up to here is in this file or an older one
    std::int64_t from = 0, to = 0;  // ends of the visits, ms
    std::uint32_t rows = 0;
    std::uint32_t hashes = 0;

    std::string encode() const;
    // Throws Error(kPoison, "TRACE-002").
    static SegmentDirectory decode(std::string_view bytes);
};

inline constexpr std::string_view kSegmentMagic = "clrbtrc1";
inline constexpr std::size_t kHashBytes = 12, kPostingBytes = 8, kFenceEvery = 256;
inline constexpr std::size_t kTrailerBytes = 8 + 8 + 4 + 8;  // offset and size of the directory, its checksum, magic

struct SegmentHash {
    std::uint64_t hash = 0;
    std::uint32_t row = 0;
    friend auto operator<=>(const SegmentHash&, const SegmentHash&) = default;
};
struct SegmentPosting {
    std::uint32_t row = 0, seconds = 0;  // since directory.from
};

class Segment {
public:
    // first, last: the numbers of the flushes that are in it. Throws Error(kPoison, "TRACE-002") when it is damaged, kAway when
    // the disk does not answer.
    Segment(storage::Files& files, std::string path, std::uint64_t first, std::uint64_t last);

    const SegmentDirectory& directory() const { return directory_; }
    const std::string& path() const { return path_; }
    std::uint64_t first() const { return first_; }
    std::uint64_t last() const { return last_; }
    std::uint64_t bytes() const { return bytes_; }

    // Every row under that hash, the newest first; others may be among them. each: false ends it.
    void find(std::uint64_t hash, const std::function<bool(std::uint32_t row)>& each) const;
    std::string row(std::uint32_t row) const;  // encoded, without its length. Throws Error(kPoison, "TRACE-002")
    // At most `most` of a kind, from the one of that number on.
    std::vector<SegmentPosting> postings(const SegmentKind& kind, std::uint32_t from, std::uint32_t most) const;
    // Reads a part from that place on.
    std::string read(SegmentParts part, std::uint64_t from, std::uint64_t size) const;
    // Every checksum. Throws Error(kPoison, "TRACE-002"). Blocks for long on a large one; stop: true ends it early.
    void verify(const std::function<bool()>& stop) const;

private:
    std::string path_;
    std::uint64_t first_, last_;
    std::unique_ptr<storage::File> file_;
    std::uint64_t bytes_ = 0;
    SegmentDirectory directory_;
    std::vector<std::uint64_t> fences_;
};

// Writes one. Throws Error(kAway) when the disk does not take it; nothing of that name is there then.
struct SegmentTarget {
    storage::Files& files;
    std::string path;
    bool sync = false;
};
// visits: encoded, with their lengths; leave out: rows (rising) that are in none of the lists.
std::uint64_t write_segment(const SegmentTarget& target, std::string_view visits, const std::vector<std::uint32_t>& leave_out,
                            std::uint64_t journal, std::uint64_t position);
// The neighbours become one, in their order. What waits in one and is told the end of in a later one is left out.
std::uint64_t merge_segments(const SegmentTarget& target, const std::vector<std::shared_ptr<const Segment>>& segments);

}  // namespace clrbus::trace
