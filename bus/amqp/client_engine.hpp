// One connection that we opened, behind its SASL layer: bytes in, bytes out, on Proton's connection driver with the frame guard
// in front. No socket, no TLS, no clock of its own. The client's thread.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "amqp/client_links.hpp"
#include "amqp/limits.hpp"

namespace clrbus::amqp {

class ClientEngine {
public:
    using Instant = std::chrono::steady_clock::time_point;

    struct Setup {
        const Limits& limits;  // outlives the engine
        std::string container, hostname;
        std::chrono::milliseconds answer;                             // for open and attach
        std::chrono::milliseconds first_pause, most_pause;            // before a refused link is asked for again
        std::function<void(ClientLink&, const Condition&)> on_state;  // attached (no condition), or gone
    };
    ClientEngine(Setup setup, std::vector<std::shared_ptr<ClientLink>>& links);
    ~ClientEngine();  // the links are told that they are lost
    ClientEngine(const ClientEngine&) = delete;
    ClientEngine& operator=(const ClientEngine&) = delete;

    void feed(std::string& input);
    void write(std::string& out);
    // Heartbeats, silence, links to be asked for. The next moment at which to call it again.
    Instant tick(Instant now);
    void close_link(ClientLink& link);
    void drain();  // ends the sessions; once the peer has ended them too, closes

    bool opened() const;
    bool finished() const;  // nothing more is to be said or heard
    bool drained() const;   // it ended as drain asked for
    const std::string& error() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::amqp
