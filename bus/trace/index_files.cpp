// The files of the index: opened, written, merged, put aside, forgotten.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdio>
#include <sstream>
#include <utility>

#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "trace/index_impl.hpp"

namespace clrbus::trace {
namespace {

constexpr std::uint64_t kVerifiedAtOpen = 16U << 20;
constexpr std::size_t kMergeFrom = 8, kMergeMost = 16;
constexpr std::uint64_t kMergedRowsMost = 6'000'000, kMergedBytesMost = 1U << 30;
constexpr std::chrono::seconds kRetry{5};
constexpr std::size_t kGapsMost = 1000;
constexpr const char* kGapsFile = "gaps";

std::string segment_name(std::uint64_t first, std::uint64_t last) {
    char name[64];
    std::snprintf(name, sizeof name, "%014llu-%014llu.seg", static_cast<unsigned long long>(first),
                  static_cast<unsigned long long>(last));
    return name;
}

bool segment_numbers(const std::string& name, std::uint64_t& first, std::uint64_t& last) {
    if (name.size() != 33 || name[14] != '-' || name.substr(29) != ".seg") return false;
    const auto number = [&name](std::size_t at, std::uint64_t& out) {
        const char* end = name.data() + at + 14;
        return std::from_chars(name.data() + at, end, out).ptr == end;
    };
    return number(0, first) && number(15, last) && first <= last && first != 0;
}

Time index_time(std::int64_t ms) {
    return Time(std::chrono::milliseconds(ms));
}

// Of about as many rows: eight of one become one of the next.
int tier(const Segment& segment) {
    return (std::bit_width(std::uint64_t{segment.directory().rows} + 1) - 1) / 3;
}

// Rows of messages that wait and of which the same visits say how they ended.
std::vector<std::uint32_t> index_joined(std::string_view visits) {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> waiting;
    std::vector<std::uint32_t> out;
    std::string_view encoded;
    for (std::uint32_t row = 0; next_visit(visits, encoded); ++row) {
        VisitView view;
        if (!view_visit(encoded, view) || view.sequence == 0) continue;
        if (view.state == VisitState::kWaiting) {
            waiting.emplace_back(view.sequence, row);  // rising, as they were accepted
            continue;
        }
        const auto found = std::lower_bound(waiting.begin(), waiting.end(), std::pair{view.sequence, std::uint32_t{0}});
        if (found != waiting.end() && found->first == view.sequence) out.push_back(found->second);
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace

Index::Impl::Impl(IndexOptions given)
    : options(std::move(given)),
      clock(options.clock != nullptr ? *options.clock : system_clock()),
      files(options.files != nullptr ? *options.files : storage::real_files()) {
    open();
}

void Index::Impl::open() {
    if (options.read_only && !files.exists(options.directory)) return;
    if (!options.read_only) files.make_directory(options.directory);
    read_gaps();
    struct Found {
        std::uint64_t first = 0, last = 0;
        std::string name;
    };
    std::vector<Found> found;
    for (const std::string& name : files.list(options.directory)) {
        Found one{0, 0, name};
        if (segment_numbers(name, one.first, one.last)) found.push_back(one);
        if (name.ends_with(".tmp") && !options.read_only) files.remove(path(name));
    }
    // A merge was over, and what it was made of is still there.
    std::sort(found.begin(), found.end(),
              [](const Found& a, const Found& b) { return a.first != b.first ? a.first < b.first : a.last > b.last; });
    std::uint64_t until = 0;
    for (const Found& one : found) {
        if (one.last <= until) {
            if (!options.read_only) files.remove(path(one.name));
            continue;
        }
        // The numbers go on behind the highest, whether it can be read or not.
        next_flush = std::max(next_flush, one.last + 1);
        if (auto segment = open_segment(one.name, one.first, one.last)) {
            segments.push_back(std::move(segment));
            until = one.last;
        }
    }
}

SegmentPointer Index::Impl::open_segment(const std::string& name, std::uint64_t first, std::uint64_t last) {
    try {
        auto segment = std::make_shared<const Segment>(files, path(name), first, last);
        if (segment->bytes() <= kVerifiedAtOpen) segment->verify({});
        return segment;
    } catch (const Error& e) {
        log::error("trace", e.what());
        Time from{}, to = clock.now();
        if (!segments.empty()) from = index_time(segments.back()->directory().to);
        put_aside(path(name), "a file was damaged", from, to);
        return nullptr;
    }
}

void Index::Impl::put_aside(const std::string& file, const char* why, Time from, Time to) {
    counter("clrbus_trace_damaged_total").add();
    if (options.read_only) return;
    log::error("trace", "TRACE-002: '" + file + "' is put aside as .damaged: messages between " + to_rfc3339(from) + " and " +
                            to_rfc3339(to) + " may not be found; the journal's part is read again at the next start");
    try {
        files.rename(file, file + ".damaged");
    } catch (const Error& e) {
        log::error("trace", e.what());
    }
    add_gap({from, to, 0, why});
}

// A line a gap: from, to, visits, why.
void Index::Impl::read_gaps() {
    if (!files.exists(path(kGapsFile))) return;
    try {
        std::istringstream in(storage::read_whole_file(files, path(kGapsFile)));
        for (std::string line; std::getline(in, line) && gaps.size() < kGapsMost;) {
            std::istringstream fields(line);
            std::string from, to;
            IndexGap gap;
            if (!(fields >> from >> to >> gap.visits)) continue;
            std::getline(fields >> std::ws, gap.why);
            gap.from = from_rfc3339(from);
            gap.to = from_rfc3339(to);
            gaps.push_back(std::move(gap));
        }
    } catch (const Error& e) {
        log::warn("trace", std::string("what is missing in the index of messages cannot be read: ") + e.what());
    }
}

void Index::Impl::add_gap(IndexGap gap) {
    std::string text;
    {
        const std::lock_guard lock(listing);
        gaps.push_back(std::move(gap));
        if (gaps.size() > kGapsMost) gaps.erase(gaps.begin());
        for (const IndexGap& one : gaps)
            text += to_rfc3339(one.from) + ' ' + to_rfc3339(one.to) + ' ' + std::to_string(one.visits) + ' ' + one.why + '\n';
    }
    try {
        storage::write_file_atomically(files, path(kGapsFile), text);
    } catch (const Error& e) {
        log::warn("trace", e.what());  // known until the end of the process
    }
}

// Behind a hole nothing counts as known: it is told again, and those who look see each visit once.
std::uint64_t Index::Impl::known_to(std::uint64_t journal_id) const {
    const std::lock_guard lock(listing);
    std::uint64_t known = 0, next = segments.empty() ? 0 : segments.front()->first();
    for (const auto& segment : segments) {
        if (segment->first() != next) break;
        next = segment->last() + 1;
        if (segment->directory().journal == journal_id) known = std::max(known, segment->directory().position);
    }
    return known;
}

void Index::Impl::fail(const std::string& why) {
    {
        const std::lock_guard lock(listing);
        trouble = why;
    }
    if (!std::exchange(complained, true)) log::warn("trace", "the index of messages is not written, messages go on: " + why);
}

bool Index::Impl::flush(bool sync) {
    if (options.read_only) return true;
    const std::lock_guard one(flushing);
    std::string visits;
    std::uint64_t position = 0, journal_id = 0;
    IndexGap gap;
    {
        const std::lock_guard lock(mutex);
        visits.swap(told);
        position = told_position;
        journal_id = journal;
        std::swap(gap, dropping);
    }
    try {
        if (!visits.empty()) {
            const std::string file = path(segment_name(next_flush, next_flush));
            write_segment({files, file, sync}, visits, index_joined(visits), journal_id, position);
            auto segment = std::make_shared<const Segment>(files, file, next_flush, next_flush);
            ++next_flush;
            if (!sync) unsynced.push_back(file);
            const std::lock_guard lock(listing);
            segments.push_back(std::move(segment));
        }
        if (sync) {
            for (const std::string& file : unsynced) {
                if (files.exists(file)) files.open(file, storage::Open::kRead)->sync();  // merged ones are synced
            }
            if (!unsynced.empty()) files.sync_directory(options.directory);
            unsynced.clear();
        }
    } catch (const Error& e) {
        const std::lock_guard lock(mutex);
        told.insert(0, visits);
        if (gap.visits != 0) {
            gap.visits += dropping.visits;
            gap.to = std::max(gap.to, dropping.to);
            dropping = gap;
        }
        fail(e.what());
        return false;
    }
    if (std::exchange(complained, false)) log::info("trace", "the index of messages is written again");
    {
        const std::lock_guard lock(listing);
        trouble.clear();
    }
    if (gap.visits != 0) {
        log::error("trace", "TRACE-003: " + std::to_string(gap.visits) + " visits between " + to_rfc3339(gap.from) + " and " +
                                to_rfc3339(gap.to) + " are not in the index of messages: its disk took nothing");
        add_gap(std::move(gap));
    }
    return true;
}

bool Index::Impl::merge_once() {
    const std::lock_guard one(merging);
    const auto all = list();
    std::vector<SegmentPointer> chosen;
    for (int most = 0; most <= 8 && chosen.empty(); ++most) {
        for (std::size_t at = 0; at < all.size(); ++at) {
            std::uint64_t rows = 0, bytes = 0;
            std::vector<SegmentPointer> run;
            for (std::size_t i = at; i < all.size() && run.size() < kMergeMost && tier(*all[i]) <= most; ++i) {
                if (!run.empty() && run.back()->last() + 1 != all[i]->first()) break;
                rows += all[i]->directory().rows;
                bytes += all[i]->bytes();
                if (rows > kMergedRowsMost || bytes > kMergedBytesMost) break;
                run.push_back(all[i]);
            }
            if (run.size() >= kMergeFrom) {
                chosen = std::move(run);
                break;
            }
        }
    }
    if (chosen.empty()) return false;
    const std::uint64_t first = chosen.front()->first(), last = chosen.back()->last();
    const std::string file = path(segment_name(first, last));
    SegmentPointer merged;
    try {
        merge_segments({files, file, true}, chosen);
        merged = std::make_shared<const Segment>(files, file, first, last);
    } catch (const Error& e) {
        if (e.fault() != Fault::kPoison) {
            log::warn("trace", std::string("files of the index are not merged: ") + e.what());
            return false;
        }
        // One of them is damaged: it goes, the others are merged another time.
        for (const auto& segment : chosen) {
            try {
                segment->verify({});
            } catch (const Error& damaged) {
                if (damaged.fault() != Fault::kPoison) continue;
                const SegmentDirectory& directory = segment->directory();
                put_aside(segment->path(), "a file was damaged", index_time(directory.from), index_time(directory.to));
                const std::lock_guard lock(listing);
                std::erase(segments, segment);
            }
        }
        return false;
    }
    {
        const std::lock_guard lock(listing);
        const auto begin = std::find(segments.begin(), segments.end(), chosen.front());
        *begin = merged;
        segments.erase(begin + 1, begin + static_cast<std::ptrdiff_t>(chosen.size()));
    }
    for (const auto& segment : chosen) files.remove(segment->path());
    return true;
}

void Index::Impl::forget_old() {
    const std::int64_t before = (clock.now() - options.keep).time_since_epoch().count();
    for (const auto& segment : list()) {
        if (segment->directory().to >= before) return;
        {
            const std::lock_guard one(merging);
            const std::lock_guard lock(listing);
            std::erase(segments, segment);
        }
        files.remove(segment->path());
    }
}

// Once after a start: the large ones, which nobody waited for.
void Index::Impl::verify_all(const std::stop_token& stop) {
    for (const auto& segment : list()) {
        if (stop.stop_requested()) return;
        if (segment->bytes() <= kVerifiedAtOpen) continue;
        try {
            segment->verify([&stop] { return stop.stop_requested(); });
        } catch (const Error& e) {
            log::error("trace", e.what());
            if (e.fault() != Fault::kPoison) continue;
            const SegmentDirectory& directory = segment->directory();
            put_aside(segment->path(), "a file was damaged", index_time(directory.from), index_time(directory.to));
            const std::lock_guard one(merging);
            const std::lock_guard lock(listing);
            std::erase(segments, segment);
        }
    }
}

void Index::Impl::run(const std::stop_token& stop) {
    verify_all(stop);
    auto look_at_age = std::chrono::steady_clock::now();
    auto wait = options.every;
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex);
            wake.wait_for(lock, stop, wait,
                          [this, &wait] { return wait == options.every && told.size() >= options.batch_bytes; });
        }
        if (stop.stop_requested()) return;
        try {
            wait = flush(false) ? options.every : std::chrono::milliseconds(kRetry);
            while (!stop.stop_requested() && merge_once()) {
            }
            if (std::chrono::steady_clock::now() >= look_at_age) {
                forget_old();
                look_at_age = std::chrono::steady_clock::now() + std::chrono::minutes(1);
            }
        } catch (const Error& e) {
            log::error("trace", e.what());
        }
    }
}

}  // namespace clrbus::trace
