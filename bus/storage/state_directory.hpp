// The state directory DIR of a running bus: made 0700, held by one process through DIR/lock, with the version of its format in
// DIR/format. First thing at a start, last thing to go.
#pragma once

#include <memory>
#include <string>

#include "storage/file.hpp"

namespace clrbus::storage {

inline constexpr int kStateDirectoryVersion = 1;

class StateDirectory {
public:
    // Throws Error(kConfig): DISK-003 another process holds it, STATE-001 unknown version, STATE-002 the file `format` is
    // damaged.
    explicit StateDirectory(std::string path, Files& files = real_files());
    const std::string& path() const { return path_; }

private:
    const std::string path_;
    std::unique_ptr<FileLock> lock_;
};

}  // namespace clrbus::storage
