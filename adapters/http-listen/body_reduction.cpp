#include "adapters_http_listen/body_reduction.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/ids.hpp"

namespace clrbus::adapters::http_listen {

namespace {

[[noreturn]] void reduction_failed(const char* what) {
    throw Error(Fault::kAway, "HTL-026", "reducing a body", std::string(what) + ": " + std::generic_category().message(errno));
}

struct OpenBody {
    int fd;
    ~OpenBody() {
        if (fd >= 0) ::close(fd);
    }
};

struct ReducedBody {
    std::filesystem::path path;
    ~ReducedBody() {
        if (!path.empty()) ::unlink(path.c_str());
    }
};

int memory_file() {
    const int fd = ::memfd_create("clrbus-body", MFD_CLOEXEC);
    if (fd < 0) reduction_failed("no memory file");
    return fd;
}

std::string path_of(const OpenBody& body) {
    return "/proc/self/fd/" + std::to_string(body.fd);
}

}  // namespace

void give_reduced(Incoming& incoming, std::string_view body, const Inbox& inbox, const Inbox::Reduce& reduce) {
    // The reduction reads a file: this one is memory.
    const OpenBody whole{memory_file()};
    const bool small = body.size() <= inbox.spool_above();
    while (!body.empty()) {
        const ssize_t n = ::write(whole.fd, body.data(), body.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) reduction_failed("the memory file cannot be written");
        body.remove_prefix(static_cast<std::size_t>(n));
    }
    ReducedBody reduced;
    OpenBody result{-1};
    if (small) {  // no file is made for what goes into the message
        result.fd = memory_file();
        reduce(path_of(whole), path_of(result));
    } else {
        reduced.path = inbox.spool_folder() / ("reduced-" + new_uuid() + ".part");
        reduce(path_of(whole), reduced.path);
        result.fd = ::open(reduced.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    }
    struct stat status {};
    if (result.fd < 0 || ::fstat(result.fd, &status) != 0) reduction_failed("the reduced form cannot be read");
    if (!small && static_cast<std::uint64_t>(status.st_size) > inbox.spool_above()) {
        if (::fdatasync(result.fd) != 0) reduction_failed("the reduced form cannot be synced");
        incoming.spooled = std::exchange(reduced.path, {});
        return;
    }
    incoming.body.resize(static_cast<std::size_t>(status.st_size));
    for (std::size_t got = 0; got < incoming.body.size();) {
        const ssize_t n = ::read(result.fd, incoming.body.data() + got, incoming.body.size() - got);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) reduction_failed("the reduced form cannot be read");
        got += static_cast<std::size_t>(n);
    }
}

}  // namespace clrbus::adapters::http_listen
