// What an element of this adapter asks for, checked. Pure but for files that it names and the secrets' function.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapter/far_side.hpp"
#include "adapter/page_poll.hpp"
#include "adapters_http_poll/place.hpp"
#include "adapters_http_poll/request_text.hpp"
#include "xml/xpath.hpp"

namespace clrbus::adapters::http_poll {

enum class Paging : std::uint8_t { kNone, kLink, kNext, kCursor, kOffset, kPage };
enum class SinceFormat : std::uint8_t { kDateTime, kDate, kSeconds, kMillis };

struct PollConfig {
    // Throws Error(kConfig, "HPOLL-0xx", "POLL-001") with the place.
    explicit PollConfig(const AdapterContext& context);

    std::string method, origin, accept, content_type;
    RequestText url;
    std::vector<std::pair<std::string, RequestText>> parameters;
    std::optional<RequestText> body;
    HttpFields fields;
    FarSideOptions::FarSide far_side;
    std::chrono::milliseconds timeout{};
    std::uint64_t max_page = 0;

    bool xml = false;
    std::string records;         // path of the records; "" = the page is one message
    bool page_messages = false;  // the page is the message, though records are counted
    using Path = std::shared_ptr<const XPath>;
    Path key, version, mark;                                  // of a record; null = none
    Path page_mark, next, cursor, more, total, pages, error;  // of a page; null = none
    MarkType mark_type = MarkType::kTime;
    SinceFormat since_format = SinceFormat::kDateTime;
    std::string since_first;
    std::chrono::milliseconds overlap{};
    Paging paging = Paging::kNone;
    std::uint64_t size = 0, first_page = 1;
    double rate_least = 0;

    PagePoll::Options poll;
};

}  // namespace clrbus::adapters::http_poll
