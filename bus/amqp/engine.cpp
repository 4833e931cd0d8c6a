#include "amqp/engine.hpp"

#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/delivery.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include <algorithm>
#include <map>
#include <utility>

#include "amqp/encoding.hpp"
#include "amqp/frame_guard.hpp"
#include "amqp/links.hpp"
#include "amqp/peer_log.hpp"
#include "amqp/sasl_server.hpp"
#include "core/counters.hpp"
#include "core/log.hpp"

namespace clrbus::amqp {
namespace {

constexpr std::size_t kSessionFrames = 1024;  // incoming window of a session, in frames of the largest size
constexpr std::chrono::milliseconds kDrainAgain{5};
constexpr std::chrono::milliseconds kMemoryAgain{5};
constexpr std::size_t kOutgoingRoom = 256UL * 1024;  // bytes of messages that Proton holds for one session

class MailLink : public InLink, public OutLink {
public:
    MailLink(std::shared_ptr<Mailbox> mailbox, std::uint64_t number) : mailbox_(std::move(mailbox)), number_(number) {}

    void settle(std::vector<Settlement> batch) override { mailbox_->push({number_, std::move(batch)}); }
    void send(Outgoing message) override { mailbox_->push({number_, std::move(message)}); }
    void drained() override { mailbox_->push({number_, Drained{}}); }
    void detach(Condition why) override { mailbox_->push({number_, std::move(why)}); }

private:
    const std::shared_ptr<Mailbox> mailbox_;  // shared with the connection and its other links
    const std::uint64_t number_;
};

void set_condition(pn_condition_t* condition, const Condition& why) {
    pn_condition_set_name(condition, why.name.c_str());
    pn_condition_set_description(condition, why.description.c_str());
}

std::string text_or_empty(const char* text) {
    return text != nullptr ? text : "";
}

}  // namespace

struct Engine::Impl {
    struct Driver {
        Driver() { pn_connection_driver_init(&raw, nullptr, nullptr); }
        ~Driver() { pn_connection_driver_destroy(&raw); }
        Driver(const Driver&) = delete;
        Driver& operator=(const Driver&) = delete;
        pn_connection_driver_t raw{};
    };
    // What the pn_link_t's context points to. Either kind, never both.
    struct Link {
        std::uint64_t number = 0;
        pn_link_t* raw = nullptr;
        std::unique_ptr<InLinkState> in;
        std::unique_ptr<OutLinkState> out;
    };

    explicit Impl(Setup with) : setup(std::move(with)), guard(setup.limits, setup.unfinished_total) {
        pn_transport_t* transport = driver.raw.transport;
        pn_transport_set_max_frame(transport, setup.limits.max_frame);
        pn_transport_set_channel_max(transport, static_cast<std::uint16_t>(setup.limits.max_sessions - 1));
        pn_transport_set_idle_timeout(transport, static_cast<pn_millis_t>(setup.limits.idle.count()));
        pn_connection_set_container(driver.raw.connection, setup.container.c_str());
        pn_connection_driver_bind(&driver.raw);
    }

    ~Impl() {
        for (auto& [number, link] : links) {
            try {
                drop(*link);
            } catch (const std::exception& e) {
                log::error("amqp", setup.connection + ": ending a link: " + e.what());
            }
        }
    }

    void push_to_proton(std::string_view bytes) {
        while (!bytes.empty()) {
            const pn_rwbytes_t room = pn_connection_driver_read_buffer(&driver.raw);
            if (room.size == 0) return;  // Proton has closed its side
            const std::size_t size = std::min(room.size, bytes.size());
            std::copy_n(bytes.data(), size, room.start);
            pn_connection_driver_read_done(&driver.raw, size);
            bytes.remove_prefix(size);
        }
    }

    void flush_to_proton() {
        push_to_proton(for_proton);
        for_proton.clear();
        handle_events();
    }

    // A transfer goes to Proton without the bytes of the message. It would copy them twice, and we a third time out of it.
    void take_transfer(std::string_view frame) {
        const FrameGuard::Transfer& transfer = guard.last_transfer();
        const std::size_t size = frame.size() - transfer.payload.size();
        for (int shift = 24; shift >= 0; shift -= 8) for_proton += static_cast<char>(size >> shift);
        for_proton.append(frame.substr(4, size - 4));
        guard.collect();
    }

    std::size_t feed(std::string_view all) {
        std::size_t ready = 0;  // checked
        try {
            if (!header_seen) {
                if (all.size() < kAmqpHeader.size()) return 0;
                if (all.substr(0, kAmqpHeader.size()) != kAmqpHeader)
                    throw Violation("amqp:connection:framing-error", "header", "no AMQP 1.0 header after SASL");
                header_seen = true;
                ready = kAmqpHeader.size();
                for_proton.append(kAmqpHeader);
            }
            while (!stop_reading) {
                const std::size_t length = guard.length(all.substr(ready));
                if (length == 0 || all.size() - ready < length) break;
                const std::string_view frame = all.substr(ready, length);
                const auto code = guard.check(frame);
                ready += length;
                if (code == Code::kTransfer) {
                    take_transfer(frame);
                    continue;
                }
                for_proton.append(frame);
                // The attach event must find the guard's link; a close ends what may come.
                if (code == Code::kAttach || code == Code::kBegin || code == Code::kEnd || code == Code::kDetach) {
                    flush_to_proton();
                    // Proton opens the session's window when it writes its begin: a peer that pipelines is not to find it shut.
                    if (code == Code::kBegin) pn_connection_driver_write_buffer(&driver.raw);
                }
            }
            flush_to_proton();
        } catch (const Violation& violation) {
            flush_to_proton();
            counter("clrbus_amqp_refused_total{reason=\"" + std::string(violation.reason()) + "\"}").add();
            log_peer(setup.connection, violation.condition() + ": " + violation.what());
            close({violation.condition(), violation.what()});
        }
        return stop_reading ? all.size() : ready;
    }

    void end_of_input() {
        for (auto& [number, link] : links) {
            if (link->in) link->in->end_batch();
            if (link->out) link->out->end_batch();
        }
        stop_if_idle();
    }

    void handle_events() {
        while (pn_event_t* event = pn_connection_driver_next_event(&driver.raw)) handle(event);
    }

    void handle(pn_event_t* event) {
        pn_connection_t* connection = driver.raw.connection;
        switch (pn_event_type(event)) {
            case PN_CONNECTION_REMOTE_OPEN:
                pn_connection_open(connection);
                break;
            case PN_CONNECTION_REMOTE_CLOSE:
                pn_connection_close(connection);
                break;
            case PN_SESSION_REMOTE_OPEN:
                pn_session_set_incoming_capacity(pn_event_session(event), kSessionFrames * setup.limits.max_frame);
                pn_session_open(pn_event_session(event));
                break;
            case PN_SESSION_REMOTE_CLOSE:
                end_session(pn_event_session(event));
                break;
            case PN_LINK_REMOTE_OPEN:
                attach(pn_event_link(event));
                break;
            case PN_LINK_REMOTE_CLOSE:
            case PN_LINK_REMOTE_DETACH: {
                pn_link_t* raw = pn_event_link(event);
                forget(raw);
                pn_event_type(event) == PN_LINK_REMOTE_CLOSE ? pn_link_close(raw) : pn_link_detach(raw);
                pn_link_free(raw);
                break;
            }
            case PN_LINK_FLOW:
                if (Link* link = find(pn_event_link(event)); link != nullptr && link->out) link->out->on_flow();
                break;
            case PN_DELIVERY:
                on_delivery(pn_event_delivery(event));
                break;
            case PN_TRANSPORT_ERROR:  // Proton found what the guard let through: it closes with its own condition
                stop_reading = true;
                counter("clrbus_amqp_refused_total{reason=\"protocol\"}").add();
                log_peer(setup.connection, text_or_empty(pn_condition_get_name(pn_transport_condition(driver.raw.transport))));
                break;
            default:
                break;
        }
    }

    void add_in_flight(std::uint64_t bytes) {
        in_flight += bytes;
        setup.in_flight_total.fetch_add(bytes, std::memory_order_relaxed);
    }
    void take_in_flight(std::uint64_t bytes) {
        in_flight -= bytes;
        setup.in_flight_total.fetch_sub(bytes, std::memory_order_relaxed);
    }
    bool others_fill_memory() const {
        return setup.in_flight_total.load(std::memory_order_relaxed) > setup.limits.max_in_flight_total;
    }

    Link* find(pn_link_t* raw) { return raw != nullptr ? static_cast<Link*>(pn_link_get_context(raw)) : nullptr; }

    void on_delivery(pn_delivery_t* delivery) {
        Link* link = find(pn_delivery_link(delivery));
        if (link == nullptr) {  // refused or detached by us: what still comes is for nobody
            if (!pn_delivery_partial(delivery)) pn_delivery_settle(delivery);
            return;
        }
        if (link->in) add_in_flight(link->in->on_delivery(delivery));
        if (link->out) link->out->on_delivery(delivery);
    }

    void attach(pn_link_t* raw) {
        const bool peer_sends = pn_link_is_receiver(raw);
        pn_terminus_t* theirs = peer_sends ? pn_link_remote_target(raw) : pn_link_remote_source(raw);
        AttachInfo info;
        info.user = setup.user;
        info.connection = setup.connection;
        info.container = text_or_empty(pn_connection_remote_container(driver.raw.connection));
        info.link = text_or_empty(pn_link_name(raw));
        info.address = text_or_empty(pn_terminus_get_address(theirs));
        info.settled = !peer_sends && pn_link_remote_snd_settle_mode(raw) == PN_SND_SETTLED;
        auto link = std::make_unique<Link>();
        link->number = next_link++;
        link->raw = raw;
        Condition refusal;
        if (stopping) {
            refusal = {"amqp:connection:forced", "the bus is stopping"};
        } else if (pn_terminus_get_type(theirs) == PN_COORDINATOR) {
            refusal = {"amqp:not-implemented", "transactions are not offered here"};
        } else if (pn_terminus_is_dynamic(theirs)) {
            refusal = {"amqp:not-implemented", "dynamic nodes are not offered here"};
        } else if (pn_terminus_get_type(theirs) == PN_UNSPECIFIED) {
            refusal = {"amqp:invalid-field", peer_sends ? "attach without a target" : "attach without a source"};
        } else if (!peer_sends && pn_terminus_get_distribution_mode(theirs) == PN_DIST_MODE_COPY) {
            refusal = {"amqp:not-implemented", "browsing is not offered here"};
        } else {
            const auto handle = std::make_shared<MailLink>(setup.mailbox, link->number);
            if (peer_sends) {
                if (auto node = setup.nodes.attach_in(info, handle, refusal)) {
                    link->in = std::make_unique<InLinkState>(raw, guard.last_attached(), setup.limits);
                    link->in->set_node(std::move(node));
                }
            } else if (auto node = setup.nodes.attach_out(info, handle, refusal)) {
                link->out = std::make_unique<OutLinkState>(raw, info.settled);
                link->out->set_node(std::move(node));
            }
        }
        accept_or_refuse(std::move(link), info, refusal);
    }

    void accept_or_refuse(std::unique_ptr<Link> link, const AttachInfo& info, const Condition& refusal) {
        pn_link_t* raw = link->raw;
        const bool peer_sends = pn_link_is_receiver(raw);
        const bool accepted = link->in || link->out;
        // A refused one is answered without the terminus that the peer asked for, then detached (part 2.6.3).
        if (accepted || !peer_sends) {
            pn_terminus_set_type(pn_link_target(raw), PN_TARGET);
            pn_terminus_set_address(pn_link_target(raw), pn_terminus_get_address(pn_link_remote_target(raw)));
        }
        if (accepted || peer_sends) {
            pn_terminus_set_type(pn_link_source(raw), PN_SOURCE);
            pn_terminus_set_address(pn_link_source(raw), pn_terminus_get_address(pn_link_remote_source(raw)));
        }
        pn_link_set_snd_settle_mode(raw, pn_link_remote_snd_settle_mode(raw));
        pn_link_set_rcv_settle_mode(raw, PN_RCV_FIRST);
        if (peer_sends) pn_link_set_max_message_size(raw, setup.limits.max_message);
        pn_link_open(raw);
        if (!accepted) {
            counter("clrbus_amqp_attach_refused_total").add();
            log_peer(info.connection, "attach refused: " + refusal.name + ": " + refusal.description);
            set_condition(pn_link_condition(raw), refusal);
            pn_link_close(raw);
            return;
        }
        pn_link_set_context(raw, link.get());
        if (link->in) link->in->retry();
        links.emplace(link->number, std::move(link));
    }

    // The node is told; the number means nothing from now on.
    void drop(Link& link) {
        if (link.in) take_in_flight(link.in->drop());
        if (link.out) link.out->drop(!stopping);
        pn_link_set_context(link.raw, nullptr);
    }

    void forget(pn_link_t* raw) {
        Link* link = find(raw);
        if (link == nullptr) return;
        drop(*link);
        links.erase(link->number);
    }

    void end_session(pn_session_t* session) {
        for (auto at = links.begin(); at != links.end();) {
            if (pn_link_session(at->second->raw) == session) {
                drop(*at->second);
                at = links.erase(at);
            } else {
                ++at;
            }
        }
        pn_session_close(session);
        pn_session_free(session);
    }

    void on_mail(Mail& mail) {
        const auto found = links.find(mail.link);
        if (found == links.end()) return;
        Link& link = *found->second;
        if (auto* batch = std::get_if<std::vector<Settlement>>(&mail.what); batch != nullptr && link.in) {
            take_in_flight(link.in->settle(*batch));
            link.in->end_batch();
        } else if (auto* message = std::get_if<Outgoing>(&mail.what); message != nullptr && link.out) {
            link.out->queue(std::move(*message));
        } else if (std::holds_alternative<Drained>(mail.what) && link.out) {
            link.out->drained();
        } else if (auto* why = std::get_if<Condition>(&mail.what)) {
            pn_link_t* raw = link.raw;
            set_condition(pn_link_condition(raw), *why);
            forget(raw);
            pn_link_close(raw);  // freed when the peer has answered
        }
        stop_if_idle();
    }

    void write(std::string& out) {
        while (true) {
            handle_events();
            const pn_bytes_t bytes = pn_connection_driver_write_buffer(&driver.raw);
            if (bytes.size != 0) {
                out.append(bytes.start, bytes.size);
                pn_connection_driver_write_done(&driver.raw, bytes.size);
            }
            bool more = bytes.size != 0;
            if (out.size() < setup.limits.max_output && !closing()) {
                for (auto& [number, link] : links) {
                    if (link->out && link->out->pump(kOutgoingRoom)) more = true;
                    if (link->out) link->out->end_batch();
                }
            }
            if (!more) break;
        }
        out.append(std::exchange(farewell, {}));
    }

    std::optional<Instant> tick(Instant now) {
        const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
        const std::int64_t next = pn_transport_tick(driver.raw.transport, millis);
        std::optional<Instant> at;
        if (next > 0) at = now + std::chrono::milliseconds(next - millis);
        handle_events();
        // Nobody tells this connection when others have settled enough.
        if (others_fill_memory()) at = at ? std::min(*at, now + kMemoryAgain) : now + kMemoryAgain;
        for (auto& [number, link] : links) {
            if (link->out && link->out->draining()) {
                const Instant due = link->out->drain_retry_at(now, kDrainAgain);
                at = at ? std::min(*at, due) : due;
            }
            if (!link->in || !link->in->closed()) continue;
            link->in->retry();
            if (!link->in->closed()) continue;
            const Instant again = now + setup.limits.retry_credit;
            at = at ? std::min(*at, again) : again;
        }
        return at;
    }

    void close(const Condition& why) {
        if (stop_reading) return;
        stop_reading = true;
        if (!guard.opened()) {
            // Proton holds a close back until the peer has opened; this peer will not.
            const std::string error = ListWriter().symbol(why.name).string(why.description).described(0x1d);
            farewell = frame(0, 0, ListWriter().string(setup.container).described(static_cast<std::uint8_t>(Code::kOpen))) +
                       frame(0, 0, ListWriter().raw(error).described(static_cast<std::uint8_t>(Code::kClose)));
            return;
        }
        pn_connection_t* connection = driver.raw.connection;
        if (!pn_condition_is_set(pn_connection_condition(connection))) set_condition(pn_connection_condition(connection), why);
        pn_connection_open(connection);
        pn_connection_close(connection);
    }

    void stop_if_idle() {
        if (!stopping || stop_reading) return;
        for (const auto& [number, link] : links) {
            if (link->in && link->in->pending() != 0) return;
        }
        close({"amqp:connection:forced", "the bus is stopping"});
    }

    bool closing() const { return stop_reading || (pn_connection_state(driver.raw.connection) & PN_LOCAL_CLOSED) != 0; }

    const Setup setup;
    Driver driver;
    FrameGuard guard;
    std::string for_proton;  // checked, not given to it yet
    bool header_seen = false;
    bool stop_reading = false;
    std::string farewell;  // open and close for a peer that has not opened
    bool stopping = false;
    std::uint64_t in_flight = 0;
    std::uint64_t next_link = 1;
    std::map<std::uint64_t, std::unique_ptr<Link>> links;
};

Engine::Engine(Setup setup) : impl_(std::make_unique<Impl>(std::move(setup))) {}
Engine::~Engine() = default;

std::size_t Engine::feed(std::string_view input) {
    return impl_->feed(input);
}

std::size_t Engine::missing(std::string_view input) const {
    return impl_->header_seen && !impl_->stop_reading ? impl_->guard.missing(input) : 0;
}

void Engine::end_of_input() {
    impl_->end_of_input();
}

void Engine::on_mail(Mail& mail) {
    impl_->on_mail(mail);
}

void Engine::write(std::string& out) {
    impl_->write(out);
}

std::optional<Engine::Instant> Engine::tick(Instant now) {
    return impl_->tick(now);
}

void Engine::close(const Condition& why) {
    impl_->close(why);
}

void Engine::begin_stop() {
    impl_->stopping = true;
    for (auto& [number, link] : impl_->links) {
        if (link->in) link->in->stop();
    }
    impl_->stop_if_idle();
}

bool Engine::opened() const {
    return impl_->guard.opened();
}

bool Engine::wants_input() const {
    return !impl_->stop_reading && impl_->in_flight <= impl_->setup.limits.max_in_flight && !impl_->others_fill_memory();
}

bool Engine::closing() const {
    return impl_->closing();
}

bool Engine::finished() const {
    return pn_connection_driver_write_closed(&impl_->driver.raw) || (impl_->closing() && impl_->guard.closed());
}

}  // namespace clrbus::amqp
