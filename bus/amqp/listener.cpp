#include "amqp/listener.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "amqp/io_thread.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus::amqp {
namespace {

constexpr int kBacklog = 512;

bool is_loopback(const sockaddr_storage& address) {
    if (address.ss_family == AF_INET)
        return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24) == 127;
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

std::string listener_address_text(const sockaddr_storage& address, socklen_t size) {
    char host[NI_MAXHOST] = "?";
    char port[NI_MAXSERV] = "?";
    getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    return std::string(host) + ":" + port;
}

[[noreturn]] void cannot_listen(const AmqpListener::Options& options, std::string_view code, std::string why) {
    throw Error(Fault::kConfig, code, "listening for AMQP on " + options.address + ":" + std::to_string(options.port),
                std::move(why));
}

int open_listener(const AmqpListener::Options& options) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(options.address.c_str(), std::to_string(options.port).c_str(), &hints, &found);
        error != 0)
        cannot_listen(options, "AMQP-001", gai_strerror(error));
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
    sockaddr_storage address{};
    std::memcpy(&address, found->ai_addr, found->ai_addrlen);
    if (!options.tls && !options.plain_off_loopback && !is_loopback(address))
        cannot_listen(options, "AMQP-002",
                      "without TLS, passwords and messages could be read on the way; expected TLS or a loopback address");
    const int descriptor = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int one = 1;
    if (descriptor < 0) cannot_listen(options, "AMQP-001", std::strerror(errno));
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (::bind(descriptor, found->ai_addr, found->ai_addrlen) != 0 || ::listen(descriptor, kBacklog) != 0) {
        const int error = errno;
        ::close(descriptor);
        cannot_listen(options, "AMQP-001", std::strerror(error));
    }
    return descriptor;
}

}  // namespace

struct AmqpListener::Impl {
    class ListenSocket {
    public:
        explicit ListenSocket(int descriptor) : descriptor_(descriptor) {}
        ~ListenSocket() { close(); }
        ListenSocket(const ListenSocket&) = delete;
        ListenSocket& operator=(const ListenSocket&) = delete;
        int get() const { return descriptor_; }
        void close() {
            if (descriptor_ >= 0) ::close(descriptor_);
            descriptor_ = -1;
        }

    private:
        int descriptor_;
    };

    Impl(Options with, const Authenticator& users, Nodes& nodes)
        : options(std::move(with)),
          passwords(users),
          shared{.limits = options.limits,
                 .users = users,
                 .nodes = nodes,
                 .passwords = passwords,
                 .container = options.container,
                 .tls = options.tls,
                 .plain_on_loopback = options.plain_on_loopback},
          listener(open_listener(options)) {
        sockaddr_storage bound{};
        socklen_t size = sizeof bound;
        getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &size);
        port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                                 : reinterpret_cast<sockaddr_in&>(bound).sin_port);
    }

    void accepted(int socket) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size);
        if (live.load() >= options.limits.max_connections) {
            counter("clrbus_amqp_refused_total{reason=\"connections\"}").add();
            ::close(socket);
            return;
        }
        live.fetch_add(1);
        counter("clrbus_amqp_connections").add();
        counter("clrbus_amqp_connections_total").add();
        const int one = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        const std::size_t number = next++;
        threads[number % threads.size()]->adopt(
            socket, "connection " + std::to_string(number) + " from " + listener_address_text(address, size),
            is_loopback(address));
    }

    const Options options;
    PasswordChecker passwords;
    ConnectionShared shared;
    ListenSocket listener;
    std::uint16_t port = 0;
    std::atomic<std::size_t> live{0};
    std::size_t next = 1;  // the accepting thread's
    bool started = false;
    std::vector<std::unique_ptr<IoThread>> threads;  // last: their connections use all of the above
};

AmqpListener::AmqpListener(Options options, const Authenticator& users, Nodes& nodes)
    : impl_(std::make_unique<Impl>(std::move(options), users, nodes)) {}

AmqpListener::~AmqpListener() {
    if (impl_->started) stop(std::chrono::milliseconds(0));
}

std::uint16_t AmqpListener::port() const {
    return impl_->port;
}

std::size_t AmqpListener::connections() const {
    return impl_->live.load();
}

void AmqpListener::start() {
    if (impl_->started) return;
    impl_->started = true;
    std::size_t count = impl_->options.io_threads;
    if (count == 0) count = std::max(2U, std::thread::hardware_concurrency()) - 1;
    for (std::size_t i = 0; i < count; ++i) impl_->threads.push_back(std::make_unique<IoThread>(impl_->shared, impl_->live, i));
    impl_->threads.front()->accept_from(impl_->listener.get(), [impl = impl_.get()](int socket) { impl->accepted(socket); });
    log::info("amqp", "listening on " + impl_->options.address + ":" + std::to_string(impl_->port) +
                          (impl_->options.tls ? " with TLS" : ""));
}

std::size_t AmqpListener::stop(std::chrono::milliseconds at_most) {
    if (!impl_->started) return 0;
    impl_->threads.front()->stop_accepting();
    impl_->listener.close();
    for (auto& thread : impl_->threads) thread->begin_stop();
    const auto until = std::chrono::steady_clock::now() + at_most;
    while (impl_->live.load() != 0 && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const std::size_t dropped = impl_->live.load();
    impl_->threads.clear();
    impl_->started = false;
    return dropped;
}

}  // namespace clrbus::amqp
