// The journal's files: makes segments ahead of need (zero-filled by a thread of its own, never on the commit path), recycles
// freed ones, and opens them for reading. NNNNNNNNNN.log is a segment, named by its generation; spare-N is one that waits to be
// used.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "storage/file.hpp"
#include "storage/record.hpp"

namespace clrbus::storage {

struct Segment {
    std::uint32_t generation = 0;
    std::uint32_t size = 0;
    std::uint32_t seed = 0;
    std::shared_ptr<File> file;  // shared with readers
};

// Any thread, except open_existing and start (once, before).
class Segments {
public:
    Segments(Files& files, std::string directory, std::uint64_t journal_id, std::uint32_t segment_bytes);
    ~Segments();  // stops the thread

    // Checks the header of every segment. Throws as decode_segment_header, and JOURNAL-003 for a file of another journal.
    void open_existing();
    void start(std::uint32_t next_generation);
    void stop();  // ends the thread: the files are left alone from then on

    std::vector<std::uint32_t> generations() const;  // those with a .log name, rising
    std::uint32_t highest_generation() const;        // of any file, spares too
    std::uint64_t disk_bytes() const;
    std::string path(std::uint32_t generation) const;
    std::uint32_t capacity() const { return segment_bytes_; }

    // Waits until `count` segments are ready. False: the disk is full and they cannot be made.
    bool ready(std::size_t count);
    // The next prepared segment, its name on disk. Waits for it. Throws the error of the thread that could not make it.
    Segment take();
    // Nothing in it is needed any more.
    void free(std::uint32_t generation);
    // For reading; throws when it is not there.
    Segment open(std::uint32_t generation) const;

private:
    void run();
    std::optional<Segment> make(std::uint32_t generation, std::uint32_t size);  // nothing: stopped on the way
    bool fill(File& file, std::string_view header, std::uint32_t size) const;
    void discard(std::uint32_t generation);

    Files& files_;
    const std::string directory_;
    const std::uint64_t journal_id_;
    const std::uint32_t segment_bytes_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::uint32_t, std::uint32_t> sizes_;  // generation -> bytes, of those in use or prepared
    std::list<Segment> prepared_;
    std::vector<std::string> spares_;
    std::vector<std::uint32_t> to_free_;
    std::size_t wanted_ = 1;  // prepared ahead
    std::uint32_t next_generation_ = 1;
    std::uint32_t highest_ = 0;
    std::uint64_t next_spare_ = 1;
    bool full_ = false, made_one_ = false;
    std::atomic<bool> stopping_{false};  // written with the lock held
    mutable std::list<Segment> open_;    // most recently used first

    std::jthread thread_;  // last: uses all of the above
};

}  // namespace clrbus::storage
