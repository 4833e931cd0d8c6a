// What an HTTP handler gets and gives: values without a socket or a library behind them. Any thread, one at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace clrbus {

// Header fields in the order in which they came. Names compare without case.
class HttpFields {
public:
    using Entry = std::pair<std::string, std::string>;

    void add(std::string_view name, std::string_view value);
    void set(std::string_view name, std::string_view value);  // replaces all of that name
    std::string_view get(std::string_view name) const;        // the first one; "" when absent
    bool has(std::string_view name) const;
    std::size_t count(std::string_view name) const;
    const std::vector<Entry>& entries() const { return entries_; }

private:
    std::vector<Entry> entries_;
};

struct HttpRequest {
    std::string method;  // GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS
    std::string path;    // decoded and checked: begins with '/', UTF-8, no control character, no empty, '.' or '..' segment
    std::string rest;    // path below the mount's prefix, without '/' in front
    std::string query;   // as sent, without '?'
    HttpFields fields;
    std::string body;               // empty when spooled is set
    std::filesystem::path spooled;  // the body as a complete, synced file: whoever wants to keep it takes it (take_spooled)
    std::uint64_t body_size = 0;
    std::string peer;  // address without port
    bool tls = false;
    std::string tls_subject;  // of the client certificate that was verified; "" = none

    // The file now belongs to the caller; one that nobody takes is removed after the answer.
    std::filesystem::path take_spooled() { return std::exchange(spooled, {}); }
    // Decoded value of the first query parameter of that name; nothing when absent or not decodable.
    std::optional<std::string> query_value(std::string_view name) const;
};

struct HttpResponse {
    int status = 200;
    HttpFields fields;  // Content-Length, Date and Connection are written by the server
    std::string body;
};

HttpResponse http_text(int status, std::string_view content_type, std::string body);
HttpResponse http_json(int status, std::string json);
// A page: with a content security policy that allows no script and nothing from elsewhere.
HttpResponse http_html(int status, std::string html);
// RFC 9457 problem details: {"status", "code", "what", "expected"}. No value of the request goes into it.
HttpResponse http_problem(int status, std::string_view code, std::string_view what, std::string_view expected = {});
HttpResponse http_unavailable(std::string_view code, std::string_view what, int retry_after_seconds);  // 503
HttpResponse http_not_allowed(const std::vector<std::string>& methods);                                // 405 with Allow
// An Error that a handler let go: poison is 400, far side away 503, anything else 500 without its text.
HttpResponse http_problem(const Error& error);

std::string_view http_reason(int status);        // "Not Found"
std::string json_quoted(std::string_view utf8);  // with quotes; what is not UTF-8 becomes U+FFFD
bool same_field_name(std::string_view a, std::string_view b);

}  // namespace clrbus
