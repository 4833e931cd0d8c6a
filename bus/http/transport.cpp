#include "http/transport.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/counters.hpp"
#include "core/log.hpp"

namespace clrbus {

namespace {

constexpr std::size_t kHttpReadSize = 64 << 10;

HttpTransport::Result send_http(int fd, std::string_view& bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(n));
        } else if (n < 0 && errno != EINTR) {
            return errno == EAGAIN ? HttpTransport::Result::kAgain : HttpTransport::Result::kBroken;
        }
    }
    return HttpTransport::Result::kOk;
}

}  // namespace

HttpTransport::HttpTransport(int fd, const crypto::TlsContext* tls)
    : fd_(fd), tls_(tls == nullptr ? nullptr : std::make_unique<crypto::TlsSession>(*tls)) {}

HttpTransport::~HttpTransport() {
    ::close(fd_);
}

HttpTransport::Result HttpTransport::read(std::string& into) {
    thread_local std::array<char, kHttpReadSize> buffer;
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n == 0) return Result::kEnd;
    if (n < 0) return errno == EAGAIN || errno == EINTR ? Result::kAgain : Result::kBroken;
    if (!tls_) {
        into.append(buffer.data(), static_cast<std::size_t>(n));
        return Result::kOk;
    }
    tls_->feed({buffer.data(), static_cast<std::size_t>(n)});
    bool got = false;
    for (std::size_t plain = 0; (plain = tls_->read(buffer.data(), buffer.size())) != 0; got = true)
        into.append(buffer.data(), plain);
    const Result flushed = flush();
    if (tls_->state() == crypto::TlsSession::State::kFailed) {
        counter("clrbus_http_refused_total{reason=\"tls\"}").add();
        log::debug("http", "TLS: " + tls_->failure());
        return Result::kBroken;
    }
    if (flushed == Result::kBroken) return flushed;
    if (tls_->state() == crypto::TlsSession::State::kPeerClosed) return Result::kEnd;
    return got ? Result::kOk : Result::kAgain;
}

HttpTransport::Result HttpTransport::flush() {
    while (tls_->wants_write()) {
        std::string_view left = tls_->encrypted();
        const std::size_t before = left.size();
        const Result result = send_http(fd_, left);
        tls_->consume(before - left.size());
        if (result != Result::kOk) return result;
    }
    return Result::kOk;
}

HttpTransport::Result HttpTransport::write(std::string_view& bytes) {
    if (!tls_) return send_http(fd_, bytes);
    for (;;) {
        const std::size_t taken = bytes.empty() ? 0 : tls_->write(bytes.substr(0, kHttpReadSize));
        bytes.remove_prefix(taken);
        const Result result = flush();
        if (result != Result::kOk) return result;
        if (bytes.empty()) return Result::kOk;
        if (taken == 0) return tls_->state() == crypto::TlsSession::State::kHandshaking ? Result::kAgain : Result::kBroken;
    }
}

void HttpTransport::end_writing() {
    if (tls_) {
        tls_->close();
        flush();
    }
    ::shutdown(fd_, SHUT_WR);
}

}  // namespace clrbus
