#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "core/error.hpp"
#include "storage/bytes.hpp"
#include "storage/crc32c.hpp"
#include "trace/segment.hpp"

namespace clrbus::trace {
namespace {

constexpr std::size_t kWriteBuffer = 1U << 20;
constexpr std::uint64_t kReadBuffer = 256U << 10;

// One part after the other into a file that gets its name at the end.
class PartWriter {
public:
    explicit PartWriter(const SegmentTarget& target)
        : target_(target), temporary_(target.path + ".tmp"), file_(target.files.open(temporary_, storage::Open::kCreate)) {}
    ~PartWriter() {
        if (finished_) return;
        file_.reset();
        try {
            target_.files.remove(temporary_);
        } catch (const Error&) {
            // The next start takes it away.
        }
    }
    PartWriter(const PartWriter&) = delete;
    PartWriter& operator=(const PartWriter&) = delete;

    void add(std::string_view bytes) {
        crc_ = storage::crc32c(crc_, bytes);
        buffer_.append(bytes);
        if (buffer_.size() >= kWriteBuffer) flush();
    }
    template <typename Number>
    void number(Number value) {
        add({reinterpret_cast<const char*>(&value), sizeof value});
    }
    void end(SegmentParts part) {
        flush();
        directory.parts[static_cast<std::size_t>(part)] = {begin_, written_ - begin_, std::exchange(crc_, 0)};
        begin_ = written_;
    }
    std::uint64_t finish() {
        const std::string bytes = directory.encode();
        std::string trailer;
        storage::put_number(trailer, written_);
        storage::put_number(trailer, std::uint64_t{bytes.size()});
        storage::put_number(trailer, storage::crc32c(0, bytes));
        trailer += kSegmentMagic;
        add(bytes);
        add(trailer);
        flush();
        if (target_.sync) file_->sync();
        file_.reset();
        target_.files.rename(temporary_, target_.path);
        if (target_.sync) target_.files.sync_directory(target_.path.substr(0, target_.path.rfind('/')));
        finished_ = true;
        return written_;
    }

    SegmentDirectory directory;

private:
    void flush() {
        if (!buffer_.empty()) file_->write(written_, buffer_);
        written_ += buffer_.size();
        buffer_.clear();
    }

    const SegmentTarget& target_;
    const std::string temporary_;
    std::unique_ptr<storage::File> file_;
    std::string buffer_;
    std::uint64_t written_ = 0, begin_ = 0;
    std::uint32_t crc_ = 0;
    bool finished_ = false;
};

void write_hash(PartWriter& out, const SegmentHash& one, std::vector<std::uint64_t>& fences) {
    if (out.directory.hashes++ % kFenceEvery == 0) fences.push_back(one.hash);
    char bytes[kHashBytes];
    std::memcpy(bytes, &one.hash, 8);
    std::memcpy(bytes + 8, &one.row, 4);
    out.add({bytes, sizeof bytes});
}

void write_fences(PartWriter& out, const std::vector<std::uint64_t>& fences) {
    for (const std::uint64_t fence : fences) out.number(fence);
    out.end(SegmentParts::kFences);
}

void write_posting(PartWriter& out, const SegmentPosting& one) {
    char bytes[kPostingBytes];
    std::memcpy(bytes, &one.row, 4);
    std::memcpy(bytes + 4, &one.seconds, 4);
    out.add({bytes, sizeof bytes});
}

// Reads the hashes of one segment in order.
class HashReader {
public:
    explicit HashReader(const Segment& segment) : segment_(&segment) { next(); }
    bool ended() const { return ended_; }
    const SegmentHash& now() const { return now_; }
    void next() {
        if (at_ == buffer_.size()) {
            buffer_ = segment_->read(SegmentParts::kHashes, offset_, kReadBuffer / kHashBytes * kHashBytes);
            offset_ += buffer_.size();
            at_ = 0;
            if (buffer_.empty()) {
                ended_ = true;
                return;
            }
        }
        std::memcpy(&now_.hash, buffer_.data() + at_, 8);
        std::memcpy(&now_.row, buffer_.data() + at_ + 8, 4);
        at_ += kHashBytes;
    }

private:
    const Segment* segment_;
    std::string buffer_;
    std::size_t at_ = 0;
    std::uint64_t offset_ = 0;
    SegmentHash now_;
    bool ended_ = false;
};

struct OpenVisit {
    std::string queue;
    std::string id;  // packed
    std::uint64_t sequence = 0;
};

// Does one of the later segments say how it ended?
bool ended_later(const std::vector<std::shared_ptr<const Segment>>& segments, std::size_t from, const OpenVisit& open) {
    const std::uint64_t hash = tagged(HashOf::kId, id_hash(open.id));
    for (std::size_t i = from; i < segments.size(); ++i) {
        bool ended = false;
        segments[i]->find(hash, [&](std::uint32_t row) {
            const std::string bytes = segments[i]->row(row);
            VisitView view;
            ended = view_visit(bytes, view) && view.state != VisitState::kWaiting && view.sequence == open.sequence &&
                    view.queue == open.queue && view.id == open.id;
            return !ended;
        });
        if (ended) return true;
    }
    return false;
}

// By segment, the rows that are told the end of later; rising.
std::vector<std::vector<std::uint32_t>> superseded(const std::vector<std::shared_ptr<const Segment>>& segments) {
    std::vector<std::vector<std::uint32_t>> out(segments.size());
    for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
        for (const SegmentKind& kind : segments[i]->directory().kinds) {
            if (kind.state != VisitState::kWaiting) continue;
            for (std::uint32_t from = 0; from < kind.count; from += 4096) {
                for (const SegmentPosting& posting : segments[i]->postings(kind, from, 4096)) {
                    const std::string bytes = segments[i]->row(posting.row);
                    VisitView view;
                    if (!view_visit(bytes, view)) continue;
                    if (ended_later(segments, i + 1, {kind.queue, std::string(view.id), view.sequence}))
                        out[i].push_back(posting.row);
                }
            }
        }
        std::sort(out[i].begin(), out[i].end());
    }
    return out;
}

using KindKey = std::pair<std::string, VisitState>;

}  // namespace

std::uint64_t write_segment(const SegmentTarget& target, std::string_view visits, const std::vector<std::uint32_t>& leave_out,
                            std::uint64_t journal, std::uint64_t position) {
    struct Kind {
        std::string_view queue;
        VisitState state;
        std::vector<SegmentPosting> postings;
    };
    PartWriter out(target);
    SegmentDirectory& directory = out.directory;
    directory.journal = journal;
    directory.position = position;
    std::vector<Kind> kinds;
    std::vector<std::uint32_t> offsets;
    std::vector<SegmentHash> hashes;
    std::vector<std::int64_t> ends;
    std::size_t last = 0;
    auto left_out = leave_out.begin();
    std::uint32_t offset = 0, number = 0;
    std::string_view rest = visits, encoded;
    for (; next_visit(rest, encoded); ++number) {
        const bool leave = left_out != leave_out.end() && *left_out == number;
        if (leave) {
            ++left_out;
            continue;
        }
        VisitView view;
        if (!view_visit(encoded, view)) continue;
        const std::uint32_t row = directory.rows++;
        out.add({encoded.data() - 2, encoded.size() + 2});
        offsets.push_back(offset);
        offset += static_cast<std::uint32_t>(encoded.size() + 2);
        ends.push_back(view.ended);
        hashes.push_back({tagged(HashOf::kId, id_hash(view.id)), row});
        if (view.child_of_split) hashes.push_back({tagged(HashOf::kParent, id_hash(view.parent)), row});
        each_output(view, [&](std::string_view id) { hashes.push_back({tagged(HashOf::kMade, id_hash(id)), row}); });
        each_key(view, [&](std::uint64_t hash) { hashes.push_back({tagged(HashOf::kKey, hash), row}); });
        // The kind is mostly that of the visit before.
        if (last >= kinds.size() || kinds[last].state != view.state || kinds[last].queue != view.queue) {
            for (last = 0; last < kinds.size(); ++last) {
                if (kinds[last].state == view.state && kinds[last].queue == view.queue) break;
            }
            if (last == kinds.size()) kinds.push_back({view.queue, view.state, {}});
        }
        kinds[last].postings.push_back({row, 0});
    }
    if (!ends.empty()) {
        directory.from = *std::min_element(ends.begin(), ends.end());
        directory.to = *std::max_element(ends.begin(), ends.end());
    }
    out.end(SegmentParts::kRows);
    for (const std::uint32_t one : offsets) out.number(one);
    out.end(SegmentParts::kOffsets);
    std::sort(hashes.begin(), hashes.end());
    std::vector<std::uint64_t> fences;
    for (const SegmentHash& one : hashes) write_hash(out, one, fences);
    out.end(SegmentParts::kHashes);
    std::uint32_t first = 0;
    for (Kind& kind : kinds) {
        directory.kinds.push_back(
            {std::string(kind.queue), kind.state, static_cast<std::uint32_t>(kind.postings.size()), first});
        first += static_cast<std::uint32_t>(kind.postings.size());
        for (SegmentPosting& posting : kind.postings) {
            posting.seconds = static_cast<std::uint32_t>((ends[posting.row] - directory.from) / 1000);
            write_posting(out, posting);
        }
    }
    out.end(SegmentParts::kPostings);
    write_fences(out, fences);
    return out.finish();
}

std::uint64_t merge_segments(const SegmentTarget& target, const std::vector<std::shared_ptr<const Segment>>& segments) {
    PartWriter out(target);
    SegmentDirectory& directory = out.directory;
    const auto left_out = superseded(segments);
    std::vector<std::uint32_t> first_row, first_offset;
    std::uint32_t rows = 0, bytes = 0;
    bool any = false;
    for (const auto& segment : segments) {
        const SegmentDirectory& one = segment->directory();
        first_row.push_back(rows);
        first_offset.push_back(bytes);
        const std::uint64_t size = one.parts[static_cast<std::size_t>(SegmentParts::kRows)].size;
        for (std::uint64_t at = 0; at < size; at += kReadBuffer) out.add(segment->read(SegmentParts::kRows, at, kReadBuffer));
        rows += one.rows;
        bytes += static_cast<std::uint32_t>(size);
        directory.journal = one.journal;  // of the newest
        directory.position = one.position;
        if (one.rows == 0) continue;
        directory.from = any ? std::min(directory.from, one.from) : one.from;
        directory.to = any ? std::max(directory.to, one.to) : one.to;
        any = true;
    }
    directory.rows = rows;
    out.end(SegmentParts::kRows);
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const std::uint64_t size = segments[i]->directory().parts[static_cast<std::size_t>(SegmentParts::kOffsets)].size;
        for (std::uint64_t at = 0; at < size; at += kReadBuffer) {
            std::string part = segments[i]->read(SegmentParts::kOffsets, at, kReadBuffer);
            for (std::size_t place = 0; place < part.size(); place += 4) {
                std::uint32_t offset = 0;
                std::memcpy(&offset, part.data() + place, 4);
                offset += first_offset[i];
                std::memcpy(part.data() + place, &offset, 4);
            }
            out.add(part);
        }
    }
    out.end(SegmentParts::kOffsets);

    std::vector<HashReader> readers;
    for (const auto& segment : segments) readers.emplace_back(*segment);
    std::vector<std::uint64_t> fences;
    for (;;) {
        std::size_t least = readers.size();
        for (std::size_t i = 0; i < readers.size(); ++i) {
            if (!readers[i].ended() && (least == readers.size() || readers[i].now().hash < readers[least].now().hash))
                least = i;
        }
        if (least == readers.size()) break;
        SegmentHash one = readers[least].now();
        readers[least].next();
        if (!left_out[least].empty() && std::binary_search(left_out[least].begin(), left_out[least].end(), one.row)) continue;
        one.row += first_row[least];
        write_hash(out, one, fences);
    }
    out.end(SegmentParts::kHashes);

    std::map<KindKey, bool> kinds;
    for (const auto& segment : segments) {
        for (const SegmentKind& kind : segment->directory().kinds) kinds[{kind.queue, kind.state}] = true;
    }
    std::uint32_t first = 0;
    for (const auto& [key, there] : kinds) {
        SegmentKind merged{key.first, key.second, 0, first};
        for (std::size_t i = 0; i < segments.size(); ++i) {
            const SegmentDirectory& one = segments[i]->directory();
            const auto shift = static_cast<std::uint32_t>((one.from - directory.from) / 1000);
            for (const SegmentKind& kind : one.kinds) {
                if (kind.queue != key.first || kind.state != key.second) continue;
                for (std::uint32_t from = 0; from < kind.count; from += 32768) {
                    for (SegmentPosting posting : segments[i]->postings(kind, from, 32768)) {
                        if (!left_out[i].empty() && std::binary_search(left_out[i].begin(), left_out[i].end(), posting.row))
                            continue;
                        posting.row += first_row[i];
                        posting.seconds += shift;
                        write_posting(out, posting);
                        ++merged.count;
                    }
                }
            }
        }
        first += merged.count;
        if (merged.count != 0) directory.kinds.push_back(std::move(merged));
    }
    out.end(SegmentParts::kPostings);
    write_fences(out, fences);
    return out.finish();
}

}  // namespace clrbus::trace
