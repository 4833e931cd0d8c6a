// The control socket DIR/control.sock: commands of the same user reach the running bus through it. One request, one answer a
// connection, each a line of JSON.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace clrbus {

class ControlServer {
public:
    // answer runs on the server's thread, one at a time; who: the local user at the other end. Throws Error(kConfig,
    // "CTRL-002").
    using Answer = std::function<std::string(std::string_view request, const std::string& who)>;
    ControlServer(const std::filesystem::path& socket, Answer answer);
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Throws Error(kAway, "CTRL-001") when no bus answers there.
std::string call_control(const std::filesystem::path& socket, std::string_view request);

}  // namespace clrbus
