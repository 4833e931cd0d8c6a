// A door's own thread: runs a job at once, then after each interval and whenever it is nudged; never two at a time. The job may
// block. Any thread may nudge.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>

#include "config/config.hpp"

namespace clrbus {

class Repeater {
public:
    // job returns after how long it wants to run again, whatever happens.
    explicit Repeater(std::function<std::chrono::milliseconds()> job);
    ~Repeater();  // stop()

    void nudge();
    void stop();  // waits for a job that runs

private:
    void run();

    std::function<std::chrono::milliseconds()> job_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool nudged_ = false;
    bool stopping_ = false;
    std::thread thread_;  // last: runs on all of the above
};

// The interval of an option such as schedule="PT5S". Throws Error(kConfig, "ADAPT-001") below least.
std::chrono::milliseconds read_schedule(const Config& config, std::string_view option, std::chrono::milliseconds fallback,
                                        std::chrono::milliseconds least);

}  // namespace clrbus
