// A body that is too large for memory, on its way into a file. Used by one thread at a time; removes the file unless it was
// kept.
#pragma once

#include <filesystem>
#include <string_view>

namespace clrbus {

class SpoolFile {
public:
    // A new file with a name of its own that ends in .part. Throws Error(kAway, "HTTP-061").
    explicit SpoolFile(const std::filesystem::path& folder);
    ~SpoolFile();
    SpoolFile(const SpoolFile&) = delete;
    SpoolFile& operator=(const SpoolFile&) = delete;

    void write(std::string_view bytes);  // throws Error(kAway, "HTTP-061"): the disk
    std::filesystem::path keep();        // synced and closed; the file is the caller's now

private:
    std::filesystem::path path_;
    int fd_ = -1;
};

}  // namespace clrbus
