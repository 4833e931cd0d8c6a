// The links of a connection that we opened, on Proton's objects. They outlive the connection: attached again with the next one.
// The client's thread. Proton's types are only declared here.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "amqp/client.hpp"
#include "amqp/frame_guard.hpp"

struct pn_delivery_t;
struct pn_link_t;
struct pn_session_t;

namespace clrbus::amqp {

class ClientLink {
public:
    using Instant = std::chrono::steady_clock::time_point;

    ClientLink(std::string with_name, LinkAddress at, bool we_send)
        : name(std::move(with_name)), address(std::move(at)), sends(we_send) {}
    virtual ~ClientLink() = default;
    ClientLink(const ClientLink&) = delete;
    ClientLink& operator=(const ClientLink&) = delete;

    virtual void attached(std::shared_ptr<GuardedLink> guard) = 0;
    virtual void on_delivery(pn_delivery_t* delivery) = 0;
    virtual bool pump(std::size_t room) = 0;  // true when something went out
    virtual void lost() = 0;                  // the link is gone; everything unsettled is unknown
    virtual bool idle() const = 0;            // nothing that the peer must answer
    // When it last had an answer, or was given something after it had all of them. Nothing: it waits for none.
    virtual std::optional<Instant> waits_since() const { return std::nullopt; }

    const std::string name;
    const LinkAddress address;
    const bool sends;
    pn_session_t* session = nullptr;  // while the link is asked for or attached
    pn_link_t* link = nullptr;
    bool open = false;     // the peer has answered
    bool closing = false;  // not to be attached again
    Instant asked{};       // when it was asked for
    bool late = false;     // not answered in the time for it
    bool blocked = false;  // attached, but nothing that is sent is answered
    std::chrono::milliseconds pause{0};
    std::optional<Instant> again;  // when to ask for it again
};

class ClientSenderLink : public ClientLink {
public:
    ClientSenderLink(std::string with_name, LinkAddress to) : ClientLink(std::move(with_name), std::move(to), true) {}

    void queue(Message message, Sender::Answered answered);
    void attached(std::shared_ptr<GuardedLink> guard) override;
    void on_delivery(pn_delivery_t* delivery) override;
    bool pump(std::size_t room) override;
    void lost() override;
    bool idle() const override { return waiting_.empty() && unsettled_.empty(); }
    std::optional<Instant> waits_since() const override { return idle() ? std::nullopt : std::optional(since_); }

private:
    struct Item {
        Message message;
        Sender::Answered answered;
    };
    std::deque<Item> waiting_;
    std::map<std::uint64_t, Item> unsettled_;  // by tag, which rises
    pn_delivery_t* current_ = nullptr;         // of the front of waiting_, once its first bytes are out
    std::size_t sent_ = 0;                     // bytes of it that are out
    std::uint64_t next_tag_ = 1;
    Instant since_{};
};

class ClientReceiverLink : public ClientLink {
public:
    ClientReceiverLink(std::string with_name, LinkAddress from, ReceiverEvents events)
        : ClientLink(std::move(with_name), std::move(from), false), events_(std::move(events)) {}

    void grant(std::uint32_t more);
    void settle(const std::vector<Settlement>& batch);
    void attached(std::shared_ptr<GuardedLink> guard) override;
    void on_delivery(pn_delivery_t* delivery) override;
    bool pump(std::size_t) override { return false; }
    void lost() override;
    bool idle() const override { return true; }

private:
    void flow();

    ReceiverEvents events_;
    std::shared_ptr<GuardedLink> guard_;
    std::string partial_;      // of the delivery that has begun
    std::int64_t credit_ = 0;  // granted, not used; below 0 when the peer delivered more
    std::uint64_t next_token_ = 1;
    std::unordered_map<std::uint64_t, pn_delivery_t*> pending_;
};

}  // namespace clrbus::amqp
