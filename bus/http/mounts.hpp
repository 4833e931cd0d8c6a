// Which handler a path belongs to. Any thread.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "http/server.hpp"

namespace clrbus {

// A mount in use: unmount waits until nobody is inside.
class MountedHandler {
public:
    explicit MountedHandler(HttpMount mount) : mount_(std::move(mount)) {}
    const HttpMount& mount() const { return mount_; }

    // Runs the job unless the mount is gone; false then.
    template <typename Function>
    bool inside(Function&& job) {
        {
            const std::lock_guard lock(mutex_);
            if (gone_) return false;
            ++running_;
        }
        const Leave leave{this};
        job(mount_);
        return true;
    }
    void close_and_wait();

private:
    struct Leave {
        MountedHandler* mounted;
        ~Leave();
    };
    HttpMount mount_;
    std::mutex mutex_;
    std::condition_variable left_;
    std::size_t running_ = 0;
    bool gone_ = false;
};

class Mounts {
public:
    void add(HttpMount mount);  // Error(kConfig, "HTTP-053") when the prefix is taken or is not a path
    void remove(std::string_view prefix);
    // The longest prefix that the path is or lies below; fills rest. Null: none.
    std::shared_ptr<MountedHandler> find(std::string_view path, std::string& rest) const;

private:
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<MountedHandler>> mounts_;  // shared with the requests that are being answered
};

}  // namespace clrbus
