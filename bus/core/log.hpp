// The log façade: text on a terminal, JSON lines in a file, message id and route in every line. log4cplus stands behind it in
// log.cpp. Any thread. Never log payloads, secrets or a person's identifiers: our own names and ids only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace clrbus::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError };

struct Options {
    std::string file;      // JSON lines; "" = none
    bool terminal = true;  // text on standard error
    Level level = Level::kInfo;
};
// Once in main, before the first thread; the returned guard flushes and closes at the end of main.
class Session {
public:
    explicit Session(const Options& options);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
};

bool enabled(Level level);
void write(Level level, std::string_view area, std::string_view text);
inline void debug(std::string_view area, std::string_view text) {
    if (enabled(Level::kDebug)) write(Level::kDebug, area, text);
}
inline void info(std::string_view area, std::string_view text) {
    write(Level::kInfo, area, text);
}
inline void warn(std::string_view area, std::string_view text) {
    write(Level::kWarn, area, text);
}
inline void error(std::string_view area, std::string_view text) {
    write(Level::kError, area, text);
}

// Route and message id of what this thread works on, written into each of its lines while it lives.
class Scope {
public:
    Scope(std::string_view route, std::string_view message_id);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

private:
    std::string route_, message_;  // what was there before
};

}  // namespace clrbus::log
