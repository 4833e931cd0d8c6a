// The learner records: who is who, what stands about whom, what waits for a person, and who was told. SQLite behind it; no SQL
// shows. Any thread, but apply() belongs to one (records/applier.hpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queues.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "records/approvals.hpp"
#include "records/record.hpp"

namespace clrbus::crypto {
class KeyFile;
}

namespace clrbus::records {

struct StoreOptions {
    std::filesystem::path dir;                   // records.db and disclosure.db lie here; made when absent
    const crypto::KeyFile* keys = nullptr;       // outlives the store
    const Clock* clock = nullptr;                // null: system_clock()
    std::vector<std::string> institution_codes;  // SCHEME:VALUE, the institution's own
    std::vector<std::string> placeholders = default_placeholders();
    std::vector<std::string> match_schemes = default_match_schemes();
    std::size_t readers = 4;                        // connections that read at the same time
    std::chrono::milliseconds reader_wait{10'000};  // for a free one of these
    std::chrono::milliseconds lock_wait{5000};      // for another process that holds the file (a backup)

    static std::vector<std::string> default_placeholders();
    static std::vector<std::string> default_match_schemes();
};

class RecordsStore {
public:
    // Throws Error(kConfig): "REC-011" not a sound database, "REC-013" written by a newer bus, "REC-015" sealed with another
    // key.
    explicit RecordsStore(const StoreOptions& options);
    ~RecordsStore();
    RecordsStore(const RecordsStore&) = delete;
    RecordsStore& operator=(const RecordsStore&) = delete;

    // ── Applying ──
    struct Applied {
        Outcome outcome = Outcome::kApplied;  // kApplied, kUnchanged, kSuperseded, kHeld, or kDead with the reason
        std::optional<Error> error;
    };
    struct Group {
        std::vector<Applied> results;  // one for each message
        std::int64_t id = 0;
    };
    // A message made ready on any thread, so that the one that applies has little to do: read, hashed, compressed.
    class Prepared {
    public:
        Prepared(Prepared&&) noexcept;
        Prepared& operator=(Prepared&&) noexcept;
        ~Prepared();
        const TakenMessage& message() const;
        // By which it is found again in the index of messages (trace/): of its key, keyed; 0: it has none.
        std::uint64_t trail() const;

    private:
        friend class RecordsStore;
        struct Content;
        explicit Prepared(std::unique_ptr<Content> content);
        std::unique_ptr<Content> content_;
    };
    Prepared prepare(TakenMessage message) const;
    // All messages in one transaction; one that cannot be applied does not take the others with it. Throws Error(kAway) when
    // the disk does not take it: nothing was applied.
    Group apply(const std::vector<Prepared>& messages);
    Group apply(const std::vector<TakenMessage>& messages);  // prepares them first
    // The group's Unit is committed: its outcomes need no longer be known for a redelivery.
    void settled(const Group& group);

    // ── Reading ── (blocks; each answer is preceded by a line in the disclosure log)
    // kApproved: for what is released. Its version and time change with each approval, too (version + approvals().epoch()).
    enum class Claims : std::uint8_t { kAll, kApproved };
    ReadAnswer read(const Reader& reader, const std::string& learner, std::string_view purpose, Claims claims = Claims::kAll);
    // Every learner's record, one after the other, for sums that name nobody: one line in the disclosure log for all. Blocked
    // persons are among them. Staff alone; throws Error(kPoison, "REC-042").
    void each_record(const Reader& reader, std::string_view purpose, const std::function<void(const LearnerRecord&)>& one);
    // For a cache: version and block flag without the record. Nothing personal, no disclosure.
    std::optional<LearnerLine> learner(const std::string& id) const;
    std::optional<std::string> find_learner(std::string_view scheme, std::string_view issuer, std::string_view value) const;
    std::vector<LearnerLine> learners(const std::string& after, std::size_t most) const;  // by id
    // Prepared::trail of all that was ever said about that learner, merged ones included; nothing personal, no disclosure.
    std::vector<std::uint64_t> trails(const std::string& learner) const;
    // Every stored word about that achievement of that learner, newest first, those in force and those replaced.
    std::vector<Why> why(const Reader& reader, const std::string& learner, std::string_view achievement_key);
    std::optional<DefinitionRecord> definition(std::string_view key, std::string_view source = {}) const;
    // A line of the log for what another room releases from what it holds (a cached credential; a dead letter, with no
    // learner). Not kReleased: refused, and logged so.
    Release disclose(const Reader& reader, const std::string& learner, std::string_view purpose, std::string_view what);

    // ── A person's decisions ── (each logged with who and why; Error(kPoison, "REC-030"…) when it does not fit)
    std::vector<WaitingItem> waiting(std::int64_t after, std::size_t most) const;
    WaitingDetail show(const Reader& reader, std::int64_t waiting, std::string_view purpose);  // staff alone, disclosed
    // A statement: it is this learner's, and so is what the same key says with the same identifiers. A person: is this learner.
    void attach(std::int64_t waiting, const std::string& learner, std::string_view who, std::string_view why);
    // A statement: in nobody's record. A person: is somebody else than the one who holds the identifier; nothing is shared.
    void reject(std::int64_t waiting, std::string_view who, std::string_view why);
    std::int64_t merge(const std::string& from, const std::string& into, std::string_view who, std::string_view why);
    void unmerge(std::int64_t decision, std::string_view who, std::string_view why);
    std::vector<Decision> decisions(std::int64_t after, std::size_t most) const;

    // ── Approval ── (records/approvals.hpp; Error(kPoison, "REC-040", "REC-041") when there is nothing to do)
    ApprovalLine approve(ApprovalLine line);  // id and at are given here; same_as by who carries one on
    ApprovalLine withdraw(const std::string& route, std::uint64_t generation, std::string_view who, std::string_view why);
    std::vector<ApprovalLine> approval_lines(std::string_view route) const;
    Approvals& approvals();
    const Approvals& approvals() const;

    // A copy of both databases, each of one moment; they go on meanwhile. The folder is made. Throws Error(kAway). Blocks.
    void snapshot(const std::filesystem::path& directory) const;

    // ── Watching ──
    StoreCounts counts() const;
    std::vector<DisclosureLine> disclosures(const std::string& learner, std::int64_t after,
                                            std::size_t most) const;  // "" = all
    ChainCheck verify_chain() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::records
