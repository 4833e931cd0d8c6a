#include "routing/route_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "core/log.hpp"

namespace clrbus {
namespace {

using WatchTime = std::chrono::steady_clock::time_point;

constexpr std::uint32_t kWatched =
    IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR;
constexpr std::size_t kWatchesMost = 20'000;

// What editors and uploads leave beside a file, and what no route is made of.
bool is_noise(std::string_view name) {
    const auto ends = [&name](std::string_view with) {
        return name.size() >= with.size() && name.substr(name.size() - with.size()) == with;
    };
    return name.empty() || name.front() == '.' || name.front() == '#' || ends("~") || ends(".swp") || ends(".swx") ||
           ends(".tmp") || ends(".part");
}

// A checkout or merge that runs holds this file in the repository's folder.
bool git_at_work(const std::filesystem::path& folder) {
    std::error_code ignored;
    for (auto at = folder; !at.empty(); at = at.parent_path()) {
        if (std::filesystem::exists(at / ".git", ignored)) return std::filesystem::exists(at / ".git" / "index.lock", ignored);
        if (at == at.parent_path()) break;
    }
    return false;
}

}  // namespace

struct RouteWatch::Impl {
    std::vector<std::filesystem::path> folders;
    std::function<void()> changed;
    Options options;
    int notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    std::map<int, std::filesystem::path> watched;
    std::set<std::string> open;  // written to and not closed yet
    std::jthread thread;         // last: uses what is above

    ~Impl() {
        thread = {};
        if (notify >= 0) close(notify);
        if (wake >= 0) close(wake);
    }

    void watch(const std::filesystem::path& folder) {
        if (notify < 0 || watched.size() >= kWatchesMost) return;
        const int descriptor = inotify_add_watch(notify, folder.c_str(), kWatched);
        if (descriptor < 0) return;
        watched[descriptor] = folder;
        std::error_code failed;
        for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
            const std::string name = entry->path().filename().string();
            if (entry->is_directory(failed) && !is_noise(name) && name != "cases") watch(entry->path());
        }
    }

    // True when something that matters happened.
    bool read_events() {
        alignas(inotify_event) std::array<char, 65536> buffer;
        bool out = false;
        for (ssize_t n = 0; (n = read(notify, buffer.data(), buffer.size())) > 0;) {
            for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
                inotify_event event;
                std::memcpy(&event, buffer.data() + at, sizeof event);
                const std::string name = event.len != 0 ? buffer.data() + at + offsetof(inotify_event, name) : "";
                at += sizeof event + event.len;
                if ((event.mask & IN_Q_OVERFLOW) != 0) out = true;
                const auto folder = watched.find(event.wd);
                if (folder == watched.end()) continue;
                if ((event.mask & (IN_IGNORED | IN_DELETE_SELF)) != 0) {
                    out = true;
                    if ((event.mask & IN_IGNORED) != 0) watched.erase(folder);
                    continue;
                }
                if (is_noise(name)) continue;
                out = true;
                const std::string path = (folder->second / name).string();
                if ((event.mask & IN_ISDIR) != 0) {
                    if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) watch(path);
                } else if ((event.mask & IN_MODIFY) != 0) {
                    open.insert(path);
                } else {
                    open.erase(path);
                }
            }
        }
        return out;
    }

    bool busy() const {
        return !open.empty() || std::any_of(folders.begin(), folders.end(), [](const auto& one) { return git_at_work(one); });
    }

    bool wait(std::chrono::milliseconds most) {
        std::array<pollfd, 2> waiting{pollfd{wake, POLLIN, 0}, pollfd{notify, POLLIN, 0}};
        poll(waiting.data(), notify < 0 ? 1 : 2, static_cast<int>(std::max<std::int64_t>(0, most.count())));
        return read_events();
    }

    void run(const std::stop_token& stop) {
        for (const auto& folder : folders) watch(folder);
        while (!stop.stop_requested()) {
            bool seen = wait(options.interval);
            if (stop.stop_requested()) return;
            const WatchTime first = std::chrono::steady_clock::now();
            WatchTime last = first;
            // Until it is quiet.
            while (seen && !stop.stop_requested()) {
                const auto now = std::chrono::steady_clock::now();
                if (now - first >= options.longest) {
                    open.clear();
                    break;
                }
                if (now - last >= options.settle && !busy()) break;
                if (wait(std::max(std::chrono::milliseconds(20), options.settle / 4))) last = std::chrono::steady_clock::now();
            }
            if (stop.stop_requested()) return;
            if (seen) {
                for (const auto& folder : folders) watch(folder);  // what came while nobody looked
            }
            try {
                changed();
            } catch (const std::exception& e) {
                log::error("route", std::string("loading the routes again: ") + e.what());
            }
        }
    }
};

RouteWatch::RouteWatch(const std::vector<std::filesystem::path>& folders, std::function<void()> changed, Options options)
    : impl_(std::make_unique<Impl>()) {
    for (const auto& folder : folders) impl_->folders.push_back(std::filesystem::absolute(folder).lexically_normal());
    impl_->changed = std::move(changed);
    impl_->options = options;
    impl_->thread = std::jthread([impl = impl_.get()](const std::stop_token& stop) { impl->run(stop); });
}

RouteWatch::~RouteWatch() {
    impl_->thread.request_stop();
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(impl_->wake, &one, sizeof one);
}

}  // namespace clrbus
