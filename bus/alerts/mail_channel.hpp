// Notices by mail, over SMTP (RFC 5321) with STARTTLS (RFC 3207), TLS from the first byte, or neither on this machine.
// A password goes over TLS alone, but on loopback. One try takes at most `timeout`, whatever the server does, and reads at most
// 256 KB from it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alerts/channel.hpp"

namespace clrbus::alerts {

struct MailOptions {
    std::string name;  // of the channel
    std::vector<std::string> kinds;
    std::string host;
    std::uint16_t port = 0;  // 0: 587, or 465 for kTls
    enum class Tls : std::uint8_t { kStartTls, kTls, kNone } tls = Tls::kStartTls;
    std::filesystem::path ca_file;  // PEM; the system's authorities without it
    std::string user;               // "": no authentication
    std::function<std::string()> password;
    std::string from;
    std::vector<std::string> to;
    std::chrono::milliseconds timeout{30'000};
};

// ALERT-010 no answer, or not in time; -011 refused (the server's reply code is in the text, not its words); -012 what it said
// is no SMTP, or too much; -013 TLS; -014 it does not offer STARTTLS; -015 the log-in was refused.
std::unique_ptr<Channel> make_mail_channel(MailOptions options);

}  // namespace clrbus::alerts
