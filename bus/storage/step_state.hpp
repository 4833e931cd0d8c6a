// state.db: what the stateful steps of routes know about what waits in them, in one SQLite file (WAL, FULL). Any thread.
//
// It holds places, counts, times and keyed hashes (16 bytes, HMAC with a key of the installation), never a body, a correlation
// value or a name: the waiting messages lie in the queues step/ROUTE/STEP, and what is said about them here can be made again
// from there (routing/step_keeper.hpp). What cannot be made again are the keys of deduplicate, the correlations that were
// completed, and named values; they are written before the Unit that relies on them, with the id of the message that caused
// them, so that a repetition is recognised.
//
// One writer thread takes all changes that wait, in order, into one transaction and one sync; each has a savepoint of its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/executor.hpp"

namespace clrbus::storage {

inline constexpr std::size_t kStepHashBytes = 16;

// One message that waits in a step. Times are milliseconds since 1970.
struct StepMember {
    std::uint64_t sequence = 0;  // in its queue
    std::int64_t instance = 0;   // of its group; 0 = it waits alone
    std::int64_t number = 0;     // resequence: its place in the sequence
    std::int64_t due = 0;        // waits alone: when it goes on; 0 = when the step lets it
    std::uint64_t bytes = 0;
    std::string id_hash;  // of the message's id
    std::string key;      // hash: throttle counts by it
};

// Messages that belong together. Several of one correlation may be there: at most one is open.
struct StepGroup {
    enum class State : std::uint8_t { kOpen = 0, kClosing = 1, kReleasing = 2 };
    std::int64_t instance = 0;
    std::string correlation;  // hash
    State state = State::kOpen;
    std::string why;  // kClosing: what closed it
    std::uint64_t members = 0, bytes = 0;
    std::int64_t wanted = 0;  // aggregate: complete at so many; resequence: size of the batch. 0 = not known
    std::int64_t next = 0;    // resequence: the number that is waited for
    std::int64_t first_at = 0, last_at = 0;
    std::int64_t due = 0;  // when time decides; 0 = never
    std::uint64_t first_sequence = 0;
};

// The tables, inside one transaction. Throws Error(kAway, "STEP-010") when the file cannot be used now, Error(kConfig,
// "STEP-011") when it is damaged.
class StepTables {
public:
    std::int64_t step(std::string_view name);  // the number of a step, made at its first use

    std::uint64_t watermark(std::int64_t step);  // messages of its queue up to here are known
    void watermark(std::int64_t step, std::uint64_t sequence);

    void add(std::int64_t step, const StepMember& member);
    // Those of one group with this number or a higher one into another.
    void move(std::int64_t step, std::int64_t from_instance, std::int64_t from_number, std::int64_t to_instance);
    bool has_id(std::int64_t instance, std::string_view id_hash);
    bool has_number(std::int64_t instance, std::int64_t number);
    void remove(std::int64_t step, std::uint64_t sequence);
    std::uint64_t count(std::int64_t step);
    // By sequence, or by number below a limit.
    std::vector<StepMember> members(std::int64_t instance, std::size_t most);
    std::vector<StepMember> below(std::int64_t instance, std::int64_t number, std::size_t most);
    std::optional<std::int64_t> lowest_number(std::int64_t instance, std::int64_t from);
    std::optional<std::int64_t> highest_number(std::int64_t instance);
    std::vector<StepMember> due(std::int64_t step, std::int64_t now, std::size_t most);  // that wait alone, the first first
    std::optional<std::int64_t> next_due(std::int64_t step);                             // of members and groups
    std::int64_t last_due(std::int64_t step, std::string_view key);                      // 0: none waits
    // Where the first of a key is overdue, all of that key wait so much longer that it is due now. The keys that moved.
    std::vector<std::string> begin_anew(std::int64_t step, std::int64_t now);

    std::optional<StepGroup> open_group(std::int64_t step, std::string_view correlation);
    std::int64_t add_group(std::int64_t step, const StepGroup& group);  // its instance
    void save(const StepGroup& group);
    void remove_group(std::int64_t instance);
    std::vector<StepGroup> groups(std::int64_t step, StepGroup::State state, std::size_t most);
    std::vector<StepGroup> due_groups(std::int64_t step, std::int64_t now, std::size_t most);
    std::uint64_t open_groups(std::int64_t step);

    // Correlations that were completed, for members that come late.
    bool completed(std::int64_t step, std::string_view correlation);
    void complete(std::int64_t step, std::string_view correlation, std::int64_t at);
    void forget_completed(std::int64_t step, std::int64_t before, std::uint64_t most);

    // Everything about what waits there: it is made again from the queue. What was completed or seen stays.
    void clear(std::int64_t step);

    // deduplicate: the message that has the key since when; empty: nobody. throttle: when the next slot of the key begins, in
    // microseconds.
    struct Seen {
        std::string id_hash;
        std::int64_t at = 0;
    };
    std::optional<Seen> seen(std::int64_t step, std::string_view key);
    void see(std::int64_t step, std::string_view key, std::string_view id_hash, std::int64_t at);
    void unsee(std::int64_t step, std::string_view key, std::string_view id_hash);  // only when it is that message's
    void forget_seen(std::int64_t step, std::int64_t before, std::uint64_t most);

    std::string value(std::int64_t step, std::string_view name);  // "" when absent
    void value(std::int64_t step, std::string_view name, std::string_view text);

    class Database;
    explicit StepTables(Database& database) : db_(database) {}

private:
    Database& db_;
};

class StepState {
public:
    using Change = std::function<void(StepTables&)>;
    using Done = std::function<void(bool)>;  // false: the change is not there (disk full, or it threw)

    // key: at least 16 bytes, for hashes. A file that is damaged is kept aside as FILE.damaged and begun anew, with an error in
    // the log. Throws Error(kConfig) when the place cannot be used at all.
    StepState(std::filesystem::path file, std::string_view key);
    ~StepState();  // does what was given to it

    void apply(Change change, Executor& executor, Done done);
    bool write(Change change);  // the same, and waits: not on a thread that others need
    void read(const Change& look) const;

    // A keyed hash of a value for one step, kStepHashBytes long.
    std::string hash(std::string_view step, std::string_view value) const;

    std::uint64_t syncs() const;  // transactions since the start

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// A copy of the file as it is at one moment, also while a StepState uses it. Nothing when it is not there. Blocks.
void copy_step_state(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace clrbus::storage
