// What the store is made of. Internal to records/: store.cpp (opening, applying, decisions) and store_reading.cpp share it.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "records/approvals.hpp"
#include "records/database.hpp"
#include "records/disclosure.hpp"
#include "records/identifiers.hpp"
#include "records/incoming.hpp"
#include "records/store.hpp"
#include "records/vault.hpp"
#include "records/writer.hpp"

// What open_statement() reads, in this order.
#define CLRBUS_READ_COLUMNS \
    "id,kind,source,route,business,source_number,position,generation,content,original,accepted,applied,sealed,key_hash"

namespace clrbus::records {

struct RecordsStore::Prepared::Content {
    TakenMessage message;
    std::optional<Incoming> incoming;
    std::optional<Error> error;  // why it can never be applied
    std::uint64_t trail = 0;
};

struct RecordsStore::Impl {
    explicit Impl(const StoreOptions& options);
    ~Impl();

    // One reading connection; back in the pool at its end.
    class Lease {
    public:
        explicit Lease(Impl& impl);
        ~Lease();
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        Database& operator*() const { return *database_; }

    private:
        Impl& impl_;
        std::unique_ptr<Database> database_;
    };

    // store.cpp
    static const Prepared::Content& content(const Prepared& prepared) { return *prepared.content_; }
    // nothing when a message cannot be applied and there are no savepoints: nothing was applied then
    std::optional<Group> apply(const std::vector<Prepared>& messages, bool savepoints);
    // store_reading.cpp
    std::int64_t learner_id(Database& database, const std::string& uuid) const;  // 0: unknown
    std::string uuid_of(Database& database, std::int64_t learner) const;
    Release may(Database& database, const Reader& reader, const std::string& requested, std::int64_t& learner) const;
    void fill_record(Database& database, std::int64_t learner, LearnerRecord& record) const;
    void fill_persons(Database& database, std::int64_t learner, LearnerRecord& record) const;
    StatementInForce open_statement(Query& query) const;
    // store_approvals.cpp: takes out what no approved generation said, and puts what one said before in its place.
    void keep_approved(Database& database, std::int64_t learner, LearnerRecord& record) const;
    bool word_approved(Database& database, std::int64_t statement, const std::string& route, std::uint64_t generation) const;

    const StoreOptions options;
    const Clock& clock;
    const Vault vault;
    const IdentifierRules rules;
    std::unordered_set<std::string> own_codes;
    const std::filesystem::path file;

    Approvals approvals;

    std::mutex write_mutex;  // database, writer and what follows, for one transaction
    Database database;
    Writer writer;
    // What a redelivered message counted as before the crash: (sequence, hash of its id) -> outcome.
    std::map<std::pair<std::uint64_t, std::uint64_t>, Outcome> unsettled;

    std::mutex forget_mutex;           // a moment only: settled() runs where nobody may wait for a transaction
    std::vector<std::int64_t> forget;  // groups whose Unit is committed

    DisclosureLog disclosures;

    std::mutex pool_mutex;
    std::condition_variable pool_free;
    std::vector<std::unique_ptr<Database>> pool;
    std::size_t pool_made = 0;

    Checkpointer checkpointer;  // last: reads the file
};

}  // namespace clrbus::records
