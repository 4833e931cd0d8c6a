#include "http/mounts.hpp"

#include <algorithm>

namespace clrbus {

MountedHandler::Leave::~Leave() {
    const std::lock_guard lock(mounted->mutex_);
    --mounted->running_;
    mounted->left_.notify_all();
}

void MountedHandler::close_and_wait() {
    std::unique_lock lock(mutex_);
    gone_ = true;
    left_.wait(lock, [this] { return running_ == 0; });
}

void Mounts::add(HttpMount mount) {
    if (mount.prefix.empty() || mount.prefix.front() != '/' || (mount.prefix.size() > 1 && mount.prefix.back() == '/'))
        throw Error(Fault::kConfig, "HTTP-053", "mounting '" + mount.prefix + "'",
                    "a prefix begins with '/' and does not end with it");
    const std::lock_guard lock(mutex_);
    for (const auto& other : mounts_)
        if (other->mount().prefix == mount.prefix)
            throw Error(Fault::kConfig, "HTTP-053", "mounting '" + mount.prefix + "'", "the prefix is in use");
    mounts_.push_back(std::make_shared<MountedHandler>(std::move(mount)));
}

void Mounts::remove(std::string_view prefix) {
    std::shared_ptr<MountedHandler> removed;
    {
        const std::lock_guard lock(mutex_);
        const auto found = std::find_if(mounts_.begin(), mounts_.end(),
                                        [&](const auto& mounted) { return mounted->mount().prefix == prefix; });
        if (found == mounts_.end()) return;
        removed = *found;
        mounts_.erase(found);
    }
    removed->close_and_wait();
}

std::shared_ptr<MountedHandler> Mounts::find(std::string_view path, std::string& rest) const {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<MountedHandler> best;
    for (const auto& mounted : mounts_) {
        const std::string& prefix = mounted->mount().prefix;
        const bool below = prefix == "/" || path == prefix || (path.starts_with(prefix) && path[prefix.size()] == '/');
        if (below && (!best || prefix.size() > best->mount().prefix.size())) best = mounted;
    }
    if (best) {
        const std::string& prefix = best->mount().prefix;
        std::string_view tail = path.substr(std::min(path.size(), prefix.size()));
        if (tail.starts_with('/')) tail.remove_prefix(1);
        rest = tail;
    }
    return best;
}

}  // namespace clrbus
