// An answer as bytes. Pure.
#pragma once

#include <chrono>
#include <string>

#include "http/message.hpp"

namespace clrbus {

struct HttpWireOptions {
    bool keep_alive = true;
    bool without_body = false;  // the answer to HEAD: the fields of GET, no body
    std::chrono::sys_seconds date{};
};

// Adds Date, Content-Length, Connection, nosniff and, where nothing else is said, Cache-Control: no-store. Throws
// Error(kConfig, "HTTP-060") for a field that would break the head (CR, LF, NUL): a handler's bug that becomes a 500.
std::string http_wire(HttpResponse response, const HttpWireOptions& options);

}  // namespace clrbus
