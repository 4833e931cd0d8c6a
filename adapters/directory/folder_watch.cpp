#include "adapters_directory/folder_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <system_error>

#include "core/error.hpp"

namespace clrbus::adapters::directory {

FolderWatch::FolderWatch()
    : notify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (wake_.fd() < 0) throw Error(Fault::kAway, "DIR-007", "watching a folder", std::generic_category().message(errno));
}

bool FolderWatch::watch(const std::filesystem::path& folder) {
    return notify_.fd() >= 0 &&
           ::inotify_add_watch(notify_.fd(), folder.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE | IN_ONLYDIR) >= 0;
}

bool FolderWatch::wait(std::chrono::milliseconds most, std::set<std::string>& renamed) {
    std::array<pollfd, 2> waiting{pollfd{wake_.fd(), POLLIN, 0}, pollfd{notify_.fd(), POLLIN, 0}};
    ::poll(waiting.data(), waiting.size(), static_cast<int>(most.count()));
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t woken = ::read(wake_.fd(), &count, sizeof count);
    alignas(inotify_event) std::array<char, 16384> buffer;
    bool changed = false;
    for (ssize_t n = 0; (n = ::read(notify_.fd(), buffer.data(), buffer.size())) > 0;) {
        changed = true;
        for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
            inotify_event event;
            std::memcpy(&event, buffer.data() + at, sizeof event);
            if ((event.mask & IN_MOVED_TO) != 0 && event.len != 0 && renamed.size() < 10'000)
                renamed.insert(buffer.data() + at + offsetof(inotify_event, name));
            at += sizeof event + event.len;
        }
    }
    return changed;
}

void FolderWatch::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.fd(), &one, sizeof one);
}

}  // namespace clrbus::adapters::directory
