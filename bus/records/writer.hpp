// All that changes the record database, inside the transaction that its caller holds. Internal to records/. One thread at a
// time.
//
// The state is a function of the set of words that came, of the persons, and of the decisions: each change recomputes the keys
// that it can touch (settle_key) and writes the differences. So no order of arrival matters.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queues.hpp"
#include "core/clock.hpp"
#include "records/database.hpp"
#include "records/identifiers.hpp"
#include "records/incoming.hpp"
#include "records/standing.hpp"
#include "records/vault.hpp"

namespace clrbus::records {

enum class PersonState : std::uint8_t { kSound = 0, kInConflict = 1, kNotAuthority = 2, kNoIdentifier = 3 };
enum class Decided : std::uint8_t { kNone = 0, kAccepted = 1, kRejected = 2 };
enum class WaitingKind : std::uint8_t { kStatement = 0, kPerson = 1 };

// Who holds an identifier.
struct Owner {
    enum class State : std::uint8_t { kNobody, kOwned, kAmbiguous, kInConflict };
    State state = State::kNobody;
    std::int64_t person = 0;
    std::int64_t learner = 0;  // after merges; 0: not made yet
    std::int64_t first = 0;    // when the owner claimed it
};
// Follows merges. Also for readers.
std::int64_t merged_learner(Database& database, std::int64_t learner);
Owner owner_of(Database& database, const std::string& hash);

class Writer {
public:
    Writer(Database& database, const Vault& vault, const IdentifierRules& rules, const Clock& clock);

    Outcome apply(const Incoming& incoming);  // Error(kPoison) when it cannot be applied

    // Decisions.
    struct Decider {
        std::string_view who, why;
    };
    void attach(std::int64_t waiting, std::int64_t learner, const Decider& decider);
    void reject(std::int64_t waiting, const Decider& decider);
    std::int64_t merge(std::int64_t from, std::int64_t into, const Decider& decider);
    void unmerge(std::int64_t decision, const Decider& decider);
    void forget_caches();  // after a rollback

private:
    struct Row {  // of a statement, without its body
        Word word;
        std::string key_hash, doc_hash, original, source, route;
        bool live = true, standing = false, conflict = false;
        Decided decided = Decided::kNone;
        std::int64_t learner = 0;
        bool fresh = false;  // not in the database yet
        bool waits = false;
        const Incoming* incoming = nullptr;  // of a fresh row
    };
    struct Resolution {
        std::int64_t learner = 0;
        const char* reason = "";  // why not
    };
    struct Person {
        std::int64_t id = 0;
        std::string key_hash, source, route, content;
        int origin = 0;
        WordVersion version;
        std::int64_t born = 0, learner = 0;
        bool deleted = false, blocked = false, ever_blocked = false;
        PersonState state = PersonState::kSound;
        Decided decided = Decided::kNone;
    };
    using Hashes = std::set<std::string>;

    // writer.cpp
    Outcome apply_definition(const Incoming& incoming);
    // writer_statements.cpp
    Outcome apply_statement(const Incoming& incoming);
    Outcome renew(Row& row, const Incoming& incoming, std::vector<Row>& rows);
    std::vector<Row> load_rows(const std::string& key_hash);
    Row read_row(Query& query) const;
    void find_conflicts(Row& fresh, std::vector<Row>& rows);
    void settle_key(const std::string& key_hash);
    void settle_rows(std::vector<Row>& rows);
    bool settle_row(Row& row, bool stands, bool would_stand, std::set<std::int64_t>& learners);
    void insert_row(Row& row);
    Resolution resolve(Row& row);
    std::int64_t attached(Row& row);
    std::string fingerprint(const ApplyHeader& header) const;
    void touch(std::int64_t learner);
    // writer_persons.cpp
    Outcome apply_person(const Incoming& incoming);
    Outcome renew_person(const Person& person, const Incoming& incoming, const std::vector<IdentifierRules::Known>& known);
    Outcome apply_older_person(const Person& person, const Incoming& incoming,
                               const std::vector<IdentifierRules::Known>& known);
    bool load_person(std::int64_t id, Person& person);
    bool load_person(const std::string& key_hash, Person& person);
    static Person read_person(Query& query);
    bool claim(const std::string& hash, std::int64_t person, bool identity, std::int64_t first, bool current);
    Hashes claims_of(std::int64_t person, bool current_only);
    void claim_principal(const Incoming& incoming, const std::vector<IdentifierRules::Known>& matching);
    void reevaluate(const Hashes& hashes);
    void evaluate_person(Person& person, Hashes& affected);
    std::int64_t learner_of(Owner& owner);
    std::int64_t make_learner(Person& person);
    void update_blocked(std::int64_t learner);
    // writer_decisions.cpp
    void open_waiting(WaitingKind kind, std::int64_t ref, const char* reason, const std::string& source,
                      const std::string& route, bool fresh);
    void move_statements(std::int64_t a, std::int64_t b);
    void close_waiting(WaitingKind kind, std::int64_t ref, const char* how);
    std::int64_t log_decision(const char* what, const Decider& decider, std::int64_t waiting, std::int64_t statement,
                              std::int64_t person, std::int64_t learner, std::int64_t other, std::int64_t undoes);
    std::int64_t next_id(std::int64_t& counter, const char* sql);

    Database& database_;
    const Vault& vault_;
    const IdentifierRules& rules_;
    const Clock& clock_;
    std::int64_t now_ = 0;              // of the message or decision in hand
    std::int64_t last_statement_ = -1;  // ids are given here, since a body is sealed for its row; -1: ask the database
    std::int64_t last_person_ = -1;
    std::int64_t last_definition_ = -1;
    std::int64_t last_decision_ = -1;
    int attachments_ = -1;  // 1: there are some; -1: ask
};

}  // namespace clrbus::records
