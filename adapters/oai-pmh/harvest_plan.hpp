// What is asked next of a repository, and what its answer means. For PagePoll; one thread.
#pragma once

#include <string>
#include <vector>

#include "adapter/far_side.hpp"
#include "adapter/page_poll.hpp"
#include "adapters_oai_pmh/harvest_place.hpp"

namespace clrbus::adapters::oai_pmh {

struct HarvestConfig {
    // Throws Error(kConfig, "HARV-0xx") with the place.
    explicit HarvestConfig(const AdapterContext& context);

    std::string url;
    struct List {
        std::string format, set;  // set "" = all
    };
    std::vector<List> lists;  // at least one
    std::string from, until;  // RFC 3339; "" = none
    std::chrono::milliseconds overlap{};
    bool repair = false;
    HttpFields fields;
    FarSideOptions::FarSide far_side;
    std::chrono::milliseconds timeout{};
    std::uint64_t max_page = 0;
    PagePoll::Options poll;
};

class HarvestPlan : public PagePlan {
public:
    explicit HarvestPlan(HarvestConfig config) : config_(std::move(config)) {}

    std::string begin(const std::string& place, Time planned, Time now) override;
    HttpCall request(const std::string& place) override;
    Page read(const std::string& place, const HttpAnswer& answer) override;
    // The list in hand begins again, not those before it.
    std::optional<std::string> anew(const std::string& place) override;

private:
    Page identified(HarvestPlace place, const HttpAnswer& answer) const;
    std::string list_query(const HarvestPlace& place) const;

    const HarvestConfig config_;
};

}  // namespace clrbus::adapters::oai_pmh
