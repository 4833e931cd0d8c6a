#include "storage/journal.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "storage/block_writer.hpp"
#include "storage/bytes.hpp"
#include "storage/crc32c.hpp"
#include "storage/journal_recovery.hpp"
#include "storage/segments.hpp"

namespace clrbus::storage {
namespace {

constexpr std::uint64_t kLargestBody = (16ULL << 20) + (1ULL << 20);  // a message of 16 MB and its headers

}  // namespace

struct Journal::State {
    State(Files& files, const JournalOptions& given)
        : options(given), segments(files, given.directory, given.id, given.segment_bytes) {}

    struct Prepared {
        std::unique_ptr<JournalWork> work;
        std::size_t first = 0, count = 0;  // in records
        Position before{};
        JournalResult result = JournalResult::kDurable;
    };

    const JournalOptions options;
    Segments segments;

    mutable std::mutex mutex;
    std::condition_variable arrived;
    std::vector<std::unique_ptr<JournalWork>> pending;
    bool stopping = false, paused = false;
    std::string failure;
    std::atomic<std::uint64_t> pending_bytes{0}, written{0}, groups{0};
    std::atomic<std::uint32_t> writing{0};

    // The journal's thread only.
    Segment segment;
    BlockWriter out;  // to that segment
    std::uint64_t group_written = 0;
    std::vector<JournalRecord> records, run;
    Position durable{};  // everything before is synced
    std::uint64_t next_run = 1;

    std::jthread thread;  // last: uses all of the above

    std::uint64_t largest_body() const {
        return std::min(kLargestBody, std::uint64_t{(options.segment_bytes - kSegmentHeaderBytes) / 2});
    }
    Position here() const { return {segment.generation, out.end()}; }
    std::uint64_t room() const { return segment.size - kRecordHeaderBytes - out.end(); }
    void begin(Segment next, std::uint32_t offset) {
        segment = std::move(next);
        out.begin(segment.file, segment.size, offset);
    }

    void place(const RecordHeader& header, std::string_view head, std::string_view tail) {
        char raw[kRecordHeaderBytes];
        encode_record_header(raw, header, segment.seed, out.end());
        const auto size = std::uint64_t{kRecordHeaderBytes} + header.body_length;
        static constexpr char kPadding[8] = {};
        out.append({raw, sizeof raw});
        out.append(head);
        out.append(tail);
        out.append({kPadding, record_bytes(header.body_length) - size});
        group_written += record_bytes(header.body_length);
    }
    void next_segment() {
        auto next = segments.take();
        RecordHeader end;
        end.type = kEndRecord;
        end.number = next.generation;
        place(end, {}, {});
        out.flush();
        writing = next.generation;
        begin(std::move(next), kSegmentHeaderBytes);
    }
    Position add(const RecordHeader& header, std::string_view head, std::string_view tail) {
        if (header.body_length > kLargestBody)
            throw Error(Fault::kPoison, "JOURNAL-010", "writing a record", "it is too large");
        while (record_bytes(header.body_length) > room()) next_segment();
        const Position position = here();
        place(header, head, tail);
        return position;
    }

    bool has_space(const JournalWork& work) {
        const auto bytes = work.most_bytes() + record_bytes(kCommitBodyBytes);
        if (bytes <= room()) return true;
        const std::uint64_t payload = options.segment_bytes - kSegmentHeaderBytes - kRecordHeaderBytes;
        const auto usable = payload - std::min(payload / 2, record_bytes(work.largest_record()));
        return segments.ready((bytes + usable - 1) / usable);
    }

    void prepare(Prepared& prepared) {
        if (!has_space(*prepared.work)) {
            prepared.result = JournalResult::kFull;
            return;
        }
        prepared.before = here();
        run.clear();
        prepared.work->prepare(run);
        prepared.first = records.size();
        prepared.count = run.size();
        if (run.empty()) return;
        RecordHeader header;
        for (auto& record : run) {
            header.type = record.type;
            header.flags = record.flags;
            header.queue = record.queue;
            header.number = record.number;
            header.body_length = record.body_length();
            header.body_crc = record.body_crc;
            record.position = add(header, record.head, record.tail);
            records.push_back(std::move(record));
        }
        std::string body;
        put_number(body, durable.segment);
        put_number(body, durable.offset);
        header = {};
        header.type = kCommitRecord;
        header.queue = static_cast<std::uint32_t>(prepared.count);
        header.number = next_run++;
        header.body_length = kCommitBodyBytes;
        header.body_crc = crc32c(0, body);
        add(header, body, {});
    }

    // Writes and syncs what the group added.
    void flush() {
        if (group_written == 0) return;
        if (!out.flushed()) out.flush();
        durable = here();
        written += group_written;
        ++groups;
        group_written = 0;
    }

    void fail(const std::string& why) {
        log::error("journal", why + ": nothing more is taken; restart after the disk is mended");
        counter("clrbus_journal_failed").set(1);
        {
            const std::lock_guard lock(mutex);
            failure = why;
        }
        if (options.on_failure) options.on_failure(why);
    }

    void run_writer() {
        std::vector<std::unique_ptr<JournalWork>> arrivals;
        std::vector<Prepared> group;
        bool several = false;  // in the last group
        while (true) {
            {
                std::unique_lock lock(mutex);
                arrived.wait(lock, [&] { return stopping || (!pending.empty() && !paused); });
                if (pending.empty()) return;
                if (several) {
                    // Work comes from several hands: who is about to hand something over goes first, on a processor that it
                    // shares with this thread. A sync costs the same for all of it, and on an idle processor this is nothing.
                    lock.unlock();
                    std::this_thread::yield();
                    lock.lock();
                }
                arrivals.swap(pending);
            }
            several = arrivals.size() > 1;
            std::size_t next = 0;
            while (next < arrivals.size()) {
                std::uint64_t bytes = 0;
                group.clear();
                records.clear();
                bool failed = !failure.empty();  // written by this thread alone
                try {
                    while (next < arrivals.size() && bytes < options.group_bytes) {
                        bytes += arrivals[next]->most_bytes();
                        group.push_back({std::move(arrivals[next++]), 0, 0, {}, JournalResult::kDurable});
                        if (!failed) prepare(group.back());
                    }
                    if (!failed) flush();
                } catch (const std::exception& e) {
                    fail(e.what());
                    failed = true;
                }
                pending_bytes -= bytes;
                for (auto& prepared : group) {
                    const auto result = failed ? JournalResult::kFailed : prepared.result;
                    prepared.work->finished(result, std::span(records).subspan(prepared.first, failed ? 0 : prepared.count),
                                            prepared.before);
                    prepared.work.reset();
                }
            }
            arrivals.clear();
        }
    }
};

Journal::Journal(Files& files, const JournalOptions& options) : state_(std::make_unique<State>(files, options)) {
    state_->paused = options.paused;
    state_->segments.open_existing();
}

Journal::~Journal() {
    stop();
}

void Journal::stop() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopping = true;
        state_->paused = false;
    }
    state_->arrived.notify_all();
    if (state_->thread.joinable()) state_->thread.join();
    state_->segments.stop();
}

void Journal::recover(const JournalStart& start, const std::function<void(std::span<const RecoveredRecord>)>& replay) {
    auto& s = *state_;
    const auto found = recover_journal(s.segments, start, replay);
    s.next_run = found.next_run;
    const auto highest = std::max(s.segments.highest_generation(), found.end.segment);
    const auto have = s.segments.generations();
    const bool goes_on = std::binary_search(have.begin(), have.end(), found.end.segment);
    // A new segment after each start: what an unsynced end left behind the old one cannot be taken for new records.
    s.segments.start(goes_on ? highest + 1 : found.end.segment);
    s.durable = found.end;
    if (goes_on) {
        s.begin(s.segments.open(found.end.segment), found.end.offset);
        s.next_segment();
        s.flush();
        // Only now: until the end was written, the old one may still lead into them.
        for (const auto generation : found.stale) s.segments.free(generation);
    } else {
        auto first = s.segments.take();
        s.durable = {first.generation, kSegmentHeaderBytes};
        s.writing = first.generation;
        s.begin(std::move(first), kSegmentHeaderBytes);
    }
    s.thread = std::jthread([&s] { s.run_writer(); });
}

void Journal::submit(std::unique_ptr<JournalWork> work) {
    auto& s = *state_;
    bool wake = false;
    {
        std::unique_lock lock(s.mutex);
        if (s.stopping) {
            lock.unlock();
            work->finished(JournalResult::kFailed, {}, {});
            return;
        }
        wake = s.pending.empty();
        s.pending_bytes += work->most_bytes();
        s.pending.push_back(std::move(work));
    }
    if (wake) s.arrived.notify_one();
}

std::string Journal::read(Position position, RecordHeader* header) const {
    const auto& s = *state_;
    const auto fail = [&](const char* why) {
        Where where;
        where.file = s.segments.path(position.segment);
        where.offset = position.offset;
        throw Error(Fault::kAway, "JOURNAL-006", "reading a message", where, why);
    };
    const auto segment = s.segments.open(position.segment);
    char raw[kRecordHeaderBytes];
    if (segment.file->read(position.offset, raw, sizeof raw) != sizeof raw) fail("the file is cut off");
    const auto decoded = decode_record_header({raw, sizeof raw}, segment.seed, position.offset);
    if (!decoded) fail("the record is damaged");
    std::string body(decoded->body_length, '\0');
    if (segment.file->read(position.offset + kRecordHeaderBytes, body.data(), body.size()) != body.size())
        fail("the file is cut off");
    if (crc32c(0, body) != decoded->body_crc) fail("the body of the record is damaged");
    if (header != nullptr) *header = *decoded;
    return body;
}

void Journal::scan(std::uint32_t segment, const std::function<void(const RecordHeader&, Position)>& each) const {
    SegmentReader reader(state_->segments.open(segment));
    Position at{segment, kSegmentHeaderBytes};
    RecordHeader header;
    while (reader.header(at.offset, header) && header.type != kEndRecord) {
        each(header, at);
        at.offset += static_cast<std::uint32_t>(record_bytes(header.body_length));
    }
}

void Journal::free_segment(std::uint32_t segment) {
    if (segment < state_->writing) state_->segments.free(segment);
}

std::vector<std::uint32_t> Journal::segments() const {
    return state_->segments.generations();
}
std::uint32_t Journal::writing_segment() const {
    return state_->writing;
}
std::string Journal::segment_name(std::uint32_t segment) const {
    const std::string path = state_->segments.path(segment);
    return path.substr(path.rfind('/') + 1);
}
std::uint64_t Journal::next_run() const {
    return state_->next_run;
}
std::uint64_t Journal::pending_bytes() const {
    return state_->pending_bytes;
}
std::uint64_t Journal::written_bytes() const {
    return state_->written;
}
std::uint64_t Journal::groups() const {
    return state_->groups;
}
std::uint64_t Journal::disk_bytes() const {
    return state_->segments.disk_bytes();
}
std::uint64_t Journal::largest_body() const {
    return state_->largest_body();
}
std::string Journal::failure() const {
    const std::lock_guard lock(state_->mutex);
    return state_->failure;
}

void Journal::resume() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->paused = false;
    }
    state_->arrived.notify_all();
}

}  // namespace clrbus::storage
