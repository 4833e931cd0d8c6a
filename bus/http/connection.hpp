// One connection of the HTTP server: reads and checks a head, takes the body, hands the request to its handler, writes the
// answer. I/O thread only.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/executor.hpp"
#include "http/exchange.hpp"
#include "http/mounts.hpp"
#include "http/request_head.hpp"
#include "http/spool_file.hpp"
#include "http/transport.hpp"

namespace clrbus {

// What all connections of a server share.
struct HttpShared {
    HttpServerOptions options;
    Mounts mounts;
    std::shared_ptr<HttpMailbox> mailbox = std::make_shared<HttpMailbox>();
    std::shared_ptr<std::atomic<std::uint64_t>> known_bodies = std::make_shared<std::atomic<std::uint64_t>>(0);
    std::shared_ptr<std::atomic<std::uint64_t>> other_bodies = std::make_shared<std::atomic<std::uint64_t>>(0);
    Executor* pool = nullptr;
    std::atomic<std::shared_ptr<const crypto::TlsContext>> tls;  // null: plain; shared with sessions, replaced by reload
    std::atomic<bool> stopping{false};
};

class HttpConnection {
public:
    using Steady = std::chrono::steady_clock::time_point;

    HttpConnection(std::uint64_t id, std::unique_ptr<HttpTransport> transport, std::string peer, HttpShared& shared,
                   Steady now);

    // Each returns false when the connection is over and is to be dropped.
    bool on_events(bool readable, bool writable, bool broken, Steady now);
    bool on_letter(HttpLetter letter, Steady now);
    bool on_time(Steady now);  // called a few times a second
    bool on_stop() const;      // the server stops: an idle connection ends

    bool wants_read() const;
    bool wants_write() const { return out_.size() > out_sent_ || transport_->pending(); }
    // Between requests or still at a head: may be closed to make room.
    bool may_make_room() const { return state_ == State::kHead; }
    Steady since() const { return since_; }
    int fd() const { return transport_->fd(); }
    const std::string& peer() const { return peer_; }

private:
    enum class State : std::uint8_t { kHead, kBody, kSpooling, kWorking, kAnswer, kLinger };
    enum class Went : std::uint8_t {
        kOn,
        kWait,
        kOver
    };  // of a step: another one follows, bytes or a letter must come, the end

    void enter(State state, Steady now);
    Steady deadline() const;
    bool read(Steady now);
    bool advance(Steady now);
    Went step(Steady now);
    Went head_step(Steady now);
    Went begin(Steady now);  // head read: find the mount, admit
    Went body_step(Steady now);
    Went ended(Steady now);  // the peer will send no more
    Went spool(Steady now);
    std::shared_ptr<LiveExchange> make_exchange();
    void dispatch(Steady now);
    Went answer(HttpResponse response, bool close, Steady now);
    Went refuse(const HttpRefusal& refusal, Steady now);
    Went write(Steady now);
    Went answered(Steady now);

    const std::uint64_t id_;
    std::unique_ptr<HttpTransport> transport_;
    const std::string peer_;
    HttpShared& shared_;  // outlives me

    State state_ = State::kHead;
    Steady since_;  // this state began
    Steady spooling_since_{};
    std::uint64_t moved_ = 0;  // bytes in this state: a body or an answer may take longer the more of it has come
    bool ended_ = false;       // the peer has shut down its side
    std::string in_;
    std::string out_;
    std::size_t out_sent_ = 0;

    // Of the request in hand:
    std::uint64_t number_ = 0;
    HttpHeadScanner scanner_;
    HttpHead head_;
    std::uint64_t left_ = 0;  // of the body
    bool head_only_ = false;
    bool close_ = false;
    std::shared_ptr<MountedHandler> mounted_;
    std::shared_ptr<void> memory_;
    std::shared_ptr<SpoolFile> spool_;  // shared with the job that writes
    std::string chunk_;                 // of a spooled body, not yet given to the pool
};

}  // namespace clrbus
