// A thin owner of one SQLite connection: statements prepared once, static binds, errors translated. Internal to records/. One
// thread at a time for each Database; the Checkpointer has a thread and a connection of its own.
#pragma once

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "core/clock.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace clrbus::records {

class Database;

// One use of a prepared statement: bind, step, read. Its end resets the statement. What is bound must live until then.
class Query {
public:
    Query(Query&& other) noexcept;
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;
    Query& operator=(Query&&) = delete;
    ~Query();

    Query& add(std::int64_t value);
    Query& add(std::uint64_t value) { return add(static_cast<std::int64_t>(value)); }
    Query& add(int value) { return add(std::int64_t{value}); }
    Query& add(bool value) { return add(std::int64_t{value}); }
    Query& text(std::string_view value);
    Query& blob(std::string_view value);  // empty: a blob of no bytes, not NULL
    template <std::same_as<std::string> Temporary>
    Query& text(Temporary&&) = delete;  // it would be gone before the step
    template <std::same_as<std::string> Temporary>
    Query& blob(Temporary&&) = delete;
    Query& null();
    Query& id(std::int64_t value) { return value == 0 ? null() : add(value); }  // 0 is NULL

    bool step();  // true: a row
    void run();   // to the end
    bool is_null(int column) const;
    std::int64_t integer(int column) const;
    std::uint64_t number(int column) const { return static_cast<std::uint64_t>(integer(column)); }
    std::string_view bytes(int column) const;  // text or blob, valid until the next step
    std::string string(int column) const { return std::string(bytes(column)); }

private:
    friend class Database;
    struct Prepared;
    Query(Database& database, Prepared& prepared);
    Database& database_;
    Prepared* prepared_;
    int next_ = 0;
};

class Database {
public:
    enum class Mode : std::uint8_t { kWrite, kRead };
    // Opens or (kWrite) makes the file; page size, WAL and FULL are set. Throws Error(kConfig, "REC-011") for a file that is
    // not a sound database, Error(kAway, "REC-010") for a disk or lock that may come back.
    Database(const std::filesystem::path& file, Mode mode, std::chrono::milliseconds lock_wait = std::chrono::seconds(5));
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    // sql must be a string literal: it is prepared at first use and found again by its address.
    Query use(const char* sql);
    void run(const std::string& sql);  // one or more statements without values
    std::int64_t changes() const;
    std::int64_t wal_bytes() const;

    [[noreturn]] void fail(int result, std::string_view doing) const;
    const std::filesystem::path& file() const { return file_; }

private:
    friend class Query;
    std::filesystem::path file_;
    sqlite3* handle_ = nullptr;
    std::unordered_map<const char*, std::unique_ptr<Query::Prepared>> statements_;
};

// BEGIN IMMEDIATE at its start; rolls back unless commit() was called.
class Transaction {
public:
    explicit Transaction(Database& database);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit();

private:
    Database& database_;
    bool open_ = true;
};

// Moves the write-ahead log into the database file: every 200 ms when something was written, and with a restart of the log when
// it grew above 20 000 pages. Writers have automatic checkpoints off, so that none of them pays for it.
class Checkpointer {
public:
    explicit Checkpointer(std::filesystem::path file);
    ~Checkpointer();
    Checkpointer(const Checkpointer&) = delete;
    Checkpointer& operator=(const Checkpointer&) = delete;

private:
    void work(const std::stop_token& stop);
    std::filesystem::path file_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: uses the members above
};

std::int64_t to_millis(Time time);
Time from_millis(std::int64_t millis);

}  // namespace clrbus::records
