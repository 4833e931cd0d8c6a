#include "amqp/connection.hpp"

#include <algorithm>
#include <utility>

#include "amqp/peer_log.hpp"
#include "amqp/performative.hpp"
#include "core/counters.hpp"

namespace clrbus::amqp {
namespace {

constexpr std::size_t kMaxWaitingInput = 64UL * 1024;  // while a password is checked
constexpr std::string_view kHttpAnswer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: 47\r\n\r\n"
    "This port speaks AMQP 1.0. HTTP is on another.\n";
// A fatal alert: protocol_version. What a TLS client understands on a port that has no TLS.
constexpr std::string_view kTlsAlert{"\x15\x03\x01\x00\x02\x02\x46", 7};

bool is_http(std::string_view bytes) {
    for (const std::string_view method : {"GET ", "POST", "PUT ", "HEAD", "OPTI", "DELE", "PATC", "CONN", "PRI "}) {
        if (bytes.substr(0, 4) == method) return true;
    }
    return false;
}

void count_refused(std::string_view reason) {
    counter("clrbus_amqp_refused_total{reason=\"" + std::string(reason) + "\"}").add();
}

}  // namespace

Connection::Connection(ConnectionShared& shared, std::shared_ptr<Mailbox> mailbox, std::string name, bool loopback, Instant now)
    : shared_(shared),
      mailbox_(std::move(mailbox)),
      name_(std::move(name)),
      loopback_(loopback),
      handshake_until_(now + shared.limits.handshake) {
    if (shared_.tls) tls_.emplace(*shared_.tls);
}

Connection::~Connection() {
    mailbox_->close();
}

void Connection::received(std::string_view bytes, Instant now) {
    if (stage_ == Stage::kGoodbye || broken_) return;
    if (tls_) {
        tls_->feed(bytes);
        char plain[16 * 1024];
        while (const std::size_t size = tls_->read(plain, sizeof plain)) in_.append(plain, size);
        if (tls_->state() == crypto::TlsSession::State::kFailed) {
            log_peer(name_, "TLS: " + tls_->failure());
            goodbye("tls");
            return;
        }
        if (tls_->state() == crypto::TlsSession::State::kPeerClosed) broken_ = true;
    } else if (stage_ == Stage::kAmqp) {
        frames(bytes, now);
        return;
    } else {
        in_.append(bytes);
    }
    process(now);
}

// Without a copy of what comes whole: what is left of an earlier read is completed, the rest is read where it is.
void Connection::frames(std::string_view bytes, Instant now) {
    std::size_t taken = 0;
    if (const std::size_t missing = engine_->missing(in_); missing != 0) {
        in_.append(bytes.substr(0, missing));
        bytes.remove_prefix(std::min(missing, bytes.size()));
        taken = engine_->feed(in_);
        in_.erase(0, taken);
    }
    if (in_.empty()) {
        const std::size_t more = engine_->feed(bytes);
        in_.assign(bytes.substr(more));
        taken += more;
    } else if (!bytes.empty()) {
        in_.append(bytes);
        const std::size_t more = engine_->feed(in_);
        in_.erase(0, more);
        taken += more;
    }
    engine_->end_of_input();
    watch_frame(taken != 0, now);
}

void Connection::process(Instant now) {
    const std::size_t before = in_.size();
    if (stage_ == Stage::kHello) hello();
    if (stage_ == Stage::kSasl && sasl(now)) after_sasl(now);
    if (stage_ == Stage::kAmqp) {
        in_.erase(0, engine_->feed(in_));
        engine_->end_of_input();
    }
    if (stage_ == Stage::kGoodbye) in_.clear();
    watch_frame(in_.size() < before, now);
}

// A frame that has begun must end in time; moved: one has ended since.
void Connection::watch_frame(bool moved, Instant now) {
    const bool waits = stage_ == Stage::kSasl && sasl_->state() == SaslServer::State::kChecking;
    if (in_.empty() || waits) {
        frame_since_.reset();
    } else if (!frame_since_ || moved) {
        frame_since_ = now;
    }
}

void Connection::hello() {
    if (in_.size() < kSaslHeader.size()) {
        const bool stranger = (!in_.empty() && in_[0] != 'A') || (in_.size() >= 4 && in_.substr(0, 4) != "AMQP");
        if (stranger && (in_.size() >= 4 || in_[0] == '\x16')) answer_stranger();
        return;
    }
    if (in_.substr(0, kSaslHeader.size()) == kSaslHeader) {
        in_.erase(0, kSaslHeader.size());
        SaslServer::Offer offer;
        offer.plain = tls_.has_value() || (loopback_ && shared_.plain_on_loopback);
        if (tls_ && tls_->peer_verified()) offer.certificate = tls_->peer_subject();
        sasl_.emplace(shared_.users, shared_.passwords, std::move(offer));
        out_ += sasl_->greeting();
        stage_ = Stage::kSasl;
    } else if (in_.substr(0, kAmqpHeader.size()) == kAmqpHeader) {
        // Speaks AMQP and has not said who it is. Told so in AMQP; its frames are not read.
        log_peer(name_, "refused, it left out SASL");
        count_refused("no-sasl");
        make_engine({});
        engine_->close({"amqp:unauthorized-access", "authenticate with SASL before AMQP"});
        in_.clear();
        stage_ = Stage::kAmqp;
    } else {
        answer_stranger();
    }
}

void Connection::answer_stranger() {
    if (is_http(in_)) {
        out_ += kHttpAnswer;
        log_peer(name_, "HTTP on the AMQP port");
        goodbye("http");
    } else if (in_[0] == '\x16') {
        out_ += kTlsAlert;
        log_peer(name_, "TLS on the port without TLS");
        goodbye("tls-on-plain");
    } else {
        out_ += kSaslHeader;  // the protocol that is spoken here (part 2.2)
        log_peer(name_, "not AMQP 1.0");
        goodbye("header");
    }
}

// True: who it is, is known.
bool Connection::sasl(Instant now) {
    try {
        while (sasl_->state() == SaslServer::State::kNegotiating) {
            const std::size_t length = frame_length(in_, SaslServer::kMaxFrame, 1);
            if (length == 0 || in_.size() < length) break;
            const auto state = sasl_->on_frame(std::string_view(in_).substr(0, length));
            in_.erase(0, length);
            if (state == SaslServer::State::kChecking) {
                shared_.passwords.check(sasl_->user(), sasl_->password(), [mailbox = mailbox_](PasswordChecker::Answer answer) {
                    mailbox->push({0, answer});
                });
            } else if (state == SaslServer::State::kNegotiating) {
                out_ += sasl_->take_output();
            }
        }
    } catch (const Violation& violation) {
        log_peer(name_, violation.what());
        goodbye(violation.reason());
        return false;
    }
    if (sasl_->state() == SaslServer::State::kRefused) refuse_login(now);
    return sasl_->state() == SaslServer::State::kAccepted;
}

void Connection::refuse_login(Instant now) {
    counter("clrbus_amqp_login_failed_total").add();
    log_peer(name_, "login refused");
    stage_ = Stage::kRefusing;
    in_.clear();
    refuse_at_ = now + shared_.limits.failed_login;
}

void Connection::after_sasl(Instant) {
    out_ += sasl_->take_output();
    log_peer(name_, sasl_->mechanism() + ", user '" + sasl_->user() + "'");
    make_engine(sasl_->user());
    stage_ = Stage::kAmqp;
    if (stopping_) engine_->begin_stop();
}

void Connection::make_engine(std::string user) {
    engine_ = std::make_unique<Engine>(Engine::Setup{.limits = shared_.limits,
                                                     .nodes = shared_.nodes,
                                                     .unfinished_total = shared_.unfinished,
                                                     .in_flight_total = shared_.in_flight,
                                                     .mailbox = mailbox_,
                                                     .container = shared_.container,
                                                     .user = std::move(user),
                                                     .connection = name_});
}

void Connection::goodbye(std::string_view reason) {
    count_refused(reason);
    stage_ = Stage::kGoodbye;
    in_.clear();
}

void Connection::read_mail(Instant now) {
    for (Mail& mail : mailbox_->take()) {
        if (const auto* answer = std::get_if<PasswordChecker::Answer>(&mail.what)) {
            if (stage_ != Stage::kSasl) continue;
            if (sasl_->checked(*answer) == SaslServer::State::kAccepted) {
                after_sasl(now);
            } else {
                refuse_login(now);
            }
        } else if (engine_) {
            engine_->on_mail(mail);
        }
    }
    process(now);  // what was pipelined behind the password, or left while too much was under way
}

Connection::Instant Connection::tick(Instant now) {
    Instant next = now + std::chrono::hours(1);
    const auto at = [&next](Instant when) { next = std::min(next, when); };
    if (refuse_at_ && stage_ == Stage::kRefusing) {
        if (now >= *refuse_at_) {
            out_ += sasl_->take_output();
            stage_ = Stage::kGoodbye;
        } else {
            at(*refuse_at_);
        }
    }
    if (stage_ == Stage::kHello || stage_ == Stage::kSasl || (stage_ == Stage::kAmqp && !engine_->opened())) {
        if (now >= handshake_until_) {
            count_refused("handshake");
            end({"amqp:connection:forced", "no open within the time that is given for it"});
        } else {
            at(handshake_until_);
        }
    }
    if (frame_since_) {
        if (!wants_input()) frame_since_ = now;  // it is we who do not read
        if (now >= *frame_since_ + shared_.limits.frame) {
            count_refused("slow-frame");
            frame_since_.reset();
            end({"amqp:connection:forced", "a frame that does not end"});
        } else {
            at(*frame_since_ + shared_.limits.frame);
        }
    }
    if (stalled_since_) {
        if (now >= *stalled_since_ + shared_.limits.write_stall) {
            count_refused("slow-reader");
            broken_ = true;
        } else {
            at(*stalled_since_ + shared_.limits.write_stall);
        }
    }
    if (stage_ == Stage::kAmqp) {
        if (const auto engine = engine_->tick(now)) at(*engine);
    }
    return next;
}

void Connection::end(const Condition& why) {
    if (stage_ == Stage::kAmqp) {
        log_peer(name_, why.description);
        engine_->close(why);
    } else {
        broken_ = true;
    }
}

void Connection::begin_stop() {
    stopping_ = true;
    if (stage_ == Stage::kAmqp) {
        engine_->begin_stop();
    } else {
        broken_ = true;
    }
}

std::string_view Connection::pending() {
    if (engine_ && out_.size() - out_sent_ < shared_.limits.max_output) engine_->write(out_);
    if (!tls_) return std::string_view(out_).substr(out_sent_);
    while (out_sent_ < out_.size()) {
        const std::size_t taken = tls_->write(std::string_view(out_).substr(out_sent_));
        if (taken == 0) break;
        out_sent_ += taken;
    }
    if (out_sent_ == out_.size()) {
        out_.clear();
        out_sent_ = 0;
        const bool last = stage_ == Stage::kGoodbye || (engine_ && engine_->finished());
        if (last && !std::exchange(tls_closed_, true) && tls_->state() == crypto::TlsSession::State::kOpen) tls_->close();
    } else if (out_sent_ > 64UL * 1024) {
        out_.erase(0, std::exchange(out_sent_, 0));
    }
    return tls_->encrypted();
}

void Connection::sent(std::size_t bytes, Instant now) {
    if (tls_) {
        tls_->consume(bytes);
    } else {
        out_sent_ += bytes;
        if (out_sent_ == out_.size()) {
            out_.clear();
            out_sent_ = 0;
        } else if (out_sent_ > 64UL * 1024) {
            out_.erase(0, std::exchange(out_sent_, 0));
        }
    }
    const bool waits = tls_ ? tls_->wants_write() : out_sent_ < out_.size();
    if (!waits) {
        stalled_since_.reset();
    } else if (bytes != 0 || !stalled_since_) {
        stalled_since_ = now;
    }
}

bool Connection::wants_input() const {
    switch (stage_) {
        case Stage::kHello:
        case Stage::kSasl:
            return in_.size() < kMaxWaitingInput;
        case Stage::kAmqp:
            return engine_->wants_input() && out_.size() - out_sent_ <= shared_.limits.max_output;
        default:
            return false;
    }
}

bool Connection::done() {
    const bool last = stage_ == Stage::kGoodbye || (stage_ == Stage::kAmqp && (engine_->finished() || engine_->closing()));
    return last && pending().empty();
}

}  // namespace clrbus::amqp
