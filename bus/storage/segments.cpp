#include "storage/segments.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>

#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus::storage {
namespace {

constexpr std::size_t kOpenSegments = 64;
constexpr std::size_t kSparesKept = 2;
constexpr std::uint32_t kFirstSegmentBytes = 4U << 20;  // the first one of a start is small, so that nobody waits for zeros
constexpr std::uint32_t kFillPiece = 1U << 20;
constexpr std::uint32_t kSyncEvery = 4U << 20;
constexpr auto kRetry = std::chrono::seconds(1);

std::optional<std::uint64_t> number_in(std::string_view name, std::string_view before, std::string_view after) {
    if (!name.starts_with(before) || !name.ends_with(after) || name.size() <= before.size() + after.size()) return std::nullopt;
    name = name.substr(before.size(), name.size() - before.size() - after.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
    return number;
}

}  // namespace

Segments::Segments(Files& files, std::string directory, std::uint64_t journal_id, std::uint32_t segment_bytes)
    : files_(files), directory_(std::move(directory)), journal_id_(journal_id), segment_bytes_(segment_bytes) {}

Segments::~Segments() {
    stop();
}

void Segments::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

std::string Segments::path(std::uint32_t generation) const {
    char name[24];
    std::snprintf(name, sizeof name, "/%010u.log", generation);
    return directory_ + name;
}

void Segments::open_existing() {
    for (const auto& name : files_.list(directory_)) {
        const auto file_path = directory_ + "/" + name;
        if (const auto spare = number_in(name, "spare-", "")) {
            next_spare_ = std::max(next_spare_, *spare + 1);
            auto file = files_.open(file_path, Open::kRead);
            std::string bytes(kSegmentHeaderBytes, '\0');
            bytes.resize(file->read(0, bytes.data(), bytes.size()));
            try {
                // A generation is never used twice: what a spare still holds must not become valid again.
                highest_ = std::max(highest_, decode_segment_header(bytes, file_path).generation);
            } catch (const Error&) {
                // Cut off while it was made: it holds nothing.
            }
            if (file->size() == segment_bytes_) {
                spares_.push_back(file_path);
            } else {
                files_.remove(file_path);
            }
            continue;
        }
        const auto generation = number_in(name, "", ".log");
        if (!generation) continue;
        auto file = files_.open(file_path, Open::kRead);
        std::string bytes(kSegmentHeaderBytes, '\0');
        bytes.resize(file->read(0, bytes.data(), bytes.size()));
        const auto header = decode_segment_header(bytes, file_path);
        Where where;
        where.file = file_path;
        if (header.journal_id != journal_id_ || header.generation != *generation) {
            throw Error(Fault::kConfig, "JOURNAL-003", "opening the journal", where,
                        "the file belongs to another journal or was renamed");
        }
        if (file->size() < header.size) {
            where.offset = static_cast<std::int64_t>(file->size());
            throw Error(Fault::kConfig, "JOURNAL-004", "opening the journal", where,
                        "the file is cut off: it has " + std::to_string(header.size) + " bytes by its header");
        }
        sizes_[header.generation] = header.size;
        highest_ = std::max(highest_, header.generation);
    }
}

void Segments::start(std::uint32_t next_generation) {
    next_generation_ = next_generation;
    thread_ = std::jthread([this] { run(); });
}

std::vector<std::uint32_t> Segments::generations() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint32_t> all;
    for (const auto& [generation, size] : sizes_) all.push_back(generation);
    return all;
}

std::uint32_t Segments::highest_generation() const {
    const std::lock_guard lock(mutex_);
    return highest_;
}

std::uint64_t Segments::disk_bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = spares_.size() * std::uint64_t{segment_bytes_};
    for (const auto& [generation, size] : sizes_) bytes += size;
    return bytes;
}

bool Segments::ready(std::size_t count) {
    std::unique_lock lock(mutex_);
    if (prepared_.size() >= count) return true;
    wanted_ = std::max(wanted_, count);
    changed_.notify_all();
    changed_.wait(lock, [&] { return prepared_.size() >= count || full_ || stopping_; });
    return prepared_.size() >= count;
}

Segment Segments::take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !prepared_.empty() || full_ || stopping_; });
    if (prepared_.empty()) throw Error(Fault::kAway, "DISK-002", "making a journal segment", "no space");
    auto segment = std::move(prepared_.front());
    prepared_.pop_front();
    wanted_ = std::max<std::size_t>(1, std::min(wanted_, prepared_.size() + 1));
    changed_.notify_all();
    return segment;
}

void Segments::free(std::uint32_t generation) {
    {
        const std::lock_guard lock(mutex_);
        to_free_.push_back(generation);
    }
    changed_.notify_all();
}

Segment Segments::open(std::uint32_t generation) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(open_.begin(), open_.end(), [&](const Segment& s) { return s.generation == generation; });
    if (found != open_.end()) {
        open_.splice(open_.begin(), open_, found);
        return open_.front();
    }
    Segment segment;
    segment.generation = generation;
    segment.seed = record_seed(journal_id_, generation);
    segment.file = files_.open(path(generation), Open::kWrite);
    segment.size = static_cast<std::uint32_t>(segment.file->size());
    open_.push_front(segment);
    if (open_.size() > kOpenSegments) open_.pop_back();
    return segment;
}

void Segments::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (!to_free_.empty()) {
            const auto generation = to_free_.back();
            to_free_.pop_back();
            lock.unlock();
            try {
                discard(generation);
            } catch (const Error& e) {
                log::warn("journal", e.what());  // the file stays; the next start finds it again
            }
            lock.lock();
            full_ = false;
            continue;
        }
        if (prepared_.size() < wanted_ && !full_) {
            const auto generation = next_generation_++;
            const bool first = !made_one_ && spares_.empty();
            made_one_ = true;
            lock.unlock();
            std::optional<Segment> made;
            try {
                made = make(generation, first ? std::min(segment_bytes_, kFirstSegmentBytes) : segment_bytes_);
            } catch (const Error& e) {
                log::error("journal", e.what());
            }
            lock.lock();
            highest_ = std::max(highest_, generation);
            if (made) {
                sizes_[generation] = made->size;
                prepared_.push_back(std::move(*made));
            } else {
                full_ = true;
            }
            changed_.notify_all();
            continue;
        }
        if (full_) {
            if (changed_.wait_for(lock, kRetry) == std::cv_status::timeout) full_ = false;
        } else {
            changed_.wait(lock);
        }
    }
}

// The header is synced before the file gets its name, and the name before the segment is used: a segment with a name has a
// header.
std::optional<Segment> Segments::make(std::uint32_t generation, std::uint32_t size) {
    std::string spare;
    bool fresh = true;
    {
        const std::lock_guard lock(mutex_);
        if (!spares_.empty() && size == segment_bytes_) {
            spare = spares_.back();
            spares_.pop_back();
            fresh = false;
        } else {
            spare = directory_ + "/spare-" + std::to_string(next_spare_++);
        }
    }
    try {
        Segment segment;
        segment.generation = generation;
        segment.size = size;
        segment.seed = record_seed(journal_id_, generation);
        SegmentHeader header;
        header.generation = generation;
        header.journal_id = journal_id_;
        header.size = size;
        segment.file = files_.open(spare, fresh ? Open::kCreateDirect : Open::kWrite);
        if (!fresh) {
            segment.file->write(0, encode_segment_header(header));
        } else if (!fill(*segment.file, encode_segment_header(header), size)) {
            files_.remove(spare);
            return std::nullopt;
        }
        segment.file->sync();
        files_.rename(spare, path(generation));
        files_.sync_directory(directory_);
        segment.file =
            files_.open(path(generation), Open::kWriteDirect);  // anew, so that an error names it as the operator sees it
        return segment;
    } catch (const Error&) {
        try {
            if (fresh) files_.remove(spare);
        } catch (const Error& e) {
            log::warn("journal", e.what());
        }
        throw;
    }
}

// The header, then zeros. False: stopped, and a stop does not wait for zeros. Past the page cache: through it the zeros would
// cost as much as the messages that come in their place.
bool Segments::fill(File& file, std::string_view header, std::uint32_t size) const {
    const auto piece = std::min(size, kFillPiece);
    const auto bytes = direct_buffer(piece);
    std::memset(bytes.get(), 0, piece);
    std::memcpy(bytes.get(), header.data(), header.size());
    for (std::uint32_t at = 0; at < size;) {
        if (stopping_) return false;
        const auto part = std::min(size - at, piece);
        file.write(at, {bytes.get(), part});
        if (at == 0) std::memset(bytes.get(), 0, header.size());
        at += part;
        // In small portions: one large sync would hold up those of the log.
        if (at % kSyncEvery < part) file.sync();
    }
    return true;
}

void Segments::discard(std::uint32_t generation) {
    std::string spare;
    {
        const std::lock_guard lock(mutex_);
        if (!sizes_.contains(generation)) return;  // freed twice
        open_.remove_if([&](const Segment& s) { return s.generation == generation; });
        if (sizes_[generation] == segment_bytes_ && spares_.size() < kSparesKept) {
            spare = directory_ + "/spare-" + std::to_string(next_spare_++);
        }
        sizes_.erase(generation);
    }
    if (spare.empty()) {
        files_.remove(path(generation));
    } else {
        files_.rename(path(generation), spare);
    }
    files_.sync_directory(directory_);
    if (spare.empty()) return;
    const std::lock_guard lock(mutex_);
    spares_.push_back(spare);
}

}  // namespace clrbus::storage
