// A non-blocking socket, with or without TLS on it. I/O thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace clrbus {

class HttpTransport {
public:
    enum class Result { kOk, kAgain, kEnd, kBroken };

    explicit HttpTransport(int fd) : fd_(fd) {}  // owns it
    ~HttpTransport();
    HttpTransport(const HttpTransport&) = delete;
    HttpTransport& operator=(const HttpTransport&) = delete;

    int fd() const { return fd_; }
    Result read(std::string& into);         // appends what came, at most 64 KB
    Result write(std::string_view& bytes);  // takes off the front what was taken
    void end_writing();                     // the peer sees the end; what it still sends can be read

private:
    int fd_;
};

}  // namespace clrbus
