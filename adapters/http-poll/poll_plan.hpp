// What is asked next, and what an answer means: the page recipes, marks and ETags of this adapter. For PagePoll; one thread.
#pragma once

#include <string>

#include "adapters_http_poll/page_reader.hpp"
#include "adapters_http_poll/place.hpp"
#include "adapters_http_poll/poll_config.hpp"

namespace clrbus::adapters::http_poll {

class PollPlan : public PagePlan {
public:
    PollPlan(PollConfig config, const Clock& clock) : config_(std::move(config)), clock_(clock) {}

    std::string begin(const std::string& place, Time planned, Time now) override;
    HttpCall request(const std::string& place) override;
    Page read(const std::string& place, const HttpAnswer& answer) override;
    std::optional<std::string> anew(const std::string& place) override;
    std::optional<std::chrono::seconds> wait_of(const HttpAnswer& answer) const override;

private:
    std::string url_of(const Place& place) const;
    std::optional<std::string> value_of(const Place& place, std::string_view name) const;
    std::string since_text(const Place& place) const;
    std::string next_of(const Place& place, const ReadPage& page, const HttpAnswer& answer) const;
    void add_items(const Place& place, ReadPage& page, const HttpAnswer& answer, Page& out) const;
    bool whole() const;  // a run is one answer

    const PollConfig config_;
    const Clock& clock_;  // any thread
};

}  // namespace clrbus::adapters::http_poll
