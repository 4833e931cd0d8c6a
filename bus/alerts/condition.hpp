// What stands still or is about to, as one fact with a key of its own: the list behind `clrbus status` and behind the alerts.
// Value types. No text holds a payload, a secret or a person's identifier.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"

namespace clrbus::alerts {

// The kinds that a channel may choose by name.
inline constexpr std::string_view kKinds[] = {"dead-letters", "oldest-waiting", "source-late",  "disk",       "expiry",
                                              "ledger",       "far-side-away",  "stands-still", "undelivered"};

struct Condition {
    std::string key;   // the same for the same fact at every look: "dead-letters pesc"
    std::string kind;  // one of kKinds
    std::string code;  // has a page: clrbus explain CODE
    std::string what;  // one sentence
    std::string todo;
    Time since{};                        // Time{}: since it was first seen
    Time oldest{};                       // acceptance of the oldest message that waits because of it; Time{}: none does
    std::chrono::milliseconds after{0};  // an alert begins when it has held for so long
    bool begins = true;                  // false: too early to tell, but an alert that is open goes on
    bool still = true;                   // something stands still: `clrbus status` ends with 1
};

// One line of a notice.
struct Event {
    std::uint64_t number = 0;  // rises; unique in a state directory
    bool begin = true;
    std::string key, kind, code, what, todo;
    Time since{};  // of the condition
    Time at{};     // when it began or ended
};

// What a channel sends: all that began and ended since the last one that arrived.
struct Notice {
    std::string id;        // the same when it is sent again
    std::string instance;  // which bus, on which machine
    Time at{};
    std::vector<Event> events;
    std::uint64_t left_out = 0;  // events that found no room while the channel was away
    std::size_t open = 0;        // alerts that hold now
    bool test = false;
};

std::string notice_subject(const Notice& notice);
std::string notice_text(const Notice& notice);  // for people; lines end with LF
std::string notice_json(const Notice& notice);  // one object

}  // namespace clrbus::alerts
