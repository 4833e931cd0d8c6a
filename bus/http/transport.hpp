// A non-blocking socket, with or without TLS on it. I/O thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/tls.hpp"

namespace clrbus {

class HttpTransport {
public:
    enum class Result { kOk, kAgain, kEnd, kBroken };

    HttpTransport(int fd, const crypto::TlsContext* tls);  // owns fd; tls: null for plain
    ~HttpTransport();
    HttpTransport(const HttpTransport&) = delete;
    HttpTransport& operator=(const HttpTransport&) = delete;

    int fd() const { return fd_; }
    Result read(std::string& into);         // appends what came, at most 64 KB
    Result write(std::string_view& bytes);  // takes off the front what was taken; kOk: all of it is with the kernel
    bool pending() const { return tls_ && tls_->wants_write(); }  // write() is to be called when the socket can
    void end_writing();                                           // the peer sees the end; what it still sends can be read

    bool tls() const { return tls_ != nullptr; }
    std::string peer_subject() const { return tls_ ? tls_->peer_subject() : std::string(); }

private:
    Result flush();

    int fd_;
    std::unique_ptr<crypto::TlsSession> tls_;
};

}  // namespace clrbus
