// Notices as JSON: a POST to a URL, or the standard input of a program.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alerts/channel.hpp"

namespace clrbus {
class HttpClient;
}

namespace clrbus::alerts {

// POST of notice_json. Any 2xx is "it has it". Idempotency-Key is the notice's id. With a key, Clrbus-Signature is
// "t=SECONDS,v1=HEX": HMAC-SHA-256 over SECONDS + "." + body. ALERT-020: no 2xx, with the status; -021: no answer.
struct WebhookOptions {
    std::string name;
    std::vector<std::string> kinds;
    std::string url;
    std::filesystem::path ca_file;
    std::function<std::string()> key;    // of the signature; null: none
    std::function<std::string()> token;  // Authorization: Bearer; null: none
    std::chrono::milliseconds timeout{30'000};
};
// client outlives the channel.
std::unique_ptr<Channel> make_webhook_channel(WebhookOptions options, HttpClient& client, const Clock& clock);

// The program gets notice_json on standard input and no environment but PATH and CLRBUS_SUBJECT; status 0 is "it has it".
// Anything else: ALERT-030. Killed after the time-out.
struct CommandOptions {
    std::string name;
    std::vector<std::string> kinds;
    std::filesystem::path program;
    std::chrono::milliseconds timeout{30'000};
};
// Throws Error(kConfig, "ALERT-002") for a program that is not there, cannot be run, or that others than root and the user of
// the bus may write.
std::unique_ptr<Channel> make_command_channel(CommandOptions options);

}  // namespace clrbus::alerts
