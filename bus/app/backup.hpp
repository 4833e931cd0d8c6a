// A backup: one consistent set of queues, records, keys, originals and what else the state directory holds, taken while the bus
// runs; and a state directory made from it. The order is what makes it consistent: the queues first, then what their messages
// are applied to, because a message that is applied twice changes nothing and one that is missing would be lost.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace clrbus {
class EmbeddedQueues;
namespace records {
class RecordsStore;
}
}  // namespace clrbus

namespace clrbus::app {

struct BackupParts {
    EmbeddedQueues& queues;
    const records::RecordsStore& store;
    std::filesystem::path state_dir;
    std::string version;
    // Databases of other rooms: the file's name in the state directory, and what copies it.
    std::vector<std::pair<std::string, std::function<void(const std::filesystem::path& to)>>> databases;
};

struct BackupDone {
    std::uint64_t files = 0, bytes = 0;
    std::string made;  // when
};

// target is made and must not be there, or be empty; it lies outside of the state directory. backup.json, with the SHA-256 of
// each file, is written last: a backup without it is none. Throws Error: BACKUP-001 the target, BACKUP-002 a file that cannot
// be copied. Blocks; any thread, one at a time.
BackupDone make_backup(const BackupParts& parts, const std::filesystem::path& target);

// Checks every file against backup.json. progress: bytes done of all. Throws Error(kPoison, "BACKUP-010") for a file that is
// missing, changed or too many, "BACKUP-011" for a folder that is no backup, "BACKUP-012" for one of another version.
BackupDone verify_backup(const std::filesystem::path& backup,
                         const std::function<void(std::uint64_t done, std::uint64_t all)>& progress = {});

// Verifies, then copies into state_dir, which must not be there or be empty. Throws also Error(kConfig, "BACKUP-003").
BackupDone restore_backup(const std::filesystem::path& backup, const std::filesystem::path& state_dir,
                          const std::function<void(std::uint64_t done, std::uint64_t all)>& progress = {});

}  // namespace clrbus::app
