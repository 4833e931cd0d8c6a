// For the benchmarks: the samples that tools/bench made, a directory on the disk that is measured, and the disk's own speed.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace clrbus::bench {

inline std::string file_bytes(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    return std::move(bytes).str();
}

// Documents of one kind below the folder that CLRBUS_BENCH_SAMPLES names, in the order of their names.
inline const std::vector<std::string>& samples(const std::string& kind) {
    static std::map<std::string, std::vector<std::string>> known;
    std::vector<std::string>& out = known[kind];
    if (!out.empty()) return out;
    const char* folder = std::getenv("CLRBUS_BENCH_SAMPLES");
    if (folder == nullptr) throw std::runtime_error("CLRBUS_BENCH_SAMPLES is not set: run tools/bench");
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(folder) / kind))
        files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const auto& file : files) out.push_back(file_bytes(file));
    if (out.empty()) throw std::runtime_error("no samples of " + kind);
    return out;
}

// A directory on the disk that CLRBUS_BENCH_DIR names (never in memory: the floor is a sync).
class Directory {
public:
    Directory() {
        const char* folder = std::getenv("CLRBUS_BENCH_DIR");
        std::string pattern = std::string(folder != nullptr ? folder : ".") + "/clrbus-bench-XXXXXX";
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no directory can be made in " + pattern);
        path_ = pattern;
    }
    ~Directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// Appends to a file that was written before, one fdatasync for each: what a disk gives at best without a group.
class SyncedFile {
public:
    explicit SyncedFile(std::size_t record) : record_(record, 'x') {
        fd_ = ::open((directory_.path() / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        const std::string zeros(1U << 20, '\0');
        for (std::size_t written = 0; written < kSize; written += zeros.size()) {
            if (::write(fd_, zeros.data(), zeros.size()) < 0) throw std::runtime_error("the disk is full");
        }
        ::fsync(fd_);
    }
    ~SyncedFile() { ::close(fd_); }
    SyncedFile(const SyncedFile&) = delete;
    SyncedFile& operator=(const SyncedFile&) = delete;

    void append() {
        if (at_ + record_.size() > kSize) at_ = 0;
        if (::pwrite(fd_, record_.data(), record_.size(), static_cast<off_t>(at_)) < 0 || ::fdatasync(fd_) != 0) {
            throw std::runtime_error("the disk does not take it");
        }
        at_ += record_.size();
    }

private:
    static constexpr std::size_t kSize = 64U << 20;
    Directory directory_;
    std::string record_;
    int fd_ = -1;
    std::size_t at_ = 0;
};

}  // namespace clrbus::bench
