// Watches the folders that routes are made of and says when they changed and are quiet again: no file open for writing that was
// written to, no git at work, and nothing new for a while. Where the system reports nothing (network folders) it says so at an
// interval, too. Owns one thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace clrbus {

class RouteWatch {
public:
    struct Options {
        std::chrono::milliseconds settle{500};      // nothing happened for so long
        std::chrono::milliseconds longest{30'000};  // a file that stays open this long is no reason to wait any more
        std::chrono::milliseconds interval{30'000};
    };
    // changed runs on the watch's thread. It may block.
    RouteWatch(const std::vector<std::filesystem::path>& folders, std::function<void()> changed, Options options);
    ~RouteWatch();  // waits for a callback that runs
    RouteWatch(const RouteWatch&) = delete;
    RouteWatch& operator=(const RouteWatch&) = delete;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus
