#include "amqp/client_engine.hpp"

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
#include <utility>

#include "amqp/performative.hpp"
#include "amqp/sasl_server.hpp"
#include "core/counters.hpp"

namespace clrbus::amqp {
namespace {

constexpr std::size_t kClientSessionFrames = 256;  // incoming window of a session, in frames of the largest size
constexpr std::size_t kClientOutgoingRoom = 256UL * 1024;
constexpr std::size_t kErrorText = 300;
constexpr int kLastAnswer = 12;  // times as long as an attach may take before it is late: then the connection is given up

// Of the peer: bounded, and nothing that a terminal or a log would take for something else.
std::string peer_text(const char* text) {
    std::string out(text != nullptr ? text : "");
    if (out.size() > kErrorText) out.resize(kErrorText);
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
    }
    return out;
}

Condition peer_condition(pn_condition_t* condition) {
    return {peer_text(pn_condition_get_name(condition)), peer_text(pn_condition_get_description(condition))};
}

std::string condition_text(const Condition& condition) {
    if (condition.name.empty()) return condition.description;
    return condition.description.empty() ? condition.name : condition.name + ": " + condition.description;
}

}  // namespace

struct ClientEngine::Impl {
    Impl(Setup with, std::vector<std::shared_ptr<ClientLink>>& all)
        : setup(std::move(with)), links(all), guard(setup.limits, unfinished, FrameGuard::Begins::kWe) {
        pn_connection_driver_init(&driver, nullptr, nullptr);
        pn_transport_set_max_frame(driver.transport, setup.limits.max_frame);
        pn_transport_set_channel_max(driver.transport, static_cast<std::uint16_t>(setup.limits.max_sessions - 1));
        pn_transport_set_idle_timeout(driver.transport, static_cast<pn_millis_t>(setup.limits.idle.count()));
        pn_connection_set_container(driver.connection, setup.container.c_str());
        pn_connection_set_hostname(driver.connection, setup.hostname.c_str());
        pn_connection_driver_bind(&driver);
        pn_connection_open(driver.connection);
    }

    ~Impl() {
        for (const auto& link : links) {
            if (link->session != nullptr) gone(*link, {"", failure});
        }
        pn_connection_driver_destroy(&driver);
    }

    void ask(ClientLink& link, Instant now) {
        link.again.reset();
        link.asked = now;
        link.late = false;
        link.session = pn_session(driver.connection);
        if (link.session == nullptr) return fail("no session could be begun");
        pn_session_set_incoming_capacity(link.session, kClientSessionFrames * setup.limits.max_frame);
        pn_session_open(link.session);
        link.link = link.sends ? pn_sender(link.session, link.name.c_str()) : pn_receiver(link.session, link.name.c_str());
        pn_terminus_t* theirs = link.sends ? pn_link_target(link.link) : pn_link_source(link.link);
        pn_terminus_t* ours = link.sends ? pn_link_source(link.link) : pn_link_target(link.link);
        pn_terminus_set_address(theirs, link.address.address.c_str());
        pn_terminus_set_address(ours, setup.container.c_str());
        if (link.address.durable) pn_terminus_set_durability(theirs, PN_DELIVERIES);
        pn_link_set_snd_settle_mode(link.link, PN_SND_UNSETTLED);
        pn_link_set_rcv_settle_mode(link.link, PN_RCV_FIRST);
        if (!link.sends) pn_link_set_max_message_size(link.link, setup.limits.max_message);
        pn_session_set_context(link.session, &link);
        pn_link_set_context(link.link, &link);
        pn_link_open(link.link);
    }

    // The link means nothing any more; asked for again after a pause, unless it is to end.
    void gone(ClientLink& link, const Condition& why) {
        pn_link_set_context(link.link, nullptr);
        pn_session_set_context(link.session, nullptr);
        link.session = nullptr;
        link.link = nullptr;
        link.open = false;
        link.blocked = false;
        link.lost();
        setup.on_state(link, why);
    }

    void refused(ClientLink& link, const Condition& why) {
        pn_session_t* session = link.session;
        gone(link, why);
        if (!why.name.empty()) counter("clrbus_amqp_out_links_refused_total").add();
        pn_session_close(session);
        ended.push_back(session);
        link.pause = std::clamp(link.pause * 2, setup.first_pause, setup.most_pause);
        link.again = std::chrono::steady_clock::now() + link.pause;
    }

    void close_link(ClientLink& link) {
        link.closing = true;
        if (!link.open) return;  // ended when the peer has answered: before, it could not tell what ends
        pn_session_t* session = link.session;
        gone(link, {});
        pn_session_close(session);
        ended.push_back(session);
    }

    void fail(std::string why) {
        if (failure.empty()) failure = std::move(why);
        over = true;
    }

    void push(std::string_view bytes) {
        while (!bytes.empty()) {
            const pn_rwbytes_t room = pn_connection_driver_read_buffer(&driver);
            if (room.size == 0) return;
            const std::size_t size = std::min(room.size, bytes.size());
            std::copy_n(bytes.data(), size, room.start);
            pn_connection_driver_read_done(&driver, size);
            bytes.remove_prefix(size);
        }
    }

    void feed(std::string& input) {
        std::size_t done = 0, ready = 0;
        const std::string_view all = input;
        try {
            if (!header_seen && all.size() >= kAmqpHeader.size()) {
                if (all.substr(0, kAmqpHeader.size()) != kAmqpHeader)
                    throw Violation("amqp:connection:framing-error", "header", "no AMQP 1.0 header after SASL");
                header_seen = true;
                ready = kAmqpHeader.size();
            }
            while (header_seen && !over) {
                const std::size_t length = guard.length(all.substr(ready));
                if (length == 0 || all.size() - ready < length) break;
                const auto code = guard.check(all.substr(ready, length));
                ready += length;
                if (code != Code::kAttach && code != Code::kBegin && code != Code::kEnd && code != Code::kDetach) continue;
                push(all.substr(done, ready - done));  // the attach event must find the guard's link
                done = ready;
                handle_events();
            }
            push(all.substr(done, ready - done));
            handle_events();
        } catch (const Violation& violation) {
            push(all.substr(done, ready - done));
            handle_events();
            counter("clrbus_amqp_out_refused_total{reason=\"" + std::string(violation.reason()) + "\"}").add();
            fail("the peer broke the protocol: " + violation.condition() + ": " + violation.what());
        }
        over ? input.clear() : void(input.erase(0, ready));
    }

    void handle_events() {
        while (pn_event_t* event = pn_connection_driver_next_event(&driver)) handle(event);
    }

    static ClientLink* of(pn_link_t* raw) {
        return raw != nullptr ? static_cast<ClientLink*>(pn_link_get_context(raw)) : nullptr;
    }

    void handle(pn_event_t* event) {
        switch (pn_event_type(event)) {
            case PN_CONNECTION_REMOTE_OPEN:
                open = true;
                break;
            case PN_CONNECTION_REMOTE_CLOSE: {
                const Condition why = peer_condition(pn_connection_remote_condition(driver.connection));
                if (!draining) fail("closed by the peer: " + condition_text(why));
                clean = draining && why.name.empty();
                pn_connection_close(driver.connection);
                over = true;
                break;
            }
            case PN_SESSION_REMOTE_CLOSE: {
                pn_session_t* session = pn_event_session(event);
                if (auto* link = static_cast<ClientLink*>(pn_session_get_context(session)); link != nullptr) {
                    refused(*link, peer_condition(pn_session_remote_condition(session)));
                }
                std::erase(ended, session);
                pn_session_free(session);
                break;
            }
            case PN_LINK_REMOTE_OPEN:
                attached(pn_event_link(event));
                break;
            case PN_LINK_REMOTE_CLOSE:
            case PN_LINK_REMOTE_DETACH:
                if (ClientLink* link = of(pn_event_link(event)); link != nullptr) {
                    refused(*link, peer_condition(pn_link_remote_condition(pn_event_link(event))));
                }
                break;
            case PN_DELIVERY: {
                pn_delivery_t* delivery = pn_event_delivery(event);
                if (ClientLink* link = of(pn_delivery_link(delivery)); link != nullptr) {
                    link->on_delivery(delivery);
                } else if (pn_link_is_receiver(pn_delivery_link(delivery)) && !pn_delivery_partial(delivery)) {
                    pn_delivery_settle(delivery);  // for nobody any more: the peer keeps it
                }
                break;
            }
            case PN_TRANSPORT_ERROR:
                fail("the connection failed: " + condition_text(peer_condition(pn_transport_condition(driver.transport))));
                break;
            default:
                break;
        }
    }

    void attached(pn_link_t* raw) {
        ClientLink* link = of(raw);
        if (link == nullptr) return;
        // A refusal is an attach without the terminus that was asked for, and a detach behind it (part 2.6.3).
        pn_terminus_t* theirs = link->sends ? pn_link_remote_target(raw) : pn_link_remote_source(raw);
        if (pn_terminus_get_type(theirs) == PN_UNSPECIFIED) return;
        link->open = true;
        link->attached(guard.last_attached());
        link->pause = std::chrono::milliseconds(0);
        setup.on_state(*link, {});
        if (link->closing) close_link(*link);
    }

    void write(std::string& out) {
        while (true) {
            handle_events();
            const pn_bytes_t bytes = pn_connection_driver_write_buffer(&driver);
            if (bytes.size != 0) {
                out.append(bytes.start, bytes.size);
                guard.sent({bytes.start, bytes.size});
                pn_connection_driver_write_done(&driver, bytes.size);
            }
            bool more = bytes.size != 0;
            if (out.size() < setup.limits.max_output && !over) {
                for (const auto& link : links) {
                    if (link->open && link->pump(kClientOutgoingRoom)) more = true;
                }
            }
            if (!more) return;
        }
    }

    Instant tick(Instant now) {
        const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
        const std::int64_t next = pn_transport_tick(driver.transport, millis);
        Instant at = now + std::chrono::minutes(1);
        if (next > 0) at = std::min(at, now + std::chrono::milliseconds(std::max<std::int64_t>(next - millis, 1)));
        handle_events();
        if (draining) {
            end_drained();
            return at;
        }
        for (const auto& link : links) {
            if (link->closing) continue;
            if (link->session == nullptr && open && !over) {
                if (!link->again || now >= *link->again) {
                    ask(*link, now);
                } else {
                    at = std::min(at, *link->again);
                }
            } else if (link->session != nullptr && !link->open) {
                await(*link, now);
                at = std::min(at, link->asked + setup.answer * (link->late ? kLastAnswer : 1));
            } else if (link->open) {
                watch(*link, now, at);
            }
        }
        return at;
    }

    // One queue may be without its leader for minutes (RabbitMQ holds the answer back until it gives up): the others go on.
    void await(ClientLink& link, Instant now) {
        if (now >= link.asked + setup.answer * kLastAnswer) return fail("the peer does not answer an attach");
        if (now < link.asked + setup.answer || std::exchange(link.late, true)) return;
        setup.on_state(link, {"", "the peer does not answer an attach"});
    }

    // A broker whose memory or disk is full reads nothing more and says nothing.
    void watch(ClientLink& link, Instant now, Instant& at) {
        const auto since = link.waits_since();
        const bool blocked = since && now >= *since + setup.answer;
        if (since && !blocked) at = std::min(at, *since + setup.answer);
        if (std::exchange(link.blocked, blocked) == blocked) return;
        if (blocked) counter("clrbus_amqp_out_blocked_total").add();
        setup.on_state(link, {});
    }

    void drain() {
        if (std::exchange(draining, true)) return;
        for (const auto& link : links) {
            if (link->session == nullptr) continue;
            pn_session_t* session = link->session;
            const bool answered = link->open;
            gone(*link, {});
            if (!answered) continue;
            pn_session_close(session);
            ended.push_back(session);
        }
        end_drained();
    }

    // Once every session has been ended by the peer, too.
    void end_drained() {
        if (ended.empty() && !(pn_connection_state(driver.connection) & PN_LOCAL_CLOSED))
            pn_connection_close(driver.connection);
    }

    const Setup setup;
    std::vector<std::shared_ptr<ClientLink>>& links;
    pn_connection_driver_t driver{};
    std::atomic<std::uint64_t> unfinished{0};
    FrameGuard guard;
    std::vector<pn_session_t*> ended;  // by us, not yet by the peer
    bool header_seen = false, open = false, over = false, draining = false, clean = false;
    std::string failure;
};

ClientEngine::ClientEngine(Setup setup, std::vector<std::shared_ptr<ClientLink>>& links)
    : impl_(std::make_unique<Impl>(std::move(setup), links)) {}
ClientEngine::~ClientEngine() = default;

void ClientEngine::feed(std::string& input) {
    impl_->feed(input);
}

void ClientEngine::write(std::string& out) {
    impl_->write(out);
}

ClientEngine::Instant ClientEngine::tick(Instant now) {
    return impl_->tick(now);
}

void ClientEngine::close_link(ClientLink& link) {
    impl_->close_link(link);
}

void ClientEngine::drain() {
    impl_->drain();
}

bool ClientEngine::opened() const {
    return impl_->open;
}

bool ClientEngine::finished() const {
    return impl_->over;
}

bool ClientEngine::drained() const {
    return impl_->clean;
}

const std::string& ClientEngine::error() const {
    return impl_->failure;
}

}  // namespace clrbus::amqp
