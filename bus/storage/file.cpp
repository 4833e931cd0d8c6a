#include "storage/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <new>
#include <system_error>

#include "core/error.hpp"

namespace clrbus::storage {
namespace {

[[noreturn]] void file_fail(const char* doing, const std::string& path, int error, std::int64_t offset = -1) {
    Where where;
    where.file = path;
    where.offset = offset;
    const bool full = error == ENOSPC || error == EDQUOT;
    throw Error(Fault::kAway, full ? "DISK-002" : "DISK-001", doing, where, std::generic_category().message(error));
}

// Owns a descriptor.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

class RealFile : public File {
public:
    RealFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

    void write(std::uint64_t offset, std::span<const std::string_view> parts) override {
        std::array<iovec, 512> vectors;
        std::size_t part = 0, skip = 0;  // skip: bytes of parts[part] that are written already
        while (part < parts.size()) {
            std::size_t count = 0;
            for (std::size_t i = part; i < parts.size() && count < vectors.size(); ++i) {
                const auto bytes = i == part ? parts[i].substr(skip) : parts[i];
                vectors[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
            }
            const auto written = ::pwritev(fd_.get(), vectors.data(), static_cast<int>(count), static_cast<off_t>(offset));
            if (written < 0) {
                if (errno == EINTR || (errno == EINVAL && through_the_cache())) continue;
                file_fail("writing", path_, errno, static_cast<std::int64_t>(offset));
            }
            offset += static_cast<std::uint64_t>(written);
            auto left = static_cast<std::size_t>(written);
            if (left == 0 &&
                std::all_of(vectors.begin(), vectors.begin() + count, [](const iovec& v) { return v.iov_len == 0; })) {
                part += count;
                skip = 0;
                continue;
            }
            if (left == 0) file_fail("writing", path_, ENOSPC, static_cast<std::int64_t>(offset));
            while (part < parts.size() && left >= parts[part].size() - skip) {
                left -= parts[part].size() - skip;
                skip = 0;
                ++part;
            }
            skip += left;
        }
    }

    std::size_t read(std::uint64_t offset, char* into, std::size_t size) const override {
        std::size_t done = 0;
        while (done < size) {
            const auto got = ::pread(fd_.get(), into + done, size - done, static_cast<off_t>(offset + done));
            if (got < 0) {
                if (errno == EINTR) continue;
                file_fail("reading", path_, errno, static_cast<std::int64_t>(offset + done));
            }
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        return done;
    }

    void sync() override {
        // Not repeated after EIO: the kernel may have dropped the pages, so that a second call would report a success that is
        // none.
        while (::fdatasync(fd_.get()) != 0) {
            if (errno != EINTR) file_fail("syncing", path_, errno);
        }
    }

    std::uint64_t size() const override {
        struct stat info {};
        if (::fstat(fd_.get(), &info) != 0) file_fail("reading the size of", path_, errno);
        return static_cast<std::uint64_t>(info.st_size);
    }

private:
    // A file system that takes no direct writes says so when the file is opened, or here. False: it was no direct one.
    bool through_the_cache() {
        const int flags = ::fcntl(fd_.get(), F_GETFL);
        return flags >= 0 && (flags & O_DIRECT) != 0 && ::fcntl(fd_.get(), F_SETFL, flags & ~O_DIRECT) == 0;
    }

    Descriptor fd_;
    std::string path_;
};

class RealLock : public FileLock {
public:
    explicit RealLock(int fd) : fd_(fd) {}

private:
    Descriptor fd_;
};

class RealFiles : public Files {
public:
    std::unique_ptr<File> open(const std::string& path, Open how) override {
        int flags = O_CLOEXEC;
        if (how == Open::kRead) flags |= O_RDONLY;
        if (how != Open::kRead) flags |= O_RDWR;
        if (how == Open::kCreate || how == Open::kCreateDirect) flags |= O_CREAT | O_TRUNC;
        const bool direct = how == Open::kWriteDirect || how == Open::kCreateDirect;
        int fd = ::open(path.c_str(), direct ? flags | O_DIRECT : flags, 0600);
        if (fd < 0 && errno == EINVAL && direct) fd = ::open(path.c_str(), flags, 0600);
        if (fd < 0) file_fail("opening", path, errno);
        return std::make_unique<RealFile>(fd, path);
    }

    std::vector<std::string> list(const std::string& directory) const override {
        std::error_code error;
        std::vector<std::string> names;
        for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
            names.push_back(it->path().filename().string());
        }
        if (error) file_fail("listing", directory, error.value());
        std::sort(names.begin(), names.end());
        return names;
    }

    bool exists(const std::string& path) const override {
        if (::access(path.c_str(), F_OK) == 0) return true;
        if (errno != ENOENT && errno != ENOTDIR) file_fail("looking for", path, errno);
        return false;
    }

    void make_directory(const std::string& path) override {
        if (path.empty() || exists(path)) return;
        const auto parent = std::filesystem::path(path).parent_path().string();
        make_directory(parent);
        if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) file_fail("making directory", path, errno);
        sync_directory(parent.empty() ? "." : parent);
    }

    void rename(const std::string& from, const std::string& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0) file_fail("renaming", from, errno);
    }

    void remove(const std::string& path) override {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) file_fail("removing", path, errno);
    }

    void sync_directory(const std::string& path) override {
        const Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (fd.get() < 0) file_fail("opening directory", path, errno);
        if (::fsync(fd.get()) != 0) file_fail("syncing directory", path, errno);
    }

    std::uint64_t free_bytes(const std::string& directory) const override {
        struct statvfs info {};
        if (::statvfs(directory.c_str(), &info) != 0) file_fail("reading the free space of", directory, errno);
        return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
    }

    std::unique_ptr<FileLock> lock(const std::string& path) override {
        const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) file_fail("opening", path, errno);
        auto lock = std::make_unique<RealLock>(fd);
        if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) file_fail("locking", path, errno);
            Where where;
            where.file = path;
            throw Error(Fault::kConfig, "DISK-003", "locking", where,
                        "another process holds it: one state directory, one process");
        }
        return lock;
    }
};

}  // namespace

void FreeDirect::operator()(char* bytes) const {
    ::operator delete[](bytes, std::align_val_t{kDirectUnit});
}

DirectBuffer direct_buffer(std::size_t size) {
    return DirectBuffer(static_cast<char*>(::operator new[](size, std::align_val_t{kDirectUnit})));
}

Files& real_files() {
    static RealFiles files;
    return files;
}

void write_file_atomically(Files& files, const std::string& path, std::string_view bytes) {
    const auto temporary = path + ".new";
    {
        auto file = files.open(temporary, Open::kCreate);
        file->write(0, bytes);
        file->sync();
    }
    files.rename(temporary, path);
    const auto parent = std::filesystem::path(path).parent_path().string();
    files.sync_directory(parent.empty() ? "." : parent);
}

std::string read_whole_file(Files& files, const std::string& path) {
    auto file = files.open(path, Open::kRead);
    std::string bytes(file->size(), '\0');
    bytes.resize(file->read(0, bytes.data(), bytes.size()));
    return bytes;
}

}  // namespace clrbus::storage
