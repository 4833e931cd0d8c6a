#include "http/wire.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace clrbus {

namespace {

// Sun, 06 Nov 1994 08:49:37 GMT, whatever the locale is.
std::string http_date(std::chrono::sys_seconds time) {
    constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto seconds = static_cast<std::time_t>(time.time_since_epoch().count());
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                  kDays.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_mday,
                  kMonths.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                  parts.tm_sec);
    return text.data();
}

bool breaks_head(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

}  // namespace

std::string http_wire(HttpResponse response, const HttpWireOptions& options) {
    HttpFields& fields = response.fields;
    if (!fields.has("X-Content-Type-Options")) fields.add("X-Content-Type-Options", "nosniff");
    if (!fields.has("Cache-Control")) fields.add("Cache-Control", "no-store");
    fields.set("Date", http_date(options.date));
    if (!options.keep_alive) fields.set("Connection", "close");
    const bool has_body = response.status >= 200 && response.status != 204 && response.status != 304;
    if (has_body) fields.set("Content-Length", std::to_string(response.body.size()));

    std::string out = "HTTP/1.1 " + std::to_string(response.status) + ' ' + std::string(http_reason(response.status)) + "\r\n";
    for (const auto& [name, value] : fields.entries()) {
        if (breaks_head(name) || breaks_head(value))
            throw Error(Fault::kConfig, "HTTP-060", "writing an answer", "a header field holds a line end");
        out += name + ": " + value + "\r\n";
    }
    out += "\r\n";
    if (has_body && !options.without_body) out += response.body;
    return out;
}

}  // namespace clrbus
