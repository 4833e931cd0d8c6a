#include "storage/step_state.hpp"

#include <sqlite3.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "core/error.hpp"
#include "core/log.hpp"
#include "crypto/hash.hpp"
#include "storage/step_state_database.hpp"

namespace clrbus::storage {
namespace {

constexpr std::size_t kMostInOne = 1000;  // changes in one transaction
constexpr const char* kStepSchema = R"(
CREATE TABLE IF NOT EXISTS step(id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, watermark INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS member(step INTEGER NOT NULL, sequence INTEGER NOT NULL, instance INTEGER NOT NULL, number INTEGER NOT NULL,
  due INTEGER NOT NULL, bytes INTEGER NOT NULL, id_hash BLOB NOT NULL, key BLOB NOT NULL, PRIMARY KEY(step, sequence)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS member_group ON member(instance, number, sequence) WHERE instance <> 0;
CREATE INDEX IF NOT EXISTS member_id ON member(instance, id_hash) WHERE instance <> 0;
CREATE INDEX IF NOT EXISTS member_due ON member(step, due, sequence) WHERE instance = 0;
CREATE INDEX IF NOT EXISTS member_key ON member(step, key, due) WHERE instance = 0 AND key <> x'';
CREATE TABLE IF NOT EXISTS grp(instance INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, correlation BLOB NOT NULL, state INTEGER NOT NULL,
  why BLOB NOT NULL, members INTEGER NOT NULL, bytes INTEGER NOT NULL, wanted INTEGER NOT NULL, next INTEGER NOT NULL, first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL, due INTEGER NOT NULL, first_sequence INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS grp_open ON grp(step, correlation) WHERE state <> 1;
CREATE INDEX IF NOT EXISTS grp_busy ON grp(step, state, instance) WHERE state <> 0;
CREATE INDEX IF NOT EXISTS grp_due ON grp(step, due) WHERE state = 0 AND due <> 0;
CREATE TABLE IF NOT EXISTS completed(step INTEGER NOT NULL, correlation BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(step, correlation)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS completed_at ON completed(step, at);
CREATE TABLE IF NOT EXISTS seen(step INTEGER NOT NULL, key BLOB NOT NULL, id_hash BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(step, key)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_at ON seen(step, at);
CREATE TABLE IF NOT EXISTS tally(step INTEGER NOT NULL, kind INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY(step, kind)) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS seen_in AFTER INSERT ON seen BEGIN INSERT INTO tally VALUES(NEW.step, 1, 1) ON CONFLICT DO UPDATE SET count = count + 1; END;
CREATE TRIGGER IF NOT EXISTS seen_out AFTER DELETE ON seen BEGIN UPDATE tally SET count = count - 1 WHERE step = OLD.step AND kind = 1; END;
CREATE TRIGGER IF NOT EXISTS completed_in AFTER INSERT ON completed BEGIN INSERT INTO tally VALUES(NEW.step, 2, 1) ON CONFLICT DO UPDATE SET count = count + 1; END;
CREATE TRIGGER IF NOT EXISTS completed_out AFTER DELETE ON completed BEGIN UPDATE tally SET count = count - 1 WHERE step = OLD.step AND kind = 2; END;
CREATE TABLE IF NOT EXISTS named(step INTEGER NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY(step, name)) STRICT, WITHOUT ROWID;
)";
constexpr std::int64_t kStepSchemaVersion = 1;

class Here : public Executor {
public:
    void post(Job job) override { job(); }
};

}  // namespace

using Database = StepTables::Database;

Database::Database(const std::filesystem::path& file, bool writes) : file_(file) {
    const int result = sqlite3_open_v2(
        file.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writes ? SQLITE_OPEN_CREATE : 0), nullptr);
    try {
        if (result != SQLITE_OK) fail(result);
        sqlite3_busy_timeout(handle_, 5000);
        if (writes) run("PRAGMA page_size=4096; PRAGMA journal_mode=WAL");
        run("PRAGMA synchronous=FULL; PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF");
        if (!writes) {
            run("PRAGMA query_only=1");
            return;
        }
        const std::int64_t version = [this] {
            Use query = use("PRAGMA user_version");
            query.step();
            return query.integer(0);
        }();
        if (version != 0 && version != kStepSchemaVersion) {
            Where where;
            where.file = file.string();
            throw Error(Fault::kConfig, "STEP-012", "opening the state of steps", where,
                        "it has version " + std::to_string(version))
                .expected("version " + std::to_string(kStepSchemaVersion));
        }
        run(kStepSchema);
        run("PRAGMA user_version=1");
    } catch (...) {
        for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
        sqlite3_close(handle_);
        throw;
    }
}

Database::~Database() {
    for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    sqlite3_close(handle_);
}

Database::Use Database::use(const char* sql) {
    sqlite3_stmt*& statement = statements_[sql];
    if (statement == nullptr) {
        const int result = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
        if (result != SQLITE_OK) fail(result);
    }
    return {*this, statement};
}

void Database::run(const char* sql) {
    const int result = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
    if (result != SQLITE_OK) fail(result);
}

std::int64_t Database::last_id() const {
    return sqlite3_last_insert_rowid(handle_);
}

void Database::fail(int result) const {
    Where where;
    where.file = file_.string();
    const bool damaged = (result & 0xFF) == SQLITE_CORRUPT || (result & 0xFF) == SQLITE_NOTADB;
    throw Error(damaged ? Fault::kConfig : Fault::kAway, damaged ? "STEP-011" : "STEP-010", "using the state of steps", where,
                std::string(sqlite3_errstr(result)) + " (SQLite " + std::to_string(result) + ")");
}

Database::Use::~Use() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
}

Database::Use& Database::Use::add(std::int64_t value) {
    if (const int result = sqlite3_bind_int64(statement_, ++next_, value); result != SQLITE_OK) database_.fail(result);
    return *this;
}

Database::Use& Database::Use::blob(std::string_view value) {
    const char* bytes = value.empty() ? "" : value.data();
    if (const int result = sqlite3_bind_blob64(statement_, ++next_, bytes, value.size(), SQLITE_STATIC); result != SQLITE_OK)
        database_.fail(result);
    return *this;
}

bool Database::Use::step() {
    const int result = sqlite3_step(statement_);
    if (result == SQLITE_ROW) return true;
    if (result != SQLITE_DONE) database_.fail(result);
    return false;
}

bool Database::Use::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Database::Use::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

std::string Database::Use::bytes(int column) const {
    const void* data = sqlite3_column_blob(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

struct StepState::Impl {
    struct Job {
        Change change;
        Executor* executor = nullptr;
        Done done;
    };

    Impl(std::filesystem::path path, std::string_view key)
        : file(std::move(path)), keyed(key), writer(open()), reader(std::make_unique<Database>(file, false)) {
        thread = std::jthread([this](const std::stop_token& stop) { work(stop); });
    }

    // What waits can be known again from the queues, so that damage here stops nothing.
    std::unique_ptr<Database> open() const {
        try {
            return std::make_unique<Database>(file, true);
        } catch (const Error& e) {
            if (e.code() != "STEP-011") throw;
            log::error("steps",
                       std::string(e.what()) +
                           ": begun anew from the queues; what deduplicate saw and which groups were complete is forgotten");
            std::filesystem::rename(file, file.string() + ".damaged");
            for (const char* end : {"-wal", "-shm"}) std::filesystem::remove(file.string() + end);
            return std::make_unique<Database>(file, true);
        }
    }

    void work(const std::stop_token& stop) {
        std::unique_lock lock(mutex);
        for (;;) {
            wake.wait(lock, stop, [this] { return !jobs.empty(); });
            if (jobs.empty()) return;
            std::vector<Job> batch;
            while (!jobs.empty() && batch.size() < kMostInOne) {
                batch.push_back(std::move(jobs.front()));
                jobs.pop_front();
            }
            lock.unlock();
            commit(batch);
            lock.lock();
        }
    }

    void commit(std::vector<Job>& batch) {
        std::vector<char> held(batch.size(), 0);
        try {
            writer->run("BEGIN IMMEDIATE");
            StepTables tables(*writer);
            for (std::size_t i = 0; i < batch.size(); ++i) {
                writer->run("SAVEPOINT one");
                try {
                    batch[i].change(tables);
                    held[i] = 1;
                } catch (const std::exception& e) {
                    log::error("steps", std::string("a change of state.db: ") + e.what());
                    writer->run("ROLLBACK TO one");
                }
                writer->run("RELEASE one");
            }
            writer->run("COMMIT");
            ++transactions;
        } catch (const Error& e) {
            log::error("steps", std::string("state.db: ") + e.what());
            held.assign(batch.size(), 0);
            try {
                writer->run("ROLLBACK");
            } catch (const Error&) {
                // SQLite rolls back by itself after some errors: nothing is left to undo.
            }
        }
        for (std::size_t i = 0; i < batch.size(); ++i)
            batch[i].executor->post([done = std::move(batch[i].done), ok = held[i] != 0] { done(ok); });
    }

    const std::filesystem::path file;
    const crypto::KeyedHash keyed;

    std::unique_ptr<Database> writer;  // of the thread
    std::atomic<std::uint64_t> transactions{0};

    std::mutex reading;  // guards reader
    std::unique_ptr<Database> reader;

    std::mutex mutex;  // guards jobs
    std::condition_variable_any wake;
    std::deque<Job> jobs;
    std::jthread thread;  // last: uses the members above
};

StepState::StepState(std::filesystem::path file, std::string_view key) : impl_(std::make_unique<Impl>(std::move(file), key)) {}

StepState::~StepState() = default;

void StepState::apply(Change change, Executor& executor, Done done) {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->jobs.push_back({std::move(change), &executor, std::move(done)});
    }
    impl_->wake.notify_one();
}

bool StepState::write(Change change) {
    static Here here;
    const auto done = std::make_shared<std::promise<bool>>();  // shared with the writer, which may still be in set_value
    auto held = done->get_future();
    apply(std::move(change), here, [done](bool ok) { done->set_value(ok); });
    return held.get();
}

void StepState::read(const Change& look) const {
    const std::lock_guard lock(impl_->reading);
    StepTables tables(*impl_->reader);
    look(tables);
}

std::string StepState::hash(std::string_view step, std::string_view value) const {
    std::string text(step);
    text += '\n';
    text += value;
    return impl_->keyed.raw(text).substr(0, kStepHashBytes);
}

std::uint64_t StepState::syncs() const {
    return impl_->transactions;
}

void copy_step_state(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::filesystem::remove(to);
    if (!std::filesystem::exists(from)) return;
    StepTables::Database database(from, true);  // a reading connection may not write, not even elsewhere
    std::string name;
    for (const char c : to.string()) {
        name += c;
        if (c == '\'') name += c;
    }
    database.run(("VACUUM INTO '" + name + "'").c_str());
}

}  // namespace clrbus::storage
