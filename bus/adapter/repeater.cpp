#include "adapter/repeater.hpp"

#include <utility>

#include "core/log.hpp"

namespace clrbus {

Repeater::Repeater(std::function<std::chrono::milliseconds()> job) : job_(std::move(job)), thread_([this] { run(); }) {}

Repeater::~Repeater() {
    stop();
}

void Repeater::nudge() {
    {
        const std::lock_guard lock(mutex_);
        nudged_ = true;
    }
    wake_.notify_all();
}

void Repeater::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Repeater::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        nudged_ = false;
        lock.unlock();
        std::chrono::milliseconds again = std::chrono::seconds(1);
        try {
            again = job_();
        } catch (const std::exception& error) {  // the door tries again; its health says what stands still
            log::error("adapter", error.what());
        }
        lock.lock();
        wake_.wait_for(lock, again, [this] { return stopping_ || nudged_; });
    }
}

std::chrono::milliseconds read_schedule(const Config& config, std::string_view option, std::chrono::milliseconds fallback,
                                        std::chrono::milliseconds least) {
    const std::chrono::milliseconds interval = config.get_duration(option, fallback);
    if (interval < least) config.fail("ADAPT-001", option, "shorter than PT" + std::to_string(least.count() / 1000) + "S");
    return interval;
}

}  // namespace clrbus
