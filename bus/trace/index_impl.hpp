// Inside of the index. For index.cpp and index_files.cpp alone.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "trace/index.hpp"
#include "trace/segment.hpp"

namespace clrbus::trace {

using SegmentPointer = std::shared_ptr<const Segment>;  // shared with those who look

struct Index::Impl {
    explicit Impl(IndexOptions given);

    const IndexOptions options;
    const Clock& clock;
    storage::Files& files;

    std::mutex mutex;  // guards what was told and not written; held for moments
    std::string told;  // visits
    std::uint64_t told_position = 0;
    std::uint64_t journal = 0, known_position = 0;
    bool replaying = true;
    IndexGap dropping;  // visits != 0: it drops now
    std::uint64_t dropped = 0;
    std::condition_variable_any wake;

    std::mutex flushing;  // one writes what was told; taken before the others
    std::uint64_t next_flush = 1;
    std::vector<std::string> unsynced;  // files; under flushing
    bool complained = false;            // under flushing

    mutable std::mutex listing;            // guards the list, not what is in it
    std::vector<SegmentPointer> segments;  // oldest first
    std::vector<IndexGap> gaps;
    std::string trouble;

    std::mutex merging;   // one merges
    std::jthread thread;  // last

    // index_files.cpp
    void open();
    SegmentPointer open_segment(const std::string& name, std::uint64_t first, std::uint64_t last);
    void put_aside(const std::string& path, const char* why, Time from, Time to);
    void add_gap(IndexGap gap);
    void read_gaps();
    std::uint64_t known_to(std::uint64_t journal_id) const;
    bool flush(bool sync);  // false: the disk takes nothing; what was told is kept
    bool merge_once();
    void forget_old();
    void verify_all(const std::stop_token& stop);
    void run(const std::stop_token& stop);
    void fail(const std::string& why);
    void drop(std::uint64_t count);  // with mutex held

    std::vector<SegmentPointer> list() const {
        const std::lock_guard lock(listing);
        return segments;
    }
    std::string path(const std::string& name) const { return options.directory + "/" + name; }
};

}  // namespace clrbus::trace
