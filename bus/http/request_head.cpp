#include "http/request_head.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "crypto/flat_json.hpp"

namespace clrbus {

namespace {

[[noreturn]] void refuse_head(int status, std::string_view reason, std::string_view code, std::string_view what,
                              std::string_view expected = {}) {
    throw HttpRefusal{status, reason, code, what, expected};
}

bool is_token_character(char c) {
    constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string_view trimmed_field(std::string_view value) {
    const std::size_t first = value.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return value.substr(first, value.find_last_not_of(" \t") - first + 1);
}

// Of these a request has one at most: with two, the next program could believe the other one.
constexpr std::array<std::string_view, 9> kSingleFields{
    "Host",   "Content-Length",  "Transfer-Encoding", "Content-Type", "Authorization",
    "Expect", "Idempotency-Key", "Content-Encoding",  "Range"};
constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

// Takes the line in front of CR LF off the text. The scanner has seen that every line ends so.
std::string_view next_head_line(std::string_view& text) {
    const std::size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    return line;
}

void read_request_line(std::string_view line, const HttpHeadLimits& limits, HttpHead& head) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
        refuse_head(400, "request-line", "HTTP-001", "the request line is not METHOD TARGET VERSION", "GET /path HTTP/1.1");
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);

    if (version != "HTTP/1.1" && version != "HTTP/1.0")
        refuse_head(505, "version", "HTTP-002", "the HTTP version is not supported", "HTTP/1.1");
    head.keep_alive = version == "HTTP/1.1";
    if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end())
        refuse_head(501, "method", "HTTP-003", "the method is not known here",
                    "GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS");
    if (target.size() > limits.target) refuse_head(414, "target-size", "HTTP-004", "the address is too long", "at most 8 KB");

    head.request.method = method;
    const std::size_t question = target.find('?');
    head.request.path = read_http_path(target.substr(0, question));
    if (question != std::string_view::npos) head.request.query = target.substr(question + 1);
    for (const char c : head.request.query)
        if (c <= ' ' || c == '#' || c == '\x7f')  // also everything that is not ASCII: char is signed here
            refuse_head(400, "target", "HTTP-005", "the query holds a character that an address cannot have",
                        "percent-encoding");
}

void read_field(std::string_view line, const HttpHeadLimits& limits, HttpFields& fields) {
    if (line.front() == ' ' || line.front() == '\t')
        refuse_head(400, "field", "HTTP-006", "a header field goes on in the next line", "each field on one line");
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0)
        refuse_head(400, "field", "HTTP-007", "a header line is not NAME: VALUE", "a name, then a colon");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed_field(line.substr(colon + 1));
    if (!std::all_of(name.begin(), name.end(), is_token_character))
        refuse_head(400, "field", "HTTP-008", "a header field's name holds a character that it cannot have",
                    "no space before the colon");
    if (name.size() > limits.name) refuse_head(431, "field-size", "HTTP-009", "a header field's name is too long", "256 bytes");
    if (value.size() > limits.value) refuse_head(431, "field-size", "HTTP-009", "a header field is too long", "at most 8 KB");
    if (!crypto::is_utf8(value)) refuse_head(400, "field", "HTTP-010", "a header field is not UTF-8", "UTF-8");
    if (fields.entries().size() >= limits.fields)
        refuse_head(431, "field-count", "HTTP-011", "too many header fields", "at most 100");
    if (fields.has(name) && std::any_of(kSingleFields.begin(), kSingleFields.end(),
                                        [&](std::string_view single) { return same_field_name(single, name); }))
        refuse_head(400, "field-twice", "HTTP-012", "a header field that may be there once is there twice", "one");
    fields.add(name, value);
}

bool is_host(std::string_view host) {
    return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
               c == ':' || c == '[' || c == ']';
    });
}

std::uint64_t read_length(std::string_view text) {
    std::uint64_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    // from_chars takes no sign for unsigned numbers and says when it does not fit.
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        refuse_head(400, "length", "HTTP-013", "Content-Length is not a number of bytes", "decimal digits only");
    return length;
}

void read_framing(HttpHead& head) {
    const HttpFields& fields = head.request.fields;
    if (head.keep_alive || fields.has("Host")) {  // HTTP/1.0 may come without
        if (!fields.has("Host")) refuse_head(400, "host", "HTTP-014", "the Host field is missing", "Host: NAME");
        if (!is_host(fields.get("Host")))
            refuse_head(400, "host", "HTTP-014", "the Host field is not a host name", "Host: NAME");
    }
    const bool has_length = fields.has("Content-Length");
    if (fields.has("Transfer-Encoding")) {
        if (has_length)
            refuse_head(400, "length", "HTTP-015", "Content-Length and Transfer-Encoding are both there",
                        "Content-Length alone");
        refuse_head(411, "chunked", "HTTP-016", "a chunked body is not taken", "a body with Content-Length");
    }
    if (has_length) head.length = read_length(fields.get("Content-Length"));
    const std::string& method = head.request.method;
    const bool carries_body = method == "POST" || method == "PUT" || method == "PATCH";
    if (carries_body && !has_length)
        refuse_head(411, "length", "HTTP-017", "Content-Length is missing", "the body's size in bytes");
    if (!carries_body && method != "DELETE" && head.length != 0)
        refuse_head(400, "length", "HTTP-018", "this method has no body", "no Content-Length");

    const std::string_view connection = fields.get("Connection");
    if (same_field_name(connection, "close")) head.keep_alive = false;
    if (fields.has("Expect")) {
        if (!same_field_name(fields.get("Expect"), "100-continue"))
            refuse_head(417, "expect", "HTTP-019", "an expectation that is not known", "100-continue");
        head.expects_continue = head.length != 0;
    }
}

}  // namespace

void HttpHeadScanner::reset() {
    *this = HttpHeadScanner{};
}

std::size_t HttpHeadScanner::scan(std::string_view buffer, const HttpHeadLimits& limits) {
    for (; seen_ < buffer.size(); ++seen_) {
        const auto c = static_cast<unsigned char>(buffer[seen_]);
        if (c == '\n') {
            if (seen_ == 0 || buffer[seen_ - 1] != '\r')
                refuse_head(400, "line-end", "HTTP-020", "a line ends with LF alone", "CR LF");
            if (seen_ - 1 == line_) {
                if (line_ == 0) refuse_head(400, "request-line", "HTTP-001", "the request line is empty", "GET /path HTTP/1.1");
                return seen_ + 1;
            }
            line_ = seen_ + 1;
        } else if (seen_ != 0 && buffer[seen_ - 1] == '\r') {
            refuse_head(400, "line-end", "HTTP-020", "CR without LF", "CR LF");
        } else if ((c < 0x20 && c != '\r' && c != '\t') || c == 0x7f) {
            refuse_head(400, "control", "HTTP-021", "a control character in the head", "text");
        }
        if (line_ == 0 && seen_ > limits.target + 64)
            refuse_head(414, "target-size", "HTTP-004", "the address is too long", "at most 8 KB");
        if (seen_ >= limits.head) refuse_head(431, "head-size", "HTTP-022", "the head is too large", "at most 32 KB");
    }
    return 0;
}

HttpHead read_http_head(std::string_view text, const HttpHeadLimits& limits) {
    HttpHead head;
    read_request_line(next_head_line(text), limits, head);
    for (std::string_view line = next_head_line(text); !line.empty(); line = next_head_line(text))
        read_field(line, limits, head.request.fields);
    read_framing(head);
    return head;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (text.size() - i < 3) return std::nullopt;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            out += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            out += plus && text[i] == '+' ? ' ' : text[i];
        }
    }
    if (!crypto::is_utf8(out)) return std::nullopt;
    return out;
}

std::string read_http_path(std::string_view encoded) {
    const auto refuse = [](std::string_view what, std::string_view expected) {
        refuse_head(400, "path", "HTTP-023", what, expected);
    };
    if (encoded.empty() || encoded.front() != '/') refuse("the address is not a path", "a path that begins with '/'");
    for (const char c : encoded)
        if (c <= ' ' || c == '#' || c == '\\' || c == '\x7f')  // also everything that is not ASCII
            refuse("the path holds a character that an address cannot have", "percent-encoding");
    std::string path;
    // Segment by segment, so that an encoded slash cannot make a new one.
    for (std::string_view left = encoded; !left.empty();) {
        left.remove_prefix(1);
        const std::size_t end = left.find('/');
        const std::string_view raw = left.substr(0, end);
        left = end == std::string_view::npos ? std::string_view{} : left.substr(end);
        const std::optional<std::string> segment = percent_decoded(raw, false);
        if (!segment) refuse("the path has an invalid percent sequence or is not UTF-8", "%HH of UTF-8");
        if (*segment == "." || *segment == "..") refuse("the path holds '.' or '..'", "the path itself");
        if (segment->empty() && !left.empty()) refuse("the path holds '//'", "no empty segment");
        for (const char c : *segment)
            if (static_cast<unsigned char>(c) < 0x20 || c == '/' || c == '\\' || c == '\x7f')
                refuse("the path holds an encoded control character, slash or backslash", "names without them");
        path += '/';
        path += *segment;
    }
    return path;
}

}  // namespace clrbus
