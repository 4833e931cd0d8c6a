// The HTTP client of the process: asks far sides over HTTP/1.1, one thread for all calls, nobody waits for a socket. Any
// thread.
//
// TLS 1.2 and above with verification, no proxy of the environment, no cookies, no protocol but http and https, no redirect
// unless asked for. No error text holds a path, a query, a header or a body: a far side is named by scheme, host and port.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/executor.hpp"
#include "http/message.hpp"

namespace clrbus {

class HttpCredential;  // http/client_credentials.hpp

// How a far side is reached. Shared by the calls to it; read-only.
struct HttpFarSide {
    std::filesystem::path ca_file{};            // PEM, instead of the system's authorities
    std::filesystem::path certificate{};        // PEM chain of our own, with key
    std::filesystem::path key{};                // PEM
    std::chrono::milliseconds connect{10'000};  // TCP and TLS
    std::uint64_t low_rate = 16;                // bytes a second: slower than this …
    std::chrono::seconds stall{20};             // … for so long is a time-out
    unsigned redirects = 0;                     // followed at most; GET and HEAD any, others 307 and 308 alone
    std::vector<std::string> redirect_to{};     // origins (https://host:port) besides the far side's own; never https to http
    std::string proxy{};                        // http://host:port; "" = none, whatever the environment says
    std::shared_ptr<HttpCredential> credential{};  // shared by the calls; null = none. Never sent to another origin.
};

struct HttpCall {
    std::string method = "GET";
    std::string url;    // absolute, http or https, without user and password
    HttpFields fields;  // Host and Content-Length are written here
    std::string body;
    std::shared_ptr<const HttpFarSide> far_side;  // null: the defaults
    std::chrono::milliseconds timeout{30'000};    // in total, redirects and a token's renewal apart
    std::uint64_t max_answer = 16 << 20;          // bytes of the answer's body, decompressed
    std::filesystem::path save_in;                // the body goes into a new, synced file of this folder instead of memory
};

// error is set when there is no complete answer; status may be known all the same (cut off, too large).
struct HttpAnswer {
    int status = 0;
    HttpFields fields;
    std::string body;
    std::filesystem::path saved;  // of save_in; the caller's
    std::uint64_t body_size = 0;
    std::optional<std::chrono::seconds> retry_after;
    std::string origin;  // who answered: https://host:port
    std::optional<Error> error;
};
using HttpDone = std::function<void(HttpAnswer)>;

class HttpClient {
public:
    HttpClient();
    ~HttpClient();  // stop()
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // done runs on the executor, once, whatever happens.
    void request(HttpCall call, Executor& executor, HttpDone done);
    // Waits for the answer, at most the call's time-out (and a token's). Not on a thread that others need, nor in done.
    HttpAnswer ask(HttpCall call);
    // What runs ends at once with HTTP-079, later calls too.
    void stop();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // shared with credentials that fetch a token
};

// scheme://host:port of an absolute http or https URL, in lower case. Throws Error(kConfig, "HTTP-070") for anything else, for
// a user or password in it, and for characters that do not belong there; the text does not show it.
std::string http_origin(std::string_view url);

// For a path segment or a query value.
std::string percent_encoded(std::string_view text);

}  // namespace clrbus
