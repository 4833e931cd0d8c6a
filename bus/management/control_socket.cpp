#include "management/control_socket.hpp"

#include <poll.h>
#include <pwd.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "core/error.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kRequestMost = 12U << 20;  // a corrected body of 8 MB in base64
constexpr int kPatienceMs = 30'000;              // for the other end's next bytes

class FileHandle {
public:
    explicit FileHandle(int fd) : fd_(fd) {}
    ~FileHandle() {
        if (fd_ >= 0) close(fd_);
    }
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

sockaddr_un address_of(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string text = path.string();
    if (text.size() >= sizeof address.sun_path) {
        throw Error(Fault::kConfig, "CTRL-002", "opening the control socket", Where{.file = text},
                    "the path is longer than 107 bytes: choose a shorter state directory");
    }
    std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
    return address;
}

bool send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        pollfd wait{fd, POLLOUT, 0};
        if (poll(&wait, 1, kPatienceMs) <= 0) return false;
        const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

// Up to the newline or the end; false when it is too large or the other end goes quiet. most = 0: no limit, patience without
// end.
bool receive_line(int fd, std::string& out, std::size_t most, int patience) {
    char buffer[16384];
    for (;;) {
        pollfd wait{fd, POLLIN, 0};
        const int ready = poll(&wait, 1, patience);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        if (n == 0) return !out.empty();
        out.append(buffer, static_cast<std::size_t>(n));
        if (out.back() == '\n') {
            out.pop_back();
            return true;
        }
        if (most != 0 && out.size() > most) return false;
    }
}

std::string user_of(int fd, bool& allowed) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    allowed = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
              (credentials.uid == geteuid() || credentials.uid == 0);
    char buffer[4096];
    passwd entry{};
    passwd* found = nullptr;
    if (getpwuid_r(credentials.uid, &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) return found->pw_name;
    return "uid-" + std::to_string(credentials.uid);
}

}  // namespace

struct ControlServer::Impl {
    std::filesystem::path path;
    Answer answer;
    FileHandle listener;
    FileHandle wake{eventfd(0, EFD_CLOEXEC)};
    std::jthread thread;  // last: uses what is above

    Impl(std::filesystem::path p, Answer a, int fd) : path(std::move(p)), answer(std::move(a)), listener(fd) {}

    void serve(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            pollfd waits[2] = {{listener.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}};
            if (poll(waits, 2, -1) <= 0 || (waits[1].revents & POLLIN) != 0) continue;
            const FileHandle peer(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (peer.get() < 0) continue;
            bool allowed = false;
            const std::string who = user_of(peer.get(), allowed);
            std::string request;
            if (!allowed || !receive_line(peer.get(), request, kRequestMost, 5000)) continue;
            send_all(peer.get(), answer(request, who) + "\n");
        }
    }
};

ControlServer::ControlServer(const std::filesystem::path& socket, Answer answer) {
    const sockaddr_un address = address_of(socket);
    std::filesystem::remove(socket);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    impl_ = std::make_unique<Impl>(socket, std::move(answer), fd);
    if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        chmod(socket.c_str(), 0600) != 0 || listen(fd, 16) != 0) {
        throw Error(Fault::kConfig, "CTRL-002", "opening the control socket", Where{.file = socket.string()},
                    std::strerror(errno));
    }
    impl_->thread = std::jthread([impl = impl_.get()](const std::stop_token& stop) { impl->serve(stop); });
}

ControlServer::~ControlServer() {
    impl_->thread.request_stop();
    const std::uint64_t one = 1;
    if (write(impl_->wake.get(), &one, sizeof one) < 0) impl_->thread.request_stop();
    impl_->thread.join();
    std::error_code ignored;
    std::filesystem::remove(impl_->path, ignored);
}

std::string call_control(const std::filesystem::path& socket, std::string_view request) {
    const sockaddr_un address = address_of(socket);
    const FileHandle fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto away = [&socket] {
        return Error(Fault::kAway, "CTRL-001", "calling the bus", Where{.file = socket.string()},
                     "no bus runs on this state directory")
            .expected("clrbus run --state DIR");
    };
    if (fd.get() < 0 || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw away();
    std::string answer;
    if (!send_all(fd.get(), std::string(request) + "\n") || !receive_line(fd.get(), answer, 0, 120'000)) throw away();
    return answer;
}

}  // namespace clrbus
