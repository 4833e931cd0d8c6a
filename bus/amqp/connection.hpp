// One accepted connection without its socket: TLS, the first eight bytes, SASL, then the engine; and every deadline. Bytes in,
// bytes out. Its I/O thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "amqp/authenticator.hpp"
#include "amqp/engine.hpp"
#include "amqp/limits.hpp"
#include "amqp/mailbox.hpp"
#include "amqp/nodes.hpp"
#include "amqp/password_checker.hpp"
#include "amqp/sasl_server.hpp"
#include "crypto/tls.hpp"

namespace clrbus::amqp {

// What all connections of one listener share. Outlives them.
struct ConnectionShared {
    Limits limits;
    const Authenticator& users;
    Nodes& nodes;
    PasswordChecker& passwords;
    std::string container;
    std::shared_ptr<const crypto::TlsContext> tls;  // shared with the other listeners; null: plain
    bool plain_on_loopback = false;
    std::atomic<std::uint64_t> unfinished{0};
    std::atomic<std::uint64_t> in_flight{0};
};

class Connection {
public:
    using Instant = std::chrono::steady_clock::time_point;

    // name: for logs. Mail wakes through the mailbox.
    Connection(ConnectionShared& shared, std::shared_ptr<Mailbox> mailbox, std::string name, bool loopback, Instant now);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void received(std::string_view bytes, Instant now);
    void read_mail(Instant now);
    // The next moment at which tick must be called again.
    Instant tick(Instant now);
    void begin_stop();

    // For the socket; sent() takes off what it took.
    std::string_view pending();
    void sent(std::size_t bytes, Instant now);

    bool wants_input() const;
    bool done();                             // all is said and sent: shut the socket down
    bool broken() const { return broken_; }  // drop the socket now

private:
    enum class Stage : std::uint8_t { kHello, kSasl, kRefusing, kAmqp, kGoodbye };

    void process(Instant now);
    void frames(std::string_view bytes, Instant now);
    void watch_frame(bool moved, Instant now);
    void hello();
    void answer_stranger();
    bool sasl(Instant now);
    void after_sasl(Instant now);
    void refuse_login(Instant now);
    void goodbye(std::string_view reason);
    void end(const Condition& why);
    void make_engine(std::string user);

    ConnectionShared& shared_;
    const std::shared_ptr<Mailbox> mailbox_;  // shared with the links and password checks of this connection
    const std::string name_;
    const bool loopback_;
    std::optional<crypto::TlsSession> tls_;
    Stage stage_ = Stage::kHello;
    std::string in_;   // plain, not yet taken
    std::string out_;  // plain, not yet taken by the socket or by TLS
    std::size_t out_sent_ = 0;
    std::optional<SaslServer> sasl_;
    std::unique_ptr<Engine> engine_;
    bool broken_ = false;
    bool stopping_ = false;
    bool tls_closed_ = false;
    Instant handshake_until_;
    std::optional<Instant> frame_since_;    // an incomplete frame lies in in_
    std::optional<Instant> stalled_since_;  // something waits for the peer to read
    std::optional<Instant> refuse_at_;
};

}  // namespace clrbus::amqp
