#include "http/client_url.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "core/error.hpp"
#include "http/client.hpp"

namespace clrbus {
namespace {

struct CurlUrlFree {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using CurlUrl = std::unique_ptr<CURLU, CurlUrlFree>;

constexpr std::size_t kUrlMost = 8 << 10;

std::string url_part(CURLU* url, CURLUPart part, unsigned flags) {
    char* text = nullptr;
    if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
    std::string out(text);
    curl_free(text);
    return out;
}

CurlUrl url_read(std::string_view text) {
    CurlUrl url(curl_url());
    const bool odd =
        text.size() > kUrlMost || std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c >= 0x7f; });
    if (!url || odd) return nullptr;
    if (curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), CURLU_DISALLOW_USER) != CURLUE_OK) return nullptr;
    return url;
}

// "" when it is none of ours.
std::string url_origin(CURLU* url) {
    std::string scheme = url_part(url, CURLUPART_SCHEME, 0);
    std::string host = url_part(url, CURLUPART_HOST, 0);
    const auto lower = [](std::string& text) {
        std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    };
    lower(scheme);
    lower(host);
    if ((scheme != "http" && scheme != "https") || host.empty()) return {};
    return scheme + "://" + host + ':' + url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

}  // namespace

std::string http_origin(std::string_view text) {
    const CurlUrl url = url_read(text);
    std::string origin = url ? url_origin(url.get()) : std::string();
    if (origin.empty())
        throw Error(Fault::kConfig, "HTTP-070", "reading a URL", "it is none that can be called")
            .expected("http:// or https:// with a host, without user and password, percent-encoded");
    return origin;
}

std::string http_redirect(std::string_view text, std::string_view location, const std::vector<std::string>& allowed) {
    const CurlUrl url = url_read(text);
    if (!url || location.empty() || location.size() > kUrlMost) return {};
    const std::string from = url_origin(url.get());
    if (curl_url_set(url.get(), CURLUPART_URL, std::string(location).c_str(), CURLU_DISALLOW_USER) != CURLUE_OK) return {};
    const std::string to = url_origin(url.get());
    if (to.empty() || (from.rfind("https:", 0) == 0 && to.rfind("https:", 0) != 0)) return {};
    if (to != from && std::find(allowed.begin(), allowed.end(), to) == allowed.end()) return {};
    std::string out = url_part(url.get(), CURLUPART_URL, 0);
    return url_read(out) ? out : std::string();
}

std::string http_with_query(std::string_view url, std::string_view query) {
    const std::size_t end = std::min(url.find('#'), url.size());
    std::string out(url.substr(0, end));
    if (!query.empty()) {
        const std::size_t mark = out.find('?');
        if (mark == std::string::npos) {
            out += '?';
        } else if (mark + 1 != out.size() && out.back() != '&') {
            out += '&';
        }
        out += query;
    }
    out += url.substr(end);
    return out;
}

bool is_http_token(std::string_view text) {
    return !text.empty() && text.size() <= 256 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
    });
}

bool is_http_field_value(std::string_view text) {
    return text.size() <= 16 << 10 &&
           std::none_of(text.begin(), text.end(), [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

std::string percent_encoded(std::string_view text) {
    constexpr char kHex[] = "0123456789ABCDEF";
    std::string out;
    for (const unsigned char c : text) {
        if (std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
            out += static_cast<char>(c);
        } else {
            out += '%';
            out += kHex[c >> 4];
            out += kHex[c & 15];
        }
    }
    return out;
}

}  // namespace clrbus
