// A copy of the records while they go on.
#include "core/error.hpp"
#include "records/store_impl.hpp"

namespace clrbus::records {
namespace {

// SQLite writes the copy from one read transaction: of one moment, compact, without a log beside it.
void copy_database(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::filesystem::remove(to);
    Database database(from, Database::Mode::kWrite);  // a reading one may not write, not even elsewhere
    std::string name;
    for (const char c : to.string()) {
        name += c;
        if (c == '\'') name += c;
    }
    database.run("VACUUM INTO '" + name + "'");
}

}  // namespace

void RecordsStore::snapshot(const std::filesystem::path& directory) const {
    std::filesystem::create_directories(directory);
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
    // The log of disclosures last: a line is written before the answer that it stands for.
    for (const char* name : {"records.db", "disclosure.db"}) copy_database(impl_->options.dir / name, directory / name);
}

}  // namespace clrbus::records
