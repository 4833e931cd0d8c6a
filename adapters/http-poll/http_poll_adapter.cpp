#include "adapters_http_poll/http_poll_adapter.hpp"

#include <utility>

#include "adapters_http_poll/poll_plan.hpp"

namespace clrbus::adapters::http_poll {

const AdapterInfo& adapter_info() {
    static constexpr AdapterInfo kInfo{
        .name = "http-poll",
        .summary = "Reads a system page by page over HTTP, by a schedule",
        .namespace_uri = "urn:clrbus:adapter:http-poll:1",
        .schema = "config.xsd",
        .source = [](const AdapterContext& context) -> std::unique_ptr<Source> {
            PollConfig config(context);
            PagePoll::Options options = config.poll;
            return std::make_unique<PagePoll>(std::move(options), std::make_unique<PollPlan>(std::move(config), *context.clock),
                                              context);
        },
    };
    return kInfo;
}

}  // namespace clrbus::adapters::http_poll
