#include "amqp/io_thread.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <map>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "core/counters.hpp"
#include "core/log.hpp"

namespace clrbus::amqp {
namespace {

using Instant = Connection::Instant;

constexpr std::uint64_t kWakeId = 0;
constexpr std::uint64_t kListenerId = 1;
constexpr std::size_t kReadSize = 256UL * 1024;
constexpr int kReadsAtOnce = 2;                          // then the others have their turn
constexpr std::chrono::milliseconds kSoonest{1};         // a deadline that stays in the past must not spin the loop
constexpr std::chrono::milliseconds kLinger{1000};       // for the peer to read our close before the socket goes
constexpr std::chrono::milliseconds kNoDescriptor{100};  // accept again after the process ran out of them

}  // namespace

IoThread::Wake::Wake() : event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (event < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

IoThread::Wake::~Wake() {
    ::close(event);
}

// With the mutex held.
void IoThread::Wake::ring() {
    if (std::exchange(rung, true)) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event, &one, sizeof one);  // full means: it is awake
}

struct IoThread::Loop {
    using Timers = std::multimap<Instant, std::uint64_t>;

    struct Peer {
        std::uint64_t id = 0;
        int socket = -1;
        std::uint32_t mask = 0;
        std::unique_ptr<Connection> connection;
        std::optional<Timers::iterator> timer;  // the one that is set
        std::optional<Instant> lingers_until;
    };

    Loop(ConnectionShared& with, std::shared_ptr<Wake> by, std::atomic<std::size_t>& all, std::atomic<std::size_t>& own)
        : shared(with), wake(std::move(by)), live(all), count(own), epoll(epoll_create1(EPOLL_CLOEXEC)) {
        if (epoll < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
        watch(EPOLL_CTL_ADD, wake->event, EPOLLIN, kWakeId);
    }

    ~Loop() {
        while (!peers.empty()) remove(*peers.begin()->second);
        ::close(epoll);
    }

    void watch(int how, int descriptor, std::uint32_t mask, std::uint64_t id) const {
        epoll_event event{};
        event.events = mask;
        event.data.u64 = id;
        epoll_ctl(epoll, how, descriptor, &event);
    }

    void run() {
        epoll_event events[64];
        while (!quit) {
            const int ready = epoll_wait(epoll, events, 64, timeout());
            const Instant now = std::chrono::steady_clock::now();
            for (int i = 0; i < ready; ++i) {
                if (events[i].data.u64 == kWakeId) {
                    woken(now);
                } else if (events[i].data.u64 == kListenerId) {
                    accept_some(now);
                } else {
                    guarded(events[i].data.u64, [&](Peer& peer) { on_socket(peer, events[i].events, now); });
                }
            }
            run_timers(std::chrono::steady_clock::now());
        }
    }

    int timeout() const {
        if (timers.empty()) return -1;
        const auto left = timers.begin()->first - std::chrono::steady_clock::now();
        const auto millis = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        return static_cast<int>(std::clamp<std::int64_t>(millis, 0, 3'600'000));
    }

    void woken(Instant now) {
        std::uint64_t drained = 0;
        [[maybe_unused]] const auto got = ::read(wake->event, &drained, sizeof drained);
        std::vector<std::uint64_t> mail;
        std::vector<std::function<void()>> jobs;
        {
            const std::lock_guard lock(wake->mutex);
            wake->rung = false;
            mail.swap(wake->mail);
            jobs.swap(wake->jobs);
        }
        for (auto& job : jobs) job();
        for (const std::uint64_t id : mail) {
            guarded(id, [&](Peer& peer) {
                peer.connection->read_mail(now);
                service(peer, now);
            });
        }
    }

    // What goes wrong in one connection (no memory, a node that throws) ends that one alone.
    template <class Work>
    void guarded(std::uint64_t id, Work work) {
        const auto found = peers.find(id);
        if (found == peers.end()) return;
        try {
            work(*found->second);
            return;
        } catch (const std::exception& e) {
            counter("clrbus_amqp_refused_total{reason=\"internal\"}").add();
            log::error("amqp", std::string("a connection is dropped after an error in it: ") + e.what());
        }
        if (const auto still = peers.find(id); still != peers.end()) remove(*still->second);
    }

    void accept_some(Instant now) {
        for (int i = 0; i < 64; ++i) {
            const int socket = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (socket >= 0) {
                accepted(socket);
                continue;
            }
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                // The connection waits in the backlog; without this pause the loop would spin on it.
                counter("clrbus_amqp_refused_total{reason=\"descriptors\"}").add();
                watch(EPOLL_CTL_MOD, listener, 0, kListenerId);
                timers.emplace(now + kNoDescriptor, kListenerId);
            }
            if (errno != ECONNABORTED && errno != EINTR) return;
        }
    }

    void add(int socket, std::string name, bool loopback) {
        const Instant now = std::chrono::steady_clock::now();
        auto peer = std::make_unique<Peer>();
        peer->id = next_id++;
        peer->socket = socket;
        auto mailbox = std::make_shared<Mailbox>([by = wake, id = peer->id] {
            const std::lock_guard lock(by->mutex);
            by->mail.push_back(id);
            by->ring();
        });
        peer->connection = std::make_unique<Connection>(shared, std::move(mailbox), std::move(name), loopback, now);
        peer->mask = EPOLLIN | EPOLLRDHUP;
        watch(EPOLL_CTL_ADD, socket, peer->mask, peer->id);
        count.fetch_add(1);
        Peer& added = *peer;
        peers.emplace(added.id, std::move(peer));
        service(added, now);
    }

    void on_socket(Peer& peer, std::uint32_t events, Instant now) {
        if (peer.lingers_until) {
            char ignored[4096];
            ssize_t got = 0;
            for (int i = 0; i < 16; ++i) {
                got = ::recv(peer.socket, ignored, sizeof ignored, 0);
                if (got <= 0) break;
            }
            if (got == 0 || (got < 0 && errno != EAGAIN)) remove(peer);
            return;
        }
        if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
            remove(peer);
            return;
        }
        if ((events & (EPOLLIN | EPOLLRDHUP)) != 0 && !read_some(peer, now)) return;
        service(peer, now);
    }

    // False: the peer is gone.
    bool read_some(Peer& peer, Instant now) {
        for (int i = 0; i < kReadsAtOnce && peer.connection->wants_input(); ++i) {
            const ssize_t got = ::recv(peer.socket, buffer.data(), buffer.size(), 0);
            if (got > 0) {
                peer.connection->received({buffer.data(), static_cast<std::size_t>(got)}, now);
                if (static_cast<std::size_t>(got) < buffer.size()) return true;
                continue;
            }
            if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
            remove(peer);
            return false;
        }
        return true;
    }

    // Writes what is there, and settles what the socket is watched for and when it is looked at again.
    void service(Peer& peer, Instant now) {
        Connection& connection = *peer.connection;
        const Instant next = connection.tick(now);
        std::string_view bytes = connection.pending();
        while (!bytes.empty()) {
            const ssize_t sent = ::send(peer.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN && errno != EINTR) {
                remove(peer);
                return;
            }
            connection.sent(sent > 0 ? static_cast<std::size_t>(sent) : 0, now);
            if (sent <= 0) break;
            bytes = connection.pending();
        }
        if (connection.broken()) {
            remove(peer);
            return;
        }
        if (connection.done()) {
            ::shutdown(peer.socket, SHUT_WR);
            peer.lingers_until = now + kLinger;
            set_mask(peer, EPOLLIN);
            schedule(peer, *peer.lingers_until);
            return;
        }
        // A peer that may not send now is still watched for going away, but a half-closed one would report that again and
        // again.
        set_mask(peer, (connection.wants_input() ? EPOLLIN | EPOLLRDHUP : 0U) | (connection.pending().empty() ? 0U : EPOLLOUT));
        schedule(peer, std::max(next, now + kSoonest));
    }

    void set_mask(Peer& peer, std::uint32_t mask) {
        if (mask == peer.mask) return;
        peer.mask = mask;
        watch(EPOLL_CTL_MOD, peer.socket, mask, peer.id);
    }

    // Later deadlines need no timer of their own: the earlier one asks again.
    void schedule(Peer& peer, Instant when) {
        if (peer.timer && (*peer.timer)->first <= when) return;
        if (peer.timer) timers.erase(*peer.timer);
        peer.timer = timers.emplace(when, peer.id);
    }

    void run_timers(Instant now) {
        while (!timers.empty() && timers.begin()->first <= now) {
            const std::uint64_t id = timers.begin()->second;
            const auto due = timers.begin();
            if (const auto found = peers.find(id); found != peers.end()) found->second->timer.reset();
            timers.erase(due);
            if (id == kListenerId) {
                if (listener >= 0) watch(EPOLL_CTL_MOD, listener, EPOLLIN, kListenerId);
                continue;
            }
            guarded(id, [&](Peer& peer) {
                if (!peer.lingers_until) {
                    service(peer, now);
                } else if (now >= *peer.lingers_until) {
                    remove(peer);
                } else {
                    schedule(peer, *peer.lingers_until);
                }
            });
        }
    }

    void remove(Peer& peer) {
        if (peer.timer) timers.erase(*peer.timer);
        ::close(peer.socket);
        count.fetch_sub(1);
        live.fetch_sub(1);
        counter("clrbus_amqp_connections").add(-1);
        peers.erase(peer.id);
    }

    ConnectionShared& shared;
    const std::shared_ptr<Wake> wake;
    std::atomic<std::size_t>& live;
    std::atomic<std::size_t>& count;
    const int epoll;
    int listener = -1;
    std::function<void(int)> accepted;
    bool quit = false;
    std::uint64_t next_id = 2;
    std::unordered_map<std::uint64_t, std::unique_ptr<Peer>> peers;
    Timers timers;
    std::string buffer = std::string(kReadSize, '\0');
};

IoThread::IoThread(ConnectionShared& shared, std::atomic<std::size_t>& live, std::size_t index)
    : wake_(std::make_shared<Wake>()), loop_(std::make_unique<Loop>(shared, wake_, live, count_)) {
    thread_ = std::thread([this] { loop_->run(); });
    pthread_setname_np(thread_.native_handle(), ("amqp-io-" + std::to_string(index)).c_str());
}

IoThread::~IoThread() {
    post([this] { loop_->quit = true; });
    thread_.join();
}

void IoThread::post(std::function<void()> job) {
    const std::lock_guard lock(wake_->mutex);
    wake_->jobs.push_back(std::move(job));
    wake_->ring();
}

void IoThread::adopt(int socket, std::string peer, bool loopback) {
    post([this, socket, peer = std::move(peer), loopback]() mutable { loop_->add(socket, std::move(peer), loopback); });
}

void IoThread::accept_from(int listener, std::function<void(int)> accepted) {
    post([this, listener, accepted = std::move(accepted)]() mutable {
        loop_->accepted = std::move(accepted);
        loop_->listener = listener;
        loop_->watch(EPOLL_CTL_ADD, listener, EPOLLIN, kListenerId);
    });
}

void IoThread::stop_accepting() {
    std::promise<void> done;
    post([this, &done] {
        if (loop_->listener >= 0) loop_->watch(EPOLL_CTL_DEL, loop_->listener, 0, kListenerId);
        loop_->listener = -1;
        done.set_value();
    });
    done.get_future().wait();
}

void IoThread::begin_stop() {
    post([this] {
        const Instant now = std::chrono::steady_clock::now();
        std::vector<std::uint64_t> ids;
        for (const auto& [id, peer] : loop_->peers) ids.push_back(id);
        for (const std::uint64_t id : ids) {
            loop_->guarded(id, [&](Loop::Peer& peer) {
                if (peer.lingers_until) return;
                peer.connection->begin_stop();
                loop_->service(peer, now);
            });
        }
    });
}

}  // namespace clrbus::amqp
