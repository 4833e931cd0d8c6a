#include "app/backup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <optional>
#include <set>
#include <stdexcept>

#include "broker/embedded_queues.hpp"
#include "config/loader.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/secret_file.hpp"
#include "records/store.hpp"

namespace clrbus::app {
namespace {

namespace fs = std::filesystem;
using boost::json::array;
using boost::json::object;

constexpr int kBackupVersion = 1;
constexpr std::size_t kCopyBytes = 1U << 20;

// What belongs to the running process alone, or is copied by its owner.
const std::set<std::string> kNotCopied{"lock",       "control.sock", "ports.json", "in-hand",
                                       "clrbus.log", "queues",       "records",    "backup.json"};

[[noreturn]] void refuse(Fault fault, const char* code, const char* doing, const fs::path& file, const std::string& why,
                         const std::string& expected = {}) {
    throw Error(fault, code, doing, Where{.file = file.string()}, why).expected(expected);
}

class OpenFile {
public:
    OpenFile(const fs::path& path, int flags) : handle_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
    ~OpenFile() {
        if (handle_ >= 0) ::close(handle_);
    }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    int get() const { return handle_; }
    explicit operator bool() const { return handle_ >= 0; }

private:
    int handle_;
};

void sync_folder(const fs::path& folder) {
    const OpenFile handle(folder, O_RDONLY | O_DIRECTORY);
    if (handle) ::fsync(handle.get());
}

struct Copied {
    std::uint64_t bytes = 0;
    std::string sha256;
};

// to: "" = only read. Nothing when the source went away meanwhile.
std::optional<Copied> copy_hashed(const fs::path& from, const fs::path& to) {
    const OpenFile source(from, O_RDONLY | O_NOFOLLOW);
    if (!source) {
        if (errno == ENOENT) return std::nullopt;
        refuse(Fault::kAway, "BACKUP-002", "copying a file", from, "it cannot be read");
    }
    const OpenFile target(to.empty() ? fs::path("/dev/null") : to, to.empty() ? O_WRONLY : O_WRONLY | O_CREAT | O_TRUNC);
    if (!target) refuse(Fault::kAway, "BACKUP-002", "copying a file", to, "it cannot be written");
    crypto::Sha256 hash;
    Copied out;
    std::string buffer(kCopyBytes, '\0');
    while (true) {
        const ssize_t n = ::read(source.get(), buffer.data(), buffer.size());
        if (n < 0) refuse(Fault::kAway, "BACKUP-002", "copying a file", from, "it cannot be read");
        if (n == 0) break;
        const std::string_view part(buffer.data(), static_cast<std::size_t>(n));
        hash.update(part);
        out.bytes += part.size();
        for (std::size_t at = 0; at < part.size();) {
            const ssize_t wrote = ::write(target.get(), part.data() + at, part.size() - at);
            if (wrote <= 0) refuse(Fault::kAway, "BACKUP-002", "copying a file", to, "it cannot be written: is the disk full?");
            at += static_cast<std::size_t>(wrote);
        }
    }
    if (!to.empty() && ::fsync(target.get()) != 0)
        refuse(Fault::kAway, "BACKUP-002", "copying a file", to, "it cannot be synced");
    out.sha256 = hash.hex();
    return out;
}

// Files below a folder by relative name, sorted; no links, no sockets.
std::vector<std::string> files_below(const fs::path& folder, bool top) {
    std::vector<std::string> out;
    std::error_code failed;
    for (auto it = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, failed);
         it != fs::recursive_directory_iterator(); it.increment(failed)) {
        if (failed) break;
        const std::string name = fs::relative(it->path(), folder).string();
        if (top && it.depth() == 0 && kNotCopied.count(name) != 0) {
            it.disable_recursion_pending();
            continue;
        }
        if (it->is_regular_file(failed) && !it->is_symlink(failed)) out.push_back(name);
    }
    std::sort(out.begin(), out.end());
    return out;
}

void make_empty(const fs::path& folder, const char* doing) {
    std::error_code failed;
    if (fs::exists(folder) && !(fs::is_directory(folder) && fs::is_empty(folder, failed)))
        refuse(Fault::kConfig, doing[0] == 'r' ? "BACKUP-003" : "BACKUP-001", doing, folder, "there is something already",
               "a folder that is empty or not there");
    fs::create_directories(folder, failed);
    if (failed) refuse(Fault::kConfig, doing[0] == 'r' ? "BACKUP-003" : "BACKUP-001", doing, folder, "it cannot be made");
    fs::permissions(folder, fs::perms::owner_all, failed);
}

bool inside(const fs::path& inner, const fs::path& outer) {
    const fs::path a = fs::weakly_canonical(inner), b = fs::weakly_canonical(outer);
    return std::mismatch(b.begin(), b.end(), a.begin(), a.end()).first == b.end();
}

struct Listed {
    std::string name, sha256;
    std::uint64_t bytes = 0;
};

std::vector<Listed> read_list(const fs::path& backup, std::string& made) {
    const fs::path file = backup / "backup.json";
    if (!fs::exists(file))
        refuse(Fault::kPoison, "BACKUP-011", "reading a backup", file,
               "it is not there: this is no backup, or one that was not finished");
    try {
        const object all = boost::json::parse(read_file(file, 1U << 30)).as_object();
        if (all.at("version").as_int64() != kBackupVersion)
            refuse(Fault::kPoison, "BACKUP-012", "reading a backup", file, "it has a version that this program does not know");
        made = all.at("made").as_string().c_str();
        std::vector<Listed> out;
        for (const auto& one : all.at("files").as_array()) {
            const object& o = one.as_object();
            out.push_back({o.at("name").as_string().c_str(), o.at("sha256").as_string().c_str(),
                           static_cast<std::uint64_t>(o.at("bytes").as_int64())});
            // A list from elsewhere must not lead out of the folder.
            const fs::path name = out.back().name;
            if (name.empty() || name.is_absolute() || std::find(name.begin(), name.end(), "..") != name.end())
                refuse(Fault::kPoison, "BACKUP-011", "reading a backup", file, "it names a file outside of the backup");
        }
        return out;
    } catch (const boost::system::system_error&) {
        refuse(Fault::kPoison, "BACKUP-011", "reading a backup", file, "it is not the list of a backup");
    } catch (const std::out_of_range&) {
        refuse(Fault::kPoison, "BACKUP-011", "reading a backup", file, "it is not the list of a backup");
    } catch (const std::invalid_argument&) {
        refuse(Fault::kPoison, "BACKUP-011", "reading a backup", file, "it is not the list of a backup");
    }
}

}  // namespace

BackupDone make_backup(const BackupParts& parts, const fs::path& target) {
    if (inside(target, parts.state_dir))
        refuse(Fault::kConfig, "BACKUP-001", "making a backup", target, "it lies in the state directory",
               "a folder outside of it, better on another disk");
    make_empty(target, "making a backup");
    BackupDone done;
    done.made = to_rfc3339(system_clock().now());
    array files;
    const auto list = [&](const std::string& name, const Copied& copied) {
        files.push_back(object{{"name", name}, {"bytes", copied.bytes}, {"sha256", copied.sha256}});
        ++done.files;
        done.bytes += copied.bytes;
    };
    const auto copy_rest = [&](const std::string& below) {
        for (const std::string& name : files_below(parts.state_dir / below, below.empty())) {
            const std::string whole = below.empty() ? name : below + "/" + name;
            if (fs::exists(target / whole)) continue;
            const bool database = std::any_of(parts.databases.begin(), parts.databases.end(),
                                              [&](const auto& d) { return whole.rfind(d.first, 0) == 0; });
            if (database) continue;
            fs::create_directories((target / whole).parent_path());
            if (const auto copied = copy_hashed(parts.state_dir / whole, target / whole)) list(whole, *copied);
        }
    };
    const auto list_made = [&](const std::string& folder) {
        for (const std::string& name : files_below(target / folder, false))
            list(folder + "/" + name, *copy_hashed(target / folder / name, {}));
    };
    // Originals before the queues, so that one which goes meanwhile is there, and after them, so that none is missing.
    if (fs::exists(parts.state_dir / "originals")) copy_rest("originals");
    parts.queues.snapshot((target / "queues").string());
    list_made("queues");
    for (const auto& [name, copy] : parts.databases) {
        copy(target / name);
        if (const auto copied = copy_hashed(target / name, {})) list(name, *copied);
    }
    parts.store.snapshot(target / "records");
    list_made("records");
    copy_rest("");
    sync_folder(target);
    crypto::write_secret_file(
        target / "backup.json",
        boost::json::serialize(
            object{{"version", kBackupVersion}, {"made", done.made}, {"program", parts.version}, {"files", std::move(files)}}) +
            "\n");
    return done;
}

BackupDone verify_backup(const fs::path& backup, const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    BackupDone done;
    const std::vector<Listed> listed = read_list(backup, done.made);
    std::uint64_t all = 0;
    std::set<std::string> names;
    for (const Listed& one : listed) {
        all += one.bytes;
        names.insert(one.name);
    }
    for (const std::string& name : files_below(backup, false)) {
        if (name != "backup.json" && names.count(name) == 0)
            refuse(Fault::kPoison, "BACKUP-010", "checking a backup", backup / name, "it is not in the list",
                   "only the files of the backup");
    }
    for (const Listed& one : listed) {
        const auto read = copy_hashed(backup / one.name, {});
        if (!read) refuse(Fault::kPoison, "BACKUP-010", "checking a backup", backup / one.name, "it is missing");
        if (read->sha256 != one.sha256)
            refuse(Fault::kPoison, "BACKUP-010", "checking a backup", backup / one.name, "it is not what was written");
        ++done.files;
        done.bytes += one.bytes;
        if (progress) progress(done.bytes, all);
    }
    return done;
}

BackupDone restore_backup(const fs::path& backup, const fs::path& state_dir,
                          const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    verify_backup(backup, progress);
    make_empty(state_dir, "restoring a backup");
    BackupDone done;
    const std::vector<Listed> listed = read_list(backup, done.made);
    std::uint64_t all = 0;
    for (const Listed& one : listed) all += one.bytes;
    std::set<fs::path> folders{state_dir};
    for (const Listed& one : listed) {
        fs::create_directories((state_dir / one.name).parent_path());
        folders.insert((state_dir / one.name).parent_path());
        const auto copied = copy_hashed(backup / one.name, state_dir / one.name);
        if (!copied || copied->sha256 != one.sha256)
            refuse(Fault::kPoison, "BACKUP-010", "restoring a backup", backup / one.name, "it changed while it was read");
        ++done.files;
        done.bytes += one.bytes;
        if (progress) progress(done.bytes, all);
    }
    for (const fs::path& folder : folders) sync_folder(folder);
    return done;
}

}  // namespace clrbus::app
