// The HTTP server of the process: one I/O thread that reads, checks and writes, and a pool on which handlers run. A slow or
// hostile client holds a connection, never a thread. Every function may be called from any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"
#include "http/request_head.hpp"

namespace clrbus {

// One request and the way to answer it: now, or later from any thread (after a durable put). Dropping the last reference
// without an answer answers 500.
class HttpExchange {
public:
    virtual ~HttpExchange() = default;
    virtual HttpRequest& request() = 0;               // of whoever holds the exchange; not after respond()
    virtual void respond(HttpResponse response) = 0;  // the first one counts
};
using HttpHandler = std::function<void(std::shared_ptr<HttpExchange>)>;

// How the body of a request is to be taken, decided when its head is known.
struct HttpAdmission {
    std::optional<HttpResponse> refuse{};  // answered before a byte of the body (and before 100 Continue)
    std::uint64_t most = 1 << 20;          // larger: 413
    std::uint64_t spool_above = std::numeric_limits<std::uint64_t>::max();  // larger: into a file, synced
    std::filesystem::path spool_folder{};
    bool known = false;  // the sender has shown who it is: its body comes from a memory that strangers cannot fill
};
// Sees a request without its body, on the I/O thread: it must not block and must not throw.
using HttpAdmit = std::function<HttpAdmission(const HttpRequest&)>;

struct HttpMount {
    std::string prefix;                  // "/", "/health", "/in/people": the path itself and everything below it
    std::vector<std::string> methods{};  // HEAD comes with GET; others get 405
    HttpHandler handle{};                // on the pool; what it throws is answered with http_problem
    HttpAdmit admit{};                   // null: bodies up to 1 MB, in memory
};

struct HttpServerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;             // 0: any free one
    std::filesystem::path certificate;  // PEM chain; with key: TLS 1.2 and above, nothing else on this port
    std::filesystem::path key;
    std::filesystem::path client_ca;     // who may sign client certificates; "" = none are asked for
    std::size_t threads = 8;             // of the handlers' pool
    std::size_t max_connections = 2048;  // when full, the one that idles longest makes room, then the slowest head
    std::size_t max_connections_of_a_peer = 1024;
    std::uint64_t body_memory =
        64 << 20;  // of all bodies of known senders; a quarter of it again for the others; beyond it 503
    HttpHeadLimits head;
    std::chrono::milliseconds head_deadline{10'000};  // whole head, TLS handshake included
    std::chrono::milliseconds stall{10'000};          // a body or an answer may be this far behind min_rate
    std::uint64_t min_rate = 16 << 10;                // bytes a second
    std::chrono::milliseconds keep_alive{15'000};
    std::chrono::milliseconds answer_deadline{30'000};  // for the handler; then 503
};

class HttpServer {
public:
    // Opens the port; serves from start() on. Throws Error(kConfig, "HTTP-05x") when the address, port or certificate cannot be
    // used.
    explicit HttpServer(const HttpServerOptions& options);
    ~HttpServer();  // stop(0)

    void mount(HttpMount mount);
    void mount(std::string prefix, HttpHandler handle);
    // No handler of this prefix is called after it returned, and none is running. Not from a handler of it.
    void unmount(std::string_view prefix);

    void start();
    std::uint16_t port() const;
    bool tls() const;
    // Reads the certificate files again, for the connections that follow. Throws as the constructor; the old one stays then.
    void reload_certificate();
    // Takes no new connection, answers what is in hand with Connection: close, and cuts what is left after grace.
    void stop(std::chrono::milliseconds grace);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus
