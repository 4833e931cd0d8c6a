// The bytes of one page: its records, and what it says of the next page. Pure; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters_http_poll/poll_config.hpp"

namespace clrbus::adapters::http_poll {

struct ReadRecord {
    std::string body;          // as it stands there; XML with the namespaces that it needs
    std::string key, version;  // "" = not asked for, or not there
};
struct ReadPage {
    std::vector<ReadRecord> records;     // bodies are left empty where pages are the messages
    std::uint64_t count = 0;             // of records
    std::string mark;                    // the highest of the page, "" = none
    std::string next, cursor;            // "" = none
    std::string version;                 // of the page
    bool more = true;                    // the page does not say that it is the last one
    std::uint64_t total = 0, pages = 0;  // 0 = not said
};

// Throws Error(kAway): what the page is not (HPOLL-012: no JSON or XML of the right shape; HPOLL-013: the far side says that
// something is wrong; HPOLL-014: a mark that is none). No text holds a value of the page.
ReadPage read_page(const PollConfig& config, const std::string& body);

}  // namespace clrbus::adapters::http_poll
