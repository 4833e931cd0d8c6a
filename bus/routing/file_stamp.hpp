// What a file looked like when it was read: any difference means that it is another one, or that it was written to. Value type.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

namespace clrbus {

struct FileStamp {
    bool there = false;
    std::uint64_t inode = 0, size = 0;
    std::int64_t modified = 0, changed = 0;  // nanoseconds since 1970; changed moves with a rename too

    static FileStamp of(const std::filesystem::path& file);  // there is false for what is no file
    bool operator==(const FileStamp&) const = default;
};

// The files that something was made of. What was written to while it was read counts as changed, so that it is read again.
class FilesRead {
public:
    FilesRead();  // before the first of them is read
    void add(const std::filesystem::path& file) { files_.emplace_back(file, FileStamp::of(file)); }  // after it was read
    bool unchanged() const;
    bool settled() const;  // false: one of them was written to at about the time it was read
    const std::vector<std::pair<std::filesystem::path, FileStamp>>& files() const { return files_; }

private:
    std::int64_t begun_;  // nanoseconds since 1970
    std::vector<std::pair<std::filesystem::path, FileStamp>> files_;
};

}  // namespace clrbus
