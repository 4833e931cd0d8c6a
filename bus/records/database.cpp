#include "records/database.hpp"

#include <sqlite3.h>

#include <chrono>
#include <stdexcept>

#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus::records {
namespace {

constexpr int kPageSize = 8192;
constexpr int kRestartPages = 20'000;
constexpr auto kCheckpointPause = std::chrono::milliseconds(200);

}  // namespace

struct Query::Prepared {
    sqlite3_stmt* handle = nullptr;
    bool busy = false;

    Prepared() = default;
    Prepared(const Prepared&) = delete;
    Prepared& operator=(const Prepared&) = delete;
    ~Prepared() { sqlite3_finalize(handle); }
};

Query::Query(Database& database, Prepared& prepared) : database_(database), prepared_(&prepared) {
    prepared.busy = true;
}

Query::Query(Query&& other) noexcept : database_(other.database_), prepared_(other.prepared_), next_(other.next_) {
    other.prepared_ = nullptr;
}

Query::~Query() {
    if (prepared_ == nullptr) return;
    sqlite3_reset(prepared_->handle);
    sqlite3_clear_bindings(prepared_->handle);
    prepared_->busy = false;
}

Query& Query::add(std::int64_t value) {
    if (const int result = sqlite3_bind_int64(prepared_->handle, ++next_, value); result != SQLITE_OK)
        database_.fail(result, "binding a number");
    return *this;
}

Query& Query::text(std::string_view value) {
    const char* bytes = value.empty() ? "" : value.data();
    const int result = sqlite3_bind_text64(prepared_->handle, ++next_, bytes, value.size(), SQLITE_STATIC, SQLITE_UTF8);
    if (result != SQLITE_OK) database_.fail(result, "binding a text");
    return *this;
}

Query& Query::blob(std::string_view value) {
    const char* bytes = value.empty() ? "" : value.data();
    const int result = sqlite3_bind_blob64(prepared_->handle, ++next_, bytes, value.size(), SQLITE_STATIC);
    if (result != SQLITE_OK) database_.fail(result, "binding bytes");
    return *this;
}

Query& Query::null() {
    ++next_;  // unbound is NULL
    return *this;
}

bool Query::step() {
    const int result = sqlite3_step(prepared_->handle);
    if (result == SQLITE_ROW) return true;
    if (result == SQLITE_DONE) return false;
    database_.fail(result, "using the store");
}

void Query::run() {
    while (step()) {
    }
}

bool Query::is_null(int column) const {
    return sqlite3_column_type(prepared_->handle, column) == SQLITE_NULL;
}
std::int64_t Query::integer(int column) const {
    return sqlite3_column_int64(prepared_->handle, column);
}

std::string_view Query::bytes(int column) const {
    const void* data = sqlite3_column_blob(prepared_->handle, column);
    const int size = sqlite3_column_bytes(prepared_->handle, column);
    return data == nullptr ? std::string_view{}
                           : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

Database::Database(const std::filesystem::path& file, Mode mode, std::chrono::milliseconds lock_wait) : file_(file) {
    const int flags =
        (mode == Mode::kWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
    const int result = sqlite3_open_v2(file.c_str(), &handle_, flags, nullptr);
    try {
        if (result != SQLITE_OK) fail(result, "opening the store");
        sqlite3_extended_result_codes(handle_, 1);
        sqlite3_busy_timeout(
            handle_,
            static_cast<int>(lock_wait.count()));  // before the first pragma: journal_mode races with a connection that closes
        if (mode == Mode::kWrite) {
            run("PRAGMA page_size=" + std::to_string(kPageSize));  // takes effect before the first table alone
            run("PRAGMA journal_mode=WAL");
        }
        run("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF");
        run(mode == Mode::kWrite ? "PRAGMA cache_size=-8192" : "PRAGMA cache_size=-4096; PRAGMA query_only=1");
    } catch (...) {
        statements_.clear();
        sqlite3_close(handle_);
        throw;
    }
}

Database::~Database() {
    statements_.clear();
    sqlite3_close(handle_);
}

Query Database::use(const char* sql) {
    std::unique_ptr<Query::Prepared>& prepared = statements_[sql];
    if (!prepared) {
        auto made = std::make_unique<Query::Prepared>();
        const int result = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &made->handle, nullptr);
        if (result != SQLITE_OK) fail(result, "preparing a statement");
        prepared = std::move(made);
    }
    if (prepared->busy) throw std::logic_error(std::string("records: statement used inside itself: ") + sql);
    return Query(*this, *prepared);
}

void Database::run(const std::string& sql) {
    const int result = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
    if (result != SQLITE_OK) fail(result, "using the store");
}

std::int64_t Database::changes() const {
    return sqlite3_changes64(handle_);
}

std::int64_t Database::wal_bytes() const {
    std::error_code error;
    const auto size = std::filesystem::file_size(file_.string() + "-wal", error);
    return error ? 0 : static_cast<std::int64_t>(size);
}

// SQLite's own text can name tables and columns, never values.
void Database::fail(int result, std::string_view doing) const {
    Where where;
    where.file = file_.string();
    const std::string text = std::string(sqlite3_errstr(result)) + " (SQLite " + std::to_string(result) + ")";
    switch (result & 0xFF) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            throw Error(
                Fault::kConfig, "REC-011", std::string(doing), where,
                text +
                    "; stop the bus, keep this file aside and restore the last backup; what came after it is replayed from the "
                    "queues and originals");
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_NOMEM:
            throw Error(Fault::kAway, "REC-010", std::string(doing), where, text);
        default:
            throw Error(Fault::kConfig, "REC-012", std::string(doing), where,
                        text + (handle_ != nullptr ? std::string(": ") + sqlite3_errmsg(handle_) : std::string()));
    }
}

Transaction::Transaction(Database& database) : database_(database) {
    database_.use("BEGIN IMMEDIATE").run();
}

Transaction::~Transaction() {
    if (!open_) return;
    try {
        database_.use("ROLLBACK").run();
    } catch (const std::exception&) {
        // SQLite has rolled back on its own after some errors (disk full, I/O): nothing is left to undo.
        counter("clrbus_records_rollback_failed_total").add();
    }
}

void Transaction::commit() {
    database_.use("COMMIT").run();
    open_ = false;
}

Checkpointer::Checkpointer(std::filesystem::path file)
    : file_(std::move(file)), thread_([this](const std::stop_token& stop) { work(stop); }) {}

Checkpointer::~Checkpointer() = default;

void Checkpointer::work(const std::stop_token& stop) {
    sqlite3* handle = nullptr;
    const std::string wal = file_.string() + "-wal";
    std::filesystem::file_time_type last{};
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, stop, kCheckpointPause, [] { return false; });
        }
        if (stop.stop_requested()) break;
        std::error_code error;
        const auto changed = std::filesystem::last_write_time(wal, error);
        const auto size = error ? 0 : std::filesystem::file_size(wal, error);
        if (error || size == 0 || changed == last) continue;
        try {
            if (handle == nullptr) {
                if (sqlite3_open_v2(file_.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr) !=
                    SQLITE_OK) {
                    sqlite3_close(handle);
                    handle = nullptr;
                    continue;
                }
                sqlite3_busy_timeout(handle, 200);
                sqlite3_exec(handle, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0", nullptr, nullptr, nullptr);
            }
            int pages = 0;
            int moved = 0;
            int result = sqlite3_wal_checkpoint_v2(handle, nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
            if (result == SQLITE_OK && pages == moved) last = changed;
            if (pages > kRestartPages) {
                result = sqlite3_wal_checkpoint_v2(handle, nullptr, SQLITE_CHECKPOINT_RESTART, &pages, &moved);
            }
            if (result != SQLITE_OK && result != SQLITE_BUSY && result != SQLITE_LOCKED) {
                counter("clrbus_records_checkpoint_failed_total").add();
                log::error("records", "the checkpoint of the store failed: " + std::string(sqlite3_errstr(result)));
            }
            counter("clrbus_records_wal_pages").set(pages);
        } catch (const std::exception& e) {
            log::error("records", e.what());
        }
    }
    sqlite3_close(handle);
}

std::int64_t to_millis(Time time) {
    return time.time_since_epoch().count();
}
Time from_millis(std::int64_t millis) {
    return Time(std::chrono::milliseconds(millis));
}

}  // namespace clrbus::records
