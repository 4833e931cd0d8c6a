// LD_PRELOAD library for tests: together with undo_unsynced it makes a `kill -9` look like a power cut. Before each write to a
// file below CLRBUS_DISCARD_DIR it saves what the write replaces in CLRBUS_DISCARD_LOG; a sync of the file forgets it. After
// the kill, `undo_unsynced DIR LOG` puts everything back that was not synced: contents, new names, renames and removals.
//
// Not seen: writes through mmap (SQLite's -shm is rebuilt anyway), O_DSYNC, and stdio inside of libc.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "support/undo_log.hpp"

namespace {

using clrbus::undo::UndoHead;

// What is known of one file. The mutex holds a write and its record together, and a sync and the forgetting.
struct Tracked {
    std::mutex mutex;
    int undo = -1;  // -1: not below the directory
};

struct Setup {
    std::string directory, log;
    std::mutex mutex;
    std::map<std::pair<dev_t, ino_t>, std::unique_ptr<Tracked>> files;
    std::atomic<int> next_saved{1};
};

// Never destroyed: other threads may write until the very end.
Setup& setup() {
    static Setup* const made = [] {
        auto* fresh = new Setup;
        const char* directory = std::getenv("CLRBUS_DISCARD_DIR");
        const char* log = std::getenv("CLRBUS_DISCARD_LOG");
        char real[PATH_MAX];
        if (directory != nullptr && log != nullptr && ::realpath(directory, real) != nullptr) {
            fresh->directory = std::string(real) + "/";
            ::mkdir(log, 0700);
            if (::realpath(log, real) != nullptr) fresh->log = real;
        }
        return fresh;
    }();
    return *made;
}

bool active() {
    return !setup().log.empty();
}

template <typename Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "discard_unsynced: %s: %s\n", what, std::strerror(errno));
    std::abort();
}

void write_raw(int fd, const void* bytes, std::size_t size) {
    const char* at = static_cast<const char*>(bytes);
    while (size > 0) {
        const auto done = ::syscall(SYS_write, fd, at, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) give_up("writing the log");
        at += done;
        size -= static_cast<std::size_t>(done);
    }
}

int open_raw(const std::string& path, int flags) {
    return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path.c_str(), flags, 0600));
}

bool below(const std::string& path) {
    return path.starts_with(setup().directory);
}

// The path as the kernel would name it; the last part need not exist.
std::string absolute(int at, const char* path) {
    std::string given = path;
    if (given.empty()) return given;
    if (given[0] != '/' && at != AT_FDCWD) {
        char target[PATH_MAX];
        const auto size = ::readlink(("/proc/self/fd/" + std::to_string(at)).c_str(), target, sizeof target);
        if (size > 0) given = std::string(target, static_cast<std::size_t>(size)) + "/" + given;
    }
    const auto slash = given.rfind('/');
    const auto parent = slash == std::string::npos ? std::string(".") : slash == 0 ? std::string("/") : given.substr(0, slash);
    const auto name = slash == std::string::npos ? given : given.substr(slash + 1);
    char real[PATH_MAX];
    if (::realpath(parent.c_str(), real) == nullptr) return {};
    return std::string(real) + "/" + name;
}

void name_line(const std::string& line) {
    const int fd = open_raw(setup().log + "/names", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC);
    if (fd < 0) give_up("opening the log of names");
    const auto whole = line + "\n";
    write_raw(fd, whole.data(), whole.size());
    ::syscall(SYS_close, fd);
}

// A hard link that keeps what stands under that name; "-" when nothing does. It also keeps the inode's number from being used
// again.
std::string save(const std::string& path) {
    const auto saved = setup().log + "/saved-" + std::to_string(::getpid()) + "-" + std::to_string(setup().next_saved++);
    return ::link(path.c_str(), saved.c_str()) == 0 ? saved : "-";
}

Tracked* tracked(int fd) {
    if (!active()) return nullptr;
    struct stat info {};
    if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return nullptr;
    auto& all = setup();
    const std::lock_guard lock(all.mutex);
    auto& file = all.files[{info.st_dev, info.st_ino}];
    if (!file) {
        file = std::make_unique<Tracked>();
        char target[PATH_MAX];
        const auto size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target, sizeof target);
        if (size > 0 && below(std::string(target, static_cast<std::size_t>(size)))) {
            const auto name = std::to_string(info.st_dev) + "-" + std::to_string(info.st_ino) + ".undo";
            file->undo = open_raw(all.log + "/" + name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC);
            if (file->undo < 0) give_up("opening an undo log");
        }
    }
    return file->undo < 0 ? nullptr : file.get();
}

// With the file's lock held: saves [offset, offset + length) as it is now.
void record(Tracked& file, int fd, std::uint64_t offset, std::uint64_t length, std::uint64_t written) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) give_up("reading a size");
    const auto size = static_cast<std::uint64_t>(info.st_size);
    UndoHead head;
    head.offset = offset;
    head.written = written;
    head.old_size = size;
    head.length = offset >= size ? 0 : std::min(length, size - offset);
    std::string bytes(sizeof head + head.length, '\0');
    if (head.length > 0) {
        // The descriptor may be open for writing alone.
        const int reader = open_raw("/proc/self/fd/" + std::to_string(fd), O_RDONLY | O_CLOEXEC);
        if (reader < 0) give_up("opening a file to save from it");
        std::uint64_t done = 0;
        while (done < head.length) {
            const auto got =
                ::syscall(SYS_pread64, reader, bytes.data() + sizeof head + done, head.length - done, offset + done);
            if (got <= 0) break;
            done += static_cast<std::uint64_t>(got);
        }
        ::syscall(SYS_close, reader);
    }
    std::memcpy(bytes.data(), &head, sizeof head);
    write_raw(file.undo, bytes.data(), bytes.size());  // one write: a record is there whole or not at all
}

std::uint64_t end_or_position(int fd) {
    struct stat info {};
    const int flags = ::fcntl(fd, F_GETFL);
    if ((flags & O_APPEND) != 0 && ::fstat(fd, &info) == 0) return static_cast<std::uint64_t>(info.st_size);
    const auto at = ::lseek(fd, 0, SEEK_CUR);
    return at < 0 ? 0 : static_cast<std::uint64_t>(at);
}

std::uint64_t total(const iovec* parts, int count) {
    std::uint64_t bytes = 0;
    for (int i = 0; i < count; ++i) bytes += parts[i].iov_len;
    return bytes;
}

template <typename Call>
auto recorded_write(int fd, std::int64_t offset, std::uint64_t length, Call call) {
    auto* file = tracked(fd);
    if (file == nullptr) return call();
    const std::lock_guard lock(file->mutex);
    record(*file, fd, offset < 0 ? end_or_position(fd) : static_cast<std::uint64_t>(offset), length, length);
    return call();
}

template <typename Call>
int recorded_truncate(int fd, std::uint64_t length, Call call) {
    auto* file = tracked(fd);
    if (file == nullptr) return call();
    const std::lock_guard lock(file->mutex);
    record(*file, fd, length, UINT64_MAX / 2, 0);
    return call();
}

template <typename Call>
int recorded_sync(int fd, Call call) {
    if (!active()) return call();
    struct stat info {};
    char target[PATH_MAX];
    const auto size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target, sizeof target);
    const std::string path(target, size > 0 ? static_cast<std::size_t>(size) : 0);
    if (::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        const int result = call();
        if (result == 0 && below(path + "/")) name_line("S " + path);
        return result;
    }
    auto* file = tracked(fd);
    if (file == nullptr) return call();
    const std::lock_guard lock(file->mutex);
    const int result = call();
    if (result == 0) {
        if (::syscall(SYS_ftruncate, file->undo, 0) != 0) give_up("emptying an undo log");
        name_line("F " + path);  // a new file's own name goes with it
    }
    return result;
}

template <typename Call>
int recorded_open(int at, const char* path, int flags, Call call) {
    if (!active() || (flags & (O_CREAT | O_TRUNC)) == 0) return call(flags);
    const auto whole = absolute(at, path);
    if (whole.empty() || !below(whole)) return call(flags);
    struct stat info {};
    if (::stat(whole.c_str(), &info) != 0) {
        if ((flags & O_CREAT) != 0) name_line("+ " + whole);
        return call(flags);
    }
    if ((flags & O_TRUNC) == 0 || !S_ISREG(info.st_mode)) return call(flags);
    // The cut is done by ftruncate below, which saves what it cuts.
    const int fd = call(flags & ~O_TRUNC);
    if (fd >= 0 && ::ftruncate(fd, 0) != 0) give_up("cutting a file");
    return fd;
}

template <typename Call>
int recorded_unlink(int at, const char* path, Call call) {
    if (!active()) return call();
    const auto whole = absolute(at, path);
    struct stat info {};
    if (whole.empty() || !below(whole) || ::lstat(whole.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return call();
    name_line("- " + whole + "\t" + save(whole));
    return call();
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t size) {
    static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
    return recorded_write(fd, -1, size, [&] { return real(fd, bytes, size); });
}
ssize_t writev(int fd, const iovec* parts, int count) {
    static const auto real = next<ssize_t (*)(int, const iovec*, int)>("writev");
    return recorded_write(fd, -1, total(parts, count), [&] { return real(fd, parts, count); });
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
    static const auto real = next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
    return recorded_write(fd, offset, size, [&] { return real(fd, bytes, size, offset); });
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
    static const auto real = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
    return recorded_write(fd, offset, size, [&] { return real(fd, bytes, size, offset); });
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
    static const auto real = next<ssize_t (*)(int, const iovec*, int, off_t)>("pwritev");
    return recorded_write(fd, offset, total(parts, count), [&] { return real(fd, parts, count, offset); });
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t offset) {
    static const auto real = next<ssize_t (*)(int, const iovec*, int, off64_t)>("pwritev64");
    return recorded_write(fd, offset, total(parts, count), [&] { return real(fd, parts, count, offset); });
}
int ftruncate(int fd, off_t length) noexcept {
    static const auto real = next<int (*)(int, off_t)>("ftruncate");
    return recorded_truncate(fd, static_cast<std::uint64_t>(length), [&] { return real(fd, length); });
}
int ftruncate64(int fd, off64_t length) noexcept {
    static const auto real = next<int (*)(int, off64_t)>("ftruncate64");
    return recorded_truncate(fd, static_cast<std::uint64_t>(length), [&] { return real(fd, length); });
}
int fsync(int fd) {
    static const auto real = next<int (*)(int)>("fsync");
    return recorded_sync(fd, [&] { return real(fd); });
}
int fdatasync(int fd) {
    static const auto real = next<int (*)(int)>("fdatasync");
    return recorded_sync(fd, [&] { return real(fd); });
}

// The mode is read whether it was given or not: the kernel ignores it where it does not apply.
int open(const char* path, int flags, ...) {
    static const auto real = next<int (*)(const char*, int, ...)>("open");
    va_list rest;
    va_start(rest, flags);
    const auto mode = va_arg(rest, unsigned);
    va_end(rest);
    return recorded_open(AT_FDCWD, path, flags, [&](int with) { return real(path, with, mode); });
}
int open64(const char* path, int flags, ...) {
    static const auto real = next<int (*)(const char*, int, ...)>("open64");
    va_list rest;
    va_start(rest, flags);
    const auto mode = va_arg(rest, unsigned);
    va_end(rest);
    return recorded_open(AT_FDCWD, path, flags, [&](int with) { return real(path, with, mode); });
}
int openat(int at, const char* path, int flags, ...) {
    static const auto real = next<int (*)(int, const char*, int, ...)>("openat");
    va_list rest;
    va_start(rest, flags);
    const auto mode = va_arg(rest, unsigned);
    va_end(rest);
    return recorded_open(at, path, flags, [&](int with) { return real(at, path, with, mode); });
}
int openat64(int at, const char* path, int flags, ...) {
    static const auto real = next<int (*)(int, const char*, int, ...)>("openat64");
    va_list rest;
    va_start(rest, flags);
    const auto mode = va_arg(rest, unsigned);
    va_end(rest);
    return recorded_open(at, path, flags, [&](int with) { return real(at, path, with, mode); });
}
int creat(const char* path, mode_t mode) {
    return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int unlink(const char* path) noexcept {
    static const auto real = next<int (*)(const char*)>("unlink");
    return recorded_unlink(AT_FDCWD, path, [&] { return real(path); });
}
int unlinkat(int at, const char* path, int flags) noexcept {
    static const auto real = next<int (*)(int, const char*, int)>("unlinkat");
    return recorded_unlink(at, path, [&] { return real(at, path, flags); });
}
int remove(const char* path) noexcept {
    static const auto real = next<int (*)(const char*)>("remove");
    return recorded_unlink(AT_FDCWD, path, [&] { return real(path); });
}
int rename(const char* from, const char* to) noexcept {
    static const auto real = next<int (*)(const char*, const char*)>("rename");
    if (!active()) return real(from, to);
    const auto source = absolute(AT_FDCWD, from), target = absolute(AT_FDCWD, to);
    if (!below(source) && !below(target)) return real(from, to);
    name_line("> " + source + "\t" + target + "\t" + save(target));
    return real(from, to);
}

}  // extern "C"
