#include "records/schema.hpp"

#include <string>

#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus::records {
namespace {

// Personal values (keys, names, identifiers, bodies) are in `sealed` alone: compressed, then encrypted, bound to the row.
// Hashes are keyed (HMAC) and cut to 16 bytes. Times are milliseconds since 1970.
constexpr const char* kRecordTables = R"(
CREATE TABLE fact(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE learner(
  id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, merged_into INTEGER, blocked INTEGER NOT NULL DEFAULT 0,
  version INTEGER NOT NULL DEFAULT 1, created INTEGER NOT NULL, changed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE person(
  id INTEGER PRIMARY KEY, key_hash BLOB NOT NULL UNIQUE, origin INTEGER NOT NULL, source TEXT NOT NULL, route TEXT NOT NULL,
  business TEXT NOT NULL, source_number INTEGER NOT NULL, position INTEGER NOT NULL, generation INTEGER NOT NULL,
  content BLOB NOT NULL, born INTEGER NOT NULL, accepted INTEGER NOT NULL, deleted INTEGER NOT NULL, blocked INTEGER NOT NULL,
  state INTEGER NOT NULL, decided INTEGER NOT NULL DEFAULT 0, learner INTEGER, sealed BLOB NOT NULL);
CREATE INDEX person_learner ON person(learner) WHERE learner IS NOT NULL;
CREATE TABLE claim(
  hash BLOB NOT NULL, person INTEGER NOT NULL, identity INTEGER NOT NULL, first INTEGER NOT NULL, current INTEGER NOT NULL,
  PRIMARY KEY(hash, person)) WITHOUT ROWID;
CREATE INDEX claim_person ON claim(person);
CREATE TABLE statement(
  id INTEGER PRIMARY KEY, key_hash BLOB NOT NULL, kind INTEGER NOT NULL, source TEXT NOT NULL, route TEXT NOT NULL,
  business TEXT NOT NULL, source_number INTEGER NOT NULL, position INTEGER NOT NULL, generation INTEGER NOT NULL,
  content BLOB NOT NULL, original TEXT NOT NULL, doc_hash BLOB, parts BLOB NOT NULL, accepted INTEGER NOT NULL,
  applied INTEGER NOT NULL, live INTEGER NOT NULL, standing INTEGER NOT NULL, conflict INTEGER NOT NULL, decided INTEGER NOT NULL,
  learner INTEGER, sealed BLOB NOT NULL);
CREATE INDEX statement_key ON statement(key_hash);
CREATE INDEX statement_document ON statement(doc_hash) WHERE doc_hash IS NOT NULL;
CREATE INDEX statement_learner ON statement(learner, standing) WHERE learner IS NOT NULL;
CREATE TABLE mention(hash BLOB NOT NULL, statement INTEGER NOT NULL, PRIMARY KEY(hash, statement)) WITHOUT ROWID;
CREATE INDEX mention_statement ON mention(statement);
CREATE TABLE definition(
  key TEXT NOT NULL, source TEXT NOT NULL, route TEXT NOT NULL, business TEXT NOT NULL, source_number INTEGER NOT NULL,
  position INTEGER NOT NULL, generation INTEGER NOT NULL, content BLOB NOT NULL, original TEXT NOT NULL, accepted INTEGER NOT NULL,
  applied INTEGER NOT NULL, deleted INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY(key, source));
CREATE TABLE settling(id INTEGER PRIMARY KEY, outcomes BLOB NOT NULL);
)";

constexpr const char* kWaitingTables = R"(
CREATE TABLE waiting(
  id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, ref INTEGER NOT NULL, reason TEXT NOT NULL, since INTEGER NOT NULL,
  source TEXT NOT NULL, route TEXT NOT NULL, open INTEGER NOT NULL, closed INTEGER, how TEXT);
CREATE INDEX waiting_open ON waiting(kind, ref) WHERE open=1;
CREATE TABLE decision(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL, why BLOB NOT NULL, waiting INTEGER,
  statement INTEGER, person INTEGER, learner INTEGER, other INTEGER, undoes INTEGER);
CREATE TABLE attachment(
  key_hash BLOB NOT NULL, fingerprint BLOB NOT NULL, learner INTEGER NOT NULL, decision INTEGER NOT NULL,
  PRIMARY KEY(key_hash, fingerprint)) WITHOUT ROWID;
)";

// Found by asking SQLite for the plan of every statement: none may read a whole table that grows.
constexpr const char* kMoreIndexes = R"(
CREATE INDEX learner_merged ON learner(merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX waiting_listed ON waiting(id) WHERE open=1;
CREATE INDEX waiting_how ON waiting(how) WHERE open=0;
CREATE INDEX decision_undoes ON decision(undoes) WHERE undoes IS NOT NULL;
)";

// A deletion seldom says again that the person had asked for no release: who ever asked stays blocked when deleted.
constexpr const char* kEverBlocked =
    "ALTER TABLE person ADD COLUMN ever_blocked INTEGER NOT NULL DEFAULT 0; "
    "UPDATE person SET ever_blocked=blocked";

// approval: append-only; the last line about a generation counts. said: the generations that said the same word before the one
// that the statement names, so that what an approved one said stays said.
constexpr const char* kApprovalTables = R"(
CREATE TABLE approval(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, withdrawn INTEGER NOT NULL, route TEXT NOT NULL, generation INTEGER NOT NULL,
  hash TEXT NOT NULL, steward TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, same_as INTEGER NOT NULL);
CREATE TABLE said(
  statement INTEGER NOT NULL, route TEXT NOT NULL, generation INTEGER NOT NULL,
  PRIMARY KEY(statement, route, generation)) WITHOUT ROWID;
)";

constexpr const char* kDisclosureTables = R"(
CREATE TABLE disclosure(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, learner TEXT NOT NULL, line BLOB NOT NULL, hash BLOB NOT NULL);
CREATE INDEX disclosure_learner ON disclosure(learner);
)";

std::int64_t format_of(Database& database) {
    {
        Query tables = database.use("SELECT count(*) FROM sqlite_master WHERE type='table' AND name='format'");
        if (!tables.step() || tables.integer(0) == 0) return 0;
    }
    Query query = database.use("SELECT coalesce(max(version),0) FROM format");
    return query.step() ? query.integer(0) : 0;
}

}  // namespace

const std::vector<Migration>& record_migrations() {
    static const std::vector<Migration> steps{
        {1, kRecordTables}, {2, kWaitingTables}, {3, kMoreIndexes}, {4, kEverBlocked}, {5, kApprovalTables}};
    return steps;
}

const std::vector<Migration>& disclosure_migrations() {
    static const std::vector<Migration> steps{{1, kDisclosureTables}};
    return steps;
}

void migrate(Database& database, const std::vector<Migration>& steps, const Clock& clock) {
    Where where;
    where.file = database.file().string();
    const std::int64_t ours = steps.empty() ? 0 : steps.back().to;
    const std::int64_t found = format_of(database);
    if (found > ours) {
        throw Error(Fault::kConfig, "REC-013", "opening the store", where,
                    "it has format " + std::to_string(found) + ", written by a newer clrbus; this one knows up to format " +
                        std::to_string(ours) +
                        ". Run the newer version, or restore the backup that was made before the update");
    }
    for (const Migration& step : steps) {
        if (step.to <= found) continue;
        try {
            Transaction transaction(database);
            database.run("CREATE TABLE IF NOT EXISTS format(version INTEGER PRIMARY KEY, at INTEGER NOT NULL)");
            database.run(step.sql);
            database.use("INSERT INTO format(version, at) VALUES(?,?)").add(step.to).add(to_millis(clock.now())).run();
            transaction.commit();
        } catch (const Error& e) {
            if (e.fault() == Fault::kAway || e.code() == "REC-011") throw;
            throw Error(Fault::kConfig, "REC-014", "bringing the store to format " + std::to_string(step.to), where, e.why());
        }
        if (found != 0) log::info("records", "the store " + where.file + " now has format " + std::to_string(step.to));
    }
}

}  // namespace clrbus::records
