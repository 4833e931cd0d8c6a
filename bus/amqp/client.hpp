// A connection to another AMQP 1.0 peer that we open: it is made again, with growing pauses, whenever it ends, and its links
// are attached again with it. What a sender was given is sent again until the peer has answered (at least once); credit that a
// receiver was granted is granted again. Nothing that the peer sends stops the process: the frame guard stands in front.
//
//     Client client({.host = "broker.example.edu", .port = 5671, .tls = …, .user = "bus", .password = …});
//     auto out = client.sender({.address = "/amq/queue/work", .durable = false});
//     client.start();
//     out->send(message, [](const Settlement& answer) { … });
//     client.stop(std::chrono::seconds(10));
//
// Any thread. Callbacks come on the client's own thread and must not block. Each link has a session of its own: brokers answer
// a wrong address by ending the session.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/limits.hpp"
#include "amqp/nodes.hpp"
#include "core/clock.hpp"
#include "core/message.hpp"
#include "crypto/tls.hpp"

namespace clrbus::amqp {

struct ClientOptions {
    std::string host;  // name or IP address; with TLS the certificate must carry it
    std::uint16_t port = 5672;
    std::shared_ptr<const crypto::TlsContext> tls{};  // shared with other clients; null: plain TCP
    bool plain_off_loopback = false;                  // plain TCP to another machine
    bool certificate = false;                         // the context shows one: EXTERNAL may be chosen
    bool anonymous = false;                           // without a user: ANONYMOUS
    std::string user{}, password{};
    std::string hostname{};            // in open: the virtual host; "" = host
    std::string container = "clrbus";  // our name
    Limits limits = outgoing_limits();
    std::chrono::milliseconds connect{10'000};  // from the first try to open, and from attach to its answer
    std::chrono::milliseconds first_retry{100}, most_retry{30'000};

    static Limits outgoing_limits();
};

struct LinkAddress {
    std::string address;
    bool durable = false;  // the terminus asks for durability: RabbitMQ declares /queue/NAME durable then
};

struct LinkHealth {
    std::string address;
    bool sends = false;
    bool attached = false;
    std::string error;  // of the peer, or ours; "" while attached and answered
    Time since{};
};

struct ClientHealth {
    bool open = false;
    std::string error;  // why it is not; "" before the first try
    Time since{};       // of this state
    std::vector<LinkHealth> links;
};

class Sender {
public:
    using Answered = std::function<void(const Settlement&)>;
    virtual ~Sender() = default;
    // In order. answered: once, when the peer has settled it; never when the client is stopped before. A message larger than
    // the peer takes is answered kRejected with amqp:link:message-size-exceeded.
    virtual void send(Message message, Answered answered) = 0;
};

class Receiver {
public:
    virtual ~Receiver() = default;
    virtual void grant(std::uint32_t more) = 0;
    // Tokens of a link that was lost in between are passed over: the peer gives their messages out again.
    virtual void settle(std::vector<Settlement> batch) = 0;
    virtual void close() = 0;  // the link ends; what was not settled goes back to the peer
};
struct ReceiverEvents {
    std::function<void(std::uint64_t token, std::string encoded)> on_message;
    std::function<void()> on_lost;  // the link is gone: no token that was given out means anything now
    // The peer has attached it. refused: it had ended or refused the link before, so that what is behind it may be another one.
    std::function<void(bool refused)> on_attached{};
};

class Client {
public:
    // Throws Error(kConfig): AMQP-011 no host.
    explicit Client(ClientOptions options);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    std::shared_ptr<Sender> sender(LinkAddress to);  // lives as long as the client
    std::shared_ptr<Receiver> receiver(LinkAddress from, ReceiverEvents events);

    void start();
    // Waits for answers to what was sent, ends the sessions, waits for the peer to say so (what was settled is then known to
    // it), and closes. False: the time was over before that. No callback after it returns.
    bool stop(std::chrono::milliseconds at_most);

    ClientHealth health() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::amqp
