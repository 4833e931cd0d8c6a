#include "adapters_oai_pmh/harvest_place.hpp"

#include <charconv>

#include "crypto/flat_json.hpp"

namespace clrbus::adapters::oai_pmh {

HarvestPlace HarvestPlace::decode(std::string_view text) {
    HarvestPlace out;
    const auto json = crypto::FlatJson::parse(text);
    if (!json) return out;
    const auto number = [&](std::string_view name) {
        std::uint64_t value = 0;
        if (const auto* member = json->find(name))
            std::from_chars(member->value.data(), member->value.data() + member->value.size(), value);
        return value;
    };
    out.since = json->string("since").value_or("");
    out.run = json->string("run").value_or("");
    out.first = json->string("first").value_or("");
    out.token = json->string("token").value_or("");
    out.days = number("days") != 0;
    out.list = number("list");
    out.pages = number("pages");
    return out;
}

std::string HarvestPlace::encode() const {
    return "{\"since\":" + crypto::json_string(since) + ",\"run\":" + crypto::json_string(run) +
           ",\"first\":" + crypto::json_string(first) + ",\"days\":" + (days ? "1" : "0") +
           ",\"list\":" + std::to_string(list) + ",\"token\":" + crypto::json_string(token) +
           ",\"pages\":" + std::to_string(pages) + "}";
}

}  // namespace clrbus::adapters::oai_pmh
