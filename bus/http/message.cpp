#include "http/message.hpp"

#include <algorithm>
#include <array>

#include "http/request_head.hpp"

namespace clrbus {

namespace {

char http_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

struct HttpReason {
    int status;
    std::string_view text;
};
constexpr std::array kHttpReasons{
    HttpReason{100, "Continue"},
    HttpReason{200, "OK"},
    HttpReason{201, "Created"},
    HttpReason{202, "Accepted"},
    HttpReason{204, "No Content"},
    HttpReason{302, "Found"},
    HttpReason{303, "See Other"},
    HttpReason{304, "Not Modified"},
    HttpReason{400, "Bad Request"},
    HttpReason{401, "Unauthorized"},
    HttpReason{403, "Forbidden"},
    HttpReason{404, "Not Found"},
    HttpReason{405, "Method Not Allowed"},
    HttpReason{406, "Not Acceptable"},
    HttpReason{408, "Request Timeout"},
    HttpReason{409, "Conflict"},
    HttpReason{410, "Gone"},
    HttpReason{411, "Length Required"},
    HttpReason{412, "Precondition Failed"},
    HttpReason{413, "Content Too Large"},
    HttpReason{414, "URI Too Long"},
    HttpReason{415, "Unsupported Media Type"},
    HttpReason{417, "Expectation Failed"},
    HttpReason{422, "Unprocessable Content"},
    HttpReason{429, "Too Many Requests"},
    HttpReason{431, "Request Header Fields Too Large"},
    HttpReason{500, "Internal Server Error"},
    HttpReason{501, "Not Implemented"},
    HttpReason{503, "Service Unavailable"},
    HttpReason{504, "Gateway Timeout"},
    HttpReason{505, "HTTP Version Not Supported"},
    HttpReason{507, "Insufficient Storage"},
};

// Length of the UTF-8 sequence at the front of text, 0 when it is not one (overlong forms and surrogates are not).
std::size_t http_utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto follows = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (!follows(1) || !follows(2)) return 0;
        if (first == 0xE0 && byte(1) < 0xA0) return 0;
        if (first == 0xED && byte(1) >= 0xA0) return 0;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (!follows(1) || !follows(2) || !follows(3)) return 0;
        if (first == 0xF0 && byte(1) < 0x90) return 0;
        if (first == 0xF4 && byte(1) >= 0x90) return 0;
        return 4;
    }
    return 0;
}

}  // namespace

bool same_field_name(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return http_lower(x) == http_lower(y); });
}

void HttpFields::add(std::string_view name, std::string_view value) {
    entries_.emplace_back(name, value);
}

void HttpFields::set(std::string_view name, std::string_view value) {
    std::erase_if(entries_, [&](const Entry& entry) { return same_field_name(entry.first, name); });
    entries_.emplace_back(name, value);
}

std::string_view HttpFields::get(std::string_view name) const {
    for (const Entry& entry : entries_)
        if (same_field_name(entry.first, name)) return entry.second;
    return {};
}

bool HttpFields::has(std::string_view name) const {
    return count(name) != 0;
}

std::size_t HttpFields::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(),
                                                  [&](const Entry& entry) { return same_field_name(entry.first, name); }));
}

std::optional<std::string> HttpRequest::query_value(std::string_view name) const {
    std::string_view left = query;
    while (!left.empty()) {
        const std::size_t end = left.find('&');
        const std::string_view pair = left.substr(0, end);
        left = end == std::string_view::npos ? std::string_view{} : left.substr(end + 1);
        const std::size_t equals = pair.find('=');
        if (percent_decoded(pair.substr(0, equals), true) != name) continue;
        return percent_decoded(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
    }
    return std::nullopt;
}

std::string_view http_reason(int status) {
    for (const HttpReason& reason : kHttpReasons)
        if (reason.status == status) return reason.text;
    return "Status";
}

std::string json_quoted(std::string_view utf8) {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string out = "\"";
    while (!utf8.empty()) {
        const std::size_t n = http_utf8_length(utf8);
        const char c = utf8.front();
        if (n == 0) {
            out += "\xEF\xBF\xBD";
        } else if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += "\\u00";
            out += kHex[static_cast<unsigned char>(c) >> 4U];
            out += kHex[static_cast<unsigned char>(c) & 15U];
        } else {
            out += utf8.substr(0, n);
        }
        utf8.remove_prefix(n == 0 ? 1 : n);
    }
    return out + '"';
}

HttpResponse http_text(int status, std::string_view content_type, std::string body) {
    HttpResponse response{.status = status, .fields = {}, .body = std::move(body)};
    response.fields.add("Content-Type", content_type);
    return response;
}

HttpResponse http_json(int status, std::string json) {
    return http_text(status, "application/json", std::move(json));
}

HttpResponse http_html(int status, std::string html) {
    HttpResponse response = http_text(status, "text/html; charset=utf-8", std::move(html));
    response.fields.add("Content-Security-Policy",
                        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; "
                        "base-uri 'none'; frame-ancestors 'none'");
    response.fields.add("X-Frame-Options", "DENY");
    response.fields.add("Referrer-Policy", "no-referrer");
    return response;
}

HttpResponse http_problem(int status, std::string_view code, std::string_view what, std::string_view expected) {
    std::string body =
        "{\"status\":" + std::to_string(status) + ",\"code\":" + json_quoted(code) + ",\"what\":" + json_quoted(what);
    if (!expected.empty()) body += ",\"expected\":" + json_quoted(expected);
    return http_text(status, "application/problem+json", body + "}\n");
}

HttpResponse http_unavailable(std::string_view code, std::string_view what, int retry_after_seconds) {
    HttpResponse response = http_problem(503, code, what, "the same request again after Retry-After seconds");
    response.fields.add("Retry-After", std::to_string(retry_after_seconds));
    return response;
}

HttpResponse http_not_allowed(const std::vector<std::string>& methods) {
    std::string allow;
    for (const std::string& method : methods) allow += (allow.empty() ? "" : ", ") + method;
    HttpResponse response = http_problem(405, "HTTP-405", "this method is not allowed here", allow);
    response.fields.add("Allow", allow);
    return response;
}

HttpResponse http_problem(const Error& error) {
    switch (error.fault()) {
        case Fault::kPoison:
            return http_problem(400, error.code(), error.why(), error.expected());
        case Fault::kAway:
            return http_unavailable(error.code(), "a system that this answer needs does not answer", 10);
        case Fault::kConfig:
            break;
    }
    return http_problem(500, error.code(), "this request met an error on our side; the log names it");
}

}  // namespace clrbus
