#include "core/log.hpp"

#include <log4cplus/appender.h>
#include <log4cplus/consoleappender.h>
#include <log4cplus/fileappender.h>
#include <log4cplus/initializer.h>
#include <log4cplus/layout.h>
#include <log4cplus/logger.h>
#include <log4cplus/spi/loggingevent.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>

#include "core/clock.hpp"
#include "core/counters.hpp"

namespace clrbus::log {
namespace {

thread_local std::string current_route, current_message;  // NOLINT(readability-identifier-naming): plain thread state
std::atomic<bool> session_open{false};
std::atomic<int> log_level{static_cast<int>(Level::kInfo)};

log4cplus::LogLevel to_log4cplus(Level level) {
    switch (level) {
        case Level::kDebug:
            return log4cplus::DEBUG_LOG_LEVEL;
        case Level::kInfo:
            return log4cplus::INFO_LOG_LEVEL;
        case Level::kWarn:
            return log4cplus::WARN_LOG_LEVEL;
        case Level::kError:
            return log4cplus::ERROR_LOG_LEVEL;
    }
    return log4cplus::INFO_LOG_LEVEL;
}

const char* level_name(log4cplus::LogLevel level) {
    if (level >= log4cplus::ERROR_LOG_LEVEL) return "error";
    if (level >= log4cplus::WARN_LOG_LEVEL) return "warn";
    if (level >= log4cplus::INFO_LOG_LEVEL) return "info";
    return "debug";
}

// Control characters and quotes escaped: a text with a newline in it must not forge a line.
void append_escaped(std::string& out, std::string_view text, bool json) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, json ? "\\u%04x" : "\\x%02x", byte);
            out += escaped;
        } else if (json && (c == '"' || c == '\\')) {
            out += '\\';
            out += c;
        } else {
            out += c;
        }
    }
}

std::string event_time(const log4cplus::spi::InternalLoggingEvent& event) {
    return to_rfc3339(std::chrono::time_point_cast<std::chrono::milliseconds>(event.getTimestamp()));
}

class JsonLayout : public log4cplus::Layout {
public:
    void formatAndAppend(log4cplus::tostream& output, const log4cplus::spi::InternalLoggingEvent& event) override {
        std::string line =
            "{\"time\":\"" + event_time(event) + "\",\"level\":\"" + level_name(event.getLogLevel()) + "\",\"area\":\"";
        append_escaped(line, event.getLoggerName(), true);
        if (!current_route.empty()) {
            line += "\",\"route\":\"";
            append_escaped(line, current_route, true);
        }
        if (!current_message.empty()) {
            line += "\",\"message\":\"";
            append_escaped(line, current_message, true);
        }
        line += "\",\"text\":\"";
        append_escaped(line, event.getMessage(), true);
        output << line << "\"}\n";
    }
};

class TextLayout : public log4cplus::Layout {
public:
    void formatAndAppend(log4cplus::tostream& output, const log4cplus::spi::InternalLoggingEvent& event) override {
        std::string line = event_time(event) + " " + level_name(event.getLogLevel()) + " [" + event.getLoggerName() + "]";
        if (!current_route.empty()) line += " route=" + current_route;
        if (!current_message.empty()) {
            line += " message=";
            append_escaped(line, current_message, false);
        }
        line += ' ';
        append_escaped(line, event.getMessage(), false);
        output << line << '\n';
    }
};

// One per process: log4cplus's own state must be made before the first thread and go after the last.
std::unique_ptr<log4cplus::Initializer> initializer;

}  // namespace

Session::Session(const Options& options) {
    if (!initializer) initializer = std::make_unique<log4cplus::Initializer>();
    auto root = log4cplus::Logger::getRoot();
    root.removeAllAppenders();
    root.setLogLevel(to_log4cplus(options.level));
    log_level = static_cast<int>(options.level);
    if (options.terminal) {
        log4cplus::SharedAppenderPtr terminal(new log4cplus::ConsoleAppender(true, true));
        terminal->setLayout(std::make_unique<TextLayout>());
        root.addAppender(terminal);
    }
    if (!options.file.empty()) {
        log4cplus::SharedAppenderPtr file(new log4cplus::FileAppender(options.file, std::ios_base::app, true));
        file->setLayout(std::make_unique<JsonLayout>());
        root.addAppender(file);
    }
    session_open = true;
}

Session::~Session() {
    session_open = false;
    log4cplus::Logger::shutdown();
}

bool enabled(Level level) {
    return session_open.load(std::memory_order_relaxed) && static_cast<int>(level) >= log_level.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view area, std::string_view text) {
    if (level == Level::kError) counter("clrbus_log_errors_total").add();
    if (!enabled(level)) return;
    const auto logger = log4cplus::Logger::getInstance(std::string(area));
    logger.forcedLog(to_log4cplus(level), std::string(text));
}

Scope::Scope(std::string_view route, std::string_view message_id)
    : route_(std::move(current_route)), message_(std::move(current_message)) {
    current_route = route;
    current_message = message_id;
}

Scope::~Scope() {
    current_route = std::move(route_);
    current_message = std::move(message_);
}

}  // namespace clrbus::log
