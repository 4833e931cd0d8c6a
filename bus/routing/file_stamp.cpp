#include "routing/file_stamp.hpp"

#include <sys/stat.h>

#include <algorithm>

namespace clrbus {
namespace {

// The kernel stamps a change with the time of its last tick, at most 10 ms ago.
constexpr std::int64_t kTick = 20'000'000;

}  // namespace

FileStamp FileStamp::of(const std::filesystem::path& file) {
    struct stat found {};
    FileStamp out;
    if (stat(file.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return out;
    out.there = true;
    out.inode = found.st_ino;
    out.size = static_cast<std::uint64_t>(found.st_size);
    out.modified = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec;
    out.changed = std::int64_t{found.st_ctim.tv_sec} * 1'000'000'000 + found.st_ctim.tv_nsec;
    return out;
}

FilesRead::FilesRead() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    begun_ = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

bool FilesRead::settled() const {
    return std::all_of(files_.begin(), files_.end(), [this](const auto& one) { return one.second.changed < begun_ - kTick; });
}

bool FilesRead::unchanged() const {
    return settled() &&
           std::all_of(files_.begin(), files_.end(), [](const auto& one) { return FileStamp::of(one.first) == one.second; });
}

}  // namespace clrbus
