// What travels between the process that keeps the books and its workers, as the one data section of AMQP messages: work (a
// message of an inbox, with what the worker must know) and results (a Unit, or a message given back). Own encoding, so that a
// broker that takes messages apart and builds them anew changes nothing. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/queues.hpp"

namespace clrbus::broker {

struct LinkWork {
    std::uint64_t delivery = 0;  // of this sending: the keeper's start, and a number in it
    TakenMessage taken;
    std::vector<Note> notes;  // what the worker may ask for; a note without a value is not there
};

// A Unit of a worker. It is applied only when the notes that it changes are what the worker believed, and while the messages
// that those notes came with are not settled: afterwards the notes are gone, and look as they did at first.
struct LinkUnit {
    Unit unit;
    std::vector<Note> believed;
    std::vector<Unit::Input> during;
};
struct LinkRelease {
    std::string queue;
    std::uint64_t sequence = 0;
    std::uint64_t delivery = 0;  // that is given back; another one stays where it is
    Time not_before{};
    bool failed = false;
};
using LinkResult = std::variant<LinkUnit, LinkRelease>;

Message encode_work(const LinkWork& work);
Message encode_result(const LinkResult& result);
// From the bytes that a link delivered. Throw Error(kPoison, "LINK-001") with the offset on anything that was not encoded here.
LinkWork decode_work(std::string encoded);
LinkResult decode_result(std::string encoded);

}  // namespace clrbus::broker
