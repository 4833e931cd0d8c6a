#include "formats/file_pass.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "core/error.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{64} << 10U;

[[noreturn]] void piece_fails(const std::filesystem::path& file, const char* doing) {
    throw Error(Fault::kAway, "FILE-001", doing, Where{.file = file.filename().string()},
                std::generic_category().message(errno));
}

}  // namespace

void read_pieces(const std::filesystem::path& file, const std::function<void(std::string_view piece)>& take) {
    struct Descriptor {
        int fd;
        ~Descriptor() {
            if (fd >= 0) ::close(fd);
        }
    };
    const Descriptor from{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    if (from.fd < 0) piece_fails(file, "opening a file");
    std::string piece(kPieceBytes, '\0');
    for (;;) {
        const ssize_t n = ::read(from.fd, piece.data(), piece.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) piece_fails(file, "reading a file");
        if (n == 0) return;
        take(std::string_view(piece).substr(0, static_cast<std::size_t>(n)));
    }
}

PieceWriter::PieceWriter(const std::filesystem::path& file)
    : file_(file), fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    if (fd_ < 0) piece_fails(file_, "opening a file");
}

PieceWriter::~PieceWriter() {
    ::close(fd_);
}

void PieceWriter::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
        if (n < 0 && errno != EINTR) piece_fails(file_, "writing a file");
        if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

}  // namespace clrbus
