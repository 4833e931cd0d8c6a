// The disclosure log: who was shown what of whom, before it was shown. Append-only, each line chained to the one before by a
// keyed hash, in a database of its own so that a reader never waits for applying. Internal to records/. Any thread.
#pragma once

#include <condition_variable>
#include <exception>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "records/database.hpp"
#include "records/record.hpp"
#include "records/vault.hpp"

namespace clrbus::records {

class DisclosureLog {
public:
    DisclosureLog(const std::filesystem::path& file, const Vault& vault, const Clock& clock);
    ~DisclosureLog();
    DisclosureLog(const DisclosureLog&) = delete;
    DisclosureLog& operator=(const DisclosureLog&) = delete;

    // Returns when the line is on disk; those who wait at the same time share one sync. Throws when the disk does not take it:
    // then nothing may be shown.
    void append(const Reader& reader, const std::string& learner, std::string_view purpose, std::string_view what,
                bool released);
    std::vector<DisclosureLine> lines(const std::string& learner, std::int64_t after, std::size_t most) const;
    ChainCheck verify() const;

private:
    struct Pending;
    void write(const std::vector<Pending*>& batch);
    void find_end();
    std::string chained(const std::string& before, std::int64_t id, std::int64_t at, std::string_view learner,
                        std::string_view line) const;

    const Vault& vault_;
    const Clock& clock_;
    const std::filesystem::path file_;

    std::mutex mutex_;
    std::condition_variable written_;
    std::vector<Pending*> waiting_;
    bool writing_ = false;

    // The one who writes:
    Database database_;
    std::int64_t last_ = 0;
    std::string head_;
    bool unsure_ = false;
    Checkpointer checkpointer_;
};

}  // namespace clrbus::records
