// One SQLite connection of state.db. Internal to storage/. One thread at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/step_state.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace clrbus::storage {

class StepTables::Database {
public:
    Database(const std::filesystem::path& file, bool writes);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    // One use of a prepared statement. What is bound lives until its end.
    class Use {
    public:
        Use(Database& database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
        ~Use();
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;
        Use& add(std::int64_t value);
        Use& add(std::uint64_t value) { return add(static_cast<std::int64_t>(value)); }
        Use& blob(std::string_view value);
        bool step();
        void run() { step(); }
        bool is_null(int column) const;
        std::int64_t integer(int column) const;
        std::uint64_t number(int column) const { return static_cast<std::uint64_t>(integer(column)); }
        std::string bytes(int column) const;

    private:
        Database& database_;
        sqlite3_stmt* statement_;
        int next_ = 0;
    };
    Use use(const char* sql);  // a literal: prepared once, found again by its address
    void run(const char* sql);
    std::int64_t last_id() const;
    [[noreturn]] void fail(int result) const;

private:
    std::filesystem::path file_;
    sqlite3* handle_ = nullptr;
    std::unordered_map<const char*, sqlite3_stmt*> statements_;
};

}  // namespace clrbus::storage
