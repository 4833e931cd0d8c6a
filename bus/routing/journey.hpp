// What the engine says about a message for the index of messages (trace/visit.hpp), and its business keys. Any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "broker/queues.hpp"
#include "core/error.hpp"
#include "trace/key_hasher.hpp"
#include "trace/visit.hpp"

namespace clrbus {

class XPath;
struct Work;

// <key> of a route: read from the document as it came, before the first step that could change it.
struct BusinessKey {
    std::string name;
    std::shared_ptr<const XPath> value;
    bool personal = true;  // only its keyed hash is kept
};
inline constexpr std::size_t kMostBusinessKeys = 8;

// Reads the route's keys once there is a document. One that is missing is none; one that fails is counted, and the message goes
// on.
void take_keys(Work& work);

trace::VisitState visit_state_of(Outcome outcome);
// A message of that queue, as far as its headers tell. ended: now.
trace::Visit visit_of(const std::string& queue, std::uint64_t sequence, std::string id, const Headers& headers, Time ended);
trace::Visit visit_of(const std::string& queue, const BrowsedMessage& message, Time ended);
// The outputs in it, from `from` on, that are no dead letters.
void add_outputs(trace::Visit& visit, const std::vector<Put>& outputs, std::size_t from = 0);
void add_fault(trace::Visit& visit, const Error& error, std::string_view step);

}  // namespace clrbus
