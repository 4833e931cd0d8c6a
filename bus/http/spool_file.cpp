#include "http/spool_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace clrbus {

namespace {

[[noreturn]] void spool_failed(const char* what) {
    throw Error(Fault::kAway, "HTTP-061", "keeping a large body",
                std::string(what) + ": " + std::generic_category().message(errno));
}

}  // namespace

SpoolFile::SpoolFile(const std::filesystem::path& folder) : path_(folder / ("spool-" + new_uuid() + ".part")) {
    fd_ = ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd_ < 0) spool_failed("the file cannot be made");
}

SpoolFile::~SpoolFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!path_.empty()) ::unlink(path_.c_str());
}

void SpoolFile::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) spool_failed("the file cannot be written");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::filesystem::path SpoolFile::keep() {
    if (::fdatasync(fd_) != 0) spool_failed("the file cannot be synced");
    const int fd = std::exchange(fd_, -1);
    if (::close(fd) != 0) spool_failed("the file cannot be closed");
    return std::exchange(path_, {});
}

}  // namespace clrbus
