// Where reading goes on: the text that is kept in the commit with each page. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace clrbus::adapters::http_poll {

// What a mark is: how two of them compare, and what of it is sent.
enum class MarkType : std::uint8_t { kTime, kNumber, kText };

struct Place {
    std::string since;  // up to here everything is ours; "" = nothing yet
    std::string etag;   // of the whole answer, when a run is one page
    std::string modified;
    std::string asked;  // hash of the request that gave etag
    std::string body;   // hash of the last whole answer

    // The run in hand; run empty: none.
    std::string run;    // its planned time
    std::string start;  // when it began
    std::string high;   // the highest mark so far
    std::string next;   // cursor, URL, offset or number of the next page; "" = the first one
    std::uint64_t pages = 0;

    // Nothing or nonsense: the place before the first run.
    static Place decode(std::string_view text);
    std::string encode() const;

    void begin(Time planned, Time now);  // unless a run is in hand
    // A run is done: since is its highest mark, and never less than it was.
    void end(MarkType type);
};

// The greater of the two; of texts the newer, b. "" is less than anything.
const std::string& later_mark(MarkType type, const std::string& a, const std::string& b);
// A mark as it is kept: times in RFC 3339 (an RFC 3339 time, one without zone = UTC, a date, seconds or milliseconds since
// 1970), numbers without leading zeros. Throws Error(kAway, "HPOLL-014") for what is none.
std::string read_mark(MarkType type, std::string_view text);

}  // namespace clrbus::adapters::http_poll
