// Messages found by key, route, state and time, and the journey of one. Over the index alone, and what is live where the bus
// runs. For management/ alone: Boost.JSON shows here.
#pragma once

#include <boost/json/object.hpp>
#include <functional>

#include "broker/queues.hpp"
#include "trace/index.hpp"
#include "trace/key_hasher.hpp"

namespace clrbus::management {

struct MessagesView {
    trace::Index& index;
    const trace::KeyHasher& hasher;
    const Queues* queues = nullptr;                                                // null: the bus is stopped
    std::function<std::vector<std::uint64_t>(const std::string& learner)> trails;  // empty: the bus is stopped
};

struct MessagesAsked {
    std::string route, key, learner, state, since, until;
    std::int64_t most = 100;
};
// Throws Error(kPoison, "MGMT-002" malformed, "MGMT-031" not while the bus is stopped).
boost::json::object find_messages(const MessagesView& view, const MessagesAsked& asked);
// Throws Error(kPoison, "MGMT-032"): nothing is known of that id.
boost::json::object journey_of(const MessagesView& view, const std::string& id, std::int64_t children);

}  // namespace clrbus::management
