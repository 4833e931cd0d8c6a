// The index of messages: what each one was and became, long after its body is gone. It is told what is on disk
// (broker/follower.hpp) and writes it, some seconds' worth at a time, into files of its own (trace/segment.hpp). Nothing waits
// for it: when its disk is full it keeps 64 MB of news in memory, then drops, counts, and says so; messages go on. What a kill
// -9 took from its memory it is told again from the journal at the next start. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/follower.hpp"
#include "core/clock.hpp"
#include "storage/file.hpp"
#include "trace/visit.hpp"

namespace clrbus::trace {

struct IndexOptions {
    std::string directory;            // DIR/trace
    const Clock* clock = nullptr;     // system_clock() when null
    storage::Files* files = nullptr;  // real_files() when null
    std::chrono::milliseconds every{1000};
    std::uint64_t batch_bytes = 4U << 20;     // written without waiting for that
    std::uint64_t pending_bytes = 64U << 20;  // kept in memory while the disk takes nothing
    std::chrono::hours keep{400 * 24};        // files that are older go, whole
    bool read_only = false;                   // beside a bus that is stopped: nothing is written, mended or removed
};

struct MessageQuery {
    std::vector<std::string> queues;  // one of them, or below one that ends with '/'; empty: any
    std::optional<VisitState> state;
    std::optional<Time> since, until;         // when it ended, or was accepted while it waits
    std::optional<std::uint64_t> key;         // KeyHasher
    std::string key_name;                     // "": any
    std::function<bool(const Visit&)> admit;  // a last word, such as: it is still there
    std::size_t most = 100;
    std::chrono::milliseconds limit{900};  // after that what was found is given, as not complete
};
struct MessagePage {
    std::vector<Visit> visits;  // the newest first
    bool complete = true;       // all that there are
};

// News that the index does not have.
struct IndexGap {
    Time from{}, to{};
    std::uint64_t visits = 0;  // 0: not known
    std::string why;
};
struct IndexStats {
    std::uint64_t visits = 0, bytes = 0, files = 0;
    std::uint64_t pending_bytes = 0, dropped = 0;  // since the start
    Time from{};                                   // the oldest
    std::string trouble;                           // "" while it works
    std::vector<IndexGap> gaps;
    std::map<std::string, std::uint64_t> days;  // bytes by day (UTC) of what happened on it
};

class Index : public QueueFollower {
public:
    // Opens what is there; a file that is damaged is put aside (NAME.damaged) and its time becomes a gap. Throws Error(kAway)
    // when the directory cannot be read or made.
    explicit Index(IndexOptions options);
    ~Index() override;  // writes what it was told
    Index(const Index&) = delete;
    Index& operator=(const Index&) = delete;

    // The queues have told what the journal held: from now on all is news. Starts to write by itself.
    void start();
    void stop();

    void follows(std::uint64_t journal_id) override;
    void arrived(const Arrival& arrival) override;
    void visited(std::string&& visits, const std::vector<std::uint64_t>& dead, std::uint64_t position) override;
    void settle() override;

    // ── Looking ── (blocks for disk reads; what was told before is found)
    MessagePage find(const MessageQuery& query);
    std::vector<Visit> of_id(std::string_view id, std::size_t most = 200);   // every visit of that message, oldest first
    std::vector<Visit> made(std::string_view id, std::size_t most = 20);     // visits among whose outputs it is
    std::vector<Visit> children(std::string_view parent, std::size_t most);  // of a split, by position as far as they fit
    bool ended(const Visit& waiting);                                        // a later one says what became of it
    IndexStats stats();

    // Merges whatever there is to merge. For tests and measurements.
    void merge();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::trace
