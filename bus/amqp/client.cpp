#include "amqp/client.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "amqp/client_engine.hpp"
#include "amqp/client_links.hpp"
#include "amqp/performative.hpp"
#include "amqp/sasl_client.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "crypto/password.hpp"

namespace clrbus::amqp {
namespace {

using Instant = std::chrono::steady_clock::time_point;

constexpr std::size_t kClientRead = 64UL * 1024;

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return number_; }

private:
    const int number_;
};

bool loopback_address(const sockaddr* address) {
    if (address->sa_family == AF_INET) {
        return (ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr) >> 24) == 127;
    }
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

}  // namespace

Limits ClientOptions::outgoing_limits() {
    Limits limits;
    limits.max_sessions = 2048;  // one a link
    limits.max_links = 2048;
    limits.max_message = 64ULL << 20;
    limits.max_unfinished = 256ULL << 20;
    return limits;
}

struct Client::Impl {
    explicit Impl(ClientOptions with)
        : options(std::move(with)), names(crypto::random_token(9)), wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        if (wake.get() < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
        shown.since = system_clock().now();
    }

    // Any thread.
    void post(std::function<void()> job) {
        {
            const std::lock_guard lock(mutex);
            if (ended) return;
            jobs.push_back(std::move(job));
            if (jobs.size() != 1) return;
        }
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake.get(), &one, sizeof one);
    }

    void run_jobs() {
        std::uint64_t drained = 0;
        [[maybe_unused]] const auto got = ::read(wake.get(), &drained, sizeof drained);
        std::vector<std::function<void()>> now;
        {
            const std::lock_guard lock(mutex);
            now.swap(jobs);
        }
        for (auto& job : now) job();
    }

    void add(std::shared_ptr<ClientLink> link) {
        {
            const std::lock_guard lock(mutex);
            LinkHealth state;
            state.address = link->address.address;
            state.sends = link->sends;
            state.error = "not attached yet";
            state.since = system_clock().now();
            shown_links[link->name] = std::move(state);
        }
        post([this, link = std::move(link)] { links.push_back(link); });
    }

    std::string next_name(bool sends) {
        const std::lock_guard lock(mutex);
        return (sends ? "out-" : "in-") + names + "-" + std::to_string(++last_link);
    }

    void link_state(ClientLink& link, const Condition& why) {
        const std::lock_guard lock(mutex);
        const auto found = shown_links.find(link.name);
        if (found == shown_links.end()) return;
        LinkHealth& state = found->second;
        const std::string error =
            link.blocked
                ? "nothing that is sent is answered: the broker may be out of memory or disk, or its queue without a leader"
            : link.open               ? std::string()
            : why.name.empty()        ? (why.description.empty() ? "the connection ended" : why.description)
            : why.description.empty() ? why.name
                                      : why.name + ": " + why.description;
        if (state.attached == link.open && state.error == error) return;
        if (!error.empty() && !link.closing) log::warn("amqp", where() + ": link to '" + state.address + "': " + error);
        state = {state.address, state.sends, link.open, error, system_clock().now()};
    }

    void connection_state(bool open, const std::string& error) {
        const std::lock_guard lock(mutex);
        if (shown.open != open || (!open && !error.empty() && shown.error != error)) {
            open ? log::info("amqp", where() + ": connected") : log::warn("amqp", where() + ": " + error);
            shown.since = system_clock().now();
        }
        shown.open = open;
        shown.error = open ? std::string() : error.empty() ? "the connection ended" : error;
    }

    std::string where() const { return "broker " + options.host + ":" + std::to_string(options.port); }

    // The client's thread.
    void run() {
        std::mt19937_64 dice(std::random_device{}());
        auto pause = std::chrono::milliseconds(0);
        while (!over()) {
            was_open = false;
            std::string error = serve();
            // RabbitMQ says of a missing one only that the user may not.
            if (!error.empty() && !options.hostname.empty()) error += " (host name '" + options.hostname + "')";
            engine = nullptr;
            if (over() || (stopping() && idle())) break;
            counter("clrbus_amqp_reconnects_total").add();
            connection_state(false, error);
            pause = was_open ? options.first_retry : std::clamp(pause * 2, options.first_retry, options.most_retry);
            // Between half and the whole of it, so that many that lost the same broker do not come back at once.
            const auto jitter = std::uniform_int_distribution<std::int64_t>(pause.count() / 2, pause.count())(dice);
            wait_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(jitter));
        }
    }

    bool over() {
        const std::lock_guard lock(mutex);
        return stop_at && (std::chrono::steady_clock::now() >= *stop_at || closed_cleanly || !idle_wait);
    }

    void wait_until(Instant until) {
        while (!over()) {
            const auto now = std::chrono::steady_clock::now();
            if (now >= until) return;
            pollfd waits[1] = {{wake.get(), POLLIN, 0}};
            ::poll(waits, 1, timeout(until, now));
            run_jobs();
        }
    }

    static int timeout(Instant until, Instant now) {
        return static_cast<int>(
            std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(until - now).count(), 0, 60'000));
    }

    // One connection, from the look-up of the name to its end. Returns why it ended.
    std::string serve() {
        const Instant by = std::chrono::steady_clock::now() + options.connect;
        addrinfo hints{};
        hints.ai_family = AF_UNSPEC;
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        if (const int error = getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found);
            error != 0) {
            return std::string("the host is not found: ") + gai_strerror(error);
        }
        const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
        std::string why = "no address";
        for (const addrinfo* at = found; at != nullptr && !over(); at = at->ai_next) {
            const bool near = loopback_address(at->ai_addr);
            if (!options.tls && !near && !options.plain_off_loopback) {
                why = "the host is another machine now, and the way there is not encrypted";
                continue;
            }
            const Descriptor socket(::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            if (socket.get() < 0) return std::strerror(errno);
            const int one = 1;
            setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            if (::connect(socket.get(), at->ai_addr, at->ai_addrlen) != 0 && errno != EINPROGRESS) {
                why = std::strerror(errno);
                continue;
            }
            if (!connected(socket.get(), by, why)) continue;
            return talk(socket.get(), near, by);
        }
        return why;
    }

    bool connected(int socket, Instant by, std::string& why) {
        while (!over()) {
            const Instant now = std::chrono::steady_clock::now();
            if (now >= by) {
                why = "no answer to the connection within the time given for it";
                return false;
            }
            pollfd waits[2] = {{socket, POLLOUT, 0}, {wake.get(), POLLIN, 0}};
            ::poll(waits, 2, timeout(by, now));
            run_jobs();
            if (waits[0].revents == 0) continue;
            int error = 0;
            socklen_t size = sizeof error;
            getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
            if (error == 0) return true;
            why = std::strerror(error);
            return false;
        }
        return false;
    }

    struct Wire {
        std::optional<crypto::TlsSession> tls;
        std::string in, out;  // plain
        std::size_t sent = 0;
        bool peer_closed = false;
        std::string buffer = std::string(kClientRead, '\0');
    };

    // False: the peer is gone.
    static bool read_some(int socket, Wire& wire, std::string& why) {
        for (int i = 0; i < 4; ++i) {
            const ssize_t got = ::recv(socket, wire.buffer.data(), wire.buffer.size(), 0);
            if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
            if (got <= 0) {
                why = got == 0 ? "the peer closed the connection" : std::strerror(errno);
                return false;
            }
            const std::string_view bytes(wire.buffer.data(), static_cast<std::size_t>(got));
            if (!wire.tls) {
                wire.in.append(bytes);
            } else {
                wire.tls->feed(bytes);
                char plain[16 * 1024];
                while (const std::size_t size = wire.tls->read(plain, sizeof plain)) wire.in.append(plain, size);
                if (wire.tls->state() == crypto::TlsSession::State::kFailed) {
                    why = "TLS: " + wire.tls->failure();
                    return false;
                }
                if (wire.tls->state() == crypto::TlsSession::State::kPeerClosed) wire.peer_closed = true;
            }
            if (bytes.size() < wire.buffer.size()) return true;
        }
        return true;
    }

    static std::string_view pending(Wire& wire) {
        if (wire.tls) {
            while (wire.sent < wire.out.size()) {
                const std::size_t taken = wire.tls->write(std::string_view(wire.out).substr(wire.sent));
                if (taken == 0) break;
                wire.sent += taken;
            }
        }
        if (wire.sent == wire.out.size()) {
            wire.out.clear();
            wire.sent = 0;
        } else if (wire.sent > kClientRead) {
            wire.out.erase(0, std::exchange(wire.sent, 0));
        }
        return wire.tls ? wire.tls->encrypted() : std::string_view(wire.out).substr(wire.sent);
    }

    static bool write_some(int socket, Wire& wire, std::string& why) {
        for (std::string_view bytes = pending(wire); !bytes.empty(); bytes = pending(wire)) {
            const ssize_t done = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (done < 0 && (errno == EAGAIN || errno == EINTR)) return true;
            if (done <= 0) {
                why = std::strerror(errno);
                return false;
            }
            wire.tls ? wire.tls->consume(static_cast<std::size_t>(done)) : void(wire.sent += static_cast<std::size_t>(done));
        }
        return true;
    }

    // SASL, from what has come. True: through.
    bool login(SaslClient& sasl, Wire& wire, bool& header) {
        if (!header) {
            if (wire.in.size() < kSaslHeader.size()) return false;
            if (wire.in.substr(0, kSaslHeader.size()) != kSaslHeader)
                throw Violation("amqp:connection:framing-error", "header", "the peer does not speak AMQP 1.0 with SASL");
            wire.in.erase(0, kSaslHeader.size());
            header = true;
        }
        while (sasl.state() == SaslClient::State::kNegotiating) {
            const std::size_t length = frame_length(wire.in, SaslClient::kMaxFrame, 1);
            if (length == 0 || wire.in.size() < length) return false;
            sasl.on_frame(std::string_view(wire.in).substr(0, length));
            wire.in.erase(0, length);
            wire.out += sasl.take_output();
        }
        if (sasl.state() == SaslClient::State::kRefused) throw Violation("amqp:unauthorized-access", "login", sasl.failure());
        return true;
    }

    std::string talk(int socket, bool near, Instant by) {
        Wire wire;
        if (options.tls) wire.tls.emplace(*options.tls, options.host);
        SaslClient sasl({.user = options.user,
                         .password = options.password,
                         .certificate = options.certificate && options.tls,
                         .anonymous = options.anonymous,
                         .confidential = options.tls || near});
        wire.out = kSaslHeader;
        bool header = false;
        std::optional<ClientEngine> own;
        std::string why;
        bool more = true;
        while (more) {
            const Instant now = std::chrono::steady_clock::now();
            Instant next = by;
            try {
                if (!own && login(sasl, wire, header)) {
                    own.emplace(ClientEngine::Setup{.limits = options.limits,
                                                    .container = options.container,
                                                    .hostname = options.hostname.empty() ? options.host : options.hostname,
                                                    .answer = options.connect,
                                                    .first_pause = options.first_retry,
                                                    .most_pause = options.most_retry,
                                                    .on_state = [this](ClientLink& link,
                                                                       const Condition& reason) { link_state(link, reason); }},
                                links);
                    engine = &*own;
                }
            } catch (const Violation& violation) {
                counter("clrbus_amqp_out_refused_total{reason=\"" + std::string(violation.reason()) + "\"}").add();
                return std::string(violation.what());
            }
            if (own) {
                own->feed(wire.in);
                if (own->opened() && !was_open) {
                    was_open = true;
                    connection_state(true, {});
                }
                next = own->tick(now);
                if (stopping() && idle()) own->drain();
                // A large message goes out in parts: as long as the socket takes them.
                for (std::size_t before = 1; before != 0 && pending(wire).size() < options.limits.max_output;) {
                    own->write(wire.out);
                    before = wire.out.size() - wire.sent;
                    if (!write_some(socket, wire, why)) return why;
                    if (!pending(wire).empty()) break;
                }
                more = !own->finished();
                if (!more) why = own->error();
            }
            if (!was_open && now >= by)
                return own ? "no open within the time given for it" : "no login within the time given for it";
            if (!write_some(socket, wire, why) || !more) break;
            if (wire.peer_closed) {
                why = "the peer closed the connection";
                break;
            }
            if (over()) break;
            if (!was_open) next = std::min(next, by);
            if (const auto end = stop_time()) next = std::min(next, *end);
            pollfd waits[2] = {{socket, static_cast<short>(POLLIN | (pending(wire).empty() ? 0 : POLLOUT)), 0},
                               {wake.get(), POLLIN, 0}};
            ::poll(waits, 2, timeout(next, now));
            run_jobs();
            if (waits[0].revents != 0 && !read_some(socket, wire, why)) more = false;
        }
        if (own && own->drained()) {
            const std::lock_guard lock(mutex);
            closed_cleanly = true;
        }
        if (wire.tls && wire.tls->state() == crypto::TlsSession::State::kOpen) wire.tls->close();
        std::string ignored;
        write_some(socket, wire, ignored);
        return why;
    }

    bool idle() const {
        return std::all_of(links.begin(), links.end(), [](const auto& link) { return link->idle(); });
    }

    bool stopping() {
        const std::lock_guard lock(mutex);
        return stop_at.has_value();
    }
    std::optional<Instant> stop_time() {
        const std::lock_guard lock(mutex);
        return stop_at;
    }

    const ClientOptions options;
    const std::string names;  // of links, with a number: unique among all who share our container's name
    const Descriptor wake;

    std::mutex mutex;  // guards what follows, up to the thread's own
    std::vector<std::function<void()>> jobs;
    std::uint64_t last_link = 0;
    ClientHealth shown;
    std::map<std::string, LinkHealth> shown_links;  // by name
    std::optional<Instant> stop_at;
    bool idle_wait = true;  // stopping: answers are worth waiting for
    bool closed_cleanly = false, ended = false;

    // The client's thread.
    std::vector<std::shared_ptr<ClientLink>> links;  // shared with the handles
    ClientEngine* engine = nullptr;                  // of the connection that is there
    bool was_open = false;

    std::thread thread;  // last: runs on all of the above
};

namespace {

class SenderHandle : public Sender {
public:
    SenderHandle(std::function<void(std::function<void()>)> post, std::shared_ptr<ClientSenderLink> link)
        : post_(std::move(post)), link_(std::move(link)) {}
    void send(Message message, Answered answered) override {
        post_([link = link_, message = std::move(message), answered = std::move(answered)]() mutable {
            link->queue(std::move(message), std::move(answered));
        });
    }

private:
    const std::function<void(std::function<void()>)> post_;
    const std::shared_ptr<ClientSenderLink> link_;  // shared with the client
};

class ReceiverHandle : public Receiver {
public:
    ReceiverHandle(std::function<void(std::function<void()>)> post, std::function<void()> close,
                   std::shared_ptr<ClientReceiverLink> link)
        : post_(std::move(post)), close_(std::move(close)), link_(std::move(link)) {}
    void grant(std::uint32_t more) override {
        post_([link = link_, more] { link->grant(more); });
    }
    void settle(std::vector<Settlement> batch) override {
        post_([link = link_, batch = std::move(batch)] { link->settle(batch); });
    }
    void close() override { close_(); }

private:
    const std::function<void(std::function<void()>)> post_;
    const std::function<void()> close_;
    const std::shared_ptr<ClientReceiverLink> link_;  // shared with the client
};

}  // namespace

Client::Client(ClientOptions options) {
    if (options.host.empty()) throw Error(Fault::kConfig, "AMQP-011", "connecting to a broker", "no host is named");
    impl_ = std::make_unique<Impl>(std::move(options));
}

Client::~Client() {
    stop(std::chrono::milliseconds(0));
}

std::shared_ptr<Sender> Client::sender(LinkAddress to) {
    auto link = std::make_shared<ClientSenderLink>(impl_->next_name(true), std::move(to));
    impl_->add(link);
    return std::make_shared<SenderHandle>([impl = impl_.get()](auto job) { impl->post(std::move(job)); }, link);
}

std::shared_ptr<Receiver> Client::receiver(LinkAddress from, ReceiverEvents events) {
    auto link = std::make_shared<ClientReceiverLink>(impl_->next_name(false), std::move(from), std::move(events));
    impl_->add(link);
    auto close = [impl = impl_.get(), link] {
        impl->post([impl, link] {
            link->closing = true;
            if (impl->engine != nullptr && link->session != nullptr) impl->engine->close_link(*link);
            const std::lock_guard lock(impl->mutex);
            impl->shown_links.erase(link->name);
        });
    };
    return std::make_shared<ReceiverHandle>([impl = impl_.get()](auto job) { impl->post(std::move(job)); }, std::move(close),
                                            link);
}

void Client::start() {
    if (impl_->thread.joinable()) return;
    impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
    pthread_setname_np(impl_->thread.native_handle(), "amqp-out");
}

bool Client::stop(std::chrono::milliseconds at_most) {
    // Behind what was asked for before: a settlement that was given a moment ago is still to go out.
    impl_->post([impl = impl_.get(), at_most, by = std::chrono::steady_clock::now() + at_most] {
        const std::lock_guard lock(impl->mutex);
        impl->stop_at = by;
        impl->idle_wait = at_most.count() != 0;
    });
    if (impl_->thread.joinable()) impl_->thread.join();
    const std::lock_guard lock(impl_->mutex);
    impl_->ended = true;
    impl_->jobs.clear();
    return impl_->closed_cleanly;
}

ClientHealth Client::health() const {
    const std::lock_guard lock(impl_->mutex);
    ClientHealth out = impl_->shown;
    for (const auto& [name, link] : impl_->shown_links) out.links.push_back(link);
    return out;
}

}  // namespace clrbus::amqp
