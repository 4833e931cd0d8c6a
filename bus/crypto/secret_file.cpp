#include "crypto/secret_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace clrbus::crypto {

namespace {

constexpr std::size_t kSecretFileLimit = 1u << 20;

class SecretFd {
public:
    explicit SecretFd(int fd) : fd_(fd) {}
    ~SecretFd() {
        if (fd_ >= 0) ::close(fd_);
    }
    SecretFd(const SecretFd&) = delete;
    SecretFd& operator=(const SecretFd&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

[[noreturn]] void secret_fail(std::string_view code, std::string_view doing, const std::filesystem::path& file,
                              std::string why) {
    Where where;
    where.file = file.string();
    throw Error(Fault::kConfig, code, std::string(doing), where, std::move(why));
}

[[noreturn]] void secret_write_fail(const std::filesystem::path& file, int error) {
    secret_fail("CRYPTO-011", "writing a secret file", file, std::strerror(error));
}

// The complete content under a temporary name in the same folder, synced.
std::filesystem::path secret_write_temporary(const std::filesystem::path& file, std::string_view bytes) {
    std::filesystem::path temporary = file;
    temporary += "." + new_uuid() + ".tmp";
    const SecretFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (fd.get() < 0) secret_write_fail(file, errno);
    int error = 0;
    while (error == 0 && !bytes.empty()) {
        const ssize_t written = ::write(fd.get(), bytes.data(), bytes.size());
        if (written >= 0)
            bytes.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EINTR)
            error = errno;
    }
    if (error == 0 && ::fchmod(fd.get(), 0600) != 0) error = errno;
    if (error == 0 && ::fsync(fd.get()) != 0) error = errno;
    if (error != 0) {
        ::unlink(temporary.c_str());
        secret_write_fail(file, error);
    }
    return temporary;
}

void secret_sync_folder(const std::filesystem::path& file) {
    const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
    const SecretFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0 || ::fsync(fd.get()) != 0) secret_write_fail(file, errno);
}

}  // namespace

std::string read_secret_file(const std::filesystem::path& file) {
    constexpr std::string_view doing = "reading a secret file";
    const SecretFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() < 0) secret_fail("CRYPTO-010", doing, file, std::strerror(errno));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) secret_fail("CRYPTO-010", doing, file, std::strerror(errno));
    if (!S_ISREG(status.st_mode)) secret_fail("CRYPTO-010", doing, file, "it is not a regular file");
    if ((status.st_mode & 077) != 0)
        secret_fail("CRYPTO-010", doing, file, "group or others may use it; only its owner may (chmod 600)");
    std::string out;
    char block[16384];
    for (;;) {
        const ssize_t got = ::read(fd.get(), block, sizeof block);
        if (got == 0) return out;
        if (got < 0) {
            if (errno == EINTR) continue;
            secret_fail("CRYPTO-010", doing, file, std::strerror(errno));
        }
        out.append(block, static_cast<std::size_t>(got));
        if (out.size() > kSecretFileLimit) secret_fail("CRYPTO-010", doing, file, "it is larger than 1 MB");
    }
}

void write_secret_file(const std::filesystem::path& file, std::string_view bytes) {
    const auto temporary = secret_write_temporary(file, bytes);
    if (::rename(temporary.c_str(), file.c_str()) != 0) {
        const int error = errno;
        ::unlink(temporary.c_str());
        secret_write_fail(file, error);
    }
    secret_sync_folder(file);
}

bool create_secret_file(const std::filesystem::path& file, std::string_view bytes) {
    const auto temporary = secret_write_temporary(file, bytes);
    const int error = ::link(temporary.c_str(), file.c_str()) == 0 ? 0 : errno;
    ::unlink(temporary.c_str());
    if (error == EEXIST) return false;
    if (error != 0) secret_write_fail(file, error);
    secret_sync_folder(file);
    return true;
}

}  // namespace clrbus::crypto
