// A door that reads a far side page by page over HTTP, at the moments of a schedule: asks, hands over what a page holds, and
// moves its place in the commit that makes the last of the page durable. So a kill at any moment loses nothing, and what is
// read twice is dropped by its key. What differs between protocols is a PagePlan.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapter/adapter.hpp"
#include "adapter/scheduled_run.hpp"
#include "http/client.hpp"
#include "http/client_rule.hpp"

namespace clrbus {

// One message to be.
struct PolledItem {
    std::string body, content_type;
    std::string key;   // which item and which version of it: the same key is one message. "" = not asked
    std::string name;  // for people; no personal data
};

// What is asked, and what an answer means. Pure but for memory of the run in hand; one thread. A place is a text of its own, at
// most 4 KB, that says where reading goes on; "" before the first run.
class PagePlan {
public:
    virtual ~PagePlan() = default;
    // The place at which a run begins. After a run that was cut off in the middle: where that one was.
    virtual std::string begin(const std::string& place, Time planned, Time now) = 0;
    // Throws as read does.
    virtual HttpCall request(const std::string& place) = 0;
    struct Page {
        std::vector<PolledItem> items;
        std::string place;                  // after the items
        std::string next;                   // names the next page; "" = the run is done. The same one twice is a loop.
        std::chrono::milliseconds wait{0};  // before the next page is asked for: the far side's limit of requests
        bool lost = false;                  // nothing of the above: the far side no longer knows the place
    };
    // Throws Error: kAway = the same place again, later; kPoison = this run cannot go on.
    virtual Page read(const std::string& place, const HttpAnswer& answer) = 0;
    // The place at which the run in hand begins again; nothing when this place is its beginning.
    virtual std::optional<std::string> anew(const std::string& place) = 0;
    // How long the far side wants to be left alone, said otherwise than by Retry-After.
    virtual std::optional<std::chrono::seconds> wait_of(const HttpAnswer&) const { return std::nullopt; }
};

class PagePoll : public Source {
public:
    struct Options {
        ScheduledRun::Options schedule;                        // name: of the door, its own among those of the inbox
        HttpRule rule;                                         // 4xx: the place is lost, where it is not the beginning
        std::chrono::milliseconds first{1000}, most{300'000};  // back-off while the far side is away
        std::chrono::milliseconds pause{0};                    // between two pages
        std::uint64_t pages = 10'000;                          // of one run, at most
    };
    // What context names outlives this. Throws Error(kConfig, "POLL-001") when the route drops something, which a page cannot.
    PagePoll(Options options, std::unique_ptr<PagePlan> plan, const AdapterContext& context);
    ~PagePoll() override;  // stop()

    void start() override;
    void stop() override;
    Health health() const override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// schedule, zone, catch-up and jitter of an element. Throws Error(kConfig) with the adapter's own codes.
struct ScheduleCodes {
    std::string_view schedule, zone, jitter;
};
ScheduledRun::Options read_schedule_options(const Config& config, const ScheduleCodes& codes);

}  // namespace clrbus
