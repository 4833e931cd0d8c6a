// The tables of the record store and how an older store becomes today's. Internal to records/.
#pragma once

#include <cstdint>
#include <vector>

#include "core/clock.hpp"
#include "records/database.hpp"

namespace clrbus::records {

struct Migration {
    std::int64_t to;  // the format after it; each is one more than the one before
    const char* sql;
};

const std::vector<Migration>& record_migrations();
const std::vector<Migration>& disclosure_migrations();

// Brings the database to the newest format, each step in a transaction of its own. Throws Error(kConfig, "REC-013") when a
// newer bus wrote it, Error(kConfig, "REC-014") when a step fails (the store stays as it was).
void migrate(Database& database, const std::vector<Migration>& steps, const Clock& clock);

}  // namespace clrbus::records
