#include "http/server.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "core/counters.hpp"
#include "core/executor.hpp"
#include "core/log.hpp"
#include "http/connection.hpp"

namespace clrbus {

namespace {

constexpr std::uint64_t kListenerKey = 0;
constexpr std::uint64_t kMailboxKey = 1;
constexpr std::uint64_t kFirstConnection = 2;
constexpr std::chrono::milliseconds kSweep{250};

[[noreturn]] void cannot_listen(const HttpServerOptions& options, const std::string& why) {
    throw Error(Fault::kConfig, "HTTP-050", "listening on " + options.address + " port " + std::to_string(options.port), why);
}

std::string http_errno() {
    return std::generic_category().message(errno);
}

int open_listener(const HttpServerOptions& options) {
    addrinfo hints{};
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(options.address.c_str(), std::to_string(options.port).c_str(), &hints, &found);
    if (error != 0) cannot_listen(options, ::gai_strerror(error));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
    const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) cannot_listen(options, http_errno());
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd, 1024) != 0) {
        const std::string why = http_errno();
        ::close(fd);
        cannot_listen(options, why);
    }
    return fd;
}

// Null without a certificate.
std::shared_ptr<const crypto::TlsContext> load_tls(const HttpServerOptions& options) {
    if (options.certificate.empty() && options.key.empty()) return nullptr;
    if (options.certificate.empty() || options.key.empty()) cannot_listen(options, "TLS needs a certificate and its key");
    return std::make_shared<const crypto::TlsContext>(crypto::TlsContext::server(
        {.certificate_file = options.certificate, .key_file = options.key, .client_ca_file = options.client_ca}));
}

std::uint16_t bound_port(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                               : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

std::string peer_name(const sockaddr_storage& address, socklen_t size) {
    std::array<char, NI_MAXHOST> host{};
    if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host.data(), host.size(), nullptr, 0,
                      NI_NUMERICHOST) != 0)
        return "unknown";
    return host.data();
}

}  // namespace

struct HttpServer::Impl {
    HttpShared shared;
    ThreadPool pool;
    int listener = -1;
    int epoll = -1;
    std::uint16_t port = 0;

    // I/O thread only:
    struct Held {
        std::unique_ptr<HttpConnection> connection;
        std::uint32_t events = 0;  // as epoll knows them
    };
    std::unordered_map<std::uint64_t, Held> connections;
    std::unordered_map<std::string, std::size_t> of_peer;
    std::uint64_t next_id = kFirstConnection;
    bool accepting = true;

    // Both sides of stop():
    std::mutex mutex;
    std::condition_variable idle;
    bool cut = false;       // grace is over
    bool finished = false;  // no connection is left
    bool started = false;

    std::thread thread;  // last: runs on all of the above

    explicit Impl(const HttpServerOptions& options) : pool(std::max<std::size_t>(1, options.threads), "http") {
        shared.options = options;
        shared.pool = &pool;
        shared.tls = load_tls(options);
        rlimit files{};
        if (::getrlimit(RLIMIT_NOFILE, &files) == 0 &&
            files.rlim_cur != RLIM_INFINITY)  // the rest of the process opens files too
            shared.options.max_connections = std::min<std::size_t>(options.max_connections, files.rlim_cur / 2);
        epoll = ::epoll_create1(EPOLL_CLOEXEC);
        if (epoll < 0) throw Error(Fault::kConfig, "HTTP-052", "starting the HTTP server", http_errno());
        try {
            listener = open_listener(options);
        } catch (...) {
            ::close(epoll);
            throw;
        }
        port = bound_port(listener);
        watch(shared.mailbox->wake_fd(), kMailboxKey);
    }
    ~Impl() {
        if (listener >= 0) ::close(listener);
        ::close(epoll);
    }

    void watch(int fd, std::uint64_t key) const {
        epoll_event event{.events = EPOLLIN, .data = {.u64 = key}};
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }

    void run() {
        watch(listener, kListenerKey);
        std::array<epoll_event, 256> events{};
        auto next_sweep = std::chrono::steady_clock::now() + kSweep;
        while (!over()) {
            const int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), static_cast<int>(kSweep.count()));
            const auto now = std::chrono::steady_clock::now();
            for (int i = 0; i < n; ++i) {
                const epoll_event& event = events.at(static_cast<std::size_t>(i));
                if (event.data.u64 == kListenerKey) {
                    accept(now);
                } else if (event.data.u64 == kMailboxKey) {
                    deliver(now);
                } else {
                    on_events(event.data.u64, event.events, now);
                }
            }
            if (now >= next_sweep) {
                next_sweep = now + kSweep;
                sweep(now);
            }
        }
        connections.clear();
        of_peer.clear();
        counter("clrbus_http_connections").set(0);
    }

    // True when nothing is left to do. Also begins the stop.
    bool over() {
        if (!shared.stopping) return false;
        if (listener >= 0) {
            ::close(listener);
            listener = -1;
        }
        std::erase_if(connections, [](const auto& held) { return !held.second.connection->on_stop(); });
        const std::lock_guard lock(mutex);
        finished = connections.empty();
        if (finished) idle.notify_all();
        return finished || cut;
    }

    void accept(std::chrono::steady_clock::time_point now) {
        for (int i = 0; i < 64 && listener >= 0; ++i) {
            sockaddr_storage address{};
            socklen_t size = sizeof address;
            const int fd = ::accept4(listener, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) {
                if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause_accepting();
                return;
            }
            auto transport = std::make_unique<HttpTransport>(fd, shared.tls.load().get());
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            std::string peer = peer_name(address, size);
            if (!make_room(peer)) {
                counter("clrbus_http_refused_total{reason=\"connections\"}").add();
                continue;
            }
            const std::uint64_t id = next_id++;
            ++of_peer[peer];
            Held held{std::make_unique<HttpConnection>(id, std::move(transport), std::move(peer), shared, now), EPOLLIN};
            watch(fd, id);
            connections.emplace(id, std::move(held));
            counter("clrbus_http_connections").set(static_cast<std::int64_t>(connections.size()));
        }
    }

    // Out of file numbers: a listener that stays readable would only burn the processor. sweep() goes on.
    void pause_accepting() {
        log::warn("http", "no file number is left for a new connection");
        ::epoll_ctl(epoll, EPOLL_CTL_DEL, listener, nullptr);
        accepting = false;
    }

    // False when the new connection cannot have a place.
    bool make_room(const std::string& peer) {
        const auto found = of_peer.find(peer);
        const bool peer_full = found != of_peer.end() && found->second >= shared.options.max_connections_of_a_peer;
        if (!peer_full && connections.size() < shared.options.max_connections) return true;
        const Held* oldest = nullptr;
        std::uint64_t oldest_id = 0;
        for (const auto& [id, held] : connections) {
            if (!held.connection->may_make_room() || (peer_full && held.connection->peer() != peer)) continue;
            if (oldest != nullptr && oldest->connection->since() <= held.connection->since()) continue;
            oldest = &held;
            oldest_id = id;
        }
        if (oldest == nullptr) return false;
        counter("clrbus_http_refused_total{reason=\"made-room\"}").add();
        drop(oldest_id);
        return true;
    }

    void drop(std::uint64_t id) {
        const auto found = connections.find(id);
        const auto peer = of_peer.find(found->second.connection->peer());
        if (--peer->second == 0) of_peer.erase(peer);
        connections.erase(found);
        counter("clrbus_http_connections").set(static_cast<std::int64_t>(connections.size()));
    }

    // After each call into a connection: drops it, or tells epoll what it waits for now.
    void settle(std::uint64_t id, Held& held, bool lives) const {
        const std::uint32_t wanted = (held.connection->wants_read() ? std::uint32_t{EPOLLIN} : 0U) |
                                     (held.connection->wants_write() ? std::uint32_t{EPOLLOUT} : 0U);
        if (!lives || wanted == held.events) return;
        epoll_event event{.events = wanted, .data = {.u64 = id}};
        ::epoll_ctl(epoll, EPOLL_CTL_MOD, held.connection->fd(), &event);
        held.events = wanted;
    }

    void on_events(std::uint64_t id, std::uint32_t events, std::chrono::steady_clock::time_point now) {
        const auto found = connections.find(id);
        if (found == connections.end()) return;  // made room earlier in this round
        const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
        const bool lives = found->second.connection->on_events((events & EPOLLIN) != 0, (events & EPOLLOUT) != 0, broken, now);
        settle(id, found->second, lives);
        if (!lives) drop(id);
    }

    void deliver(std::chrono::steady_clock::time_point now) {
        for (HttpLetter& letter : shared.mailbox->take()) {
            const std::uint64_t id = letter.connection;
            const auto found = connections.find(id);
            if (found == connections.end()) continue;
            const bool lives = found->second.connection->on_letter(std::move(letter), now);
            settle(id, found->second, lives);
            if (!lives) drop(id);
        }
    }

    void sweep(std::chrono::steady_clock::time_point now) {
        std::vector<std::uint64_t> ended;
        for (auto& [id, held] : connections) {
            const bool lives = held.connection->on_time(now);
            settle(id, held, lives);
            if (!lives) ended.push_back(id);
        }
        for (const std::uint64_t id : ended) drop(id);
        if (!accepting && listener >= 0) {
            accepting = true;
            watch(listener, kListenerKey);
        }
    }
};

HttpServer::HttpServer(const HttpServerOptions& options) : impl_(std::make_unique<Impl>(options)) {}

HttpServer::~HttpServer() {
    stop(std::chrono::milliseconds(0));
}

void HttpServer::mount(HttpMount mount) {
    impl_->shared.mounts.add(std::move(mount));
}

void HttpServer::mount(std::string prefix, HttpHandler handle) {
    mount(HttpMount{.prefix = std::move(prefix), .methods = {}, .handle = std::move(handle), .admit = nullptr});
}

void HttpServer::unmount(std::string_view prefix) {
    impl_->shared.mounts.remove(prefix);
}

void HttpServer::start() {
    if (std::exchange(impl_->started, true)) return;
    impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

std::uint16_t HttpServer::port() const {
    return impl_->port;
}

bool HttpServer::tls() const {
    return !impl_->shared.options.certificate.empty();
}

void HttpServer::reload_certificate() {
    impl_->shared.tls = load_tls(impl_->shared.options);
}

void HttpServer::stop(std::chrono::milliseconds grace) {
    if (impl_->thread.joinable()) {
        impl_->shared.stopping = true;
        impl_->shared.mailbox->wake();
        {
            std::unique_lock lock(impl_->mutex);
            impl_->idle.wait_for(lock, grace, [this] { return impl_->finished; });
            impl_->cut = true;
        }
        impl_->shared.mailbox->wake();
        impl_->thread.join();
    }
    impl_->pool.stop();  // handlers that still run end; their answers are dropped
}

}  // namespace clrbus
