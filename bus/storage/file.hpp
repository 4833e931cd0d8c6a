// Files as the storage room needs them: positioned writes, reads and explicit syncs. One implementation is the operating
// system's; the tests have one that forgets what was not synced (power_cut_files.hpp). Errors are Error(kAway, "DISK-…") with
// file and offset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::storage {

// One open file. Different threads may read and write different ranges.
class File {
public:
    virtual ~File() = default;
    // Writes the parts one after the other from that offset on: all of them, or it throws.
    virtual void write(std::uint64_t offset, std::span<const std::string_view> parts) = 0;
    void write(std::uint64_t offset, std::string_view bytes) { write(offset, std::span<const std::string_view>(&bytes, 1)); }
    virtual std::size_t read(std::uint64_t offset, char* into,
                             std::size_t size) const = 0;  // fewer only at the end of the file
    virtual void sync() = 0;                               // fdatasync
    virtual std::uint64_t size() const = 0;
};

enum class Open : std::uint8_t {
    kRead,
    kWrite,   // an existing file, for both
    kCreate,  // emptied when it exists
    // The same two, written past the page cache where the system can: offset, size and address of each write are whole
    // kDirectUnits, and it is one part. Where the system cannot, it is a file like any other.
    kWriteDirect,
    kCreateDirect,
};
inline constexpr std::size_t kDirectUnit = 4096;

// Memory for direct writes.
struct FreeDirect {
    void operator()(char* bytes) const;
};
using DirectBuffer = std::unique_ptr<char[], FreeDirect>;
DirectBuffer direct_buffer(std::size_t size);

class FileLock {
public:
    virtual ~FileLock() = default;
};

// Any thread.
class Files {
public:
    virtual ~Files() = default;
    virtual std::unique_ptr<File> open(const std::string& path, Open how) = 0;
    virtual std::vector<std::string> list(const std::string& directory) const = 0;  // names, sorted; no . and ..
    virtual bool exists(const std::string& path) const = 0;
    virtual void make_directory(const std::string& path) = 0;  // 0700, with parents, synced; no error when it is there
    virtual void rename(const std::string& from, const std::string& to) = 0;
    virtual void remove(const std::string& path) = 0;  // no error when it is not there
    virtual void sync_directory(const std::string& path) = 0;
    virtual std::uint64_t free_bytes(const std::string& directory) const = 0;
    // Held until destroyed. Throws Error(kConfig, "DISK-003") when another process holds it.
    virtual std::unique_ptr<FileLock> lock(const std::string& path) = 0;
};

Files& real_files();

// Writes a small file so that it is there whole or not at all: temporary, sync, rename, sync of the directory.
void write_file_atomically(Files& files, const std::string& path, std::string_view bytes);
std::string read_whole_file(Files& files, const std::string& path);

}  // namespace clrbus::storage
