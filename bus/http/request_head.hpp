// The strict reading of a request's head: pure, no I/O. What two programs could understand differently (two lengths, bare LF,
// space before the colon, …) is refused before any handler runs. RFC 9110, RFC 9112.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace clrbus {

struct HttpHeadLimits {
    std::size_t head = 32 << 10;   // bytes of request line and fields together
    std::size_t target = 8 << 10;  // bytes of the request target
    std::size_t fields = 100;
    std::size_t name = 256;
    std::size_t value = 8 << 10;
};

// Why a request is refused before a handler sees it.
struct HttpRefusal {
    int status = 400;
    std::string_view reason;  // of clrbus_http_refused_total: a fixed word
    std::string_view code;
    std::string_view what;
    std::string_view expected;
};

// Looks for the end of the head as bytes arrive, each byte once, and stops at the first one that no head may hold (control
// characters, CR without LF, LF without CR), so that a wrong line ending is answered at once and not by a time-out.
class HttpHeadScanner {
public:
    // buffer: all bytes since the head began. Returns its size once it is complete (blank line included), 0 while it is not.
    // Throws HttpRefusal.
    std::size_t scan(std::string_view buffer, const HttpHeadLimits& limits);
    void reset();

private:
    std::size_t seen_ = 0;
    std::size_t line_ = 0;  // start of the line that is being read
};

struct HttpHead {
    HttpRequest request;
    std::uint64_t length = 0;  // Content-Length, 0 when there is none
    bool keep_alive = true;
    bool expects_continue = false;
};

// head: complete, as the scanner measured it. Throws HttpRefusal.
HttpHead read_http_head(std::string_view head, const HttpHeadLimits& limits);

// Percent-decodes and checks a path. Throws HttpRefusal.
std::string read_http_path(std::string_view encoded);
// Percent-decoding; plus: '+' is a space, as in forms. Nothing for invalid percent or what is not UTF-8.
std::optional<std::string> percent_decoded(std::string_view text, bool plus);

}  // namespace clrbus
