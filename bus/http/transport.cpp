#include "http/transport.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace clrbus {

namespace {
constexpr std::size_t kHttpReadSize = 64 << 10;
}

HttpTransport::~HttpTransport() {
    ::close(fd_);
}

HttpTransport::Result HttpTransport::read(std::string& into) {
    thread_local std::array<char, kHttpReadSize> buffer;
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n > 0) {
        into.append(buffer.data(), static_cast<std::size_t>(n));
        return Result::kOk;
    }
    if (n == 0) return Result::kEnd;
    return errno == EAGAIN || errno == EINTR ? Result::kAgain : Result::kBroken;
}

HttpTransport::Result HttpTransport::write(std::string_view& bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(n));
        } else if (n < 0 && errno != EINTR) {
            return errno == EAGAIN ? Result::kAgain : Result::kBroken;
        }
    }
    return Result::kOk;
}

void HttpTransport::end_writing() {
    ::shutdown(fd_, SHUT_WR);
}

}  // namespace clrbus
