// How the queues of routes are shared over another broker. Value types.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/client.hpp"
#include "broker/queues.hpp"

namespace clrbus {

struct LinkOptions {
    enum class Addresses : std::uint8_t {
        kDeclare,  // RabbitMQ: /queue/NAME with a durable terminus declares a classic durable queue
        kExist,    // RabbitMQ: /amq/queue/NAME, declared before (quorum queues)
        kPlain,    // any other broker: NAME
    };
    amqp::ClientOptions client;
    Addresses addresses = Addresses::kDeclare;
    std::string prefix = "clrbus.";  // of the names there: two buses may share a broker
    std::uint32_t window = 256;  // messages of one inbox that are out at once, beyond what consumers in this process ask for
    std::uint32_t results = 64;  // results of workers in hand at once

    // Inboxes whose routes run in the process that keeps the books alone. Changed later by LinkQueues::stay.
    std::set<std::string, std::less<>> stay;
    // Names of notes that a worker may need for this message: they travel with it.
    std::function<std::vector<std::string>(const TakenMessage&)> notes_of;
    // A worker's: may this message be worked on here? Told the notes that came with it. False: it goes back to the books, which
    // send it again a little later.
    std::function<bool(const TakenMessage&, const std::vector<Note>&)> admits;
    // A worker's: notes with one of these prefixes concern it alone and stay with it.
    std::vector<std::string> own_notes;
    Clock* clock = nullptr;  // system_clock() when null

    std::string name_of(std::string_view queue) const;  // in/pesc: clrbus.in.pesc
    std::string results_name() const { return name_of("results"); }
    amqp::LinkAddress address_of(std::string_view name) const;
};

}  // namespace clrbus
