// Stands between the socket and Proton's core: every frame of a peer is checked here against the state that the connection is
// in, before Proton sees a byte of it (Proton 0.37 aborts the process on some frames, and enforces neither credit nor sizes).
// One connection, its I/O thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "amqp/limits.hpp"
#include "amqp/performative.hpp"

namespace clrbus::amqp {

// What the guard knows of one link. Shared by the guard and the link that the engine keeps, both on the I/O thread.
struct GuardedLink {
    std::string name;
    bool peer_sends = false;
    std::uint64_t granted = 0;      // deliveries allowed since attach; raised by whoever gives credit
    std::uint64_t started = 0;      // deliveries begun since attach
    std::uint64_t slack = 0;        // deliveries beyond that are let through: of peers that count credit anew with each flow
    bool in_delivery = false;       // a transfer with more=true was the last one
    std::uint32_t delivery_id = 0;  // of that delivery
    std::uint64_t bytes = 0;        // of that delivery so far

    // Bytes of messages go past Proton, to whoever sets this; Proton sees their transfers without them.
    bool collects = false;
    struct Whole {
        std::string tag, bytes;
    };
    std::string tag, partial;  // of that delivery so far
    std::deque<Whole> whole;   // complete, in order, until Proton has told of the delivery
};

class FrameGuard {
public:
    // Who begins sessions and attaches links. kWe: the peer only answers, and what it begins by itself is refused.
    enum class Begins : std::uint8_t { kPeer, kWe };

    // unfinished_total: bytes of begun deliveries of all connections, shared with their guards.
    FrameGuard(const Limits& limits, std::atomic<std::uint64_t>& unfinished_total, Begins begins = Begins::kPeer);
    ~FrameGuard();
    FrameGuard(const FrameGuard&) = delete;
    FrameGuard& operator=(const FrameGuard&) = delete;

    // The length of the first frame in bytes, 0 when more bytes are needed to tell. Throws Violation.
    std::size_t length(std::string_view bytes) const { return frame_length(bytes, limits_.max_frame, 0); }
    // How many bytes these lack to begin with a whole frame; 0: none, or that cannot be told.
    std::size_t missing(std::string_view bytes) const;
    // One whole frame. Throws Violation: then nothing of this connection goes to Proton any more. Nothing: a heartbeat.
    std::optional<Code> check(std::string_view frame);

    // Of the transfer that check saw last, valid as long as its frame: its link, and the bytes of the message.
    struct Transfer {
        GuardedLink* link = nullptr;
        std::string_view tag, payload;
        bool first = false, more = false, aborted = false;
    };
    const Transfer& last_transfer() const { return last_transfer_; }
    void collect();  // its bytes, when its link collects

    // What we wrote, as it goes out: begin and attach of ours are what the peer may answer. For Begins::kWe alone.
    void sent(std::string_view bytes);

    // The link of the attach that check saw last.
    const std::shared_ptr<GuardedLink>& last_attached() const { return last_attached_; }
    bool opened() const { return opened_; }
    bool closed() const { return closed_; }
    std::uint64_t unfinished() const { return unfinished_; }

private:
    struct Session {
        bool id_known = false;
        std::uint32_t next_delivery_id = 0;
        std::map<std::uint32_t, std::shared_ptr<GuardedLink>> links;  // by the peer's handle
        std::set<std::pair<std::string, bool>> names;                 // of links in use, with their direction
        std::uint16_t ours = 0;                                       // the channel that we began it on
    };

    void open(const Performative& p);
    void begin(const Performative& p);
    void attach(const Performative& p);
    void flow(const Performative& p);
    void transfer(const Performative& p);
    void disposition(const Performative& p);
    void detach(const Performative& p);
    void end(const Performative& p);
    Session& session(const Performative& p);
    GuardedLink& link(Session& session, std::uint64_t handle);
    void forget(GuardedLink& link);
    void count_unfinished(GuardedLink& link, std::uint64_t bytes);
    void sent_frame(std::string_view frame);

    const Limits& limits_;
    const Begins begins_;
    std::atomic<std::uint64_t>& unfinished_total_;
    bool opened_ = false;
    bool closed_ = false;
    std::map<std::uint16_t, Session> sessions_;  // by the peer's channel
    std::size_t links_ = 0;
    std::uint64_t unfinished_ = 0;
    std::shared_ptr<GuardedLink> last_attached_;
    Transfer last_transfer_;

    // Begins::kWe
    struct Asked {
        bool begun = false;                            // and not answered
        std::set<std::pair<std::string, bool>> links;  // attached and not answered; true: the peer sends
    };
    std::map<std::uint16_t, Asked> asked_;  // by our channel
    std::string sent_;                      // the start of a frame of ours whose rest is not out yet
    std::size_t skip_ = 8;                  // bytes of it that nobody needs; first the protocol header
};

}  // namespace clrbus::amqp
