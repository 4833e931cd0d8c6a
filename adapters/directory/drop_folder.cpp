#include "adapters_directory/drop_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>  // renameat2, RENAME_NOREPLACE
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "core/error.hpp"

namespace clrbus::adapters::directory {

namespace {

constexpr std::size_t kListMost = 10'000;

[[noreturn]] void folder_failed(const std::filesystem::path& path, const char* what) {
    const std::string why = std::string(what) + ": " + std::generic_category().message(errno);
    throw Error(Fault::kAway, "DIR-001", "using the drop folder", why).file(path.string());
}

OpenFile open_below(const OpenFile& root, const char* name, const std::filesystem::path& path) {
    if (::mkdirat(root.fd(), name, 0770) != 0 && errno != EEXIST) folder_failed(path / name, "it cannot be made");
    OpenFile folder(::openat(root.fd(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (folder.fd() < 0) folder_failed(path / name, "it is no folder that can be read");
    return folder;
}

struct CloseEntries {
    void operator()(DIR* entries) const { ::closedir(entries); }
};

// Calls take(name, stat) for each entry but . and .., until it says false.
template <typename Take>
void for_each_entry(const OpenFile& folder, const std::filesystem::path& path, Take&& take) {
    const int fd = ::openat(folder.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, CloseEntries> entries(fd < 0 ? nullptr : ::fdopendir(fd));
    if (!entries) {
        if (fd >= 0) ::close(fd);
        folder_failed(path, "it cannot be read");
    }
    for (const dirent* entry = ::readdir(entries.get()); entry != nullptr; entry = ::readdir(entries.get())) {
        const std::string name = entry->d_name;
        struct stat status {};
        if (name == "." || name == ".." || ::fstatat(folder.fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (!take(name, status)) return;
    }
}

bool is_there(const OpenFile& folder, const std::string& name) {
    struct stat status {};
    return ::fstatat(folder.fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

// Ours are UUIDs. An id of another form gets no note, and so no receipt.
bool is_note_id(const std::string& id) {
    return !id.empty() && id.size() <= 40 && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    });
}

// False: it is gone, or the new name is taken.
bool move_entry(const OpenFile& from, const std::string& name, const OpenFile& to, const std::string& as,
                const std::filesystem::path& path) {
    if (::renameat2(from.fd(), name.c_str(), to.fd(), as.c_str(), RENAME_NOREPLACE) == 0) return true;
    if (errno == EINVAL) {  // a network file system that cannot do it in one step; nobody else writes to our own folders
        if (is_there(to, as)) return false;
        if (::renameat(from.fd(), name.c_str(), to.fd(), as.c_str()) == 0) return true;
    }
    if (errno != ENOENT && errno != EEXIST) folder_failed(path, "a file cannot be moved");
    return false;
}

}  // namespace

OpenFile::~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
}

OpenFile& OpenFile::operator=(OpenFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

DropFolder::DropFolder(const std::filesystem::path& path) : path_(path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    root_ = OpenFile(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (root_.fd() < 0) folder_failed(path, "it is no folder that can be read");
    taking_ = open_below(root_, ".taking", path);
    waiting_ = open_below(root_, ".waiting", path);
    done_ = open_below(root_, "done", path);
    failed_ = open_below(root_, "failed", path);
}

std::vector<DroppedFile> DropFolder::list() const {
    std::vector<DroppedFile> files;
    for_each_entry(root_, path_, [&](const std::string& name, const struct stat& status) {
        if (S_ISDIR(status.st_mode)) return true;
        files.push_back({name, static_cast<std::uint64_t>(status.st_size),
                         status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec,
                         S_ISREG(status.st_mode)});
        return files.size() < kListMost;
    });
    return files;
}

std::vector<std::string> DropFolder::claimed() const {
    std::vector<std::string> names;
    for_each_entry(taking_, path_, [&](const std::string& name, const struct stat&) {
        names.push_back(name);
        return true;
    });
    return names;
}

bool DropFolder::claim(const std::string& name) {
    return move_entry(root_, name, taking_, name, path_);
}

bool DropFolder::put_back(const std::string& name) {
    return move_entry(taking_, name, root_, name, path_);
}

OpenFile DropFolder::open_claimed(const std::string& name) const {
    // O_NONBLOCK: the opening of a pipe must not wait for its other end.
    OpenFile file(::openat(taking_.fd(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    if (file.fd() < 0 && errno != ELOOP && errno != ENXIO) folder_failed(path_, "a file cannot be opened");
    if (file.fd() < 0 || ::fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode))
        throw Error(Fault::kPoison, "DIR-002", "taking a file", "it is not a regular file")
            .expected("a regular file, no link or pipe");
    return file;
}

std::filesystem::path DropFolder::claimed_path(const std::string& name) const {
    return path_ / ".taking" / name;
}

void DropFolder::remove_claimed(const std::string& name) {
    if (::unlinkat(taking_.fd(), name.c_str(), 0) != 0 && errno != ENOENT) folder_failed(path_, "a file cannot be removed");
}

std::string DropFolder::free_name(const std::string& name) const {
    for (int i = 1;; ++i) {
        std::string as = i == 1 ? name : name + '~' + std::to_string(i);
        const std::string receipt = as + ".receipt.csv";
        if (!is_there(done_, as) && !is_there(failed_, as) && !waiting_names_.contains(as) && !is_there(done_, receipt) &&
            !is_there(failed_, receipt))
            return as;
    }
}

void DropFolder::finish(const std::string& name, Place to, const std::string& as) {
    // Replaces: a name that is taken again is one whose first move was not seen to end.
    if (::renameat(taking_.fd(), name.c_str(), place(to).fd(), as.c_str()) != 0 && errno != ENOENT)
        folder_failed(path_, "a file cannot be moved");
}

void DropFolder::fail_done(const std::string& as) {
    if (::renameat(done_.fd(), as.c_str(), failed_.fd(), as.c_str()) != 0 && errno != ENOENT)
        folder_failed(path_, "a file cannot be moved");
}

void DropFolder::sync(const OpenFile& folder) const {
    if (::fsync(folder.fd()) != 0) folder_failed(path_, "the folder cannot be synced");
}

void DropFolder::write_receipt(Place to, const std::string& as, std::string_view text) {
    const OpenFile& folder = place(to);
    const std::string name = as + ".receipt.csv";
    const std::string part = '.' + name + ".part";
    {
        const OpenFile file(::openat(folder.fd(), part.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0660));
        if (file.fd() < 0) folder_failed(path_, "a receipt cannot be made");
        while (!text.empty()) {
            const ssize_t n = ::write(file.fd(), text.data(), text.size());
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) folder_failed(path_, "a receipt cannot be written");
            text.remove_prefix(static_cast<std::size_t>(n));
        }
        if (::fdatasync(file.fd()) != 0) folder_failed(path_, "a receipt cannot be synced");
    }
    if (::renameat(folder.fd(), part.c_str(), folder.fd(), name.c_str()) != 0)
        folder_failed(path_, "a receipt cannot be moved");
}

void DropFolder::sync_receipts() {
    sync(done_);
    sync(failed_);
}

bool DropFolder::note_waiting(const std::string& id, const std::string& as) {
    if (!is_note_id(id)) return false;
    const OpenFile note(::openat(waiting_.fd(), (id + '=' + as).c_str(), O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0660));
    if (note.fd() < 0) folder_failed(path_, "a note cannot be made");
    waiting_names_.insert(as);
    return true;
}

void DropFolder::sync_waiting() {
    sync(waiting_);
}

void DropFolder::forget_waiting(const std::string& id, const std::string& as) {
    if (::unlinkat(waiting_.fd(), (id + '=' + as).c_str(), 0) != 0 && errno != ENOENT)
        folder_failed(path_, "a note cannot be removed");
    waiting_names_.erase(as);
}

std::map<std::string, std::string> DropFolder::waiting() {
    std::map<std::string, std::string> notes;
    for_each_entry(waiting_, path_, [&](const std::string& name, const struct stat& status) {
        const std::size_t equals = name.find('=');
        if (S_ISREG(status.st_mode) && equals != std::string::npos && is_note_id(name.substr(0, equals))) {
            notes[name.substr(0, equals)] = name.substr(equals + 1);
            waiting_names_.insert(name.substr(equals + 1));
        }
        return true;
    });
    return notes;
}

}  // namespace clrbus::adapters::directory
