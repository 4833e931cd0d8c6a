#include "adapters_oai_pmh/oai_pmh_adapter.hpp"

#include <utility>

#include "adapters_oai_pmh/harvest_plan.hpp"

namespace clrbus::adapters::oai_pmh {

const AdapterInfo& adapter_info() {
    static constexpr AdapterInfo kInfo{
        .name = "oai-pmh",
        .summary = "Harvests repositories by OAI-PMH 2.0",
        .namespace_uri = "urn:clrbus:adapter:oai-pmh:1",
        .schema = "config.xsd",
        .source = [](const AdapterContext& context) -> std::unique_ptr<Source> {
            HarvestConfig config(context);
            PagePoll::Options options = config.poll;
            return std::make_unique<PagePoll>(std::move(options), std::make_unique<HarvestPlan>(std::move(config)), context);
        },
    };
    return kInfo;
}

}  // namespace clrbus::adapters::oai_pmh
